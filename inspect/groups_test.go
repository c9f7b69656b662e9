package inspect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

func describeOne(t *testing.T, fake *kfake.Cluster, group string, options ...inspect.Option) (inspect.Group, inspect.Answer[[]inspect.Group]) {
	t.Helper()
	answer, err := inspect.New(newClient(t, fake), options...).Groups(testContext(t), group)
	if err != nil || len(answer.Data) != 1 {
		t.Fatalf("%v: %+v", err, answer)
	}
	return answer.Data[0], answer
}

func assignedCount(group inspect.Group) int {
	n := 0
	for _, m := range group.Members {
		for _, tp := range m.Assigned {
			n += len(tp.Partitions)
		}
	}
	return n
}

func TestGroupsDescribeAClassicGroupWithItsLeader(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	client := joinGroup(t, fake, "workers", 1, kgo.InstanceID("one"), kgo.Balancers(kgo.RangeBalancer()))
	member, generation := client.GroupMetadata()
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "older", generation-1), kafkatest.GroupRecord("workers", member, generation), kafkatest.GroupRecord("others", "x", 99))

	group, answer := describeOne(t, fake, "workers")
	if answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(answer.Errors, answer.Warnings)
	}
	if *group.Type != "classic" || *group.State != "Stable" || *group.ProtocolType != "consumer" || *group.Assignor != "range" {
		t.Errorf("group %+v", group)
	}
	if *group.Leader != member || *group.Generation != generation {
		t.Errorf("leader %q of generation %d, want %q of %d", *group.Leader, *group.Generation, member, generation)
	}
	if *group.OffsetsPartition != inspect.OffsetsPartition("workers", 50) || *group.Coordinator != fake.CoordinatorFor("workers") {
		t.Errorf("partition %d, coordinator %d", *group.OffsetsPartition, *group.Coordinator)
	}
	if len(group.Members) != 1 || assignedCount(group) != 6 {
		t.Fatalf("members %+v", group.Members)
	}
	m := group.Members[0]
	if m.ID != member || *m.Instance != "one" || m.ClientID != "member-1" || m.Host == "" || !slices.Equal(m.Topics, []string{"orders"}) {
		t.Errorf("member %+v", m)
	}
}

func TestGroupsWithoutALogSayWhyTheLeaderIsUnknown(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"))
	joinGroup(t, fake, "workers", 1)
	group, answer := describeOne(t, fake, "workers")
	if group.Leader != nil || group.Generation != nil || group.OffsetsPartition != nil {
		t.Errorf("group %+v", group)
	}
	if len(answer.Warnings) != 1 || answer.Warnings[0].Code != inspect.CodeOffsetsTopicConcealed || answer.Warnings[0].Target != "workers" ||
		!strings.Contains(answer.Warnings[0].Message, "leader and the generation") {
		t.Errorf("warnings %+v", answer.Warnings)
	}
	if answer.Err() != nil {
		t.Errorf("errors %+v", answer.Errors)
	}
}

// A server that shows no __consumer_offsets and has groups conceals it: that is no proof
// that something does not exist, and nothing is asked that could create it.
func TestGroupsAreProofOfATopicThatIsNotShown(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"))
	joinGroup(t, fake, "workers", 1)
	asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
	in := inspect.New(newClient(t, fake))
	history, err := in.OffsetsLog(testContext(t), "workers", inspect.LogRange{})
	if got := codes(history.Errors); err != nil || !slices.Equal(got, []inspect.Code{inspect.CodeOffsetsTopicConcealed}) {
		t.Errorf("%v: %+v", err, history.Errors)
	}
	coordinators, err := in.Coordinators(testContext(t), "workers")
	if got := codes(coordinators.Errors); err != nil || !slices.Equal(got, []inspect.Code{inspect.CodeOffsetsTopicConcealed}) {
		t.Errorf("%v: %+v", err, coordinators.Errors)
	}
	groups, err := in.Groups(testContext(t), "nobody")
	if got := codes(groups.Errors); err != nil || !slices.Equal(got, []inspect.Code{inspect.CodeNotAuthorized}) {
		t.Errorf("%v: %+v", err, groups.Errors)
	}
	state, err := in.ElectionState(testContext(t))
	if err != nil || !slices.Contains(codes(state.Errors), inspect.CodeOffsetsTopicConcealed) {
		t.Errorf("%v: %+v", err, state.Errors)
	}
	if hits := asked.Hits(); hits > 0 {
		t.Errorf("FindCoordinator, which could create the topic, was sent %d times", hits)
	}
}

