package explain

import (
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// restart is when a static member took its place again under another ID, for which the
// group does not rebalance by itself.
type restart struct {
	at     time.Time
	member *watch.Member
}

func (b *restart) note(at time.Time, before, after watch.Group) {
	for _, m := range replaced(before, after) {
		b.at, b.member = at, &m
		if after.Leader != nil && *after.Leader == m.ID {
			return // it matters most
		}
	}
}

// before is who did so right before a rebalance, nil if nobody did. A leader of package
// member asks for one when it is back, and so does a member that subscribes to other topics.
func (b *restart) before(at time.Time) *watch.Member {
	if b.member == nil || at.Sub(b.at) > followWithin {
		return nil
	}
	return b.member
}
