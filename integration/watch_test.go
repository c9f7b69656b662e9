package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// watchedEvents collects the events of one watch.
type watchedEvents struct {
	mu     sync.Mutex
	events []watch.Event
}

func startWatch(t *testing.T, c *cluster.Cluster, what inspect.Watched, opts ...kgo.Opt) *watchedEvents {
	t.Helper()
	w := &watchedEvents{}
	client := newClient(t, c, append([]kgo.Opt{kgo.DialTimeout(2 * time.Second)}, opts...)...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event, err := range inspect.New(client).Watch(ctx, what) {
			if err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.events = append(w.events, event)
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *watchedEvents) all(is func(watch.Event) bool) []watch.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []watch.Event
	for _, e := range w.events {
		if is(e) {
			found = append(found, e)
		}
	}
	return found
}

// await waits for an event and returns the first.
func (w *watchedEvents) await(t *testing.T, what string, is func(watch.Event) bool) watch.Event {
	t.Helper()
	var found watch.Event
	eventually(t, what, func() (bool, string) {
		all := w.all(is)
		if len(all) > 0 {
			found = all[0]
			return true, ""
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		told, _ := json.Marshal(w.events[max(0, len(w.events)-10):])
		return false, string(told)
	})
	return found
}

// TestWatchTellsEveryGenerationFromTheLog has members come and go, and holds what is
// told to what a member sees: no generation is left out, and none is told twice.
func TestWatchTellsEveryGenerationFromTheLog(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	first := startReader(t, c, group, topic, kgo.ClientID("first"))
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the group is there", func(e watch.Event) bool {
		return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 || e.Group != nil
	})
	// A log that is read late, as on a busy machine, is not waited for: polls tell then.
	logged := func(e watch.Event) bool { return e.Generation != nil && e.Generation.Source == watch.SourceLog }
	for n, told := 0, 0; told < 3; n++ {
		if n == 10 {
			t.Fatalf("of %d guests the log told of %d", n, told)
		}
		guest := fmt.Sprintf("guest-%d", n)
		isGuest := func(m watch.MemberRef) bool { return m.ClientID == guest }
		second := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID(guest))
		came := w.await(t, "a guest joined", func(e watch.Event) bool {
			return e.Generation != nil && slices.ContainsFunc(e.Generation.Joined, isGuest)
		})
		second.Close()
		went := w.await(t, "the guest left", func(e watch.Event) bool {
			return e.Generation != nil && slices.ContainsFunc(e.Generation.Left, isGuest)
		})
		if logged(came) && logged(went) {
			told++
		}
	}
	eventually(t, "the last generation is told", func() (bool, string) {
		_, now := first.client.GroupMetadata()
		all := w.all(func(e watch.Event) bool { return e.Generation != nil })
		last := all[len(all)-1]
		return !logged(last) || *last.Generation.To == now, fmt.Sprintf("generation %d, told %+v", now, last.Generation)
	})
	var last *int32
	for _, e := range w.all(func(e watch.Event) bool { return e.Generation != nil }) {
		g := e.Generation
		if g.Source != watch.SourceLog {
			last = nil
			continue
		}
		if last != nil && (g.From == nil || *g.From != *last || *g.Unseen != *g.To-*g.From-1) {
			t.Errorf("%+v does not follow on %d", g, *last)
		}
		if g.ToLeader == nil && g.Members > 0 || g.NotStable.AtMost < g.NotStable.AtLeast {
			t.Errorf("%+v", g)
		}
		last = g.To
	}
}

// TestWatchOfAThousandGroupsKeepsItsRate counts the requests that each broker gets.
func TestWatchOfAThousandGroupsKeepsItsRate(t *testing.T) {
	const groups, watches = 1000, 15 * time.Second
	c := cluster.Shared(t)
	topic, prefix := newTopic(t, c, 1), unique(t, "group")
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	var names []string
	var committing sync.WaitGroup
	slots := make(chan struct{}, 16)
	for n := range groups {
		name := fmt.Sprintf("%s-%d", prefix, n)
		names = append(names, name)
		slots <- struct{}{}
		committing.Go(func() {
			defer func() { <-slots }()
			var offsets kadm.Offsets
			offsets.AddOffset(topic, 0, 1, -1)
			if err := admin.CommitAllOffsets(t.Context(), name, offsets); err != nil {
				t.Error(err)
			}
		})
	}
	committing.Wait()
	t.Cleanup(func() { _, _ = admin.DeleteGroups(context.Background(), names...) })
	counted := &writes{sent: map[int32]int{}}
	began := time.Now()
	w := startWatch(t, c, inspect.Watched{Elections: true, GroupNames: names}, kgo.WithHooks(counted))
	eventually(t, "all groups are told", func() (bool, string) {
		told := 0
		for _, e := range w.all(func(e watch.Event) bool { return e.Snapshot != nil }) {
			told += len(e.Snapshot.Groups)
		}
		return told == groups && time.Since(began) > watches, fmt.Sprintf("%d of %d", told, groups)
	})
	for node, sent := range counted.all() {
		lasted := time.Since(began).Seconds()
		t.Logf("broker %d: %d requests in %.1fs, %.2f a second", node, sent, lasted, float64(sent)/lasted)
		if float64(sent) > 2*lasted+2 {
			t.Errorf("broker %d got %d requests in %.1fs, want at most 2 a second", node, sent, lasted)
		}
	}
	if failed := w.all(func(e watch.Event) bool { return e.Sight != nil }); len(failed) > 0 {
		t.Errorf("%+v", failed[0].Sight)
	}
}

// writes counts the requests to each broker but greetings.
type writes struct {
	mu   sync.Mutex
	sent map[int32]int
}

func (c *writes) OnBrokerWrite(broker kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key != int16(kmsg.ApiVersions) && broker.NodeID >= 0 && err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent[broker.NodeID]++
	}
}

func (c *writes) all() map[int32]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.sent)
}
