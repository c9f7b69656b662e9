package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// nextLeader is the rule, written out: the first of the replicas, in order, that
// is in sync and alive.
func nextLeader(p inspect.Partition, dead int32) int32 {
	for _, replica := range p.Replicas {
		if replica != dead && slices.Contains(p.ISR, replica) {
			return replica
		}
	}
	return -1
}

// partitionLeaderIsReplaced kills a broker that leads, and brings it back.
func partitionLeaderIsReplaced(t *testing.T, c *cluster.Cluster) {
	// The orders differ, so that "the next by number" or "any" would show.
	const killed = 1
	placement := [][]int32{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {3, 1, 2}}
	topic := newPlacedTopic(t, c, placement)
	// With min.insync.replicas of 2, the loss of a replica of this one leaves it eligible.
	pair := newPlacedTopic(t, c, [][]int32{{2, killed}})
	// Nobody but the broker that dies has this one.
	alone := newPlacedTopic(t, c, [][]int32{{killed}})
	client := newClient(t, c)
	in := inspect.New(client)
	ctl := buildGroupctl(t, c)
	ctl.electAll(t)
	group := groupOn(t, c, topic, killed)

	before := leadersOf(t, in, topic, func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool {
			return p.Leader == nil || *p.Leader != *p.Preferred || len(p.ISR) != 3
		})
	})
	for i, p := range before {
		if !slices.Equal(p.Replicas, placement[i]) || *p.Preferred != placement[i][0] || p.Offline || len(p.OfflineReplicas) > 0 {
			t.Fatalf("partition %+v, placed on %v", p, placement[i])
		}
	}
	leadersOf(t, in, pair, func(rows []inspect.Partition) bool {
		p := rows[0]
		return len(p.ISR) == 2 && !p.UnderReplicated && *p.MinISR == 2 && !*p.UnderMinISR && p.ELR != nil && len(p.ELR) == 0 && *p.Racks[0] == "rack-2"
	})
	ledBefore, err := kadm.NewClient(client).ListTopics(fresh(t), topic, pair, alone)
	if err != nil {
		t.Fatal(err)
	}
	prediction := ctl.impactOf(t, killed)
	revive := kill(t, c, killed)
	after := leadersOf(t, in, topic, func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return p.Leader == nil || *p.Leader == killed })
	})
	for i, p := range after {
		want, epoch := *before[i].Leader, *before[i].LeaderEpoch
		if want == killed {
			want = nextLeader(before[i], killed)
			if *p.LeaderEpoch <= epoch {
				t.Errorf("partition %d: epoch %d after %d, though its leader changed", i, *p.LeaderEpoch, epoch)
			}
		}
		if *p.Leader != want || p.Offline {
			t.Errorf("partition %d of replicas %v is led by %d, want %d", i, p.Replicas, *p.Leader, want)
		}
		if *p.Preferred != placement[i][0] || !slices.Equal(p.OfflineReplicas, []int32{killed}) {
			t.Errorf("partition %d: %+v", i, p)
		}
	}

	leadersOf(t, in, pair, func(rows []inspect.Partition) bool {
		p := rows[0]
		return slices.Equal(p.ISR, []int32{2}) && slices.Equal(p.ELR, []int32{killed}) && p.UnderReplicated && *p.UnderMinISR &&
			*p.Leader == 2 && p.Racks[1] == nil && *p.Racks[0] == "rack-2"
	})
	brokersAre(t, in, killed)
	ledAfter := ctl.findsWhatIsNotWell(t, topic, pair, alone)
	prediction.happened(t, c, ledBefore, ledAfter, group, killed)

	revive()
	brokersAre(t, in)
	back := leadersOf(t, in, topic, func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return len(p.ISR) != 3 })
	})
	if *back[0].Leader != *after[0].Leader {
		t.Errorf("the broker that came back leads partition 0 without an election: %+v", back[0])
	}
	var partitions kadm.TopicsSet
	partitions.Add(topic, 0, 1, 2, 3)
	eventually(t, "the preferred election is held", func() (bool, string) {
		results, err := kadm.NewClient(client).ElectLeaders(t.Context(), kadm.ElectPreferredReplica, partitions)
		if err != nil {
			return false, err.Error()
		}
		for partition, result := range results[topic] {
			if result.Err != nil && !errors.Is(result.Err, kerr.ElectionNotNeeded) {
				return false, fmt.Sprintf("partition %d: %v", partition, result.Err)
			}
		}
		return true, ""
	})
	leadersOf(t, in, topic, func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return p.Leader == nil || *p.Leader != *p.Preferred })
	})
}

