package member_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

const stall = 300 * time.Millisecond

// hangs returns a handler that hangs on partition 0 until release is closed.
func hangs(release <-chan struct{}) member.Handler {
	return func(ctx context.Context, records []*kgo.Record) error {
		if records[0].Partition == 0 {
			<-release
		}
		return nil
	}
}

func TestAStalledHandlerIsReported(t *testing.T) {
	cluster := fakeCluster(t, 2)
	produce(t, cluster, 2, 3)
	release := make(chan struct{})
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.StallTimeout = stall }, hangs(release))
	e := r.await(t, member.EventStalled)
	if e.Topic != "t" || e.Partition != 0 || e.Offset != 0 || !errors.Is(e.Err, member.ErrStalled) {
		t.Errorf("got %+v", e)
	}
	if h := r.Health(); h.State != member.HealthStalled || h.Ready() || len(h.Stalled) != 1 || h.Stalled[0].Partition != 0 {
		t.Errorf("health: %+v", h)
	}
	close(release)
	r.await(t, member.EventRecovered)
	eventually(t, "it is ready again", func() bool { return r.Health().Ready() })
	if n := len(r.all(member.EventStalled)); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// A handler that takes long but tells its progress does not stall.
func TestProgressKeepsTheWatchdogQuiet(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	var calls atomic.Int32
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.StallTimeout = stall }, func(ctx context.Context, _ []*kgo.Record) error {
		for began := time.Now(); time.Since(began) < 3*stall; time.Sleep(stall / 20) {
			member.Progress(ctx, 0)
		}
		calls.Add(1)
		return nil
	})
	eventually(t, "the record is handled", func() bool { return calls.Load() == 1 })
	if e := r.all(member.EventStalled); len(e) > 0 {
		t.Errorf("got %+v", e)
	}
}

// A stalled partition is released to another member, and the others stay, also where
// OnPlan makes a plan of its own from the problem.
func TestAStalledPartitionIsReleased(t *testing.T) {
	for name, onPlan := range map[string]func(context.Context, member.Round) (assign.Plan, error){
		"by the assignor": nil,
		"by OnPlan": func(_ context.Context, r member.Round) (assign.Plan, error) {
			return assign.Balanced{}.Assign(r.Problem)
		},
	} {
		t.Run(name, func(t *testing.T) { stalledIsReleased(t, onPlan) })
	}
}

func stalledIsReleased(t *testing.T, onPlan func(context.Context, member.Round) (assign.Plan, error)) {
	const partitions = 4
	cluster := fakeCluster(t, partitions)
	release := make(chan struct{})
	defer close(release)
	configure := func(cfg *member.Config) {
		cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout, cfg.OnPlan = stall, member.StallRelease, stall, onPlan
	}
	var book, other ledger
	hang := func(book *ledger) member.Handler {
		return func(ctx context.Context, records []*kgo.Record) error {
			if string(records[0].Value) == "0/0" && book.total() >= 0 && book == &other {
				<-release
			}
			book.add(records)
			return nil
		}
	}
	// The one that has partition 0 when it is filled hangs on it.
	a := startRun(t, cluster, configure, hang(&other))
	eventually(t, "the first has all", func() bool { return a.Health().Owned == partitions })
	produce(t, cluster, partitions, 1)
	a.await(t, member.EventStalled)
	b := startRun(t, cluster, configure, hang(&book))
	eventually(t, "the second handles what the first does not", func() bool {
		book.mu.Lock()
		defer book.mu.Unlock()
		return book.seen[0][0] == 1
	})
	eventually(t, "each has half", func() bool { return a.Health().Owned == 2 && b.Health().Owned == 2 })
	for _, p := range a.Partitions() {
		if p.Partition == 0 {
			t.Error("the first still has the partition")
		}
	}
	// The records are those of the stall, and the time counts from when it was told to stop.
	e := a.await(t, member.EventAbandoned)
	if told := a.await(t, member.EventStalled); !strings.Contains(e.Err.Error(), "after its handler was told to stop") || e.Offset != told.Offset || e.Records != told.Records {
		t.Errorf("got %+v after %+v", e, told)
	}
}

