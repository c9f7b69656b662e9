package inspect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

func quorumAnswer(change func(*kmsg.DescribeQuorumResponse, *kmsg.DescribeQuorumResponseTopicPartition)) *kmsg.DescribeQuorumResponse {
	state := func(node int32, end int64) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID = node
		s.LogEndOffset = end
		return s
	}
	partition := kmsg.NewDescribeQuorumResponseTopicPartition()
	partition.LeaderID = 2
	partition.LeaderEpoch = 9
	partition.CurrentVoters = append(partition.CurrentVoters, state(3, -1), state(2, 100), state(1, 97))
	partition.Observers = append(partition.Observers, state(11, 101), state(10, 40))
	resp := kmsg.NewPtrDescribeQuorumResponse()
	if change != nil {
		change(resp, &partition)
	}
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, partition)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

func TestControllerIsTheQuorumsLeader(t *testing.T) {
	fake := newFake(t)
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	answer, err := inspect.New(newClient(t, fake)).Controller(testContext(t))
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Errors)
	}
	c := answer.Data
	if *c.Node != 2 || *c.Epoch != 9 || *c.Mode != "kraft" || *c.Source != "DescribeQuorum" {
		t.Errorf("controller %+v", c)
	}
	lag := func(n inspect.QuorumNode) int64 {
		if n.Lag == nil {
			return -1
		}
		return *n.Lag
	}
	var got []int64
	for _, n := range append(slices.Clone(c.Voters), c.Observers...) {
		got = append(got, int64(n.Node), lag(n))
	}
	if want := []int64{1, 3, 2, 0, 3, -1, 10, 60, 11, 0}; !slices.Equal(got, want) {
		t.Errorf("nodes and lags %v, want %v", got, want)
	}
	if c.Voters[2].LogEndOffset != nil {
		t.Error("an end that the leader has not heard of is shown")
	}
}

func TestControllerWhereTheQuorumDoesNotAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*kmsg.DescribeQuorumResponse, *kmsg.DescribeQuorumResponseTopicPartition)
		code   inspect.Code
		says   string
		known  bool
	}{
		{"denied", func(r *kmsg.DescribeQuorumResponse, _ *kmsg.DescribeQuorumResponseTopicPartition) {
			r.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		}, inspect.CodeNotAuthorized, "DESCRIBE on the cluster", false},
		{"not this log", func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
			p.ErrorCode = kerr.UnknownTopicOrPartition.Code
		}, inspect.CodeUnsupported, "KRaft", false},
		{"left out", func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
			p.Partition = 1
		}, inspect.CodeRequestFailed, "leaves out", false},
		{"no leader", func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
			p.LeaderID = -1
		}, inspect.CodeNoLeader, "no leader", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t)
			kafkatest.ServeQuorum(t, fake, quorumAnswer(test.change))
			answer, err := inspect.New(newClient(t, fake)).Controller(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(answer.Errors) != 1 || answer.Errors[0].Code != test.code || !strings.Contains(answer.Errors[0].Message, test.says) {
				t.Errorf("errors %+v", answer.Errors)
			}
			if answer.Data.Node != nil || (answer.Data.Mode != nil) != test.known || (answer.Data.Voters != nil) != test.known {
				t.Errorf("data %+v", answer.Data)
			}
			if *answer.ClusterID != "fake" {
				t.Error("what is known of the cluster is lost")
			}
		})
	}
}

func TestControllerIsNotGuessedFromMetadata(t *testing.T) {
	answer, err := inspect.New(newClient(t, newFake(t))).Controller(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Data.Node != nil || answer.Data.Mode != nil {
		t.Errorf("data %+v", answer.Data)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{inspect.CodeUnsupported}) {
		t.Errorf("errors %v: %v", got, answer.Err())
	}
}
