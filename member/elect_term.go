package member

import (
	"context"
	"fmt"
	"time"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

// newTerm returns a term of the member that a verdict names. It ends with the
// membership.
func (e *Election) newTerm(m *membership, generation int32, v verdict) *term {
	t := &term{
		Term:  Term{Group: e.settings.group, Member: m.id, Generation: generation, Protocol: memberbytes.ElectionProtocol, number: v.Number},
		lease: m.lease,

		resigned: make(chan struct{}), done: make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancelCause(m.ctx)
	t.check = func(ctx context.Context) error { return e.check(ctx, m, t) }
	return t
}

// hold runs a term from its beginning until it has ended and its work has returned.
func (e *Election) hold(t *term, clean bool) {
	defer e.nudge()
	defer close(t.done)
	if t.before != nil {
		<-t.before.done // one Lead at a time
		t.before = nil
	}
	if !clean && e.cfg.TakeoverDelay > 0 {
		wait := time.NewTimer(e.cfg.TakeoverDelay)
		select {
		case <-wait.C:
		case <-t.ctx.Done():
			wait.Stop()
		}
	}
	e.mu.Lock()
	t.begun = t.over() == nil
	if t.begun {
		e.me.ran = t.number
	}
	e.mu.Unlock()
	if !t.begun {
		<-t.ctx.Done()
		close(t.resigned)
		return
	}
	e.tell(t, Event{Kind: EventLeading})
	go func() {
		defer close(t.resigned)
		<-t.ctx.Done()
		e.tell(t, Event{Kind: EventResigned, Err: context.Cause(t.ctx)})
	}()
	if e.cfg.Lead != nil {
		t.work(e.cfg.Lead, func(event Event) { e.tell(t, event) })
	}
	<-t.resigned
	e.tell(t, Event{Kind: EventLeadReturned, Err: context.Cause(t.ctx)})
}

// returned waits until the work of t, if there is a t, has returned.
func (t *term) returned(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the Lead of the term in group %q has not returned yet; let it return when its context ends: %w", t.Group, context.Cause(ctx))
	}
}

// check implements Term.Check.
func (e *Election) check(ctx context.Context, m *membership, t *term) error {
	return t.ask(ctx, e.settings.interval/10,
		func(ctx context.Context) error { return e.heartbeat(ctx, m) },
		func(why error) { m.cancel(why) })
}

// tell tells of an event of a term.
func (e *Election) tell(t *term, event Event) {
	event.Member, event.Generation = t.Member, t.Generation
	e.emit(event)
}

// emit takes note of what an event makes of the state of this process and tells the user
// of it. No lock of e may be held.
func (e *Election) emit(event Event) {
	e.events.Lock()
	defer e.events.Unlock()
	e.mu.Lock()
	event.From, event.State = e.machine.take(event.Kind, event.Leader)
	if event.Member == "" {
		event.Member = e.me.id
	}
	if event.Generation == 0 {
		event.Generation = e.generation
	}
	e.mu.Unlock()
	event.Time, event.Group, event.Protocol = time.Now(), e.settings.group, memberbytes.ElectionProtocol
	tell(e.ctx, e.settings.named(e.cfg.Logger, event.Kind), "election", e.cfg.OnEvent, event)
}
