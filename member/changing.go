package member

import (
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// A group that goes from a cooperative protocol to an eager one does so in the answer to
// JoinGroup, to which its members have come with all that they own. They give it up only
// once they hear of the plan, as kgo does it, when others may have begun with it. So in
// that round what moves is withheld as it is in a cooperative group, and the leader
// brings about the next one, to which all come with nothing, but for those that missed the
// plan. Java's consumer needs none of this: it is eager for as long as it offers an eager
// protocol.

// mayHoldLocked tells whether members of a round that goes by the given protocol may hold what
// they own although the protocol is eager: unless this member has followed an eager one in
// the generation before, as all others have then that heard of its plan. A leader that has
// just joined does not know. The lock is held.
func (h *Hooks) mayHoldLocked(p Protocol) bool {
	return !p.cooperative() && !h.eager
}

// wentByLocked takes note of the protocol of a round that this member was in, and of whose
// plan it heard.
func (h *Hooks) wentByLocked(protocol string) {
	h.heard = true
	for _, p := range h.cfg.Protocols {
		if p.name() == protocol {
			h.eager = !p.cooperative()
		}
	}
}

// goesOnLocked: the next round is about to begin. Where this member heard of no plan since
// the one before, it does not know by which protocol the group went meanwhile.
func (h *Hooks) goesOnLocked() {
	if !h.heard {
		h.eager = false
	}
	h.heard = false
}

// recall takes members that tell no ownership, as kgo's own do under range and roundrobin, for
// the owners of what the round before gave them, where they may still hold it and that
// round is known.
func (r *round) recall(before *round) {
	if !r.unrevoked || before == nil || !before.protocol.cooperative() {
		return
	}
	for i := range r.group.Members {
		if m := &r.group.Members[i]; len(m.Owned) == 0 {
			m.Owned, m.Generation = before.sent.Assignment[m.ID], before.info.Generation
		}
	}
}

// missed tells whether a member claims what the round before, in which members may have
// held what they owned, did not give it: it has not heard of that plan, for the next round
// began before its SyncGroup came, and holds what it had.
func (r *round) missed(before *round) bool {
	return before != nil && before.unrevoked && !r.protocol.cooperative() &&
		slices.ContainsFunc(r.group.Members, func(m assign.Member) bool {
			return !within(inOrder(m.Owned), inOrder(before.sent.Assignment[m.ID]))
		})
}
