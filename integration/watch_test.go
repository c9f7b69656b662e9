package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
		return false, w.last()
	})
	return found
}

// TestWatchTellsEveryGenerationFromTheLog has members come and go, also while the group
// is seen for the first time, and holds what is told to what a member sees: the log
// tells every generation, none is left out, and none is told twice.
func TestWatchTellsEveryGenerationFromTheLog(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	first := startReader(t, c, group, topic, kgo.ClientID("first"))
	observed := observeGeneration(t, c, first.client)
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the group is there", func(e watch.Event) bool {
		return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 || e.Group != nil
	})
	for n := range 3 {
		name := fmt.Sprintf("guest-%d", n)
		isGuest := func(m watch.MemberRef) bool { return m.ClientID == name }
		guest := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID(name))
		e := w.await(t, "a guest joined", func(e watch.Event) bool {
			return e.Generation != nil && slices.ContainsFunc(e.Generation.Joined, isGuest)
		})
		if to := e.Generation.To; to != nil {
			observed.late(t, e, "generation %d", *to)
		}
		guest.Close()
		e = w.await(t, "the guest left", func(e watch.Event) bool {
			return e.Generation != nil && slices.ContainsFunc(e.Generation.Left, isGuest)
		})
		if to := e.Generation.To; to != nil {
			observed.late(t, e, "generation %d", *to)
		}
	}
	w.awaitGeneration(t, first)
	w.checkGenerations(t, group)
}

// TestWatchTellsAGroupFromItsFirstMemberOn begins before the group exists and ends after
// its last member has left, twice, with the group deleted between.
func TestWatchTellsAGroupFromItsFirstMemberOn(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the group is absent", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Absent) == 1 })
	states := func(is func(*watch.GroupChange) bool) int {
		return len(w.all(func(e watch.Event) bool { return e.Group != nil && is(e.Group) }))
	}
	for life := range 2 {
		only := startReader(t, c, group, topic, kgo.ClientID("only"))
		eventually(t, "the member joined", func() (bool, string) { return len(w.generations()) == 2*life+1, w.last() })
		w.awaitGeneration(t, only)
		only.client.LeaveGroup()
		eventually(t, "it left", func() (bool, string) { return len(w.generations()) == 2*life+2, w.last() })
		eventually(t, "the group is deleted", func() (bool, string) {
			deleted, err := kadm.NewClient(only.client).DeleteGroup(t.Context(), group)
			return err == nil && (deleted.Err == nil || errors.Is(deleted.Err, kerr.GroupIDNotFound)), fmt.Sprint(err, deleted.Err)
		})
		eventually(t, "it is told as gone", func() (bool, string) {
			return states(func(g *watch.GroupChange) bool { return g.To == nil }) == life+1, w.last()
		})
	}
	if came := states(func(g *watch.GroupChange) bool { return g.From == nil }); came != 2 {
		t.Errorf("the group appeared %d times, want 2: %s", came, w.last())
	}
	all := w.generations()
	w.checkGenerations(t, group)
	for i, g := range all {
		if joins := i%2 == 0; joins && (len(g.Left) > 0 || g.Members != 1 || *g.To != 1) || !joins && (len(g.Joined) > 0 || len(g.Left) != 1 || g.Members != 0 || *g.To != 2) {
			t.Errorf("generation %d of 4: %+v", i+1, g)
		}
	}
}

// generations are those that were told, in their order.
func (w *watchedEvents) generations() []*watch.GenerationChange {
	var all []*watch.GenerationChange
	for _, e := range w.all(func(e watch.Event) bool { return e.Generation != nil }) {
		all = append(all, e.Generation)
	}
	return all
}

// awaitGeneration waits until the generation is told that a member is in.
func (w *watchedEvents) awaitGeneration(t *testing.T, member *reader) {
	t.Helper()
	eventually(t, "the last generation is told", func() (bool, string) {
		_, now := member.client.GroupMetadata()
		all := w.generations()
		return len(all) > 0 && all[len(all)-1].To != nil && *all[len(all)-1].To == now, fmt.Sprintf("generation %d, told %s", now, w.last())
	})
}

