package member_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// newConsumer makes a member of group "g" on topic "t" with short timeouts, and lets
// configure, which may be nil, set more.
func newConsumer(t *testing.T, cluster *kfake.Cluster, configure func(*member.Config), opts ...kgo.Opt) *member.Member {
	t.Helper()
	cfg := member.Config{
		Group: "g", Topics: []string{"t"},
		HooksConfig:    member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}},
		CommitInterval: time.Millisecond,
		Backoff:        func(int) time.Duration { return time.Millisecond },
		Client: append([]kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.HeartbeatInterval(50 * time.Millisecond),
			kgo.FetchMaxWait(100 * time.Millisecond), kgo.SessionTimeout(6 * time.Second), kgo.RebalanceTimeout(10 * time.Second)}, opts...),
	}
	if configure != nil {
		configure(&cfg)
	}
	m, err := member.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, m) })
	return m
}

func shut(t *testing.T, m *member.Member) {
	t.Helper()
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// ledger notes which records were handled, of all members.
type ledger struct {
	mu   sync.Mutex
	seen map[int32]map[int64]int
}

func (l *ledger) add(records []*kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[int32]map[int64]int)
	}
	for _, r := range records {
		if l.seen[r.Partition] == nil {
			l.seen[r.Partition] = make(map[int64]int)
		}
		l.seen[r.Partition][r.Offset]++
	}
}

// total counts the different records that were handled.
func (l *ledger) total() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, offsets := range l.seen {
		n += len(offsets)
	}
	return n
}

// check fails the test when an offset is committed before all below it were handled.
func (l *ledger) check(t *testing.T, client *kgo.Client) map[int32]int64 {
	t.Helper()
	offsets, err := kadm.NewClient(client).FetchOffsets(context.Background(), "g")
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	committed := make(map[int32]int64)
	offsets.Each(func(o kadm.OffsetResponse) {
		committed[o.Partition] = o.At
		for at := range o.At {
			if l.seen[o.Partition][at] == 0 {
				t.Errorf("partition %d: %d is committed and %d was not handled", o.Partition, o.At, at)
				return
			}
		}
	})
	return committed
}

func TestWhatTheHandlerDidNotProcessIsNeitherCommittedNorLost(t *testing.T) {
	const partitions, perPartition = 4, 40
	cluster := fakeCluster(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var book ledger
	failure := errors.New("no")
	run := func(m *member.Member, calls int, fail func(cancel func()) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
			if calls--; calls < 0 {
				return fail(cancel)
			}
			book.add(records)
			return nil
		})
	}
	fails := func(func()) error { return failure }
	one := func(cfg *member.Config) { cfg.Concurrency, cfg.Attempts = 1, 1 }
	few := kgo.FetchMaxPartitionBytes(1) // one record at a time
	m := newConsumer(t, cluster, one, few)
	for calls := range 4 {
		if err := run(m, calls, fails); !errors.Is(err, failure) {
			t.Fatalf("Run returned %v", err)
		}
		book.check(t, m.Client())
	}
	for calls := range 4 { // the handler returns the error of its ended context
		if err := run(m, calls, func(cancel func()) error { cancel(); return context.Canceled }); err != nil {
			t.Fatalf("Run returned %v", err)
		}
		book.check(t, m.Client())
	}
	for calls := range 4 {
		var panicked *member.PanicError
		if err := run(m, calls, func(func()) error { panic("boom") }); !errors.As(err, &panicked) {
			t.Fatalf("Run returned %v", err)
		}
		book.check(t, m.Client())
	}
	_ = run(m, 2, fails)
	shut(t, m)
	next := newConsumer(t, cluster, one, few)
	book.check(t, next.Client())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := next.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
		book.add(records)
		if book.total() == partitions*perPartition {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for p, at := range book.check(t, next.Client()) {
		if at != perPartition {
			t.Errorf("partition %d is committed to %d, want %d", p, at, perPartition)
		}
	}
}

