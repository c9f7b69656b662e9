package act_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
)

// hiddenTopic may not be seen.
const hiddenTopic = "secrets"

// newCluster is a fake of which orders-0 is led by its second replica, orders-1 by its
// first, and orders-2 by nobody; or, if so many are given, of which that many partitions
// are like orders-0. answer is called for each request for an election.
func newCluster(t *testing.T, answer func(*kmsg.ElectLeadersRequest, *kmsg.ElectLeadersResponse), many ...int) (*act.Actor, *atomic.Int32) {
	t.Helper()
	fake, elected := newFake(t, answer, many...)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return act.New(client), elected
}

// newFake is the cluster itself.
func newFake(t *testing.T, answer func(*kmsg.ElectLeadersRequest, *kmsg.ElectLeadersResponse), many ...int) (*kfake.Cluster, *atomic.Int32) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	var elected atomic.Int32 // how many requests there were
	fake.ControlKey(int16(kmsg.ElectLeaders), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		elected.Add(1)
		resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
		answer(req.(*kmsg.ElectLeadersRequest), resp)
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		leaders := []int32{1, 0, -1}
		if elected.Load() > 0 {
			leaders = []int32{0, 0, 2}
		}
		rows := [][]int32{{0, 1}, {0, 1}, {}}
		if len(many) > 0 {
			rows = slices.Repeat(rows[:1], many[0])
			leaders = slices.Repeat(leaders[:1], many[0])
		}
		for i, isr := range rows {
			p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			p.Partition, p.LeaderID, p.Replicas, p.ISR = int32(i), leaders[i], []int32{0, 1}, isr
			p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
			if len(isr) == 0 {
				p.Replicas, p.OfflineReplicas = []int32{9, 2}, []int32{9}
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
		for _, asked := range req.(*kmsg.DescribeTopicPartitionsRequest).Topics {
			if asked.Topic == hiddenTopic {
				hidden := kmsg.NewDescribeTopicPartitionsResponseTopic()
				hidden.Topic, hidden.ErrorCode = kmsg.StringPtr(hiddenTopic), kerr.TopicAuthorizationFailed.Code
				resp.Topics = append(resp.Topics, hidden)
			}
		}
		return resp, nil, true
	})
	return fake, &elected
}

