package inspect

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func ptr[T any](v T) *T { return &v }

func TestShareGroups(t *testing.T) {
	group := kmsg.NewShareGroupDescribeResponseGroup()
	group.GroupID, group.GroupState, group.Assignor, group.GroupEpoch = "queue", "Stable", "simple", 7
	group.AssignmentEpoch = 6
	member := kmsg.NewShareGroupDescribeResponseGroupMember()
	member.MemberID, member.ClientID, member.ClientHost = "a", "reader", "/10.0.0.7"
	member.SubscribedTopicNames = []string{"payments", "orders", "orders"}
	for _, tp := range []struct {
		topic      string
		partitions []int32
	}{{"payments", []int32{2, 0}}, {"orders", []int32{1}}} {
		assigned := kmsg.NewShareGroupDescribeResponseGroupMemberAssignmentTopicPartition()
		assigned.Topic, assigned.Partitions = tp.topic, tp.partitions
		member.Assignment.TopicPartitions = append(member.Assignment.TopicPartitions, assigned)
	}
	group.Members = append(group.Members, member, kmsg.NewShareGroupDescribeResponseGroupMember())
	empty := kmsg.NewShareGroupDescribeResponseGroup()
	empty.GroupID, empty.GroupEpoch = "empty", -1
	missing := kmsg.NewShareGroupDescribeResponseGroup()
	missing.GroupID, missing.ErrorCode = "missing", kerr.GroupIDNotFound.Code
	resp := kmsg.NewPtrShareGroupDescribeResponse()
	resp.Groups = append(resp.Groups, group, empty, missing)

	checkDescribed(t, resp, []described{
		{name: "queue", group: brokerRun(6, &Group{
			Group: "queue", Type: ptr("share"), State: ptr("Stable"), ProtocolType: ptr("share"), Assignor: ptr("simple"),
			Generation: ptr(int32(7)), Coordinator: ptr(int32(3)),
			Members: []Member{
				{ID: "a", ClientID: "reader", Host: "/10.0.0.7", Topics: []string{"orders", "payments"}, Assigned: []TopicPartitions{
					{Topic: "orders", Partitions: []int32{1}}, {Topic: "payments", Partitions: []int32{0, 2}},
				}},
				{Topics: []string{}, Assigned: []TopicPartitions{}},
			},
		})},
		{name: "empty", group: brokerRun(0, &Group{Group: "empty", Type: ptr("share"), ProtocolType: ptr("share"), Coordinator: ptr(int32(3)), Members: []Member{}})},
		{name: "missing", err: kerr.GroupIDNotFound},
	})
}

func TestStreamsGroups(t *testing.T) {
	tasks := func(subtopology string, partitions ...int32) kmsg.TaskIDs {
		ids := kmsg.NewTaskIDs()
		ids.SubtopologyID, ids.Partitions = subtopology, partitions
		return ids
	}
	subtopology := func(id string, repartition string, sources ...string) kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology {
		sub := kmsg.NewStreamsGroupDescribeResponseGroupTopologySubtopology()
		sub.SubtopologyID, sub.SourceTopics = id, sources
		if repartition != "" {
			topic := kmsg.NewTopicInfo()
			topic.Topic = repartition
			sub.RepartitionSourceTopics = append(sub.RepartitionSourceTopics, topic)
		}
		return sub
	}
	member := func(id string, active ...kmsg.TaskIDs) kmsg.StreamsGroupDescribeResponseGroupMember {
		m := kmsg.NewStreamsGroupDescribeResponseGroupMember()
		m.MemberID, m.ClientID, m.Assignment.ActiveTasks = id, "app", active
		return m
	}
	group := kmsg.NewStreamsGroupDescribeResponseGroup()
	group.Group, group.State, group.AssignorName, group.Epoch = "app", "Stable", ptr("sticky"), 4
	group.AssignmentEpoch = 4
	topology := kmsg.NewStreamsGroupDescribeResponseGroupTopology()
	topology.Subtopologies = append(topology.Subtopologies, subtopology("0", "", "orders", "payments"), subtopology("1", "app-joined"))
	group.Topology = &topology
	static := member("b", tasks("0", 1), tasks("unheard of", 5))
	static.InstanceID = ptr("two")
	group.Members = append(group.Members, member("a", tasks("1", 1, 0), tasks("0", 0)), static, member("idle"))
	starting := kmsg.NewStreamsGroupDescribeResponseGroup()
	starting.Group, starting.State, starting.Epoch, starting.AssignorName = "starting", "NotReady", -1, ptr("")
	starting.Members = append(starting.Members, member("a", tasks("0", 0)))
	unready := kmsg.NewStreamsGroupDescribeResponseGroup()
	unready.Group = "unready"
	bare := kmsg.NewStreamsGroupDescribeResponseGroupTopology()
	unready.Topology = &bare
	unready.Members = append(unready.Members, member("a"))
	forbidden := kmsg.NewStreamsGroupDescribeResponseGroup()
	forbidden.Group, forbidden.ErrorCode = "forbidden", kerr.GroupAuthorizationFailed.Code
	resp := kmsg.NewPtrStreamsGroupDescribeResponse()
	resp.Groups = append(resp.Groups, group, starting, unready, forbidden)

	all := []string{"app-joined", "orders", "payments"}
	checkDescribed(t, resp, []described{
		{name: "app", group: brokerRun(4, &Group{
			Group: "app", Type: ptr("streams"), State: ptr("Stable"), ProtocolType: ptr("streams"), Assignor: ptr("sticky"),
			Generation: ptr(int32(4)), Coordinator: ptr(int32(3)),
			Members: []Member{
				{ID: "a", ClientID: "app", Topics: all, Assigned: []TopicPartitions{
					{Topic: "app-joined", Partitions: []int32{0, 1}}, {Topic: "orders", Partitions: []int32{0}}, {Topic: "payments", Partitions: []int32{0}},
				}},
				{ID: "b", Instance: ptr("two"), ClientID: "app", Topics: all, Assigned: []TopicPartitions{
					{Topic: "orders", Partitions: []int32{1}}, {Topic: "payments", Partitions: []int32{1}},
				}},
				{ID: "idle", ClientID: "app", Topics: all, Assigned: []TopicPartitions{}},
			},
		})},
		{name: "starting", group: brokerRun(0, &Group{
			Group: "starting", Type: ptr("streams"), State: ptr("NotReady"), ProtocolType: ptr("streams"), Coordinator: ptr(int32(3)),
			Members: []Member{{ID: "a", ClientID: "app"}},
		})},
		{name: "unready", group: brokerRun(0, &Group{
			Group: "unready", Type: ptr("streams"), ProtocolType: ptr("streams"), Generation: ptr(int32(0)), Coordinator: ptr(int32(3)),
			Members: []Member{{ID: "a", ClientID: "app"}},
		})},
		{name: "forbidden", err: kerr.GroupAuthorizationFailed},
	})
}

