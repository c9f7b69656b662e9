package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Term is one member's time as leader: from the first plan of it that the group
// adopted, through any number of rounds, until leadership is lost.
type Term struct {
	Group      string
	Member     string // this member's id
	Generation int32  // the generation in which the term began
	Protocol   string

	number int64 // of the fence, where it is not the generation

	check func(context.Context) error // asks the coordinator; see Check
}

// Fence returns what orders this term among the others of its group, for writes to
// stores outside of Kafka. It is the same for the whole term, through all its rounds.
func (t Term) Fence() Fence {
	return Fence{Group: t.Group, Member: t.Member, Number: cmp.Or(t.number, int64(t.Generation))}
}

// Check asks the coordinator whether the member still leads: nil says that it did when
// the answer was made, and that the lease holds. It costs one heartbeat to the
// coordinator and back, and counts as one: the lease runs on from it.
//
// Once the term is over the error is what context.Cause of the context of Lead tells:
// it wraps ErrLost, ErrLeaseExpired, ErrLeaderless, ErrSucceeded, ErrLeft or ErrClosed, and
// of an [Election] ErrResigned too.
// Any other error says that the coordinator could not be asked within ctx, and nothing
// about the term; the work may go on for as long as its context does. ctx may be the
// one of Lead, or a shorter one.
//
// It may be called from any goroutine, but not by OnEvent: a loss that it finds ends
// the term, and is told there.
func (t Term) Check(ctx context.Context) error {
	if t.check == nil {
		return errors.New("the term was not given out by this package, and no coordinator can be asked about it; use the one that Lead was called with")
	}
	return t.check(ctx)
}

// term is a Term that runs: one goroutine calls Lead, another keeps the lease. Before it
// begins it may have to wait, and already keeps its lease.
type term struct {
	Term
	began  time.Time // from when the lease counts
	lease  *lease
	before *term // the term before, whose Lead may still be running
	ctx    context.Context
	cancel context.CancelCauseFunc
	begun  bool // written once, with Hooks.mu held

	announced chan struct{} // closed when OnEvent was told that the term begins, or it never will
	resigned  chan struct{} // closed when OnEvent was told that it ended
	done      chan struct{} // closed when Lead has returned and the lease is not kept any more
}

func (h *Hooks) newTerm(r *round) *term {
	t := &term{
		Term:  Term{Group: r.info.Group, Member: r.info.LeaderID, Generation: r.info.Generation, Protocol: r.protocol.name()},
		began: r.sentAt,

		announced: make(chan struct{}), resigned: make(chan struct{}), done: make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancelCause(h.ctx)
	t.check = func(ctx context.Context) error { return h.check(ctx, t) }
	return t
}

// over returns why the term has ended, nil while it is on.
func (t *term) over() error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	if t.lease.ended(time.Now()) {
		return ErrLeaseExpired // the goroutine that keeps the lease ends the term in a moment
	}
	return nil
}

// during calls f with a context that ends with ctx, with the term and with its lease.
func (t *term) during(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.lease.left(time.Now()))
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	return f(ctx)
}

// check implements Term.Check.
func (h *Hooks) check(ctx context.Context, t *term) error {
	h.mu.Lock()
	client, s := h.client, h.settings
	h.mu.Unlock()
	return t.ask(ctx, s.interval/10,
		func(ctx context.Context) error { return h.heartbeat(ctx, client, s, t.Member) },
		func(why error) { h.lose(t, client, why) })
}

// ask asks the coordinator by a heartbeat whether the term is on, again after a pause
// where the answer proves nothing; lose ends a term that is lost.
func (t *term) ask(ctx context.Context, pause time.Duration, heartbeat func(context.Context) error, lose func(why error)) error {
	for {
		if err := t.over(); err != nil {
			return err
		}
		sent := time.Now()
		err := t.during(ctx, heartbeat)
		switch {
		case err == nil, errors.Is(err, errRebalancing):
			// While a round goes on this member still leads: a successor is
			// named when the round ends without it, and it is out then.
			t.lease.renew(sent, err)
			return t.over()
		case errors.Is(err, ErrLost):
			lose(err)
			return t.over()
		case t.over() != nil:
			return t.over()
		case !errors.Is(err, kerr.IllegalGeneration):
			return fmt.Errorf("the coordinator of group %q could not be asked whether member %q still leads: %w", t.Group, t.Member, err)
		}
		// The answer to JoinGroup, with the new generation, is on its way.
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-t.ctx.Done():
			wait.Stop()
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("the coordinator of group %q did not tell in time whether member %q still leads: %w", t.Group, t.Member, context.Cause(ctx))
		}
	}
}