// grant answers as a controller that grants all that it is asked for.
func grant(req *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse) {
	for _, asked := range req.Topics {
		topic := kmsg.NewElectLeadersResponseTopic()
		topic.Topic = asked.Topic
		for _, number := range asked.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = number
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
}

func orders(numbers ...int32) []predict.TopicPartition {
	var all []predict.TopicPartition
	for _, number := range numbers {
		all = append(all, predict.TopicPartition{Topic: "orders", Partition: number})
	}
	return all
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestPreviewChangesNothing(t *testing.T) {
	actor, elected := newCluster(t, grant)
	for _, partitions := range [][]predict.TopicPartition{nil, orders(predict.AllPartitions), orders(2, 0)} {
		answer, err := actor.Preview(within(t, 10*time.Second), act.Unclean(""), partitions...)
		if err != nil || answer.Err() != nil {
			t.Fatal(err, answer.Err())
		}
		row := answer.Data[0]
		if row.String() != "orders-2" || row.From != nil || *row.Predicted != 2 || row.Reason != predict.RuleUnclean || row.Result != predict.ElectionDone || row.Done || row.To != nil {
			t.Errorf("%+v", row)
		}
		if named := len(partitions) == 2; named != (len(answer.Data) == 2) {
			t.Errorf("%d rows for %v", len(answer.Data), partitions)
		}
	}
	if elected.Load() > 0 {
		t.Error("a preview asked for an election")
	}
}

func TestAnUncleanElectionTakesConsent(t *testing.T) {
	actor, elected := newCluster(t, grant)
	for _, consent := range []act.Consent{"", "yes"} {
		answer, err := actor.Elect(within(t, 10*time.Second), act.Unclean(consent), orders(2)...)
		if problem, ok := errors.AsType[inspect.Problem](err); !ok || problem.Code != act.CodeConsent || !errors.Is(err, act.ErrConsent) || len(answer.Errors) != 1 {
			t.Errorf("%q: %v, %+v", consent, err, answer)
		}
	}
	if elected.Load() > 0 {
		t.Fatal("an election was asked for without consent")
	}
	answer, err := actor.Elect(within(t, 10*time.Second), act.Unclean(act.RecordsMayBeLost))
	if err != nil || answer.Err() != nil || len(answer.Data) != 1 || !answer.Data[0].Done || *answer.Data[0].To != 2 {
		t.Errorf("%v, %+v", err, answer)
	}
}

func TestOnlyWhatNeedsAnElectionIsAskedFor(t *testing.T) {
	var asked []int32
	actor, _ := newCluster(t, func(req *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse) {
		for _, topic := range req.Topics {
			asked = append(asked, topic.Partitions...)
		}
		grant(req, resp)
	})
	answer, err := actor.Elect(within(t, 10*time.Second), act.Preferred(), orders(1, 0, 7)...)
	if err != nil || len(answer.Data) != 2 || !slices.Equal(asked, []int32{0}) {
		t.Fatalf("%v, %v was asked for, %+v", err, asked, answer)
	}
	if row := answer.Data[0]; row.Partition != 1 || row.Done || row.Result != predict.ElectionNotNeeded {
		t.Errorf("%+v", row)
	}
	if row := answer.Data[1]; *row.From != 1 || *row.To != 0 || !row.Done || row.Reason != predict.RulePreferred {
		t.Errorf("%+v", row)
	}
	if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeTopicNotFound || answer.Errors[0].Target != "orders-7" {
		t.Errorf("%+v", answer.Errors)
	}
}

func TestWhatTheControllerRefuses(t *testing.T) {
	actor, _ := newCluster(t, func(req *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse) {
		grant(req, resp)
		resp.Topics[0].Partitions[0].ErrorCode = kerr.PreferredLeaderNotAvailable.Code
		stray := kmsg.NewElectLeadersResponseTopic()
		stray.Topic, stray.Partitions = "nobody asked", resp.Topics[0].Partitions
		resp.Topics = append(resp.Topics, stray)
	})
	answer, err := actor.Elect(within(t, 10*time.Second), act.Preferred(), orders(0)...)
	if err != nil || len(answer.Data) != 1 || answer.Data[0].Result != predict.ElectionPreferredUnavailable || len(answer.Errors) != 1 || !strings.Contains(answer.Errors[0].Message, "stays with broker 1") {
		t.Errorf("%v, %+v", err, answer)
	}

	actor, _ = newCluster(t, func(_ *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
	})
	answer, err = actor.Elect(within(t, 10*time.Second), act.Preferred())
	if problem, ok := errors.AsType[inspect.Problem](err); !ok || problem.Code != inspect.CodeNotAuthorized || !strings.Contains(problem.Message, "ALTER on the cluster") || len(answer.Errors) != 1 {
		t.Errorf("%v, %+v", err, answer)
	}
}

// TestALeaderThatWasNotPredicted has brokers that never hear of the election.
func TestALeaderThatWasNotPredicted(t *testing.T) {
	actor, elected := newCluster(t, grant)
	began := time.Now()
	elected.Store(-1) // the fake never tells of new leaders
	answer, err := actor.Elect(within(t, 2*time.Second), act.Preferred(), orders(0)...)
	if err != nil || answer.Err() != nil || len(answer.Warnings) == 0 {
		t.Fatalf("%v, %+v", err, answer)
	}
	last := answer.Warnings[len(answer.Warnings)-1]
	if last.Code != act.CodeNotAsPredicted || !strings.Contains(last.Message, "led by broker 1 after the election, and broker 0 was predicted") {
		t.Errorf("%+v", last)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v of 2 s", took)
	}
}

// TestWhatTheControllerDoesNotTell has a controller that leaves partitions out of its
// answer, and one that answers the first of two requests alone.
func TestWhatTheControllerDoesNotTell(t *testing.T) {
	actor, elected := newCluster(t, func(*kmsg.ElectLeadersRequest, *kmsg.ElectLeadersResponse) {})
	elected.Store(-1) // nothing is elected
	answer, err := actor.Elect(within(t, 10*time.Second), act.Preferred(), orders(0, 1)...)
	if err != nil || len(answer.Data) != 2 || len(answer.Errors) != 1 || answer.Errors[0].Target != "orders-0" || !strings.Contains(answer.Errors[0].Message, "leaves out the preferred election of orders-0") {
		t.Fatalf("%v, %+v", err, answer)
	}
	if row := answer.Data[0]; row.Done || row.Result != act.ResultUnknown || row.To == nil || *row.To != 1 {
		t.Errorf("%+v", row)
	}
	if row := answer.Data[1]; row.Result != predict.ElectionNotNeeded {
		t.Errorf("%+v", row)
	}

	const many = 1001
	requests := 0
	actor, _ = newCluster(t, func(req *kmsg.ElectLeadersRequest, resp *kmsg.ElectLeadersResponse) {
		if requests++; requests > 1 {
			resp.ErrorCode = kerr.NotController.Code
			return
		}
		grant(req, resp)
	}, many)
	answer, err = actor.Elect(within(t, 10*time.Second), act.Preferred())
	if err != nil || len(answer.Data) != many || len(answer.Errors) != 1 || answer.Errors[0].Code != "NOT_CONTROLLER" {
		t.Fatalf("%v, %d rows, %+v", err, len(answer.Data), answer.Errors)
	}
	if first, last := answer.Data[0], answer.Data[many-1]; !first.Done || first.Result != predict.ElectionDone || last.Done || last.Result != act.ResultUnknown {
		t.Errorf("%+v, %+v", first, last)
	}
}

// TestATopicThatMayNotBeSeen is told once, and is not taken for one that does not exist.
func TestATopicThatMayNotBeSeen(t *testing.T) {
	actor, elected := newCluster(t, grant)
	named := append(orders(0), predict.TopicPartition{Topic: hiddenTopic}, predict.TopicPartition{Topic: hiddenTopic, Partition: 1})
	for what, ask := range map[string]func(context.Context, act.Kind, ...predict.TopicPartition) (inspect.Answer[[]act.Election], error){"preview": actor.Preview, "election": actor.Elect} {
		answer, err := ask(within(t, 10*time.Second), act.Preferred(), named...)
		if err != nil || len(answer.Data) != 1 || answer.Data[0].Topic != "orders" {
			t.Errorf("%s: %v, %+v", what, err, answer.Data)
		}
		if len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeNotAuthorized || !strings.Contains(answer.Errors[0].Message, `DESCRIBE on the topic "secrets"`) {
			t.Errorf("%s: %+v", what, answer.Errors)
		}
	}
	if elected.Load() > 1 {
		t.Errorf("%d elections", elected.Load())
	}
}

// TestElectionThatTheClientDoesNotSend: no answer is blamed where there was none.
func TestElectionThatTheClientDoesNotSend(t *testing.T) {
	t.Parallel()
	fake, elected := newFake(t, grant)
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.ElectLeaders), -1)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.MaxVersions(versions))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	_, err = act.New(client).Elect(t.Context(), act.Preferred(), orders(0)...)
	problem, ok := errors.AsType[inspect.Problem](err)
	if !ok || problem.Code != inspect.CodeRequestFailed || strings.Contains(problem.Message, "cannot be read") || !strings.Contains(problem.Message, "whether it was done is not known") {
		t.Errorf("%v", err)
	}
	if n := elected.Load(); n > 0 {
		t.Errorf("%d elections were asked for", n)
	}
}