// A stall is told with the records that are left of the call.
func TestAStallTellsWhatIsLeft(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 10)
	release := make(chan struct{})
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.StallTimeout, cfg.MaxBatch = stall, 10 }, func(ctx context.Context, records []*kgo.Record) error {
		if last := records[len(records)-1].Offset; last == 9 {
			member.Progress(ctx, len(records)-1)
			<-release
		}
		return nil
	})
	if e := r.await(t, member.EventStalled); e.Offset != 9 || e.Records != 1 {
		t.Errorf("got %+v", e)
	}
	close(release)
}

// The member leaves, Run returns although the handler does not, and others take over.
func TestAMemberThatStallsLeaves(t *testing.T) {
	cluster := fakeCluster(t, 2)
	produce(t, cluster, 2, 3)
	release := make(chan struct{})
	defer close(release)
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout = stall, member.StallLeave, stall
	}, hangs(release))
	if err := r.wait(t); !errors.Is(err, member.ErrStalled) {
		t.Errorf("Run returned %v", err)
	}
	if h := r.Health(); h.State != member.HealthStalled || h.Ready() {
		t.Errorf("health: %v", h)
	}
	var book ledger
	next := startRun(t, cluster, nil, func(_ context.Context, records []*kgo.Record) error { book.add(records); return nil })
	eventually(t, "another has all", func() bool { return next.Health().Owned == 2 })
	eventually(t, "it handles what the first did not", func() bool { book.mu.Lock(); defer book.mu.Unlock(); return len(book.seen[0]) == 3 })
}

// The handler that stalls is told to stop at once, and why, and the others may finish.
func TestAMemberThatStallsAndLeavesEndsTheHandlerAtOnce(t *testing.T) {
	cluster := fakeCluster(t, 2)
	produce(t, cluster, 2, 1)
	why, release := make(chan error, 1), make(chan struct{})
	var other atomic.Bool
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout, cfg.CommitInterval = stall, member.StallLeave, 20*time.Second, time.Millisecond
	}, func(ctx context.Context, records []*kgo.Record) error {
		if records[0].Partition == 0 {
			<-ctx.Done()
			why <- context.Cause(ctx)
			close(release)
			return ctx.Err()
		}
		for done := false; !done; { // the other goes on, and is not cut short
			member.Progress(ctx, 0)
			select {
			case <-release:
				done = true
			case <-time.After(stall / 20):
			}
		}
		other.Store(ctx.Err() == nil)
		return nil
	}, kgo.RebalanceTimeout(time.Minute))
	// Before the others have had DrainTimeout.
	if err := r.wait(t); !errors.Is(err, member.ErrStalled) {
		t.Errorf("Run returned %v", err)
	}
	if err := <-why; !errors.Is(err, member.ErrStalled) {
		t.Errorf("the context of the handler that stalled ended for %v", err)
	}
	if !other.Load() {
		t.Error("the other handler was cut short")
	}
	if e := r.all(member.EventAbandoned); len(e) > 0 {
		t.Errorf("got %+v", e)
	}
}

// A member that leaves because of a handler gives Lead the time to return that a lease
// leaves it, and leaves nobody else leading beside it.
func TestAMemberThatStallsEndsItsTermBeforeItLeaves(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	release := make(chan struct{})
	defer close(release)
	var leading atomic.Int32
	lead := func(ctx context.Context, _ member.Term) error {
		if leading.Add(1) > 1 {
			t.Error("two lead at the same time")
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), member.ErrLeft) && !errors.Is(context.Cause(ctx), member.ErrClosed) {
			t.Errorf("the term ended because: %v", context.Cause(ctx))
		}
		time.Sleep(200 * time.Millisecond) // work that takes time to stop
		leading.Add(-1)
		return nil
	}
	a := startRun(t, cluster, func(cfg *member.Config) {
		cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout, cfg.Lead = stall, member.StallLeave, stall, lead
	}, hangs(release))
	eventually(t, "the first leads", a.Leading)
	b := startRun(t, cluster, func(cfg *member.Config) { cfg.Lead = lead }, func(context.Context, []*kgo.Record) error { return nil })
	if err := a.wait(t); !errors.Is(err, member.ErrStalled) {
		t.Errorf("Run returned %v", err)
	}
	eventually(t, "the second leads", b.Leading)
}

