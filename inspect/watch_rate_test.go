package inspect_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
)

// joinByHand adds a member to a group that no client keeps alive, and a commit of its.
func joinByHand(ctx context.Context, client *kgo.Client, group string) error {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 300_000, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	metadata, assignment := memberBytes("orders", 0)
	protocol.Name, protocol.Metadata = "range", metadata
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(ctx, client)
	if err == nil && kerr.ErrorForCode(joined.ErrorCode) == kerr.MemberIDRequired {
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(ctx, client)
	}
	if err == nil {
		err = kerr.ErrorForCode(joined.ErrorCode)
	}
	if err != nil {
		return err
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	one := kmsg.NewSyncGroupRequestGroupAssignment()
	one.MemberID, one.MemberAssignment = joined.MemberID, assignment
	sync.GroupAssignment = append(sync.GroupAssignment, one)
	synced, err := sync.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(synced.ErrorCode)
}

// TestWatchKeepsToItsRate counts what each broker is sent in every window of time, by a
// watch of a thousand groups that have a member each and of 2,000 partitions: from the
// first request on, while a broker goes and comes back, while all partitions have
// elections, and while lag is looked at.
func TestWatchKeepsToItsRate(t *testing.T) {
	t.Parallel()
	byTurns(t)
	const groups = 1000
	fake := newFake(t, kfake.SeedTopics(2000, "orders"), kfake.SeedTopics(50, offsetsTopic), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	for p := range int32(50) {
		if err := fake.MoveTopicPartition(offsetsTopic, p, p%3); err != nil {
			t.Fatal(err)
		}
	}
	joiner := newClient(t, fake)
	slots, failures := make(chan struct{}, 32), make(chan error, groups)
	var joining sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for n := range groups {
		slots <- struct{}{}
		joining.Go(func() {
			defer func() { <-slots }()
			failures <- joinByHand(ctx, joiner, fmt.Sprintf("group-%d", n))
		})
	}
	joining.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
	// The log's leaders are the coordinators, by kfake's own rule.
	for n := range groups {
		name := fmt.Sprintf("group-%d", n)
		if err := fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(name, 50), fake.CoordinatorFor(name)); err != nil {
			t.Fatal(err)
		}
	}
	counter := &requestCounter{sent: map[int32][]time.Time{}}
	client := newClient(t, fake, kgo.WithHooks(counter))
	w := startWatching(t, inspect.New(client), inspect.Watched{})
	told := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for _, e := range w.events {
			if e.Snapshot != nil {
				for _, g := range e.Snapshot.Groups {
					n += len(g.Members)
				}
			}
			if e.Group != nil {
				n += len(e.Group.Joined)
			}
		}
		return n
	}
	deadline := time.Now().Add(2 * time.Minute)
	for told() < groups {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d members are told", told(), groups)
		}
		time.Sleep(50 * time.Millisecond)
	}
	passes := func(d time.Duration) { // that the looks of so long are counted too
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		}
	}
	if err := fake.RemoveNode(2); err != nil {
		t.Fatal(err)
	}
	w.await(t, "a broker is gone", func(e watch.Event) bool { return e.Broker != nil && e.Broker.Node == 2 && !e.Broker.Up })
	passes(4 * time.Second)
	if _, _, err := fake.AddNode(2, 0); err != nil {
		t.Fatal(err)
	}
	w.await(t, "it is back", func(e watch.Event) bool { return e.Broker != nil && e.Broker.Node == 2 && e.Broker.Up })
	before := w.count(func(e watch.Event) bool { return e.Leader != nil })
	fake.ShufflePartitionLeaders()
	for w.count(func(e watch.Event) bool { return e.Leader != nil }) < before+500 {
		if time.Now().After(deadline) {
			t.Fatal("the elections are not told")
		}
		time.Sleep(50 * time.Millisecond)
	}
	passes(11 * time.Second) // lag is looked at every ten
	counter.check(t)
}

// requestCounter notes what is sent to each broker but for greetings.
type requestCounter struct {
	mu   sync.Mutex
	sent map[int32][]time.Time
}

// OnBrokerWrite implements kgo.HookBrokerWrite. What counts is when a request was handed to
// the client: connecting takes long on a busy machine, and then all that waited goes at once.
func (c *requestCounter) OnBrokerWrite(meta kgo.BrokerMetadata, key int16, _ int, waited, took time.Duration, err error) {
	if key == int16(kmsg.ApiVersions) || meta.NodeID < 0 || err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[meta.NodeID] = append(c.sent[meta.NodeID], time.Now().Add(-waited-took))
}

// check holds every window that begins with a request to two a second, and the one with
// which it begins. A request that the machine held up may come close before the next, and
// the client itself asks for metadata when it finds a broker gone, so one more is let pass.
func (c *requestCounter) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for node, sent := range c.sent {
		slices.SortFunc(sent, time.Time.Compare)
		for _, window := range []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second} {
			most := 0
			for i, from := range sent {
				end, _ := slices.BinarySearchFunc(sent, from.Add(window), time.Time.Compare)
				most = max(most, end-i)
			}
			t.Logf("broker %d: %d requests in all, at most %d in any %v", node, len(sent), most, window)
			if allowed := int(2*window.Seconds()) + 2; most > allowed {
				t.Errorf("broker %d got %d requests in %v, want at most %d", node, most, window, allowed)
			}
		}
	}
}

func (c *requestCounter) all() map[int32][]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := map[int32][]time.Time{}
	for node, sent := range c.sent {
		copied[node] = slices.Clone(sent)
	}
	return copied
}
