package member_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// A handler that was abandoned keeps its partition from being handled at the same time
// for as long as it goes on, however often Run begins and ends meanwhile.
func TestAnAbandonedHandlerIsNeverOvertaken(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 3)
	m := newConsumer(t, cluster, func(cfg *member.Config) { cfg.DrainTimeout = 100 * time.Millisecond })
	var calls, under, most atomic.Int32
	release := make(chan struct{})
	handle := func(context.Context, []*kgo.Record) error {
		most.Store(max(most.Load(), under.Add(1)))
		defer under.Add(-1)
		if calls.Add(1) == 1 {
			<-release
			return errBad
		}
		return nil
	}
	run := func(handle member.Handler, until func() bool) error {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx, handle) }()
		eventually(t, "it runs", until)
		cancel()
		return <-done
	}
	if err := run(handle, func() bool { return calls.Load() == 1 }); !errors.Is(err, member.ErrAbandoned) {
		t.Errorf("Run returned %v", err)
	}
	for range 3 {
		began := time.Now()
		if err := run(handle, func() bool { return m.Health().Runs && time.Since(began) > 50*time.Millisecond }); err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the handler was called %d times while the abandoned call went on", n)
	}
	close(release)
	if err := run(handle, func() bool { return calls.Load() > 1 }); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if most.Load() != 1 {
		t.Errorf("%d calls at the same time", most.Load())
	}
}

// A member that has partitions is not ready before Run, nor after it.
func TestReadyIsWhoRuns(t *testing.T) {
	cluster := fakeCluster(t, 1)
	m := newConsumer(t, cluster, nil)
	eventually(t, "it has the partition", func() bool { return m.Health().Owned == 1 })
	if h := m.Health(); h.Ready() || h.State != member.HealthIdle {
		t.Errorf("before Run: %+v", h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, ignore) }()
	eventually(t, "it is ready", func() bool { return m.Health().Ready() })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if h := m.Health(); h.Ready() {
		t.Errorf("after Run: %+v", h)
	}
}

// A member whose client was closed is closed too, with and without a Run, and no Run
// begins again.
func TestAMemberWithoutAClientIsClosed(t *testing.T) {
	for name, configure := range map[string]func(*member.Config){"classic": nil, "KIP-848": onKIP848} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster848(t, 1)
			r := startRun(t, cluster, configure, ignore)
			eventually(t, "it is ready", func() bool { h := r.Health(); return h.Ready() && h.Owned == 1 })
			r.Client().Close()
			for _, err := range []error{r.wait(t), r.Run(t.Context(), ignore)} {
				if !errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, member.ErrClosed) {
					t.Errorf("Run returned %v", err)
				}
			}
			if h := r.Health(); h.State != member.HealthClosed || h.Ready() || !errors.Is(h.Err, kgo.ErrClientClosed) || r.State() != member.StateClosed {
				t.Errorf("%+v, %s", h, r.State())
			}
			shut(t, r.Member)
			if err := r.Run(t.Context(), ignore); !errors.Is(err, member.ErrClosed) || r.Health().Err != nil {
				t.Errorf("after Close Run returned %v, %+v", err, r.Health())
			}
			kinds := r.kinds()
			if last := kinds[len(kinds)-1]; last != member.EventClosed {
				t.Errorf("the last event is %s", last)
			}

			m := newConsumer(t, cluster, configure)
			eventually(t, "it is in the group", func() bool { h := m.Health(); return h.State == member.HealthIdle })
			m.Client().Close()
			if h := m.Health(); h.State != member.HealthClosed || h.Ready() {
				t.Errorf("without a Run: %+v", h)
			}
		})
	}
}

// A partition that was stopped, or paused because its handler was slow, is fetched and
// handled again when it comes back after it was lost.
func TestNoPauseOutlastsAnAssignment(t *testing.T) {
	for name, configure := range map[string]func(*member.Config){
		"stopped": func(cfg *member.Config) {
			cfg.Attempts = 1
			cfg.OnFailure = func(context.Context, member.Failure) member.Decision { return member.StopPartition }
		},
		"slow": func(cfg *member.Config) { cfg.BufferBytes = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster(t, 1)
			produce(t, cluster, 1, 20)
			var calls atomic.Int32
			var book ledger
			r := startRun(t, cluster, configure, func(ctx context.Context, records []*kgo.Record) error {
				if calls.Add(1) == 1 && name == "stopped" {
					return errBad
				}
				if calls.Load() == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				book.add(records)
				return nil
			}, kgo.FetchMaxPartitionBytes(300))
			eventually(t, "it is paused", func() bool { return len(r.Client().PauseFetchPartitions(nil)["t"]) == 1 })
			unknown := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: -1})
			r.await(t, member.EventLost)
			unknown.Remove()
			eventually(t, "all is handled", func() bool {
				book.mu.Lock()
				defer book.mu.Unlock()
				return len(book.seen[0]) == 20
			})
			if paused := r.Client().PauseFetchPartitions(nil); len(paused) > 0 {
				t.Errorf("still paused: %v", paused)
			}
		})
	}
}
