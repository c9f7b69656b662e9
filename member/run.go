package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// run is one call of Run. Its own goroutine polls; each partition has a goroutine that
// calls the handler; one commits, one keeps the lease, one is the watchdog.
type run struct {
	m      *Member
	handle Handler
	ctx    context.Context // the handlers'; ends at the latest when Run returns
	cancel context.CancelCauseFunc

	slots   chan struct{} // holds one for each handler more that may run; nil for no bound
	dirty   chan struct{} // capacity 1: there is something to commit
	halted  chan struct{} // closed when Run has to end
	over    chan struct{} // closed when Run returns
	helpers sync.WaitGroup

	mu   sync.Mutex
	err  error // what Run returns
	halt bool
}

// Run handles records until ctx ends or the member is closed, and then returns nil. When
// the handler failed and [StopMember] was chosen it returns a *[Failure]; when another
// process took the member's instance id, [ErrFenced]; when a handler stalled and
// [StallLeave] is set, [ErrStalled]; when the client was closed, and not the member,
// kgo.ErrClientClosed. Each but the first of these a later Run returns too.
//
// When ctx ends, so do the contexts of handlers; when the member is closed, they may go
// on for Config.DrainTimeout first. Run waits for them, as long as for a partition that
// is given up, and returns [ErrAbandoned] where one has not come back. What was handled
// is committed by then. What was polled and not handled is what the next Run begins
// with, or the next owner of the partition. The member stays in the group until Close.
//
// After Close Run returns [ErrClosed]. Only one Run may be under way at a time.
func (m *Member) Run(ctx context.Context, handle Handler) error {
	if handle == nil {
		return errors.New("the member has no handler; pass one to Run")
	}
	r := &run{m: m, handle: handle, dirty: make(chan struct{}, 1), halted: make(chan struct{}), over: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if m.cfg.Concurrency > 0 {
		r.slots = make(chan struct{}, m.cfg.Concurrency)
		for range m.cfg.Concurrency {
			r.giveSlot()
		}
	}
	m.mu.Lock()
	var refused error
	switch {
	case m.closed:
		refused = ErrClosed
	case m.fatal != nil:
		refused = m.fatal
	case m.run != nil:
		refused = errors.New("the member runs already; call Run once at a time")
	default:
		m.run = r
		for _, p := range m.partitions {
			r.start(p)
		}
	}
	m.mu.Unlock()
	if refused != nil {
		r.cancel(nil)
		return refused
	}

	unwatch := context.AfterFunc(ctx, func() { r.stop(nil) })
	defer unwatch()
	r.helpers.Go(r.commits)
	if m.cfg.StallTimeout > 0 {
		r.helpers.Go(r.watch)
	}
	r.helpers.Go(func() {
		<-r.halted
		m.polls.interrupt()
	})
	r.poll()
	return r.finish()
}

// stop has Run return err, unless it has another reason already.
func (r *run) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	if !r.halt {
		r.halt = true
		close(r.halted)
	}
}

// isHalted tells whether Run has to end.
func (r *run) isHalted() bool {
	select {
	case <-r.halted:
		return true
	default:
		return false
	}
}

// finish waits for everything that the run started, commits, and returns what Run does.
func (r *run) finish() error {
	m := r.m
	m.mu.Lock()
	parts := m.list()
	m.mu.Unlock()
	for _, p := range parts {
		p.interrupt()
	}
	abandoned := m.drain(parts, ErrClosed)
	r.helpers.Wait() // no commit is under way
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), m.drainTimeout)
	m.commitFinally(ctx, parts)
	cancel()
	m.mu.Lock()
	m.run = nil
	if m.cfg.OnRecreated == RecreatedStop {
		clear(m.resubscribing) // the next Run may find it again
	}
	m.mu.Unlock()
	r.cancel(ErrClosed)
	close(r.over)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && abandoned != nil {
		return abandoned
	}
	return r.err
}

// work handles the records of one partition until it is given up or the run ends.
func (r *run) work(p *partition) {
	for {
		if records := p.next(r.m.cfg.MaxBatch); records != nil && r.process(p, records) {
			continue
		}
		// Looked at before waiting, for what woke the worker may have been taken
		// on the way.
		if r.isHalted() || p.isOver() {
			return
		}
		select {
		case <-p.wake:
		case <-r.halted:
		}
	}
}

// process has the records handled, and tries again and decides as configured. It
// returns false when it stopped before all of them were, and should not go on before
// the partition's worker is woken.
func (r *run) process(p *partition, records []*kgo.Record) bool {
	attempts := 0
	for len(records) > 0 {
		n, single, err, ended := r.attempt(p, records)
		next := records[len(records)-1].Offset + 1
		if n > 0 {
			attempts = 0
			records = records[n:]
		}
		switch {
		case ended:
			return false
		case err == nil:
			continue
		case len(records) == 0: // all were told by Progress: there is nothing to try again
			r.m.emit(Event{Kind: EventHandlerFailed, Topic: p.topic, Partition: p.partition, Offset: next, Attempt: 1, Err: err})
			continue
		}
		attempts++
		f := &Failure{Topic: p.topic, Partition: p.partition, Records: records, Attempts: attempts, Err: err}
		if single {
			f.Records = records[:1]
		}
		r.m.emit(Event{Kind: EventHandlerFailed, Topic: p.topic, Partition: p.partition, Offset: records[0].Offset, Records: len(f.Records), Attempt: attempts, Err: err})
		if attempts < r.m.cfg.Attempts {
			if !r.pause(p, r.m.backoff(attempts)) {
				return false
			}
			continue
		}
		attempts = 0
		n, ok := r.decide(p, f)
		if !ok {
			return false
		}
		records = records[n:]
	}
	return true
}

