package inspect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
)

// commit commits offsets of a topic for a group, by partition; negative ones are left
// out.
func commit(t *testing.T, fake *kfake.Cluster, group, topic string, offsets ...int64) {
	t.Helper()
	all := kadm.Offsets{}
	for p, at := range offsets {
		if at >= 0 {
			all.Add(kadm.Offset{Topic: topic, Partition: int32(p), At: at, LeaderEpoch: -1})
		}
	}
	admin := kadm.NewClient(newClient(t, fake))
	// A client that got no metadata in time commits for a topic that it does not know.
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := admin.CommitAllOffsets(testContext(t), group, all)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func fill(t *testing.T, fake *kfake.Cluster, topic string, partition int32, n int, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client := newClient(t, fake, append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if len(options) > 0 {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if err := client.ProduceSync(testContext(t), &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

func lagOf(t *testing.T, fake *kfake.Cluster, groups ...string) inspect.Answer[[]inspect.Group] {
	t.Helper()
	answer, err := inspect.New(newClient(t, fake)).DescribeGroups(testContext(t), inspect.GroupDetails{Lag: true}, groups...)
	if err != nil || len(answer.Data) != len(groups) {
		t.Fatalf("%v: %+v", err, answer)
	}
	return answer
}

// row shows a partition's lag on one line.
func row(p inspect.PartitionLag) string {
	show := func(n *int64) string {
		if n == nil {
			return "?"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("%s-%d at %s of %s-%s-%s: lag %s, stable %s, lost %d", p.Topic, p.Partition, show(p.Committed), show(p.Start), show(p.Stable), show(p.End), show(p.Lag), show(p.StableLag), p.Lost)
}

func rows(lag *inspect.GroupLag) []string {
	all := []string{}
	for _, p := range lag.Partitions {
		all = append(all, row(p))
	}
	return all
}

func TestLagIsHonest(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic))
	for p := range int32(6) {
		fill(t, fake, "orders", p, 10)
	}
	cut := kadm.Offsets{}
	cut.Add(kadm.Offset{Topic: "orders", Partition: 1, At: 6})
	if _, err := kadm.NewClient(newClient(t, fake)).DeleteRecords(testContext(t), cut); err != nil {
		t.Fatal(err)
	}
	fill(t, fake, "orders", 2, 3, kgo.TransactionalID("open"))
	commit(t, fake, "workers", "orders", 4, 2, 10, 99, -1, -1)
	admin := kadm.NewClient(newClient(t, fake))
	if _, err := admin.CreateTopic(testContext(t), 1, 1, nil, "gone"); err != nil {
		t.Fatal(err)
	}
	commit(t, fake, "workers", "gone", 4)
	if _, err := admin.DeleteTopic(testContext(t), "gone"); err != nil {
		t.Fatal(err)
	}

	answer := lagOf(t, fake, "workers")
	lag := answer.Data[0].Lag
	want := []string{
		"orders-0 at 4 of 0-10-10: lag 6, stable 6, lost 0",
		"orders-1 at 2 of 6-10-10: lag 4, stable 4, lost 4",
		"orders-2 at 10 of 0-10-13: lag 3, stable 0, lost 0",
		"orders-3 at 99 of 0-10-10: lag 0, stable 0, lost 0",
	}
	var orders []string
	for _, r := range rows(lag) {
		if strings.HasPrefix(r, "orders") {
			orders = append(orders, r)
		}
	}
	if !slices.Equal(orders, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(rows(lag), "\n"), strings.Join(want, "\n"))
	}
	if lag.Records != 13 || lag.StableRecords != 10 || lag.Lost != 4 || lag.Uncommitted != 0 {
		t.Errorf("%+v", lag)
	}
	if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{inspect.CodeCommittedBeforeStart, inspect.CodeCommittedBeyondEnd}) {
		t.Errorf("warnings %v", answer.Warnings)
	}
}

func TestLagOfMembers(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(4, "orders"), kfake.SeedTopics(50, offsetsTopic))
	options := []kgo.Opt{kgo.DisableAutoCommit(), kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.Rack("r1")}
	joinGroup(t, fake, "workers", 1, options...)
	joinGroup(t, fake, "workers", 2, options...)
	for p := range int32(4) {
		fill(t, fake, "orders", p, 5)
	}
	commitAsMembers(t, fake, "orders", 1, 2, -1, 4)
	answer := lagOf(t, fake, "workers")
	settled := func() bool { // a cooperative group rebalances twice
		g := answer.Data[0]
		return value(g.State) == "Stable" && len(g.Lag.Partitions) == 4 && !slices.ContainsFunc(g.Lag.Partitions, func(p inspect.PartitionLag) bool { return p.Member == nil })
	}
	for deadline := time.Now().Add(patience); !settled() && time.Now().Before(deadline); {
		answer = lagOf(t, fake, "workers")
	}
	group := answer.Data[0]
	if group.Lag.Records != 4+3+1 || group.Lag.Uncommitted != 1 || len(group.Lag.Partitions) != 4 || answer.Err() != nil {
		t.Fatalf("%+v, %v", group.Lag, answer.Errors)
	}
	byMember := map[string]int64{}
	for _, p := range group.Lag.Partitions {
		if p.Member == nil {
			t.Fatalf("%s has no member", row(p))
		}
		if p.Lag != nil {
			byMember[*p.Member] += *p.Lag
		}
	}
	for _, m := range group.Members {
		if value(m.Lag) != byMember[m.ID] || value(m.Rack) != "r1" || m.Owned == nil || m.Target != nil {
			t.Errorf("member %s: lag %d, want %d; rack %q, owned %v", m.ID, value(m.Lag), byMember[m.ID], value(m.Rack), m.Owned)
		}
	}
}

// commitAsMembers answers for what a group committed, as if its members had.
func commitAsMembers(t *testing.T, fake *kfake.Cluster, topic string, offsets ...int64) {
	t.Helper()
	id := fake.TopicInfo(topic).TopicID
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, asked := range req.(*kmsg.OffsetFetchRequest).Groups {
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group = asked.Group
			of := kmsg.NewOffsetFetchResponseGroupTopic()
			of.Topic, of.TopicID = topic, id
			for p, at := range offsets {
				one := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				one.Partition, one.Offset = int32(p), at
				of.Partitions = append(of.Partitions, one)
			}
			g.Topics = append(g.Topics, of)
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil, true
	})
}

func TestLagTellsWhatItCannotKnow(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault kfake.Fault
		code  inspect.Code
		says  string
	}{
		{"no DESCRIBE on a topic", kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "orders", Err: kerr.TopicAuthorizationFailed, Count: -1}, inspect.CodeNotAuthorized, `DESCRIBE on the topic "orders"`},
		{"a leader that fails", kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "orders", Err: kerr.KafkaStorageError, Count: -1}, "KAFKA_STORAGE_ERROR", "such as orders-0"},
		{"a topic that is hidden", kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "orders", Err: kerr.TopicAuthorizationFailed, Count: -1}, inspect.CodeNotAuthorized, `DESCRIBE on the topic "`},
		{"no DESCRIBE on the group", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "workers", Err: kerr.GroupAuthorizationFailed, Count: -1}, inspect.CodeNotAuthorized, `DESCRIBE on the group "workers"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic), kfake.SeedTopics(1, "other"))
			commit(t, fake, "workers", "orders", 0, 0)
			commit(t, fake, "workers", "other", 0)
			fake.Fault(test.fault)
			answer := lagOf(t, fake, "workers")
			lag := answer.Data[0].Lag
			if len(answer.Errors) != 1 || answer.Errors[0].Code != test.code || !strings.Contains(answer.Errors[0].Message, test.says) {
				t.Errorf("errors %+v", answer.Errors)
			}
			if test.fault.Topic != "" && (lag.Unknown != 2 || len(lag.Partitions) != 3 || lag.Partitions[0].Committed == nil || lag.Partitions[2].Lag == nil) {
				t.Errorf("%v of %+v", rows(lag), lag)
			}
		})
	}
}

func TestLagTellsOfOffsetsThatTheCoordinatorDoesNot(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	commit(t, fake, "workers", "orders", 0, 0)
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = "workers"
		topic := kmsg.NewOffsetFetchResponseGroupTopic()
		topic.Topic = "orders"
		topic.TopicID = fake.TopicInfo("orders").TopicID
		for number, code := range []int16{0, kerr.UnstableOffsetCommit.Code} {
			p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			p.Partition, p.ErrorCode = int32(number), code
			if code != 0 {
				p.Offset = -1
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		group.Topics = append(group.Topics, topic)
		resp.Groups = append(resp.Groups, group)
		return resp, nil, true
	})
	answer := lagOf(t, fake, "workers")
	if lag := answer.Data[0].Lag; lag.Unknown != 1 || lag.Uncommitted != 0 || lag.Partitions[0].Lag == nil || lag.Partitions[1].Uncommitted {
		t.Errorf("%+v", lag)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Code != "UNSTABLE_OFFSET_COMMIT" || !strings.Contains(answer.Errors[0].Message, `committed in 1 partitions, "orders-1"`) {
		t.Errorf("%+v", answer.Errors)
	}
}

func TestLagOnBrokersThatFetchOffsetsOneByOne(t *testing.T) {
	fake := newFake(t, kfake.MaxVersions(kversion.V2_8_0()), kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	groups := []string{"a", "b", "c", "d", "e", "f"}
	fill(t, fake, "orders", 0, 3)
	for i, group := range groups {
		commit(t, fake, group, "orders", int64(i%3))
	}
	answer := lagOf(t, fake, groups...)
	for i, group := range answer.Data {
		if want := int64(3 - i%3); group.Lag.Records != want || answer.Err() != nil {
			t.Errorf("%s: %v, want lag %d; %v", group.Group, rows(group.Lag), want, answer.Errors)
		}
	}
}

func TestLagOfManyGroupsTakesOneRequestForEachBroker(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(20, "orders"), kfake.SeedTopics(50, offsetsTopic))
	var groups []string
	for i := range 60 {
		groups = append(groups, fmt.Sprintf("group-%d", i))
		commit(t, fake, groups[i], "orders", 0, 0, 0)
	}
	fetched := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, Count: -1})
	listed := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1})
	described := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Observe: true, Count: -1})
	lagOf(t, fake, groups...)
	if fetched.Hits() > 3 || described.Hits() > 3 || listed.Hits() > 9 {
		t.Errorf("%d OffsetFetch, %d DescribeGroups, %d ListOffsets; want one for each of 3 brokers, and of ListOffsets one more for each kind", fetched.Hits(), described.Hits(), listed.Hits())
	}
}

// Coordinators describe a consumer group only to who may see all of its topics, and leave
// hidden ones out of what it committed: a lag of 0 would be a guess.
func TestTheLagOfAGroupWhoseTopicsAreHiddenIsNotZero(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	joinGroup(t, fake, "workers", 1, kgo.ServerSideBalancer())
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupDescribe}, Group: "workers", Err: kerr.TopicAuthorizationFailed, Count: -1})
	answer := lagOf(t, fake, "workers")
	if len(answer.Data) != 1 || answer.Data[0].Members != nil || answer.Data[0].Lag != nil {
		t.Errorf("%+v", answer.Data)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNotAuthorized || !strings.Contains(answer.Errors[0].Message, `DESCRIBE on all topics of the group "workers"`) {
		t.Errorf("%+v", answer.Errors)
	}
}
