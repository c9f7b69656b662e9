package member

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// When the coordinator answers JoinGroup with UNKNOWN_MEMBER_ID, because the member's
// session ended or an administrator removed it, kgo joins once more under a new id.
// In a cooperative group it then goes on with what it had, calls no OnPartitionsLost, and
// commits what it handled meanwhile in a generation that the coordinator accepts: over
// what another member, to which the partitions went, has committed. Kafka's own consumer
// takes them for lost before it joins again (AbstractCoordinator's
// resetStateOnResponseError, ConsumerCoordinator.onJoinPrepare), and so does this package.

// errStale has kgo give up what the member lost: as the error of the answer to
// SyncGroup it ends the client's session, with OnPartitionsLost and with nothing left of
// what it had, and kgo joins once more.
var errStale = errors.New("the member was put out of the group, and gives up the partitions that it had before")

// inLocked: the group has taken the member in.
func (h *Hooks) inLocked() {
	if h.client != nil {
		h.joinedAs, _ = h.client.GroupMetadata()
	}
}

// out: the client gave up its membership, with all its partitions.
func (h *Hooks) out() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joinedAs, h.stale, h.eager = "", false, false
}

// isStale tells whether the client takes partitions for its own that it lost.
func (h *Hooks) isStale() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stale
}

// findOutExpelled sees to it that a member that is about to join under another id has
// lost what it had under the one before. owns tells whether the client does not know. It
// is called on the goroutine that manages the group, while kgo lets no commit through.
func (h *Hooks) findOutExpelled(owns bool) {
	h.mu.Lock()
	client, was := h.client, h.joinedAs
	h.mu.Unlock()
	if client == nil || was == "" {
		return
	}
	if id, _ := client.GroupMetadata(); id == was {
		return
	}
	h.mu.Lock()
	h.joinedAs, h.stale, h.eager = "", owns, false
	h.mu.Unlock()
	why := fmt.Errorf("%w: %w", ErrLost, kerr.UnknownMemberID)
	if h.expelled != nil {
		h.expelled(why)
	}
	h.emit(Event{Kind: EventLost, Member: was, Err: why})
}

// leaveStale gives up the membership in which the client takes partitions for its own that
// it lost. A commit of theirs that the client held back during the round is let go when
// the round is over, under the new id; the coordinator refuses it then. It is called on
// the goroutine that manages the group, before kgo lets commits through.
func (h *Hooks) leaveStale() {
	h.mu.Lock()
	client, s := h.client, h.settings
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), s.interval)
	defer cancel()
	left := kmsg.NewLeaveGroupRequestMember()
	left.MemberID, _ = client.GroupMetadata()
	if s.instance != "" {
		left.InstanceID = &s.instance
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = s.group, left.MemberID
	req.Members = append(req.Members, left)
	// Where no answer comes, what remains is that partitions are lost in a moment.
	_, _ = req.RequestWith(ctx, client)
}