// topicIsNotCreated asks a cluster that creates topics for whoever asks carelessly.
func topicIsNotCreated(t *testing.T, c *cluster.Cluster) {
	missing := unique(t, "missing")
	client := newClient(t, c)
	for range 3 {
		answer, err := inspect.New(client).Partitions(t.Context(), missing)
		if err != nil || len(answer.Data) > 0 || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeTopicNotFound {
			t.Fatalf("%v: %+v", err, answer)
		}
	}
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil || topics.Has(missing) {
		t.Errorf("%v: the topics are %v", err, topics.Names())
	}
}

// leadersOf waits until the partitions of a topic are as wanted.
func leadersOf(t *testing.T, in *inspect.Inspector, topic string, wanted func([]inspect.Partition) bool) []inspect.Partition {
	t.Helper()
	var rows []inspect.Partition
	eventually(t, "the leaders of "+topic+" are as wanted", func() (bool, string) {
		answer, err := in.Partitions(t.Context(), topic)
		if err != nil || answer.Err() != nil {
			return false, fmt.Sprint(err, answer.Err())
		}
		rows = answer.Data
		seen := ""
		for _, p := range rows {
			seen += fmt.Sprintf("[%d leader %s of %v, in sync %v] ", p.Partition, show(p.Leader), p.Replicas, p.ISR)
		}
		return len(rows) > 0 && wanted(rows), seen
	})
	return rows
}

// leadersOfAll waits until each of the brokers, all of which run, tells that the partitions
// of a topic are as wanted.
func leadersOfAll(t *testing.T, c *cluster.Cluster, topic string, wanted func([]inspect.Partition) bool) (rows []inspect.Partition) {
	t.Helper()
	for _, id := range c.NodeIDs() {
		rows = leadersOf(t, inspect.New(newClient(t, c, onlyNode(c, id))), topic, wanted)
	}
	return rows
}

// onlyNode has a client ask that node, whatever others it hears of.
func onlyNode(c *cluster.Cluster, id int32) kgo.Opt {
	address, dialer := c.Address(id), net.Dialer{Timeout: 2 * time.Second}
	return kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	})
}

// brokersAre waits until the view of all brokers shows which are down: one that is asked
// may hear of it late.
func brokersAre(t *testing.T, in *inspect.Inspector, down ...int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("the brokers %v are down", down), func() (bool, string) {
		answer, err := in.Brokers(t.Context())
		if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 3 {
			return false, fmt.Sprintf("%v: %+v", err, answer)
		}
		led, skew := 0, 0.0
		for i, b := range answer.Data {
			isDown := slices.Contains(down, b.ID)
			if int(b.ID) != i+1 || b.Up == isDown || b.Host == nil || b.Port == nil || b.Rack == nil || *b.Rack != fmt.Sprintf("rack-%d", b.ID) {
				return false, fmt.Sprintf("broker %+v", b)
			}
			if isDown != (b.Skew == nil) || isDown && *b.Leads != 0 || *b.Replicas == 0 || *b.Preferred == 0 {
				return false, fmt.Sprintf("broker %d, down: %v, leads %d, holds %d, skew %v", b.ID, isDown, *b.Leads, *b.Replicas, b.Skew)
			}
			led += *b.Leads
			if b.Skew != nil {
				skew += *b.Skew
			}
		}
		return led >= 5 && math.Abs(skew) <= 1e-9, fmt.Sprintf("%d partitions are led, and the skews sum up to %v", led, skew)
	})
}

func partitionOf(t *testing.T, in *inspect.Inspector, topic string, partition int32) inspect.Partition {
	t.Helper()
	rows := leadersOf(t, in, topic, func(rows []inspect.Partition) bool { return int(partition) < len(rows) })
	return rows[partition]
}

// newPlacedTopic creates a topic whose replicas are where the test wants them.
func newPlacedTopic(t *testing.T, c *cluster.Cluster, placement [][]int32) string {
	t.Helper()
	name := unique(t, "topic")
	createPlacedTopic(t, c, name, placement)
	return name
}

func createPlacedTopic(t *testing.T, c *cluster.Cluster, name string, placement [][]int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for i, replicas := range placement {
		assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		assignment.Partition, assignment.Replicas = int32(i), replicas
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
	}
	req.Topics = append(req.Topics, topic)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := req.RequestWith(ctx, newClient(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	known(t, c, name)
}