// The first group of a cluster may be created, and the topic with it, between the look at
// the topic and the list of groups: that is no reason to call the topic concealed.
func TestATopicThatIsCreatedMeanwhileIsNotConcealed(t *testing.T) {
	for name, test := range map[string]struct {
		absent int // how many looks do not show it
		ask    func(*inspect.Inspector) ([]inspect.Problem, error)
	}{
		"groups": {1, func(in *inspect.Inspector) ([]inspect.Problem, error) {
			a, err := in.Groups(testContext(t), "workers")
			if len(a.Data) != 1 || a.Data[0].Leader == nil || a.Data[0].OffsetsPartition == nil {
				t.Errorf("groups %+v", a.Data)
			}
			return append(a.Errors, a.Warnings...), err
		}},
		"the log": {1, func(in *inspect.Inspector) ([]inspect.Problem, error) {
			a, err := in.OffsetsLog(testContext(t), "workers", inspect.LogRange{})
			if a.Data == nil || len(a.Data.Entries) != 1 {
				t.Errorf("history %+v", a.Data)
			}
			return append(a.Errors, a.Warnings...), err
		}},
		"coordinators, seen at the second look": {1, coordinatorOfWorkers(t)},
		"coordinators, seen at the third look":  {2, coordinatorOfWorkers(t)},
		"elections": {1, func(in *inspect.Inspector) ([]inspect.Problem, error) {
			a, err := in.ElectionState(testContext(t))
			if len(a.Data.Groups) != 1 {
				t.Errorf("groups %+v", a.Data.Groups)
			}
			// The fake has no quorum, and other things that are not asked about here.
			return slices.DeleteFunc(a.Errors, func(p inspect.Problem) bool { return p.Target != offsetsTopic }), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
			member, generation := joinGroup(t, fake, "workers", 1).GroupMetadata()
			writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", member, generation))
			in := inspect.New(newClient(t, fake))
			hidden := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: offsetsTopic, Err: kerr.UnknownTopicOrPartition, Count: test.absent})
			problems, err := test.ask(in)
			if err != nil || len(problems) > 0 {
				t.Errorf("%v: %+v", err, problems)
			}
			if hits := hidden.Hits(); hits != test.absent {
				t.Errorf("the topic was absent from %d looks, want %d", hits, test.absent)
			}
		})
	}
}

func coordinatorOfWorkers(t *testing.T) func(*inspect.Inspector) ([]inspect.Problem, error) {
	return func(in *inspect.Inspector) ([]inspect.Problem, error) {
		a, err := in.Coordinators(testContext(t), "workers")
		if len(a.Data) != 1 || a.Data[0].Partition == nil || a.Data[0].Coordinator == nil {
			t.Errorf("coordinators %+v", a.Data)
		}
		return a.Errors, err // the fake places groups otherwise than Kafka, which is a warning
	}
}

func TestGroupsTellTheTypesApart(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "modern", 1, kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	joinGroup(t, fake, "old", 1, kgo.Balancers(kgo.CooperativeStickyBalancer()))

	group, answer := describeOne(t, fake, "modern")
	if *group.Type != "consumer" || *group.State != "Stable" || group.Leader != nil || *group.Generation < 1 || assignedCount(group) != 6 {
		t.Errorf("group %+v of %+v", group, answer)
	}
	if group, _ := describeOne(t, fake, "old"); *group.Type != "classic" {
		t.Errorf("group %+v", group)
	}
	all, err := inspect.New(newClient(t, fake)).Groups(testContext(t))
	if err != nil || len(all.Data) != 2 || all.Data[0].Group != "modern" || all.Data[1].Group != "old" {
		t.Errorf("all groups: %v, %+v", err, all)
	}
}

func TestGroupsThatDoNotExistOrMayNotBeSeen(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "workers", 1)
	fake.Fault(
		kfake.Fault{Group: "secret", Err: kerr.GroupAuthorizationFailed, Count: -1},
	)
	answer, err := inspect.New(newClient(t, fake)).Groups(testContext(t), "nobody", "workers", "secret")
	if err != nil || len(answer.Data) != 1 || answer.Data[0].Group != "workers" {
		t.Fatalf("%v: %+v", err, answer)
	}
	byTarget := map[string]inspect.Code{}
	for _, p := range answer.Errors {
		byTarget[p.Target] = p.Code
	}
	if len(answer.Errors) != 2 || byTarget["nobody"] != inspect.CodeGroupNotFound || byTarget["secret"] != inspect.CodeNotAuthorized {
		t.Errorf("errors %+v", answer.Errors)
	}
	if !errors.Is(answer.Err(), kerr.GroupAuthorizationFailed) {
		t.Error("the cause is lost")
	}
}

