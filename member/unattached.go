package member

import (
	"errors"
	"time"
)

// attachPatience is how long after the first balance a client may still be attached
// before it is told that nobody did. Most often that is done before the balance.
const attachPatience = 3 * time.Second

var errUnattached = errors.New("the client is in its group, and Hooks.Attach was not called: Lead does not run, and no round is brought about by SetTraits, Replan, ReplanOnLoad, " +
	"the end of a Hold, or for partitions that were withheld because of a member that cannot be read; call Attach with the client as soon as kgo.NewClient has returned it")

// missAttachLocked: SyncGroup was answered. It is no error to be without Attach then: the
// plans are made all the same, and to fail here would cost the member its partitions. The
// lock is held.
func (h *Hooks) missAttachLocked() {
	if h.client == nil && h.reminder == nil && h.ctx.Err() == nil {
		h.reminder = time.AfterFunc(attachPatience, h.remindOfAttach)
	}
}

func (h *Hooks) remindOfAttach() {
	h.mu.Lock()
	missed := h.client == nil && h.ctx.Err() == nil && h.machine.phase != StateClosed
	h.mu.Unlock()
	if missed {
		h.emit(Event{Kind: EventUnattached, Err: errUnattached})
	}
}
