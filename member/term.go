package member

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// A Term is one member's time as leader: from the first plan of it that the group
// adopted, through any number of rounds, until leadership is lost.
type Term struct {
	Group      string
	Member     string // this member's id
	Generation int32  // the generation in which the term began
	Protocol   string
}

// term is a Term that runs: one goroutine calls Lead, another keeps the lease.
type term struct {
	Term
	began  time.Time // from when the lease counts
	lease  *lease
	before *term // the term before, whose Lead may still be running
	ctx    context.Context
	cancel context.CancelCauseFunc

	announced chan struct{} // closed when OnEvent was told that the term begins
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
	return t
}

// installLocked makes t the current term. The caller then calls run without the lock.
func (h *Hooks) installLocked(t *term) {
	t.before = h.last
	t.lease = newLease(h.settings, t.began)
	h.term, h.last = t, t
}

// run starts the work of an installed term, and must be called for each.
func (h *Hooks) run(t *term) {
	if t.before != nil {
		<-t.before.resigned // told of in the order in which they happened
	}
	h.emit(Event{Kind: EventLeading, Member: t.Member, Generation: t.Generation, Protocol: t.Protocol})
	close(t.announced)
	h.mu.Lock()
	client, s := h.client, h.settings
	h.mu.Unlock()
	var running sync.WaitGroup
	running.Go(func() {
		err := t.lease.keep(t.ctx, s.interval, func(ctx context.Context) error {
			return h.heartbeat(ctx, client, s, t.Member)
		})
		if t.ctx.Err() == nil {
			h.end(t, err)
			// The coordinator may still take this member for the leader; a
			// round of its making brings a new term, or shows the successor.
			client.ForceRebalance()
		}
	})
	running.Go(func() {
		if t.before != nil {
			<-t.before.done // one Lead at a time
			t.before = nil
		}
		if h.cfg.Lead == nil || t.ctx.Err() != nil {
			return
		}
		err := errGoexit // what stays when Lead ends its goroutine
		defer func() {
			if err != nil && t.ctx.Err() == nil {
				h.emit(Event{Kind: EventLeadFailed, Member: t.Member, Protocol: t.Protocol, Err: err})
			}
		}()
		err = h.lead(t)
	})
	go func() {
		running.Wait()
		close(t.done)
	}()
}

var errGoexit = errors.New("the call ended its goroutine instead of returning; leave out runtime.Goexit and testing's FailNow")

func (h *Hooks) lead(t *term) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{"Lead", p, debug.Stack()}
		}
	}()
	return h.cfg.Lead(leadContext{t.ctx, t.lease}, t.Term)
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
	h.previous, h.known, h.unfinished = nil, nil, nil
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
	h.mu.Unlock()
	if current {
		<-t.announced
		h.emit(Event{Kind: EventResigned, Member: t.Member, Protocol: t.Protocol, Err: context.Cause(t.ctx)})
		close(t.resigned)
	}
	return current
}
