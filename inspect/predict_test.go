package inspect_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// newElectionFake has two partitions of orders, one of __consumer_offsets, and voters
// 0, 1 and 9. Broker 7 is down. The disk of broker 1 failed for orders-1. quorumCode
// is what DescribeQuorum fails with, 0 if it does not.
func newElectionFake(t *testing.T, quorumCode int16, before ...func(*kfake.Cluster)) *kfake.Cluster {
	t.Helper()
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(1, offsetsTopic))
	if err := fake.CreateTopic("lossy", 1, map[string]string{"min.insync.replicas": "2", "unclean.leader.election.enable": "true"}); err != nil {
		t.Fatal(err)
	}
	describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
		add := func(name string, partitions ...kmsg.DescribeTopicPartitionsResponseTopicPartition) {
			topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
			topic.Topic, topic.IsInternal, topic.Partitions = &name, name == offsetsTopic, partitions
			resp.Topics = append(resp.Topics, topic)
		}
		row := func(number, leader int32, replicas, isr, offline []int32) kmsg.DescribeTopicPartitionsResponseTopicPartition {
			p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			p.Partition, p.LeaderID, p.Replicas, p.ISR, p.OfflineReplicas = number, leader, replicas, isr, offline
			p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
			return p
		}
		add(offsetsTopic, row(0, 0, []int32{0, 1, 2}, []int32{0, 1, 2}, nil))
		add("lossy", row(0, 0, []int32{0, 2}, []int32{0}, nil))
		add("orders", row(0, 0, []int32{0, 7, 2}, []int32{0, 2}, []int32{7}), row(1, 0, []int32{0, 1, 2}, []int32{0, 2}, []int32{1}))
	})
	for _, prepare := range before {
		prepare(fake)
	}
	answer := kmsg.NewPtrDescribeQuorumResponse()
	answer.ErrorCode = quorumCode
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = "__cluster_metadata"
	partition := kmsg.NewDescribeQuorumResponseTopicPartition()
	partition.LeaderID, partition.LeaderEpoch = 1, 4
	for _, voter := range []struct {
		id        int32
		fetchedAt int64
	}{{9, 80_000}, {1, 100_000}, {0, 99_500}} {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset, state.LastFetchTimestamp = voter.id, 7, voter.fetchedAt
		partition.CurrentVoters = append(partition.CurrentVoters, state)
	}
	topic.Partitions = append(topic.Partitions, partition)
	answer.Topics = append(answer.Topics, topic)
	kafkatest.ServeQuorum(t, fake, answer)
	return fake
}

func TestElectionStateHoldsWhatElectionsDependOn(t *testing.T) {
	fake := newElectionFake(t, 0)
	joinGroup(t, fake, "workers", 1)
	answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(err, answer.Errors, answer.Warnings)
	}
	c := answer.Data
	down := []int32{}
	for _, b := range c.Brokers {
		if b.Down != b.Fenced {
			t.Errorf("broker %+v", b)
		}
		if b.Down {
			down = append(down, b.ID)
		}
	}
	if len(c.Brokers) != 4 || !slices.Equal(down, []int32{7}) {
		t.Errorf("brokers %+v", c.Brokers)
	}
	if want := []predict.Voter{{ID: 0}, {ID: 1}, {ID: 9, Down: true}}; !slices.Equal(c.Voters, want) || *c.Controller != 1 {
		t.Errorf("voters %+v, controller %v", c.Voters, c.Controller)
	}
	if want := []predict.Group{{Name: "workers", Partition: 0}}; !slices.Equal(c.Groups, want) {
		t.Errorf("groups %+v", c.Groups)
	}
	if len(c.Partitions) != 4 {
		t.Fatalf("partitions %+v", c.Partitions)
	}
	lossy, orders := c.Partitions[1], c.Partitions[3]
	if !lossy.Unclean || lossy.MinISR != 2 || orders.Unclean || orders.MinISR != 1 {
		t.Errorf("configuration of %+v and %+v", lossy, orders)
	}
	if !slices.Equal(orders.FailedReplicas, []int32{1}) || len(c.Partitions[2].FailedReplicas) > 0 {
		t.Errorf("failed replicas of %+v and %+v", orders, c.Partitions[2])
	}
}

