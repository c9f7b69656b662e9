package member_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
