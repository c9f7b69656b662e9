package member

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// timedMember is a member without a client, that has one partition with two records and
// a session of 10 s.
func timedMember(events *[]Event) (*Member, *partition) {
	m := &Member{
		hooks:        newObserver(HooksConfig{OnEvent: func(e Event) { *events = append(*events, e) }}),
		settings:     settings{session: 10 * time.Second, rebalance: 30 * time.Second, interval: time.Second},
		drainTimeout: 4 * time.Second,
		partitions:   make(map[topicPartition]*partition),
		lingering:    make(map[topicPartition]*worker),
	}
	m.session.m, m.session.settings, m.session.changed = m, m.settings, make(chan struct{}, 1)
	p := newPartition(topicPartition{"t", 0})
	p.add(kgo.FetchPartition{Records: []*kgo.Record{{Topic: "t"}, {Topic: "t", Offset: 1}}}, 1<<20)
	m.partitions[p.topicPartition] = p
	return m, p
}

// Handlers end nine tenths of the session after the last heartbeat that was acknowledged
// was sent, also where a request hangs for good, and go on once one is acknowledged.
func TestHandlersEndNineTenthsIntoTheSession(t *testing.T) {
	for name, silence := range map[string]func(ctx context.Context) error{
		"refused": func(context.Context) error { return errors.New("no") },
		"no answer": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"hangs": func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events []Event
				m, p := timedMember(&events)
				m.session.joined()
				began := time.Now()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				done := make(chan struct{})
				go func() {
					defer close(done)
					m.session.keep(ctx, func(ctx context.Context) (time.Time, error) {
						sent := time.Now()
						if at := sent.Sub(began); at <= 3*time.Second || at > 40*time.Second {
							return sent, nil
						}
						return sent, silence(ctx)
					})
				}()
				lease, _ := m.session.current()
				c := p.begin(&run{ctx: t.Context()}, p.next(0), lease)
				<-c.Done()
				if at := time.Since(began); at != 12*time.Second { // sent after 3 s, and 9 more
					t.Errorf("the context ended after %s, want 12 s", at)
				}
				if !errors.Is(context.Cause(c), ErrLeaseExpired) {
					t.Errorf("because: %v", context.Cause(c))
				}
				if _, held := m.session.current(); !held {
					t.Error("further calls are not held")
				}
				if h := m.Health(); h.State != HealthFenced || !errors.Is(h.Err, ErrLeaseExpired) || h.Lease != 0 {
					t.Errorf("health: %+v", h)
				}
				p.finish(c)
				for held := true; held; _, held = m.session.current() {
					time.Sleep(time.Second)
				}
				if at := time.Since(began); at > 45*time.Second { // the request under way ends after 3 intervals
					t.Errorf("handlers go on after %s", at)
				}
				stop()
				<-done
				synctest.Wait()
				if len(events) != 2 || events[0].Kind != EventFenced || events[1].Kind != EventAcknowledged {
					t.Errorf("events: %v", events)
				}
				time.Sleep(time.Minute) // for the requests that hang
			})
		})
	}
}

// A handler may go on for DrainTimeout when its partition is given up; then its context
// ends, and half of it later it is abandoned.
func TestHowLongADrainTakes(t *testing.T) {
	for name, c := range map[string]struct {
		works, afterwards time.Duration // until it returns; until it does once its context ended
		takes             time.Duration
		ended, abandoned  bool
	}{
		"in time":                {works: 3 * time.Second, takes: 3 * time.Second},
		"when its context ended": {works: time.Hour, afterwards: time.Second, takes: 5 * time.Second, ended: true},
		"never":                  {works: time.Hour, afterwards: time.Hour, takes: 6 * time.Second, ended: true, abandoned: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events []Event
				m, p := timedMember(&events)
				call := p.begin(&run{ctx: t.Context()}, p.next(0), nil)
				returned := make(chan struct{})
				p.last = &worker{done: returned}
				go func() {
					select {
					case <-time.After(c.works):
					case <-call.Done():
						time.Sleep(c.afterwards)
					}
					close(returned)
				}()
				p.setPhase(draining, nil)
				began := time.Now()
				err := m.drain([]*partition{p}, ErrRevoked)
				if took := time.Since(began); took != c.takes {
					t.Errorf("it took %s, want %s", took, c.takes)
				}
				if ended := errors.Is(context.Cause(call), ErrRevoked); ended != c.ended {
					t.Errorf("the context ended: %v, want %v", ended, c.ended)
				}
				if abandoned := errors.Is(err, ErrAbandoned); abandoned != c.abandoned || abandoned != (len(events) == 1) {
					t.Errorf("got %v, %v", err, events)
				}
				if !call.halt.Load() {
					t.Error("the handler was not told to come to its end")
				}
				<-returned
				call.cancel(nil)
			})
		})
	}
}

