package member_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

var errBad = errors.New("bad record")

// failsOn returns a handler of single records that fails on one offset of partition 0
// and counts what it was called with.
func failsOn(offset int64) (handle member.Handler, calls func(offset int64) int) {
	var mu sync.Mutex
	seen := make(map[int64]int)
	return member.Each(func(_ context.Context, record *kgo.Record) error {
			if record.Partition != 0 {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			seen[record.Offset]++
			if record.Offset == offset {
				return errBad
			}
			return nil
		}), func(offset int64) int {
			mu.Lock()
			defer mu.Unlock()
			return seen[offset]
		}
}

func committedAt(t *testing.T, r *running, offset int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("partition 0 is committed to %d", offset), func() bool {
		parts := r.Partitions()
		return len(parts) > 0 && parts[0].Committed == offset
	})
}

// Records that a call told to be handled are, however it ends.
func TestACallThatFailsAfterItToldAllItsRecordsIsNotMadeAgain(t *testing.T) {
	for name, end := range map[string]func() error{
		"error": func() error { return errBad },
		"panic": func() error { panic(errBad) },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster(t, 1)
			produce(t, cluster, 1, 3)
			var book ledger
			r := startRun(t, cluster, func(cfg *member.Config) { cfg.MaxBatch = 2 }, func(ctx context.Context, records []*kgo.Record) error {
				book.add(records)
				member.Progress(ctx, len(records))
				return end()
			})
			committedAt(t, r, 3)
			if book.total() != 3 {
				t.Errorf("%d records were handled, want 3", book.total())
			}
			if failed := r.all(member.EventHandlerFailed); len(failed) < 2 || failed[0].Records != 0 || !strings.Contains(failed[0].Err.Error(), errBad.Error()) {
				t.Errorf("got %+v", failed)
			}
		})
	}
	t.Run("halted", func(t *testing.T) {
		cluster := fakeCluster(t, 1)
		produce(t, cluster, 1, 3)
		handles := make(chan struct{})
		r := startRun(t, cluster, nil, func(ctx context.Context, records []*kgo.Record) error {
			member.Progress(ctx, len(records))
			close(handles)
			for !member.Halting(ctx) {
				time.Sleep(time.Millisecond)
			}
			return member.ErrHalted
		})
		<-handles
		r.stop()
		if err := r.wait(t); err != nil {
			t.Errorf("Run returned %v", err)
		}
		if failed := r.all(member.EventHandlerFailed); len(failed) > 0 {
			t.Errorf("got %+v", failed)
		}
	})
}