func TestNothingIsLostWhileMembersComeAndGo(t *testing.T) {
	const partitions, perPartition = 6, 300
	cluster := fakeCluster(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var book ledger
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	var running sync.WaitGroup
	consume := func(stay func() bool) {
		for ctx.Err() == nil {
			m := newConsumer(t, cluster, func(cfg *member.Config) { cfg.Attempts = 1 }, kgo.FetchMaxPartitionBytes(200))
			for ctx.Err() == nil {
				if err := m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
					if rand.IntN(6) == 0 {
						return errors.New("no")
					}
					book.add(records)
					if book.total() == partitions*perPartition {
						cancel()
					}
					return nil
				}); err != nil && !stay() {
					break
				}
			}
			shut(t, m)
		}
	}
	running.Go(func() { consume(func() bool { return true }) })
	leaves := rand.New(rand.NewPCG(3, 0))
	running.Go(func() { consume(func() bool { return leaves.IntN(8) > 0 }) })
	running.Wait()
	if book.total() != partitions*perPartition {
		t.Errorf("%d records were handled, want %d", book.total(), partitions*perPartition)
	}
	m := newConsumer(t, cluster, nil)
	book.check(t, m.Client())
}

func TestOffsetsThatCannotBeCommittedDoNotStopRun(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	m := newConsumer(t, cluster, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var handled atomic.Int32
	go func() {
		for handled.Load() < 1 {
			time.Sleep(time.Millisecond)
		}
		refused.Remove()
		produce(t, cluster, 1, 1)
	}()
	if err := m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
		if handled.Add(int32(len(records))) == 2 {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var book ledger
	book.add([]*kgo.Record{{Offset: 0}, {Offset: 1}})
	if at := book.check(t, m.Client())[0]; at != 2 {
		t.Errorf("committed to %d, want 2", at)
	}
}

func ignore(context.Context, []*kgo.Record) error { return nil }

func TestRunAndCloseInAnyOrder(t *testing.T) {
	cluster := fakeCluster(t, 2)
	m := newConsumer(t, cluster, nil)
	if err := m.Run(t.Context(), nil); err == nil {
		t.Error("Run without a handler must fail")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range 3 {
		if err := m.Run(ended, ignore); err != nil {
			t.Errorf("Run with a context that has ended: %v", err)
		}
	}
	done := make(chan error)
	go func() { done <- m.Run(t.Context(), ignore) }()
	eventually(t, "the member leads", m.Leading)
	eventually(t, "Run is under way", func() bool { return m.Health().Runs })
	if err := m.Run(ended, ignore); err == nil || errors.Is(err, member.ErrClosed) {
		t.Errorf("a second Run: %v", err)
	}
	shut(t, m)
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if err := m.Run(t.Context(), ignore); !errors.Is(err, member.ErrClosed) {
		t.Errorf("Run after Close: %v", err)
	}
	shut(t, m)
	shut(t, newConsumer(t, cluster, nil)) // never ran
}

func TestCloseDoesNotWaitForAStuckHandlerLongerThanItMay(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	m := newConsumer(t, cluster, nil)
	stuck, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- m.Run(t.Context(), func(context.Context, []*kgo.Record) error {
			close(stuck)
			<-release
			return nil
		})
	}()
	<-stuck
	ended, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		if err := m.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close returned %v", err)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	shut(t, m)
	next := newConsumer(t, cluster, nil)
	var book ledger
	book.add([]*kgo.Record{{Offset: 0}})
	if at := book.check(t, next.Client())[0]; at != 1 {
		t.Errorf("what the handler processed must be committed: %d", at)
	}
}

func TestRunAndCloseUnderStress(t *testing.T) {
	cluster := fakeCluster(t, 4)
	produce(t, cluster, 4, 20)
	for range 15 {
		m := newConsumer(t, cluster, nil)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				for range 5 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(20))*time.Millisecond)
					_ = m.Run(ctx, ignore)
					cancel()
				}
			})
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(60))*time.Millisecond)
				defer cancel()
				<-ctx.Done()
				_ = m.Close(ctx)
				m.Leading()
			})
		}
		callers.Wait()
		shut(t, m)
	}
}