func TestARunStopsEachTimeThatATopicIsCreatedAgain(t *testing.T) {
	var events []Event
	m, _ := timedMember(&events)
	m.cfg.OnRecreated, m.resubscribing = RecreatedStop, make(map[string]bool)
	for n := range 2 {
		r := &run{m: m, halted: make(chan struct{}), over: make(chan struct{})}
		r.ctx, r.cancel = context.WithCancelCause(t.Context())
		r.recreated("t")
		r.recreated("t") // by its other partitions
		if err := r.finish(); !errors.Is(err, ErrRecreated) || len(events) != n+1 {
			t.Errorf("the Run ended for %v; told %v", err, events)
		}
	}
}

// A worker that panics, outside of the handler too, ends Run and not the process.
func TestAPanicInAWorkerEndsRun(t *testing.T) {
	m, p := timedMember(new([]Event))
	p.queue = []batch{{records: []*kgo.Record{nil}}} // which kgo never brings
	r := &run{m: m, dirty: make(chan struct{}, 1), halted: make(chan struct{}), over: make(chan struct{})}
	r.handle = func(context.Context, []*kgo.Record) error { return nil }
	r.ctx, r.cancel = context.WithCancelCause(t.Context())
	m.mu.Lock()
	r.start(p)
	m.mu.Unlock()
	<-r.halted
	var panicked *PanicError
	if err := r.finish(); !errors.As(err, &panicked) {
		t.Errorf("Run ended for %v", err)
	}
}

// The watchdog counts from the last progress, tells once, and again after a recovery.
func TestWhenAHandlerStalls(t *testing.T) {
	_, p := timedMember(new([]Event))
	c := p.begin(&run{ctx: t.Context()}, p.next(0), nil)
	defer p.finish(c)
	const timeout = 10 * time.Second
	look := func(after time.Duration, wantStalled, wantRecovered bool) {
		t.Helper()
		now := c.began.Add(after)
		e, _ := p.inspect(now, timeout, p.look(now, false))
		stalled, recovered := e.Kind == EventStalled, e.Kind == EventRecovered
		if stalled != wantStalled || recovered != wantRecovered {
			t.Errorf("after %s: stalled %v, recovered %v", after, stalled, recovered)
		}
	}
	look(9*time.Second, false, false)
	Progress(c, 0)
	look(9500*time.Millisecond, false, false) // seen here
	look(19*time.Second, false, false)
	look(20*time.Second, true, false)
	look(30*time.Second, false, false) // told already
	Progress(c, 1)
	look(31*time.Second, false, true)
	look(40*time.Second, false, false)
	look(41*time.Second, true, false)
}

