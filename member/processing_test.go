package member_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// running is a member with a Run under way.
type running struct {
	*member.Member
	*recorder
	done chan error
	stop context.CancelFunc
}

// startRun makes a member as newConsumer does and has it run.
func startRun(t *testing.T, cluster *kfake.Cluster, configure func(*member.Config), handle member.Handler, opts ...kgo.Opt) *running {
	t.Helper()
	r := &running{recorder: &recorder{}, done: make(chan error, 1)}
	r.Member = newConsumer(t, cluster, func(cfg *member.Config) {
		cfg.OnEvent = r.add
		if configure != nil {
			configure(cfg)
		}
	}, opts...)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	t.Cleanup(cancel)
	go func() { r.done <- r.Run(ctx, handle) }()
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range r.copied() {
				t.Logf("%s %s gen %d %s %v %s[%d]@%d %v", e.Time.Format("05.000"), e.Member, e.Generation, e.Kind, e.Assigned, e.Topic, e.Partition, e.Offset, e.Err)
			}
		}
	})
	return r
}

// wait returns what Run returned.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("Run does not return")
		return nil
	}
}

func (r *running) await(t *testing.T, kind member.EventKind) member.Event {
	t.Helper()
	eventually(t, "event "+string(kind), func() bool { return len(r.all(kind)) > 0 })
	return r.all(kind)[0]
}

// closedAfter holds a member that was closed to telling that last, and what is given just
// before.
func (r *running) closedAfter(t *testing.T, before member.EventKind) {
	t.Helper()
	kinds := r.kinds()
	if n := len(kinds); n < 2 || kinds[n-1] != member.EventClosed || kinds[n-2] != before {
		t.Errorf("the last events are %v", kinds[max(0, n-3):])
	}
}

// Records of a partition are handled in order, those of different ones at the same time,
// and never more handlers run than Concurrency allows.
func TestPartitionsAreHandledInOrderAndInParallel(t *testing.T) {
	const partitions, perPartition, bound = 5, 60, 3
	cluster := fakeCluster(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var mu sync.Mutex
	next := make(map[int32]int64)
	var inside, most, total atomic.Int32
	together := make(chan struct{})
	var once sync.Once
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.Concurrency, cfg.MaxBatch = bound, 7 }, func(ctx context.Context, records []*kgo.Record) error {
		n := inside.Add(1)
		defer inside.Add(-1)
		for at := most.Load(); n > at && !most.CompareAndSwap(at, n); at = most.Load() {
		}
		if n == bound {
			once.Do(func() { close(together) })
		}
		select { // none returns before as many run as may
		case <-together:
		case <-ctx.Done():
		}
		if len(records) > 7 {
			t.Errorf("%d records at once, want at most 7", len(records))
		}
		mu.Lock()
		defer mu.Unlock()
		for _, record := range records {
			if record.Offset != next[record.Partition] {
				t.Errorf("partition %d: offset %d comes after %d", record.Partition, record.Offset, next[record.Partition]-1)
			}
			next[record.Partition] = record.Offset + 1
		}
		total.Add(int32(len(records)))
		return nil
	})
	eventually(t, "all records are handled", func() bool { return total.Load() == partitions*perPartition })
	if most.Load() != bound {
		t.Errorf("%d handlers ran at the same time, want %d", most.Load(), bound)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// A partition whose handler is slow is paused, holds little, and does not keep the others
// from being handled; when it goes on, nothing is missing.
func TestASlowPartitionIsPausedAndHoldsUpNobody(t *testing.T) {
	const partitions, perPartition = 2, 200
	cluster := fakeCluster(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var book ledger
	release := make(chan struct{})
	const buffer, fetch = 400, 300 // bytes; a record has about 5 and a batch some 70 on the wire
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.BufferBytes = buffer }, func(ctx context.Context, records []*kgo.Record) error {
		if records[0].Partition == 0 {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		book.add(records)
		return nil
	}, kgo.FetchMaxPartitionBytes(fetch))
	eventually(t, "the other partition is handled", func() bool { return book.total() == perPartition })
	paused := func() []int32 { return r.Client().PauseFetchPartitions(nil)["t"] }
	eventually(t, "the slow one is paused", func() bool { return slices.Equal(paused(), []int32{0}) })
	produce(t, cluster, partitions, 50) // and the other goes on
	eventually(t, "the other partition is handled", func() bool { return book.total() == perPartition+50 })
	if queued := r.Partitions()[0].Queued; queued*4 > buffer/partitions+fetch {
		t.Errorf("%d records wait", queued)
	}
	close(release)
	eventually(t, "all is handled", func() bool { return book.total() == partitions*(perPartition+50) })
	if len(paused()) > 0 {
		t.Errorf("still paused: %v", paused())
	}
}

// What a call tells by Progress is committed while it goes on, also by Each, and with no
// other call to bring a commit about.
func TestProgressIsCommittedBeforeTheCallReturns(t *testing.T) {
	for name, handler := range map[string]func(block func()) member.Handler{
		"Progress": func(block func()) member.Handler {
			return func(ctx context.Context, records []*kgo.Record) error {
				member.Progress(ctx, 3)
				block()
				return nil
			}
		},
		"Each": func(block func()) member.Handler {
			return member.Each(func(_ context.Context, record *kgo.Record) error {
				if record.Offset == 3 {
					block()
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster(t, 1)
			produce(t, cluster, 1, 6)
			release := make(chan struct{})
			r := startRun(t, cluster, nil, handler(func() { <-release }))
			committedAt(t, r, 3)
			close(release)
			committedAt(t, r, 6)
		})
	}
}

// A commit that was refused because a broker did not know the topic is made up for in the
// end, also where no record has come since.
func TestTheLastCommitIsTriedWhateverWasAnsweredBefore(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 5)
	unknown := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownTopicOrPartition, Count: -1})
	var book ledger
	r := startRun(t, cluster, nil, func(_ context.Context, records []*kgo.Record) error {
		book.add(records)
		return nil
	})
	eventually(t, "all is handled", func() bool { return book.total() == 5 })
	r.await(t, member.EventCommitFailed)
	unknown.Remove()
	shut(t, r.Member)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if at := book.check(t, client)[0]; at != 5 {
		t.Errorf("%d is committed, want 5", at)
	}
}

