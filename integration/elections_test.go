package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
)

// TestElections kills brokers of one cluster, one after the other; each is back
// before the next dies. Its voters can change while it runs, and do at the end.
func TestElections(t *testing.T) {
	c := cluster.Start(t, cluster.WithDynamicQuorum(), cluster.WithProperty("auto.create.topics.enable", "true"),
		// Every 5 minutes the controller would move leaders back by itself.
		cluster.WithProperty("auto.leader.rebalance.enable", "false"))
	for _, election := range []struct {
		name string
		run  func(*testing.T, *cluster.Cluster)
	}{
		{"asking for a topic does not create it", topicIsNotCreated},
		{"a controller that dies is replaced", controllerIsReplaced},
		{"a coordinator that dies is replaced and members go on", coordinatorIsReplaced},
		{"terms of leaders outlive their coordinator", termsOutliveTheirCoordinator},
		{"a partition leader that dies is replaced in replica order", partitionLeaderIsReplaced},
		{"all of them are as documented", electionsAreDocumented},
		{"a preferred election gives partitions back", partitionsAreGivenBack},
		{"a preferred election is watched", preferredElectionIsWatched},
		{"the transactions topic is created on request only", transactionsTopicIsCreatedOnRequest},
		{"the offsets topic is created on request only", offsetsTopicIsCreatedOnRequest},
		{"a controller without a vote observes", controllerObserves},
		{"a voter whose broker is fenced votes", fencedBrokerVotes},
	} {
		if !t.Run(election.name, func(t *testing.T) { election.run(t, c) }) {
			return // the cluster may be in any state
		}
	}
}

// kill ends a node and returns what brings it back, which happens at the end of
// the test if not before.
func kill(t *testing.T, c *cluster.Cluster, id int32) (revive func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Kill(ctx, id); err != nil {
		t.Fatal(err)
	}
	dead := true
	revive = func() {
		t.Helper()
		if !dead {
			return
		}
		dead = false
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		if err := c.Restart(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if !t.Failed() {
			revive()
		}
	})
	return revive
}

// reader is a plain kgo consumer, without anything of this module.
type reader struct {
	client *kgo.Client

	mu     sync.Mutex
	values map[string]bool
}

func startReader(t *testing.T, c *cluster.Cluster, group, topic string, opts ...kgo.Opt) *reader {
	t.Helper()
	r := &reader{values: map[string]bool{}}
	r.client = newClient(t, c, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			r.client.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.values[string(record.Value)] = true
			})
		}
	}()
	t.Cleanup(func() { cancel(); <-done; r.leave() })
	return r
}

// leave has the reader leave its group. kgo waits without end where nobody coordinates it.
func (r *reader) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = r.client.LeaveGroupContext(ctx) // who does not leave is put out
}

// is returns the id and generation under which the reader is in its group, which is stable:
// brokers may say so before the answers have arrived. Members that speak the classic
// protocol are in the generation of the others.
func (r *reader) is(t *testing.T, others ...*reader) (id string, generation int32) {
	t.Helper()
	eventually(t, "the member knows that it is one", func() (bool, string) {
		id, generation = r.client.GroupMetadata()
		seen := fmt.Sprint(id, generation)
		for _, other := range others {
			_, its := other.client.GroupMetadata()
			if seen = fmt.Sprint(seen, " ", its); its != generation {
				return false, seen
			}
		}
		return id != "" && generation > 0, seen
	})
	return id, generation
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.values)
}

// distinctValues returns how many different records the readers saw together.
func distinctValues(readers ...*reader) int {
	all := map[string]bool{}
	for _, r := range readers {
		r.mu.Lock()
		for value := range r.values {
			all[value] = true
		}
		r.mu.Unlock()
	}
	return len(all)
}

// produceValues writes records over all partitions, each of another value.
func produceValues(t *testing.T, c *cluster.Cluster, topic, prefix string, n int) {
	t.Helper()
	client := newClient(t, c, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(fmt.Sprintf("%s-%d", prefix, i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