// checkGenerations holds the generations that were told to the rules: each is told from
// the log, follows on the one before, and has a leader unless nobody is left.
func (w *watchedEvents) checkGenerations(t *testing.T, group string) {
	t.Helper()
	var last *watch.GenerationChange
	for _, e := range w.all(func(e watch.Event) bool {
		return e.Generation != nil || e.Group != nil && e.Group.To == nil || e.Sight != nil
	}) {
		g := e.Generation
		switch {
		case e.Sight != nil:
			t.Errorf("%+v", e.Sight)
			continue
		case e.Group != nil:
			last = nil // it begins anew
			continue
		case g.Group != group || g.Source != watch.SourceLog || g.To == nil:
			t.Errorf("not told from the log: %+v\n%s", g, w.last())
			continue
		}
		if last != nil && (g.From == nil || *g.From != *last.To || g.Unseen == nil || *g.Unseen != *g.To-*g.From-1 || len(g.Joined)+len(g.Left) == 0 && *g.To == *last.To) {
			t.Errorf("%+v does not follow on %+v", g, last)
		}
		if (g.ToLeader == nil) != (g.Members == 0) || g.NotStable.AtMost < g.NotStable.AtLeast || e.At.Before(e.After) {
			t.Errorf("%+v", g)
		}
		last = g
	}
}

// last is what was told last.
func (w *watchedEvents) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, _ := json.Marshal(w.events[max(0, len(w.events)-10):])
	return string(told)
}

// TestWatchOfAThousandGroupsKeepsItsRate counts the requests that each broker gets, of a
// thousand groups with a member each, or fewer unless make bench-inspect asks.
func TestWatchOfAThousandGroupsKeepsItsRate(t *testing.T) {
	const watches = 15 * time.Second
	groups := 200
	if full() {
		groups = 1000
	}
	c := cluster.Shared(t)
	topic := newTopic(t, c, 1)
	names := manyGroups(t, c, groups, topic, 1)
	client := newClient(t, c)
	t.Cleanup(func() { endGroups(client, names) })
	counted := &sentTo{}
	began := time.Now()
	w := startWatch(t, c, inspect.Watched{Elections: true, GroupNames: names}, kgo.WithHooks(counted))
	eventually(t, "all groups are told", func() (bool, string) {
		told := 0
		for _, e := range w.all(func(e watch.Event) bool { return e.Snapshot != nil }) {
			for _, g := range e.Snapshot.Groups {
				if len(g.Members) == 1 {
					told++
				}
			}
		}
		return told == groups && time.Since(began) > watches, fmt.Sprintf("%d of %d", told, groups)
	})
	counted.check(t)
	if failed := w.all(func(e watch.Event) bool { return e.Sight != nil }); len(failed) > 0 {
		t.Errorf("%+v", failed[0].Sight)
	}
}

// commitOffsets commits in a topic that was just created, of which brokers do not all
// hear at once.
func commitOffsets(ctx context.Context, admin *kadm.Client, group string, offsets kadm.Offsets) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := admin.CommitAllOffsets(ctx, group, offsets)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// endGroups takes the members out of groups whose members were made by hand, and deletes
// them.
func endGroups(client *kgo.Client, names []string) {
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	described, err := admin.DescribeGroups(ctx, names...)
	if err != nil {
		return
	}
	slots := make(chan struct{}, 16)
	var leaving sync.WaitGroup
	for _, group := range described {
		slots <- struct{}{}
		leaving.Go(func() {
			defer func() { <-slots }()
			for _, m := range group.Members {
				leave := kmsg.NewPtrLeaveGroupRequest()
				leave.Group = group.Group
				one := kmsg.NewLeaveGroupRequestMember()
				one.MemberID = m.MemberID
				leave.Members = append(leave.Members, one)
				_, _ = leave.RequestWith(ctx, client)
			}
		})
	}
	leaving.Wait()
	_, _ = admin.DeleteGroups(ctx, names...)
}