// attempt calls the handler once, takes what it handled out of the queue, and returns
// how many records those were. ended says that the call was cut short, or not made, for
// another reason than an error of the handler.
func (r *run) attempt(p *partition, records []*kgo.Record) (n int, single bool, err error, ended bool) {
	c := r.begin(p, records)
	if c == nil {
		return 0, false, nil, true
	}
	defer r.end(c)
	err = c.invoke(r.handle)
	n = int(c.done.Load())
	if err == nil {
		n = len(records)
	}
	r.advance(p, n)
	if err != nil && (c.halt.Load() && errors.Is(err, ErrHalted) || c.Err() != nil) {
		if ended = n < len(records); !ended {
			err = nil
		}
	}
	return n, c.single, err, ended
}

// begin makes the context of a call, with a slot, or nil when none is to be made.
func (r *run) begin(p *partition, records []*kgo.Record) *call {
	if !r.takeSlot(p) {
		return nil
	}
	lease, fenced := r.m.session.current()
	var c *call
	if !fenced && !r.isHalted() {
		c = p.begin(r, records, lease)
	}
	if c == nil {
		r.giveSlot()
		return nil
	}
	// Both may have come about while the call was made, too early to find it.
	if r.isHalted() {
		c.tell()
	}
	if why := r.m.session.ended(lease); why != nil {
		c.end(why)
	}
	return c
}

func (r *run) end(c *call) {
	released := c.partition.finish(c)
	c.leave()
	if released {
		r.m.unrelease(c.partition)
	}
}

// takeSlot waits for the right to call a handler, and returns false when there is
// nothing to call it for any more.
func (r *run) takeSlot(p *partition) bool {
	if r.slots == nil {
		return true
	}
	select {
	case <-r.slots:
		return true
	default:
		defer p.waitFor(errNoSlot)()
		return wait(r, p, r.slots)
	}
}

func (r *run) giveSlot() {
	if r.slots != nil {
		r.slots <- struct{}{}
	}
}

// advance counts the oldest n records as handled.
func (r *run) advance(p *partition, n int) {
	if n == 0 {
		return
	}
	if p.handled(n, r.m.share.Load()) {
		r.m.resumeFetching(p)
	}
	r.toCommit()
}

// toCommit tells that there is something to commit.
func (r *run) toCommit() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// pause waits before the handler is called again, which is no stalling, and returns false
// when the partition is given up or the run ends first.
func (r *run) pause(p *partition, d time.Duration) bool {
	p.countFrom(time.Now().Add(d))
	return r.sleep(p, d)
}

// sleep waits, and returns false when the partition is given up or the run ends first.
func (r *run) sleep(p *partition, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	return wait(r, p, timer.C)
}

// wait has the worker of p wait for something, and returns false when the partition is
// given up or the run ends first.
func wait[T any](r *run, p *partition, something <-chan T) bool {
	for {
		select {
		case <-something:
			return true
		case <-r.halted:
			return false
		case <-p.wake:
			if p.isOver() {
				return false
			}
		}
	}
}

// decide asks what becomes of the records, sees to it, and returns how many are done
// with. It returns false when nothing more is to be handled for the time being.
func (r *run) decide(p *partition, f *Failure) (n int, ok bool) {
	decision, ok := r.ask(p, f)
	if !ok {
		return 0, false
	}
	done := Event{Topic: p.topic, Partition: p.partition, Offset: f.Records[0].Offset, Records: len(f.Records), Err: f.Err}
	switch decision {
	case Retry:
		return 0, r.pause(p, r.m.backoff(f.Attempts))
	case Skip:
		done.Kind = EventSkipped
	case DeadLetter:
		if !r.deadLetter(p, f) {
			return 0, false
		}
		done.Kind = EventDeadLettered
	case StopPartition:
		r.m.stopPartition(p, f)
		return 0, false
	default:
		r.stop(f)
		return 0, false
	}
	r.advance(p, len(f.Records))
	r.m.emit(done)
	return len(f.Records), true
}

// ask asks the user what becomes of the records, and returns false when nothing more is
// to be handled for the time being.
func (r *run) ask(p *partition, f *Failure) (decision Decision, ok bool) {
	c := r.begin(p, f.Records)
	if c == nil {
		return 0, false
	}
	defer r.end(c)
	return r.m.ask(outside{c}, f), true
}

// deadLetter writes the records to the dead-letter topic, and returns false when the
// partition was given up, or the run ended, before that was acknowledged.
func (r *run) deadLetter(p *partition, f *Failure) bool {
	p.setUnwritten(true)
	defer p.setUnwritten(false)
	for attempt := 1; ; attempt++ {
		ended, err := r.write(p, f)
		switch {
		case ended:
			return false
		case err == nil:
			return true
		}
		r.m.emit(Event{Kind: EventHandlerFailed, Topic: p.topic, Partition: p.partition, Offset: f.Records[0].Offset, Records: len(f.Records), Attempt: attempt,
			Err: fmt.Errorf("the dead letters were not acknowledged by topic %q: %w", r.m.cfg.DeadLetterTopic, err)})
		if !r.sleep(p, r.m.backoff(attempt)) {
			return false
		}
	}
}

// write writes the records to the dead-letter topic once, in a slot of a handler. ended
// is that of attempt.
func (r *run) write(p *partition, f *Failure) (ended bool, err error) {
	c := r.begin(p, f.Records)
	if c == nil {
		return true, nil
	}
	defer r.end(c)
	err = r.m.client.ProduceSync(c, deadLetters(r.m.cfg.DeadLetterTopic, f)...).FirstErr()
	return err != nil && c.Err() != nil, err
}
