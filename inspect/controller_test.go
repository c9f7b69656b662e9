package inspect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestControllerOfAQuorumThatMayChange(t *testing.T) {
	fake := newFake(t)
	directory := [16]byte{0: 1, 15: 2}
	kafkatest.ServeQuorum(t, fake, quorumAnswer(func(r *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
		p.HighWatermark = 99
		leader := &p.CurrentVoters[1]
		leader.ReplicaDirectoryID, leader.LastFetchTimestamp, leader.LastCaughtUpTimestamp = directory, 1_700_000_000_500, 1_700_000_000_500
		p.CurrentVoters[2].LastCaughtUpTimestamp = 1_700_000_000_000
		// The same node with another disk follows, until it is made a voter.
		p.Observers[1].ReplicaID, p.Observers[1].ReplicaDirectoryID = 3, [16]byte{0: 9}
		for node, port := range map[int32]uint16{1: 9093, 2: 65535} {
			n := kmsg.NewDescribeQuorumResponseNode()
			n.NodeID = node
			n.Listeners = append(n.Listeners, kmsg.DescribeQuorumResponseNodeListener{Name: "CONTROLLER", Host: "h", Port: port})
			r.Nodes = append(r.Nodes, n)
		}
	}))
	answer, err := inspect.New(newClient(t, fake)).Controller(testContext(t))
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Errors)
	}
	c := answer.Data
	follower, leader, unheard := c.Voters[0], c.Voters[1], c.Voters[2]
	if *c.HighWatermark != 99 || *leader.Directory != "AQAAAAAAAAAAAAAAAAAAAg" || leader.Endpoints[0] != (inspect.Endpoint{Listener: "CONTROLLER", Host: "h", Port: 65535}) ||
		leader.LastFetch.UnixMilli() != 1_700_000_000_500 || leader.LastCaughtUp.Sub(*follower.LastCaughtUp) != 500*time.Millisecond {
		t.Errorf("controller %+v, leader %+v", c, leader)
	}
	if follower.Directory != nil || follower.LastFetch != nil || unheard.Endpoints != nil || unheard.LastCaughtUp != nil {
		t.Errorf("follower %+v, not heard from %+v", follower, unheard)
	}
	if o := c.Observers[0]; o.Node != 3 || *o.Directory == *leader.Directory || o.Endpoints != nil {
		t.Errorf("observer %+v", o)
	}
	// The fake has kraft.version 1 among its features.
	if c.Dynamic == nil || !*c.Dynamic || c.ZooKeeper != nil {
		t.Errorf("dynamic %v, ZooKeeper %v", c.Dynamic, c.ZooKeeper)
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

// A broker that takes the question and hears of no controller tells more than one that
// is gone.
func TestControllerWhereNoControllerAnswers(t *testing.T) {
	fake := newFake(t)
	fake.ControlKey(int16(kmsg.DescribeQuorum), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if fake.CurrentNode() == 1 {
			return nil, nil, true // never
		}
		return nil, errors.New("closed by the test"), true
	})
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil)) // for the brokers to know the request
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	answer, err := inspect.New(newClient(t, fake)).Controller(ctx)
	if err != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeTimeout || !strings.Contains(answer.Errors[0].Message, "fewer than half of the voters") || answer.Data.Node != nil {
		t.Errorf("%v: %+v", err, answer)
	}
}