func TestAMissingGroupDoesNotCreateTheOffsetsTopic(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*kfake.Cluster)
		errors  []inspect.Code
		says    string
	}{
		{"all brokers list", func(*kfake.Cluster) {}, []inspect.Code{inspect.CodeGroupNotFound}, `"nobody" does not exist`},
		{"a broker does not list", func(fake *kfake.Cluster) { failListing(fake, kerr.CoordinatorLoadInProgress, 1) }, []inspect.Code{"COORDINATOR_LOAD_IN_PROGRESS"}, "broker 1"},
		{"the topic is hidden", hideOffsetsTopic, []inspect.Code{inspect.CodeNotAuthorized}, "DESCRIBE on the group"},
		{"the topic is hidden and a broker does not list", func(fake *kfake.Cluster) {
			hideOffsetsTopic(fake)
			failListing(fake, kerr.CoordinatorLoadInProgress, 1)
		}, []inspect.Code{"COORDINATOR_LOAD_IN_PROGRESS"}, "broker 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t)
			test.prepare(fake)
			asked := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Observe: true, Count: -1})
			answer, err := inspect.New(newClient(t, fake)).Groups(testContext(t), "nobody")
			if err != nil || len(answer.Data) > 0 || !slices.Equal(codes(answer.Errors), test.errors) || !strings.Contains(answer.Err().Error(), test.says) {
				t.Errorf("%v: %+v", err, answer)
			}
			if asked.Hits() > 0 {
				t.Error("FindCoordinator, which creates the topic, was sent")
			}
		})
	}
}

func TestAnUnlistedGroupIsLookedForAsEveryType(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []kfake.Opt
		failing bool
	}{
		{"the brokers know all types", nil, false},
		{"the brokers know one type", []kfake.Opt{kfake.MaxVersions(kversion.V2_8_0())}, false},
		{"the brokers know one type, and one does not list", []kfake.Opt{kfake.MaxVersions(kversion.V2_8_0())}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, append(test.options, kfake.SeedTopics(50, offsetsTopic))...)
			if test.failing {
				failListing(fake, kerr.UnknownServerError, 1)
			}
			answer, err := inspect.New(newClient(t, fake)).Groups(testContext(t), "nobody")
			if err != nil || !slices.Equal(codes(answer.Errors), []inspect.Code{inspect.CodeGroupNotFound}) {
				t.Errorf("%v: %+v", err, answer)
			}
		})
	}
}

// While a group's coordinator moves, no broker may list it.
func TestAGroupThatNoBrokerListsIsShownAsWhatItIs(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "modern", 1, kgo.ServerSideBalancer(), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return req.ResponseKind(), nil, true
	})
	// Some brokers describe it as a classic group too, without members.
	group, answer := describeOne(t, fake, "modern")
	if answer.Err() != nil || *group.Type != "consumer" || len(group.Members) != 1 {
		t.Errorf("%+v of %+v", group, answer)
	}
	// A group that is seen only as one without members may be something else.
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupDescribe}, Err: kerr.UnknownServerError, Count: -1})
	group, answer = describeOne(t, fake, "modern")
	if !slices.Equal(codes(answer.Errors), []inspect.Code{"UNKNOWN_SERVER_ERROR"}) || len(group.Members) > 0 {
		t.Errorf("%+v of %+v", group, answer)
	}
}

func TestNoBrokerListsGroups(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	failListing(fake, kerr.UnknownServerError, 0, 1, 2)
	answer, err := inspect.New(newClient(t, fake)).Groups(testContext(t))
	if err == nil || len(answer.Errors) != 3 || err.Error() != answer.Errors[0].Message || answer.Errors[2].Target != "broker 2" {
		t.Errorf("%v: %+v", err, answer.Errors)
	}
}

// fakeGroup makes the cluster answer DescribeGroups with a group of its own.
func fakeGroup(fake *kfake.Cluster, group kmsg.DescribeGroupsResponseGroup) {
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		listed := kmsg.NewListGroupsResponseGroup()
		listed.Group, listed.GroupType, listed.GroupState, listed.ProtocolType = group.Group, "Classic", group.State, group.ProtocolType
		resp.Groups = append(resp.Groups, listed)
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		resp.Groups = append(resp.Groups, group)
		return resp, nil, true
	})
}

func describedGroup(state, protocolType string, members ...kmsg.DescribeGroupsResponseGroupMember) kmsg.DescribeGroupsResponseGroup {
	group := kmsg.NewDescribeGroupsResponseGroup()
	group.Group, group.State, group.ProtocolType, group.Protocol = "workers", state, protocolType, "range"
	group.Members = members
	return group
}

func describedMember(id string, metadata, assignment []byte) kmsg.DescribeGroupsResponseGroupMember {
	member := kmsg.NewDescribeGroupsResponseGroupMember()
	member.MemberID, member.ProtocolMetadata, member.MemberAssignment = id, metadata, assignment
	return member
}