func TestWhatBecomesOfRecordsThatFail(t *testing.T) {
	const bad, all = 3, 6
	setup := func(t *testing.T, configure func(*member.Config)) (*running, func(int64) int) {
		cluster := fakeCluster(t, 1)
		produce(t, cluster, 1, all)
		handle, calls := failsOn(bad)
		r := startRun(t, cluster, func(cfg *member.Config) {
			cfg.Attempts = 3
			configure(cfg)
		}, handle)
		return r, calls
	}
	decide := func(decision member.Decision) func(*member.Config) {
		return func(cfg *member.Config) {
			cfg.OnFailure = func(_ context.Context, f member.Failure) member.Decision {
				if len(f.Records) != 1 || f.Records[0].Offset != bad || f.Attempts != 3 || !errors.Is(f.Err, errBad) {
					panic(fmt.Sprint("asked about ", f.Records, f.Attempts, f.Err))
				}
				return decision
			}
		}
	}
	t.Run("stop the member", func(t *testing.T) {
		r, calls := setup(t, func(*member.Config) {})
		err := r.wait(t)
		var failure *member.Failure
		if !errors.As(err, &failure) || !errors.Is(err, errBad) || !strings.Contains(err.Error(), "t[0], offset 3, after 3 attempts") {
			t.Errorf("Run returned %v", err)
		}
		if calls(bad) != 3 || calls(bad-1) != 1 || calls(bad+1) != 0 {
			t.Errorf("calls: %d, %d, %d", calls(bad-1), calls(bad), calls(bad+1))
		}
		committedAt(t, r, bad)
	})
	t.Run("skip", func(t *testing.T) {
		r, calls := setup(t, decide(member.Skip))
		committedAt(t, r, all)
		if e := r.await(t, member.EventSkipped); e.Offset != bad || e.Records != 1 {
			t.Errorf("got %+v", e)
		}
		if calls(bad) != 3 {
			t.Errorf("%d calls", calls(bad))
		}
	})
	t.Run("retry", func(t *testing.T) {
		var asked atomic.Int32
		var paused []int // as all of one partition, on one goroutine
		r, calls := setup(t, func(cfg *member.Config) {
			cfg.Backoff = func(attempt int) time.Duration {
				paused = append(paused, attempt)
				return 0
			}
			cfg.OnFailure = func(context.Context, member.Failure) member.Decision {
				if asked.Add(1) < 3 {
					return member.Retry
				}
				return member.Skip
			}
		})
		committedAt(t, r, all)
		if calls(bad) != 9 {
			t.Errorf("%d calls, want 9", calls(bad))
		}
		if want := []int{1, 2, 3, 1, 2, 3, 1, 2}; !slices.Equal(paused, want) {
			t.Errorf("there was a pause after attempts %v, want %v", paused, want)
		}
	})
	t.Run("stop the partition", func(t *testing.T) {
		r, calls := setup(t, decide(member.StopPartition))
		e := r.await(t, member.EventPartitionStopped)
		if !errors.Is(e.Err, errBad) || e.Offset != bad || e.Records != 1 {
			t.Errorf("got %+v", e)
		}
		committedAt(t, r, bad)
		if h := r.Health(); h.State != member.HealthStalled || h.Ready() || len(h.Stalled) != 1 || !errors.Is(h.Err, errBad) {
			t.Errorf("health: %+v", h)
		}
		if r.Resume("t", 7) || !r.Resume("t", 0) {
			t.Error("Resume must tell whether there was a stopped partition")
		}
		eventually(t, "it is tried again", func() bool { return calls(bad) == 6 })
	})
	t.Run("a panic in OnFailure stops the member", func(t *testing.T) {
		r, _ := setup(t, func(cfg *member.Config) {
			cfg.OnFailure = func(context.Context, member.Failure) member.Decision { panic("boom") }
		})
		var panicked *member.PanicError
		if err := r.wait(t); !errors.As(err, &panicked) || !errors.Is(err, errBad) {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Run("dead letters need a topic", func(t *testing.T) {
		r, _ := setup(t, decide(member.DeadLetter))
		if err := r.wait(t); err == nil || !strings.Contains(err.Error(), "set Config.DeadLetterTopic") {
			t.Errorf("Run returned %v", err)
		}
	})
}

// A dead letter is acknowledged before its record is committed.
func TestADeadLetterIsAcknowledgedBeforeTheCommit(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t", "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	produce(t, cluster, 1, 4)
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	handle, _ := failsOn(1)
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.Attempts, cfg.DeadLetterTopic = 1, "dead"
		cfg.OnFailure = func(context.Context, member.Failure) member.Decision { return member.DeadLetter }
	}, handle)
	eventually(t, "dead letters are refused", func() bool {
		for _, e := range r.all(member.EventHandlerFailed) {
			if strings.Contains(e.Err.Error(), `not acknowledged by topic "dead"`) && e.Attempt > 1 {
				return true
			}
		}
		return false
	})
	if at := r.Partitions()[0].Committed; at > 1 {
		t.Errorf("committed to %d while the dead letter was not written", at)
	}
	refused.Remove()
	committedAt(t, r, 4)
	r.await(t, member.EventDeadLettered)

	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("dead"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	letters := reader.PollFetches(t.Context()).Records()
	if len(letters) != 1 || string(letters[0].Value) != "0/1" {
		t.Fatalf("got %v", letters)
	}
	headers := make(map[string]string)
	for _, h := range letters[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{
		member.DeadLetterTopicHeader: "t", member.DeadLetterPartitionHeader: "0",
		member.DeadLetterOffsetHeader: "1", member.DeadLetterErrorHeader: errBad.Error(),
	} {
		if headers[key] != want {
			t.Errorf("header %s is %q, want %q", key, headers[key], want)
		}
	}
}

// OnFailure is no handler: what it tells by Progress is not handled, and its decision may
// be another one.
func TestProgressTellsNothingInOnFailure(t *testing.T) {
	const bad, all = 3, 6
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, all)
	handle, calls := failsOn(bad)
	asked, decided := make(chan struct{}), make(chan struct{})
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.Attempts = 1
		cfg.OnFailure = func(ctx context.Context, f member.Failure) member.Decision {
			if calls(bad) > 1 {
				return member.Skip
			}
			member.Progress(ctx, len(f.Records))
			close(asked)
			<-decided
			return member.Retry
		}
	}, handle)
	<-asked
	committedAt(t, r, bad)
	if at := r.Partitions()[0].Position; at != bad {
		t.Errorf("the position is %d", at)
	}
	close(decided)
	committedAt(t, r, all)
	if calls(bad) != 2 {
		t.Errorf("it was handled %d times, want 2", calls(bad))
	}
}

