package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member that speaks KIP-848 may join a group of the classic protocol: the broker
// then hosts the group. It assigns all partitions, with its own assignor, and answers
// JoinGroup of the members that speak the classic protocol without naming a leader. The
// client looks like a follower to its balancers. So whoever was not elected asks.

// stranger is a member id that no group has.
const stranger = "no-member:groupkit-asks-for-the-group-type"

// hosted asks the coordinator whether the broker hosts the group. OffsetFetch for no
// partition is the cheapest request that tells: a hosted group knows its members and
// refuses a stranger, a classic one does not look at the member (Kafka's
// ConsumerGroup.validateOffsetFetch and ClassicGroup.validateOffsetFetch). Brokers that
// do not know the member id in it, up to 3.6, host no group.
func hosted(ctx context.Context, client *kgo.Client, group string) (bool, error) {
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group, one.MemberID, one.MemberEpoch = group, kmsg.StringPtr(stranger), 0
	one.Topics = []kmsg.OffsetFetchRequestGroupTopic{} // none; nil would be all
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	req.Topics = []kmsg.OffsetFetchRequestTopic{}
	req.Groups = append(req.Groups, one)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return false, fmt.Errorf("the type of group %q cannot be found out: %w", group, err)
	}
	code := resp.ErrorCode
	for _, g := range resp.Groups {
		code = g.ErrorCode
	}
	switch err := kerr.ErrorForCode(code); {
	case err == nil:
		return false, nil
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.StaleMemberEpoch):
		return true, nil
	default:
		return false, fmt.Errorf("the type of group %q cannot be found out: %w", group, err)
	}
}

// hostedPatience is how long a leader that joins waits at most to hear whether the broker
// hosts the group.
const hostedPatience = 250 * time.Millisecond

// findOutHosted asks, in the background, whether the broker hosts the group, and takes
// note of the answer unless it is asked again meanwhile, or this member elected. Where no
// answer comes it stays as it was known. The channel is closed when that is done.
func (h *Hooks) findOutHosted() <-chan struct{} {
	done := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	client, group := h.client, h.settings.group
	if client == nil || h.ctx.Err() != nil {
		close(done)
		return done
	}
	h.asked++
	asked := h.asked
	h.asking.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(h.ctx, h.settings.session)
		defer cancel()
		is, err := hosted(ctx, client, group)
		h.mu.Lock()
		was := h.machine.hosted
		stale := asked != h.asked
		h.mu.Unlock()
		switch {
		case err != nil || stale || is == was:
		case is:
			h.endTerm(ErrLeaderless)
			h.emit(Event{Kind: EventLeaderless, Err: ErrLeaderless})
		default:
			h.emit(Event{Kind: EventLed, Reason: "the broker does not host the group any more"})
		}
	})
	return done
}