func memberBytes(topic string, partitions ...int32) (metadata, assignment []byte) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version = 1
	m.Topics = []string{topic}
	a := kmsg.NewConsumerMemberAssignment()
	at := kmsg.NewConsumerMemberAssignmentTopic()
	at.Topic, at.Partitions = topic, partitions
	a.Topics = append(a.Topics, at)
	return m.AppendTo(nil), a.AppendTo(nil)
}

func TestOneMembersGarbageDoesNotHideTheOthers(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	metadata, assignment := memberBytes("orders", 3, 1, 1)
	fakeGroup(fake, describedGroup("Stable", "consumer",
		describedMember("z", []byte{0, 1, 0x7f}, []byte{0, 0, 0x7f, 0xff, 0xff, 0xff}),
		describedMember("a", metadata, assignment),
		describedMember("idle", metadata, nil),
	))
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 4))
	group, answer := describeOne(t, fake, "workers")
	if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{inspect.CodeMemberUnreadable}) {
		t.Errorf("warnings %v", answer.Warnings)
	}
	a, idle, z := group.Members[0], group.Members[1], group.Members[2]
	if a.ID != "a" || !slices.Equal(a.Assigned[0].Partitions, []int32{1, 3}) {
		t.Errorf("member %+v", a)
	}
	if idle.Assigned == nil || len(idle.Assigned) != 0 {
		t.Errorf("a member with nothing assigned: %+v", idle)
	}
	if z.ID != "z" || z.Topics != nil || z.Assigned != nil {
		t.Errorf("garbage became %+v", z)
	}
}

func TestMembersOfOtherProtocolTypes(t *testing.T) {
	metadata, assignment := memberBytes("orders", 0)
	for _, test := range []struct {
		protocolType         string
		metadata, assignment []byte
		reads                bool
	}{
		{"groupkit", metadata, assignment, true},
		{"connect", metadata, assignment, false},
		{"other", []byte("{json}"), []byte{1, 2, 3}, false},
		{"other", append(slices.Clone(metadata), 0), append(slices.Clone(assignment), 0), false},
	} {
		fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
		fakeGroup(fake, describedGroup("Stable", test.protocolType, describedMember("a", test.metadata, test.assignment)))
		writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", "a", 4))
		group, answer := describeOne(t, fake, "workers")
		if m := group.Members[0]; (m.Topics != nil) != test.reads || (m.Assigned != nil) != test.reads || len(answer.Warnings) > 0 {
			t.Errorf("%s: %+v, %v", test.protocolType, m, answer.Warnings)
		}
	}
}

func TestTheLeaderOfARebalanceUnderWay(t *testing.T) {
	for _, test := range []struct {
		name, state, recorded string
		leader                bool
		code                  inspect.Code
	}{
		{"still a member", "PreparingRebalance", "a", true, inspect.CodeRebalancing},
		{"gone", "CompletingRebalance", "b", false, inspect.CodeRecordStale},
		{"gone, stable", "Stable", "b", false, inspect.CodeRecordStale},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
			metadata, assignment := memberBytes("orders", 0)
			fakeGroup(fake, describedGroup(test.state, "consumer", describedMember("a", metadata, assignment)))
			writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", test.recorded, 4))
			group, answer := describeOne(t, fake, "workers")
			if *group.Generation != 4 || (group.Leader != nil) != test.leader {
				t.Errorf("group %+v", group)
			}
			if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{test.code}) {
				t.Errorf("warnings %v", got)
			}
		})
	}
}

func TestABrokerThatHangsCostsOnlyItsPart(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	client := joinGroup(t, fake, "workers", 1)
	member, generation := client.GroupMetadata()
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", member, generation))
	// Not the coordinator, and not the leader of the group's partition.
	coordinator := fake.CoordinatorFor("workers")
	if err := fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("workers", 50), coordinator); err != nil {
		t.Fatal(err)
	}
	hanging := (coordinator + 1) % 3
	fake.ControlKey(int16(kmsg.ListGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return nil, nil, fake.CurrentNode() == hanging
	})
	// Waiting for the listing of all brokers would take half of this; that a later
	// request goes to the broker that hangs, a sixth.
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	start := time.Now()
	answer, err := inspect.New(newClient(t, fake)).Groups(ctx, "workers")
	if err != nil || answer.Err() != nil || len(answer.Data) != 1 || answer.Data[0].Leader == nil {
		t.Errorf("%v: %+v", err, answer)
	}
	if took := time.Since(start); took > 17*time.Second {
		t.Errorf("took %v, though the group's own brokers answered", took)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 6*time.Second)
	defer cancel()
	answer, err = inspect.New(newClient(t, fake)).Groups(ctx)
	if err != nil || len(answer.Data) != 1 || !slices.Equal(codes(answer.Errors), []inspect.Code{inspect.CodeTimeout}) {
		t.Errorf("listing all: %v: %+v", err, answer)
	}
}