func lettersCluster(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"), kfake.SeedTopics(1, "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// While dead letters that were not acknowledged wait, they keep no handler from running.
func TestDeadLettersThatWaitTakeNoSlot(t *testing.T) {
	const all = 4
	cluster := lettersCluster(t, 2)
	produce(t, cluster, 1, all)
	down := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	refused := make(chan struct{})
	var others atomic.Int32
	startRun(t, cluster, func(cfg *member.Config) {
		cfg.Concurrency, cfg.Attempts, cfg.DeadLetterTopic = 1, 1, "dead"
		cfg.OnFailure = func(context.Context, member.Failure) member.Decision { return member.DeadLetter }
		cfg.Backoff = func(int) time.Duration { close(refused); return time.Hour }
	}, member.Each(func(_ context.Context, record *kgo.Record) error {
		if record.Partition == 0 {
			return errBad
		}
		others.Add(1)
		return nil
	}))
	<-refused
	down.Remove()
	produce(t, cluster, 2, all)
	eventually(t, "the other partition is handled", func() bool { return others.Load() == all })
}

// Brokers that do not take dead letters are told of, and are no reason to leave.
func TestDeadLettersThatAreNotTakenAreToldAndNothingElse(t *testing.T) {
	for name, answer := range map[string]*kerr.Error{
		"kgo goes on trying": kerr.NotLeaderForPartition,
		"refused at once":    kerr.MessageTooLarge,
	} {
		t.Run(name, func(t *testing.T) {
			cluster := lettersCluster(t, 1)
			produce(t, cluster, 1, 4)
			down := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: answer, Count: -1})
			handle, _ := failsOn(1)
			r := startRun(t, cluster, func(cfg *member.Config) {
				cfg.Attempts, cfg.DeadLetterTopic, cfg.StallTimeout, cfg.OnStall = 1, "dead", stall, member.StallLeave
				cfg.OnFailure = func(context.Context, member.Failure) member.Decision { return member.DeadLetter }
			}, handle)
			const says = "dead letters are not acknowledged"
			if e := r.await(t, member.EventStalled); errors.Is(e.Err, member.ErrStalled) || !strings.Contains(e.Err.Error(), says) || e.Offset != 1 {
				t.Errorf("got %+v", e)
			}
			if h := r.Health(); h.State != member.HealthStalled || h.Ready() || !strings.Contains(h.String(), says) {
				t.Errorf("health: %+v", h)
			}
			down.Remove()
			r.await(t, member.EventDeadLettered)
			committedAt(t, r, 4)
			r.await(t, member.EventRecovered)
			eventually(t, "it is ready again", func() bool { return r.Health().Ready() })
		})
	}
}

// A batch handler's failure concerns all that it did not tell to be handled, and it is
// called again with just that.
func TestABatchHandlerIsCalledAgainWithWhatItDidNotHandle(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 5)
	var mu sync.Mutex
	var firsts []int64
	r := startRun(t, cluster, nil, func(ctx context.Context, records []*kgo.Record) error {
		mu.Lock()
		defer mu.Unlock()
		firsts = append(firsts, records[0].Offset)
		if records[0].Offset < 4 {
			member.Progress(ctx, 1)
			member.Progress(ctx, 0) // never goes back
			return errBad
		}
		return nil
	})
	committedAt(t, r, 5)
	mu.Lock()
	defer mu.Unlock()
	for i, first := range firsts {
		if first != int64(i) {
			t.Fatalf("called with %v", firsts)
		}
	}
}

// Commits that fail are tried again, not only logged, and told.
func TestCommitsThatFailAreTriedAgain(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 3)
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	r := startRun(t, cluster, nil, ignore)
	eventually(t, "commits fail repeatedly", func() bool { return len(r.all(member.EventCommitFailed)) > 2 })
	if e := r.all(member.EventCommitFailed)[1]; e.Attempt != 2 || !errors.Is(e.Err, kerr.GroupAuthorizationFailed) {
		t.Errorf("got %+v", e)
	}
	refused.Remove()
	committedAt(t, r, 3) // and nothing more has to be handled for it
}

func TestFetchErrorsAreTold(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	refused := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	var handled atomic.Int32
	r := startRun(t, cluster, nil, func(context.Context, []*kgo.Record) error { handled.Add(1); return nil })
	if e := r.await(t, member.EventFetchFailed); e.Topic != "t" || e.Partition != 0 || !errors.Is(e.Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("got %+v", e)
	}
	refused.Remove()
	eventually(t, "it is handled when it can be fetched", func() bool { return handled.Load() > 0 })
}

// A Backoff that panics neither ends the process nor the attempts.
func TestBackoffMayPanic(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	handle, calls := failsOn(0)
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.Attempts = 2
		cfg.Backoff = func(int) time.Duration { panic("no pause") }
	}, handle)
	var failure *member.Failure
	if err := r.wait(t); !errors.As(err, &failure) || failure.Attempts != 2 {
		t.Errorf("Run returned %v", err)
	}
	if n := calls(0); n != 2 {
		t.Errorf("%d attempts", n)
	}
}