// A partition whose records wait stalls also where no handler is called for them, unless
// there is a reason that passes.
func TestWhenAPartitionWithoutACallStalls(t *testing.T) {
	const timeout = 10 * time.Second
	for name, c := range map[string]struct {
		handle  Handler
		prepare func(m *Member, r *run, p *partition)
		want    map[int32]error // partition → what is told of it, within a minute
	}{
		"the slot's handler hangs": {
			handle: func(ctx context.Context, _ []*kgo.Record) error { <-ctx.Done(); return nil },
			want:   map[int32]error{0: ErrStalled, 1: errNoSlot},
		},
		"the slot's handler is busy": {
			handle: func(ctx context.Context, _ []*kgo.Record) error {
				for ctx.Err() == nil {
					Progress(ctx, 0)
					time.Sleep(time.Second)
				}
				return nil
			},
		},
		"slots go round": {
			handle: Each(func(context.Context, *kgo.Record) error {
				time.Sleep(timeout - 2*time.Second)
				return nil
			}),
		},
		"a handler before it hangs": {
			handle:  func(context.Context, []*kgo.Record) error { return nil },
			prepare: func(_ *Member, _ *run, p *partition) { p.last = &worker{done: make(chan struct{})} },
			want:    map[int32]error{0: errBehind},
		},
		"pauses are long": {
			handle:  func(context.Context, []*kgo.Record) error { return errors.New("no") },
			prepare: func(m *Member, _ *run, _ *partition) { m.cfg.Attempts = 100 },
		},
		"fenced": {
			handle:  func(context.Context, []*kgo.Record) error { return nil },
			prepare: func(m *Member, _ *run, _ *partition) { m.session.held = ErrLeaseExpired },
		},
		"stopped": {
			handle:  func(context.Context, []*kgo.Record) error { return nil },
			prepare: func(_ *Member, _ *run, p *partition) { p.stopped = errors.New("no") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events []Event
				m, first := timedMember(&events)
				m.cfg = Config{StallTimeout: timeout, Backoff: func(int) time.Duration { return 2 * timeout }}.withDefaults()
				m.share.Store(1 << 20)
				r := &run{m: m, handle: c.handle, slots: make(chan struct{}, 1), dirty: make(chan struct{}, 1), halted: make(chan struct{}), over: make(chan struct{})}
				r.ctx, r.cancel = context.WithCancelCause(t.Context())
				r.giveSlot()
				if c.prepare != nil {
					c.prepare(m, r, first)
				}
				second := newPartition(topicPartition{"t", 1})
				m.partitions[second.topicPartition] = second
				m.mu.Lock()
				r.start(first)
				synctest.Wait()
				second.add(kgo.FetchPartition{Records: []*kgo.Record{{Topic: "t", Partition: 1}}}, 1<<20)
				r.start(second)
				m.mu.Unlock()
				r.helpers.Go(r.watch)
				time.Sleep(time.Minute)
				synctest.Wait()
				told := make(map[int32]error)
				for _, e := range events {
					if e.Kind == EventStalled {
						if at := e.Time.Sub(first.progress); at > timeout*5/4 {
							t.Errorf("%d is told after %s", e.Partition, at)
						}
						told[e.Partition] = e.Err
					}
				}
				for p := range int32(2) {
					if !errors.Is(told[p], c.want[p]) {
						t.Errorf("partition %d: told %v, want %v", p, told[p], c.want[p])
					}
				}
				r.stop(nil)
				r.cancel(nil)
				r.helpers.Wait()
				<-first.worker().done
				<-second.worker().done
			})
		})
	}
}

func TestTheDefaultBackoffDoublesWithinBounds(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: 100 * time.Millisecond, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 7: 6400 * time.Millisecond, 8: 10 * time.Second, 1000: 10 * time.Second} {
		for range 100 {
			if got := backoff(attempt); got < want*8/10 || got > want*12/10 {
				t.Errorf("after attempt %d: %s, want about %s", attempt, got, want)
			}
		}
	}
}

// What handling costs does not depend on the number of records.
func TestHandlingAllocatesNothingPerRecord(t *testing.T) {
	allocations := func(n int) float64 {
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = &kgo.Record{Topic: "t", Offset: int64(i), Value: make([]byte, 10)}
		}
		p := newPartition(topicPartition{"t", 0})
		handle := Each(func(context.Context, *kgo.Record) error { return nil })
		return testing.AllocsPerRun(50, func() {
			p.add(kgo.FetchPartition{Records: records}, 1<<40)
			c := p.begin(&run{ctx: context.Background()}, p.next(0), nil)
			if err := c.invoke(handle); err != nil {
				t.Fatal(err)
			}
			p.handled(n, 1<<40)
			p.finish(c)
			<-p.wake
		})
	}
	if few, many := allocations(10), allocations(10_000); few != many || few > 10 {
		t.Errorf("%v allocations for 10 records, %v for 10,000", few, many)
	}
}