// A handler that hangs keeps its slot of Concurrency until it is abandoned, or its
// partition has been lost for as long, and no longer.
func TestAnAbandonedHandlerGivesItsSlotBack(t *testing.T) {
	for name, giveUp := range map[string]func(t *testing.T, cluster *kfake.Cluster, a *running, book *ledger){
		"released": func(t *testing.T, cluster *kfake.Cluster, a *running, book *ledger) {
			startRun(t, cluster, nil, func(_ context.Context, records []*kgo.Record) error { book.add(records); return nil })
			a.await(t, member.EventAbandoned)
		},
		"lost": func(t *testing.T, cluster *kfake.Cluster, a *running, _ *ledger) {
			unknown := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: -1})
			a.await(t, member.EventLost)
			unknown.Remove()
		},
	} {
		t.Run(name, func(t *testing.T) {
			const partitions = 4
			cluster := fakeCluster(t, partitions)
			release := make(chan struct{})
			defer close(release)
			var hung atomic.Pointer[kgo.Record]
			var book ledger
			a := startRun(t, cluster, func(cfg *member.Config) {
				cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout, cfg.Concurrency = stall, member.StallRelease, stall, 1
			}, func(_ context.Context, records []*kgo.Record) error {
				if hung.CompareAndSwap(nil, records[0]) {
					<-release
				}
				book.add(records)
				return nil
			})
			eventually(t, "the first has all", func() bool { return a.Health().Owned == partitions })
			produce(t, cluster, partitions, 1)
			eventually(t, "a handler hangs", func() bool { return hung.Load() != nil })
			giveUp(t, cluster, a, &book)
			eventually(t, "the others that it has are handled", func() bool {
				owned := 0
				for _, p := range a.Partitions() {
					if p.Partition == hung.Load().Partition {
						continue
					}
					owned++
					book.mu.Lock()
					handled := book.seen[p.Partition][0] > 0
					book.mu.Unlock()
					if !handled {
						return false
					}
				}
				return owned > 0
			})
		})
	}
}

// A partition that comes back to a member whose handler of it still hangs cannot be
// handled, and that is told.
func TestAPartitionThatWaitsForAnAbandonedHandlerStalls(t *testing.T) {
	cluster := fakeCluster(t, 1)
	release := make(chan struct{})
	var book ledger
	a := startRun(t, cluster, func(cfg *member.Config) {
		cfg.StallTimeout, cfg.OnStall, cfg.DrainTimeout = stall, member.StallRelease, stall
	}, func(_ context.Context, records []*kgo.Record) error {
		<-release
		book.add(records)
		return nil
	})
	eventually(t, "the first has it", func() bool { return a.Health().Owned == 1 })
	produce(t, cluster, 1, 3)
	a.await(t, member.EventStalled)
	b := startRun(t, cluster, nil, func(ctx context.Context, _ []*kgo.Record) error { <-ctx.Done(); return ctx.Err() })
	eventually(t, "it is moved", func() bool { return b.Health().Owned == 1 && a.Health().Owned == 0 })
	b.stop()
	_ = b.wait(t)
	shut(t, b.Member)
	eventually(t, "it is told when it is back", func() bool { return len(a.all(member.EventStalled)) == 2 })
	if e := a.all(member.EventStalled)[1]; !errors.Is(e.Err, member.ErrStalled) || !strings.Contains(e.Err.Error(), "an earlier handler") || e.Offset != 0 {
		t.Errorf("got %+v", e)
	}
	if h := a.Health(); h.State != member.HealthStalled || h.Ready() || h.Owned != 1 {
		t.Errorf("health: %+v", h)
	}
	close(release)
	eventually(t, "all is handled", func() bool { return book.total() == 3 && a.Health().Ready() })
}