func TestAVoterIsSilentAlsoWhereTheControllerHasNoTime(t *testing.T) {
	fake := newFake(t)
	kafkatest.ServeQuorum(t, fake, quorumAnswer(func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
		for i, at := range []int64{80_000, -1, 99_000} {
			p.CurrentVoters[i].LastFetchTimestamp = at
		}
	}))
	answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
	if err != nil || len(answer.Data.Voters) != 3 {
		t.Fatal(err, answer)
	}
	for _, voter := range answer.Data.Voters {
		if voter.Down != (voter.ID == 3) {
			t.Errorf("%+v", answer.Data.Voters)
		}
	}
}

// TestAVoterOnAFencedBroker is up if it goes on to fetch, and down if it has just ended. The
// broker 7 of the fake is out of service.
func TestAVoterOnAFencedBroker(t *testing.T) {
	for name, voter := range map[string]struct {
		fetches, moves bool // it goes on to fetch; another becomes the active controller
		before         int64
		down           bool
	}{
		"that fetches":                                   {fetches: true},
		"that fetches from another controller":           {fetches: true, moves: true},
		"that has just ended":                            {down: true},
		"that has just ended, as the controller has":     {moves: true, down: true},
		"that ended before the broker was taken out":     {before: 5_000, down: true},
		"that is silent, and then would not be for long": {before: 2_500, fetches: true, down: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newElectionFake(t, 0, func(fake *kfake.Cluster) {
				began, now := time.Now(), int64(1_000_000)
				fake.ControlKey(int16(kmsg.DescribeQuorum), func(req kmsg.Request) (kmsg.Response, error, bool) {
					fake.KeepControl()
					passed := time.Since(began).Milliseconds()
					again := passed > 600
					answer := quorumAnswer(func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
						p.LeaderID, p.LeaderEpoch = 1, 4
						at := now - voter.before - 100
						clock := now + passed
						if again && voter.moves {
							p.LeaderID, p.LeaderEpoch = 2, 5
							clock -= 70_000
							at -= 70_000
						}
						if voter.fetches {
							at += passed / 300 * 300
						}
						for i, v := range []int64{clock, clock, at} {
							p.CurrentVoters[i].ReplicaID, p.CurrentVoters[i].LastFetchTimestamp = []int32{1, 2, 7}[i], v
						}
					})
					answer.Version = req.GetVersion()
					return answer, nil, true
				})
			})
			answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
			if want := []predict.Voter{{ID: 1}, {ID: 2}, {ID: 7, Down: voter.down}}; err != nil || !slices.Equal(answer.Data.Voters, want) {
				t.Errorf("%v, voters %+v, %+v", err, answer.Data.Voters, answer.Errors)
			}
		})
	}
}

func TestElectionStateWithoutGroups(t *testing.T) {
	fake := newElectionFake(t, 0)
	joinGroup(t, fake, "workers", 1)
	fake.ControlKey(int16(kmsg.ListGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		t.Error("groups were asked for")
		return nil, nil, false
	})
	answer, err := inspect.New(newClient(t, fake), inspect.SkipGroups()).ElectionState(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Data.Groups) > 0 || len(answer.Data.Partitions) != 4 {
		t.Errorf("%v, %+v", err, answer)
	}
}