// brokerRun fills in what all groups have whose rebalances the broker runs, where their
// members are at epoch 0 and have no target.
func brokerRun(targetEpoch int32, group *Group) *Group {
	group.Epoch, group.TargetEpoch = group.Generation, &targetEpoch
	for i := range group.Members {
		m := &group.Members[i]
		m.Leader, m.Epoch = ptr(false), ptr(int32(0))
		if *group.Type == typeStreams {
			m.Classic = ptr(false)
			if m.Topics != nil {
				m.Owned, m.Target = m.Assigned, []TopicPartitions{}
			}
		}
	}
	return group
}

// checkDescribed reads an answer of broker 3.
func checkDescribed(t *testing.T, resp kmsg.Response, want []described) {
	t.Helper()
	got := readDescriptions(resp, 3)
	if len(got) != len(want) {
		t.Fatalf("%d groups, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].name != want[i].name || got[i].err != want[i].err || !reflect.DeepEqual(got[i].group, want[i].group) || len(got[i].warnings) > 0 {
			t.Errorf("%s: got %+v %+v %v, want %+v", want[i].name, got[i], got[i].group, got[i].warnings, want[i].group)
		}
	}
}

func TestAnAnswerOfAnotherKindDescribesNothing(t *testing.T) {
	if got := readDescriptions(kmsg.NewPtrMetadataResponse(), 1); got != nil {
		t.Errorf("%+v", got)
	}
}

func TestAGroupThatIsOnlyListed(t *testing.T) {
	listed := listedGroup{groupType: "share", state: "Empty", coordinator: 2}
	if got, want := listed.row("queue"), (&Group{Group: "queue", Type: ptr("share"), State: ptr("Empty"), Coordinator: ptr(int32(2))}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (listedGroup{coordinator: -1}).row("unknown"); !reflect.DeepEqual(got, &Group{Group: "unknown"}) {
		t.Errorf("of nothing known: %+v", got)
	}
}

func TestTypeOf(t *testing.T) {
	for _, test := range []struct {
		version    int16
		told, want string
	}{{4, "Share", "classic"}, {5, "", "classic"}, {5, "Consumer", "consumer"}, {5, "SHARE", "share"}} {
		if got := typeOf(test.version, test.told); got != test.want {
			t.Errorf("typeOf(%d, %q) = %q, want %q", test.version, test.told, got, test.want)
		}
	}
}

func TestPause(t *testing.T) {
	if !pause(t.Context(), time.Millisecond) {
		t.Error("a pause was cut short")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if pause(ended, time.Minute) || time.Since(began) > 30*time.Second {
		t.Error("a pause goes on after the context has ended")
	}
}

// A step without a deadline is bounded with all of its attempts.
func TestAttemptsAreOneStep(t *testing.T) {
	var bounds []time.Time
	_, _ = attempts(t.Context(), func(ctx context.Context) (int, error) {
		at, _ := ctx.Deadline()
		bounds = append(bounds, at)
		return 0, context.DeadlineExceeded
	})
	if len(bounds) != 3 || time.Until(bounds[2]) > longestStep {
		t.Errorf("bounds %v, now %v", bounds, time.Now())
	}
}

func TestBatchesOf(t *testing.T) {
	batch := func(size int) []byte {
		raw := make([]byte, size)
		raw[11] = byte(size - batchHead)
		return raw
	}
	for name, test := range map[string]struct {
		raw  []byte
		want []int
	}{
		"nothing":        {nil, nil},
		"one":            {batch(70), []int{70}},
		"three":          {append(append(batch(70), batch(61)...), batch(90)...), []int{70, 61, 90}},
		"cut off":        {append(batch(70), batch(80)[:40]...), []int{70, 40}},
		"a stub":         {append(batch(70), 1, 2), []int{70, 2}},
		"no length":      {make([]byte, 50), []int{50}},
		"a length below": {append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 50)...), []int{62}},
	} {
		var got []int
		for b := range batchesOf(test.raw) {
			got = append(got, len(b))
			if recordsIn(b) != 0 {
				t.Errorf("%s: %d records", name, recordsIn(b))
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	full := make([]byte, batchRecords+4)
	full[batchMagic], full[batchRecords+2], full[batchRecords+3] = 2, 1, 2
	if got := recordsIn(full); got != 258 {
		t.Errorf("%d records, want 258", got)
	}
}