// When a partition is given up, its handler may finish, and what it handled is committed
// before the next owner begins.
func TestHandlersAreDrainedAndCommittedBeforeAPartitionIsGivenUp(t *testing.T) {
	const partitions, perPartition = 4, 30
	cluster := fakeCluster(t, partitions)
	produce(t, cluster, partitions, perPartition)
	var mu sync.Mutex
	handled := make(map[string]int)
	slow := func(ctx context.Context, record *kgo.Record) error {
		select {
		case <-time.After(5 * time.Millisecond): // work
		case <-ctx.Done():
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		handled[fmt.Sprintf("%d/%d", record.Partition, record.Offset)]++
		return nil
	}
	first := startRun(t, cluster, nil, member.Each(slow))
	eventually(t, "records are handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(handled) > 5 })
	second := startRun(t, cluster, nil, member.Each(slow))
	revoked := first.await(t, member.EventRevoked)
	if len(revoked.Assigned) == 0 {
		t.Errorf("what was given up is not told: %+v", revoked)
	}
	eventually(t, "all is handled", func() bool { mu.Lock(); defer mu.Unlock(); return len(handled) == partitions*perPartition })
	shut(t, first.Member)
	shut(t, second.Member)
	second.closedAfter(t, member.EventRevoked)
	for record, n := range handled {
		if n != 1 {
			t.Errorf("record %s was handled %d times", record, n)
		}
	}
	if n := len(first.all(member.EventAbandoned)) + len(first.all(member.EventCommitFailed)); n > 0 {
		t.Errorf("%d handlers were abandoned or commits failed", n)
	}
}

// A handler that takes longer than it may has its context ended, and when that does not
// help the partition is given up all the same.
func TestAHandlerThatIgnoresItsContextIsAbandoned(t *testing.T) {
	cluster := fakeCluster(t, 2)
	produce(t, cluster, 2, 5)
	release := make(chan struct{})
	cause := make(chan error, 2)
	drain := func(cfg *member.Config) { cfg.DrainTimeout = 200 * time.Millisecond }
	first := startRun(t, cluster, drain, func(ctx context.Context, records []*kgo.Record) error {
		member.Progress(ctx, 2)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		<-release
		return ctx.Err()
	})
	eventually(t, "handlers run", func() bool {
		parts := first.Partitions()
		return len(parts) == 2 && !parts[0].Since.IsZero() && !parts[1].Since.IsZero()
	})
	var book ledger
	second := startRun(t, cluster, drain, func(_ context.Context, records []*kgo.Record) error {
		book.add(records)
		return nil
	})
	if e := first.await(t, member.EventAbandoned); !errors.Is(e.Err, member.ErrAbandoned) || e.Topic != "t" || e.Offset != 2 || e.Records != 3 {
		t.Errorf("got %+v", e)
	}
	if err := <-cause; !errors.Is(err, member.ErrRevoked) {
		t.Errorf("the context ended because: %v", err)
	}
	eventually(t, "the next owner handles what was not told to be handled", func() bool { return book.total() == 3 })
	close(release)
	shut(t, second.Member)
	shut(t, first.Member)
}

// A partition is given up within twice DrainTimeout also when its handler does not return
// and the coordinator does not answer commits, of which one may be under way already.
func TestGivingUpDoesNotWaitForCommitsThatHang(t *testing.T) {
	const drain = time.Second
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 5)
	release, asked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		once.Do(func() { close(asked) })
		cluster.SleepControl(func() { <-release })
		return nil, nil, false
	})
	defer close(release)
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.DrainTimeout = drain }, func(ctx context.Context, records []*kgo.Record) error {
		member.Progress(ctx, 1)
		<-release
		return nil
	}, kgo.SessionTimeout(30*time.Second), kgo.RebalanceTimeout(30*time.Second))
	<-asked
	began := time.Now()
	r.Client().PurgeTopicsFromConsuming("t") // has it revoked, with nobody else in the group
	if e := r.await(t, member.EventRevoked); e.Time.Sub(began) > 10*drain {
		t.Errorf("it took %s", e.Time.Sub(began))
	}
}

// When the coordinator no longer knows the member, handlers are cancelled and nothing is
// committed.
func TestOnLostHandlersAreCancelledAndNothingIsCommitted(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 5)
	var calls atomic.Int32
	cause := make(chan error, 1)
	r := startRun(t, cluster, nil, func(ctx context.Context, records []*kgo.Record) error {
		if calls.Add(1) > 1 {
			return nil
		}
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil // too late
	})
	eventually(t, "the handler runs", func() bool { return calls.Load() == 1 })
	var book ledger
	unknown := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: -1})
	if err := <-cause; !errors.Is(err, member.ErrLost) {
		t.Errorf("the context ended because: %v", err)
	}
	r.await(t, member.EventLost)
	if h := r.Health(); h.Ready() {
		t.Errorf("health: %v", h)
	}
	unknown.Remove()
	if at, committed := book.check(t, r.Client())[0]; committed {
		t.Errorf("%d is committed", at)
	}
	eventually(t, "the records are handled again", func() bool { return calls.Load() > 1 })
}