func TestPredictRunsTheStepsOnWhatIsRead(t *testing.T) {
	fake := newElectionFake(t, 0)
	joinGroup(t, fake, "workers", 1)
	answer, err := inspect.New(newClient(t, fake)).Predict(testContext(t), predict.Stop(0))
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Errors)
	}
	got := map[string]int32{}
	for _, p := range answer.Data.Partitions {
		if *p.From != 0 || p.To == nil {
			t.Fatalf("%+v", p)
		}
		got[p.Topic+" by "+string(p.Reason)] = *p.To
	}
	if len(got) != 3 || got[offsetsTopic+" by in-sync"] != 1 || got["lossy by unclean"] != 2 || got["orders by in-sync"] != 2 {
		t.Errorf("leaders %v", got)
	}
	if c := answer.Data.Coordinators; len(c) != 1 || c[0].Group != "workers" || *c[0].To != 1 {
		t.Errorf("coordinators %+v", c)
	}
	// Voter 9 is down already, so 0 was needed; it hands over before it goes.
	if q := answer.Data.Controller.Quorum; *q.Kept || *q.Majority != 2 || !slices.Equal(q.Up, []int32{1}) {
		t.Errorf("quorum %+v", q)
	}

	answer, err = inspect.New(newClient(t, fake)).Predict(testContext(t), predict.Crash(4))
	if err != nil || answer.Data.Partitions != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNodeNotFound ||
		!strings.Contains(answer.Errors[0].Message, "no such node as 4; there are 0, 1, 2, 7, 9") {
		t.Errorf("a broker that is not there: %v, %+v", err, answer)
	}

	answer, err = inspect.New(newClient(t, fake)).Predict(testContext(t), predict.Crash(7), predict.Return(1))
	if err != nil || answer.Err() != nil || len(answer.Warnings) != 2 || answer.Warnings[0].Code != inspect.CodeNoEffect ||
		answer.Warnings[0].Message != "node 7 is down already: its end changes nothing" || answer.Warnings[1].Message != "node 1 is up: its return changes nothing" {
		t.Errorf("steps without effect: %v, %+v", err, answer)
	}
}

func TestPredictRolling(t *testing.T) {
	fake := newElectionFake(t, 0)
	answer, err := inspect.New(newClient(t, fake)).PredictRolling(testContext(t), predict.Stop(0), predict.Stop(7), predict.Stop(1))
	if err != nil || answer.Err() != nil || len(answer.Data.Rounds) != 3 || len(answer.Data.Rounds[0].Partitions) != 4 || len(answer.Data.Rounds[1].Nodes) != 0 {
		t.Fatalf("%v, %+v", err, answer)
	}
	if len(answer.Warnings) != 1 || answer.Warnings[0].Message != "node 7 is down already: its end changes nothing" {
		t.Errorf("%+v", answer.Warnings)
	}
	answer, err = inspect.New(newClient(t, fake)).PredictRolling(testContext(t), predict.Stop(0), predict.Stop(4))
	if err != nil || answer.Data.Rounds != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNodeNotFound {
		t.Errorf("a broker that is not there: %v, %+v", err, answer)
	}
}

func TestPredictWarnsOfReassignments(t *testing.T) {
	fake := newElectionFake(t, 0)
	fake.ControlKey(int16(kmsg.ListPartitionReassignments), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		topic := kmsg.NewListPartitionReassignmentsResponseTopic()
		partition := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		topic.Topic, topic.Partitions = "orders", append(topic.Partitions, partition)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Warnings) != 1 || answer.Warnings[0].Code != inspect.CodeReassigning || !strings.Contains(answer.Warnings[0].Message, `"orders-0"`) {
		t.Errorf("%v, %+v %+v", err, answer.Errors, answer.Warnings)
	}
}

func TestPredictTellsOfCoordinatorsThatItCannotPredict(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "orders", offsetsTopic))
	joinGroup(t, fake, "workers", 1)
	describePartitions(fake, func(*kmsg.DescribeTopicPartitionsResponse) {}) // hides them all
	hideOffsetsTopic(fake)
	answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
	if err != nil || len(answer.Data.Groups) > 0 {
		t.Fatal(err, answer.Data)
	}
	if !slices.ContainsFunc(answer.Errors, func(p inspect.Problem) bool {
		return p.Code == inspect.CodeNotAuthorized && p.Target == offsetsTopic && strings.Contains(p.Message, "coordinators of 1 groups")
	}) {
		t.Errorf("errors %+v", answer.Errors)
	}
}

