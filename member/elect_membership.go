package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A membership is one stay in the group, from the first answer to SyncGroup until the
// coordinator may have put the member out. A goroutine sends its heartbeats.
type membership struct {
	id     string
	lease  *lease
	ctx    context.Context // ends with the membership
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the goroutine has ended
}

// over returns why the membership has ended, nil while it lasts.
func (m *membership) over() error {
	if m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	if m.lease.ended(time.Now()) {
		return ErrLeaseExpired
	}
	return nil
}

// keep keeps a membership with heartbeats for as long as it lasts.
func (e *Election) keep(m *membership) {
	defer close(m.done)
	err := m.lease.keep(m.ctx, e.settings.interval, func(ctx context.Context) error { return e.heartbeat(ctx, m) })
	m.cancel(err)
	if errors.Is(err, ErrLost) || errors.Is(err, ErrLeaseExpired) {
		e.mu.Lock()
		if errors.Is(err, ErrLost) {
			e.forgetLocked(m.id)
		}
		e.changedLocked()
		t := e.term
		begun := t != nil && t.lease == m.lease && t.begun
		e.mu.Unlock()
		if begun {
			<-t.resigned // told of in the order of cause
		}
		e.emit(Event{Kind: EventLost, Member: m.id, Err: err})
	}
	e.nudge()
}

// heartbeat asks the coordinator whether the member still is one, with answers as those
// of Hooks.heartbeat.
func (e *Election) heartbeat(ctx context.Context, m *membership) error {
	e.mu.Lock()
	id, generation := e.me.id, e.generation
	e.mu.Unlock()
	if id != m.id {
		return ErrLost // the process has joined anew
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = e.settings.group, id, generation
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return err
	}
	err = heartbeatError(resp.ErrorCode)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.between:
		if err == nil {
			// Between JoinGroup and SyncGroup the coordinator answers as if all
			// was settled, but still drops a member that does not sync in time.
			return errRebalancing
		}
	case e.joining || generation != e.generation:
	case errors.Is(err, kerr.IllegalGeneration):
		// A round ended in which this member was counted though it did not join: an
		// old JoinGroup of it was sent again, and spoke for it.
		if t := e.term; t != nil && t.lease == m.lease {
			t.cancel(fmt.Errorf("%w: a round ended without it", ErrLost))
		}
		fallthrough
	case errors.Is(err, errRebalancing):
		e.stale = true
		e.nudge()
	}
	return err
}