// lose ends t because of what its heartbeats told, unless it has ended by other means.
func (h *Hooks) lose(t *term, client *kgo.Client, why error) {
	if t.ctx.Err() != nil || !h.end(t, why) {
		return
	}
	// The coordinator may still take this member for the leader; a round of its making
	// brings a new term, or shows the successor.
	if !errors.Is(why, kerr.UnknownMemberID) {
		client.ForceRebalance()
		return
	}
	// If it is out, the client's next heartbeat is told the same, and it joins once. A
	// round now would have it join, leave and join again; see expelled.go. It may have
	// joined already, while the user was told of the end.
	h.mu.Lock()
	defer h.mu.Unlock()
	if id, _ := client.GroupMetadata(); id == t.Member {
		h.callRoundLocked(2*h.settings.interval, "the coordinator did not know the member")
	}
}

// installLocked makes t the current term. The caller then calls run without the lock.
func (h *Hooks) installLocked(t *term) {
	t.before = h.last
	t.lease = newLease(h.settings, t.began)
	h.term, h.last = t, t
}

// run starts an installed term, and must be called for each. The term begins at once
// where nothing is in the way of that.
func (h *Hooks) run(t *term) {
	h.mu.Lock()
	client, s := h.client, h.settings
	h.mu.Unlock()
	delay := h.cfg.TakeoverDelay - time.Since(t.began)
	if before := t.before; before != nil {
		select {
		case <-before.done:
			t.before = nil
		default:
		}
	}
	atOnce := t.before == nil && delay <= 0
	if atOnce {
		h.begin(t)
	}
	var running sync.WaitGroup
	running.Go(func() {
		err := t.lease.keep(t.ctx, s.interval, func(ctx context.Context) error {
			return h.heartbeat(ctx, client, s, t.Member)
		})
		h.lose(t, client, err)
	})
	running.Go(func() {
		if !atOnce {
			h.await(t, delay)
			h.begin(t)
		}
		if !t.begun {
			return
		}
		running.Go(func() { h.watchLoad(t) })
		if h.cfg.Lead != nil {
			t.work(h.cfg.Lead, func(e Event) {
				e.Member, e.Protocol = t.Member, t.Protocol
				h.emit(e)
			})
		}
	})
	go func() {
		running.Wait()
		<-t.resigned
		if t.begun {
			h.emit(Event{Kind: EventLeadReturned, Member: t.Member, Protocol: t.Protocol, Err: context.Cause(t.ctx)})
		}
		close(t.done)
	}()
}

// await returns when t may begin, or has ended, and in any case not before the work of
// the term before has returned.
func (h *Hooks) await(t *term, delay time.Duration) {
	if t.before != nil {
		<-t.before.done
		t.before = nil
	}
	wait := time.NewTimer(delay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-t.ctx.Done():
	}
}

// begin begins t, unless it has ended by now.
func (h *Hooks) begin(t *term) {
	h.mu.Lock()
	t.begun = t.over() == nil
	h.mu.Unlock()
	if t.begun {
		h.emit(Event{Kind: EventLeading, Member: t.Member, Generation: t.Generation, Protocol: t.Protocol})
	}
	close(t.announced)
}

// endTerm ends the current term, if there is one, and tells whether there was.
func (h *Hooks) endTerm(why error) bool {
	h.mu.Lock()
	t := h.term
	if h.pending != nil {
		t, h.pending = h.pending, nil
	}
	h.forgetLocked() // another leader's plans may come before this one's next
	h.mu.Unlock()
	return t != nil && h.end(t, why)
}

// forgetLocked drops what this member knows of the plans that it made.
func (h *Hooks) forgetLocked() {
	h.adopted = nil
}

// end ends t for the reason given, once, and tells whether it was this call that did.
func (h *Hooks) end(t *term, why error) bool {
	h.mu.Lock()
	current := h.term == t
	if current {
		h.term = nil
		h.forgetLocked()
	}
	t.cancel(why)
	begun := t.begun
	h.mu.Unlock()
	if current {
		if begun {
			<-t.announced
			h.emit(Event{Kind: EventResigned, Member: t.Member, Protocol: t.Protocol, Err: context.Cause(t.ctx)})
		}
		close(t.resigned)
	}
	return current
}