// TestPredictPlacesGroupsWhereSomePartitionsAreMissing has a broker whose second page
// fails, after 3 of the 5 partitions of __consumer_offsets.
func TestPredictPlacesGroupsWhereSomePartitionsAreMissing(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "orders"), kfake.SeedTopics(5, offsetsTopic))
	near, far := "group-0", "group-0"
	for i := 0; inspect.OffsetsPartition(near, 5) != 2 || inspect.OffsetsPartition(near, 3) == 2; i++ {
		near = fmt.Sprintf("group-%d", i)
	}
	for i := 0; inspect.OffsetsPartition(far, 5) != 4; i++ {
		far = fmt.Sprintf("group-%d", i)
	}
	joinGroup(t, fake, near, 1)
	joinGroup(t, fake, far, 1)
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic, topic.IsInternal = kmsg.StringPtr(offsetsTopic), true
		if req.(*kmsg.DescribeTopicPartitionsRequest).Cursor == nil {
			for number := range int32(3) {
				p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
				p.Partition, p.LeaderID, p.Replicas, p.ISR = number, 0, []int32{0, 1}, []int32{0, 1}
				topic.Partitions = append(topic.Partitions, p)
			}
		}
		resp.Topics = append(resp.Topics, topic)
		// The second time, the page does not advance.
		resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: offsetsTopic, Partition: 3}
		return resp, nil, true
	})
	answer, err := inspect.New(newClient(t, fake)).ElectionState(testContext(t))
	if want := []predict.Group{{Name: near, Partition: 2}}; err != nil || !slices.Equal(answer.Data.Groups, want) {
		t.Fatalf("%v, %+v, want %+v", err, answer.Data.Groups, want)
	}
	if !slices.ContainsFunc(answer.Errors, func(p inspect.Problem) bool {
		return p.Target == offsetsTopic && strings.Contains(p.Message, "coordinators of 1 groups, \""+far+"\": their partitions of __consumer_offsets were not read")
	}) {
		t.Errorf("errors %+v", answer.Errors)
	}
}

func TestPredictTellsWhatItTakesForGranted(t *testing.T) {
	fake := newElectionFake(t, kerr.ClusterAuthorizationFailed.Code)
	fake.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceName, resource.ErrorCode = asked.ResourceName, kerr.TopicAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, resource)
		}
		return resp, nil, true
	})
	answer, err := inspect.New(newClient(t, fake)).Predict(testContext(t), predict.Crash(0))
	if err != nil || len(answer.Data.Partitions) != 4 || answer.Data.Controller.Quorum.Kept != nil {
		t.Fatal(err, answer)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{inspect.CodeNotAuthorized}) || !strings.Contains(answer.Errors[0].Message, "majority of the controllers for granted") {
		t.Errorf("errors %+v", answer.Errors)
	}
	if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{inspect.CodeNotAuthorized}) || !strings.Contains(answer.Warnings[0].Message, "unclean election for not allowed") {
		t.Errorf("warnings %+v", answer.Warnings)
	}
}

// BenchmarkPredict asks what happens if a broker of three crashes, on 100,000
// partitions and 10,000 groups. live-MiB is what is on the heap with the answer.
func BenchmarkPredict(b *testing.B) {
	fake := newFake(b, kfake.SeedTopics(50, offsetsTopic))
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if req.(*kmsg.DescribeTopicPartitionsRequest).Cursor != nil {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic, topic.IsInternal = kmsg.StringPtr(offsetsTopic), true
		for number := range int32(50) {
			p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			p.Partition, p.LeaderID, p.Replicas = number, number%3, []int32{number % 3, (number + 1) % 3, (number + 2) % 3}
			p.ISR, p.EligibleLeaderReplicas, p.LastKnownELR = p.Replicas, []int32{}, []int32{}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
		resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: "topic-00000"}
		return resp, nil, true
	})
	serveManyPartitions(fake, func() {})
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		for i := range 10_000 {
			group := kmsg.NewListGroupsResponseGroup()
			group.Group = fmt.Sprintf("group-%d", i)
			resp.Groups = append(resp.Groups, group)
		}
		return resp, nil, true
	})
	in := inspect.New(newClient(b, fake))
	before := liveHeap()
	var answer inspect.Answer[predict.Outcome]
	for b.Loop() {
		var err error
		if answer, err = in.Predict(b.Context(), predict.Crash(1)); err != nil || len(answer.Data.After.Partitions) != manyTopics*manyOfEach+50 || len(answer.Data.After.Groups) != 10_000 {
			b.Fatal(err, len(answer.Data.After.Partitions), len(answer.Data.After.Groups))
		}
	}
	b.ReportMetric(mib(liveHeap()-before), "live-MiB")
	runtime.KeepAlive(answer)
}
