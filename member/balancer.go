package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// balancer is one Protocol as kgo wants it. kgo calls it on the goroutine that
// manages the group, in this order: JoinGroupMetadata for every protocol; when this
// member was elected, MemberBalancer and BalanceOrError of the protocol that the
// coordinator chose; ParseSyncAssignment of that protocol once SyncGroup is answered.
type balancer struct {
	hooks    *Hooks
	protocol Protocol
	first    bool // the most preferred of its member
}

// ProtocolName implements kgo.GroupBalancer.
func (b *balancer) ProtocolName() string { return b.protocol.name() }

// IsCooperative implements kgo.GroupBalancer.
func (b *balancer) IsCooperative() bool { return b.protocol.cooperative() }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (b *balancer) JoinGroupMetadata(topics []string, current map[string][]int32, generation int32) []byte {
	if b.first {
		b.hooks.joining(topics, len(current) > 0)
	}
	owned := toTopicPartitions(current)
	switch {
	case b.IsCooperative() && b.hooks.isStale():
		owned, generation = nil, -1
	case !b.IsCooperative():
		// An eager member has given up everything by now. What it had is
		// told all the same, so that the leader can give it back.
		owned = b.hooks.lastOwned()
	}
	return encodeSubscription(b.protocol, topics, owned, generation, b.hooks.encodedTraits())
}

// MemberBalancer implements kgo.GroupBalancer. It never fails: a member whose
// metadata cannot be read is kept aside.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	r := &round{hooks: b.hooks, protocol: b.protocol}
	r.group.Members = make([]assign.Member, 0, len(members))
	topics := make(map[string]struct{})
	b.hooks.mu.Lock()
	reader := newSubscriptionReader(b.hooks.adopted)
	b.hooks.mu.Unlock()
	var last []string
	seen := make(map[string]bool, len(members))
	seen[""] = true // no member, and nothing can be sent to it
	for i := range members {
		if seen[members[i].MemberID] {
			continue
		}
		seen[members[i].MemberID] = true
		r.size.sent(&members[i])
		m, err := reader.member(b.protocol, &members[i])
		if err != nil {
			r.isolated = append(r.isolated, isolated{m.ID, m.Instance, err})
			continue
		}
		r.group.Members = append(r.group.Members, m)
		if sameList(last, m.Topics) {
			continue // most often all subscribe to the same
		}
		last = m.Topics
		for _, topic := range m.Topics {
			topics[topic] = struct{}{}
		}
	}
	b.hooks.elected(r)
	for _, h := range r.held {
		for _, topic := range h.member.Topics {
			topics[topic] = struct{}{}
		}
	}
	return r, topics, nil
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	if b.hooks.isStale() {
		b.hooks.leaveStale()
		return nil, errStale
	}
	assigned := map[string][]int32{}
	var from announcement
	if len(assignment) > 0 { // else the leader left this member out, which means nothing
		read, err := memberbytes.Assignment(assignment)
		if err != nil {
			return nil, err
		}
		for _, t := range read.Topics {
			assigned[t.Topic] = append(assigned[t.Topic], t.Partitions...)
		}
		from = parseAnnouncement(read.UserData)
	}
	b.hooks.synced(b.protocol.name(), assigned, from)
	return assigned, nil
}

// clientHook is what Hooks learn from the client outside of rounds.
type clientHook struct{ hooks *Hooks }

// OnGroupManageError implements kgo.HookGroupManageError.
func (c clientHook) OnGroupManageError(err error) {
	if c.hooks.out(); errors.Is(err, errStale) {
		return // told when it was found out
	}
	c.hooks.mu.Lock()
	c.hooks.cancelCallLocked() // the client joins anew
	c.hooks.mu.Unlock()
	err = c.hooks.explain(err)
	c.hooks.endTerm(fmt.Errorf("%w: %w", ErrLost, err))
	c.hooks.emit(Event{Kind: EventLost, Err: err})
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (c clientHook) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == int16(kmsg.SyncGroup) && err == nil {
		c.hooks.syncing()
	}
	if key != int16(kmsg.LeaveGroup) || !c.hooks.endTerm(ErrLeft) {
		return
	}
	// The request may have been the user's, about another member. If this one
	// is still in the group, a round brings the term back.
	c.hooks.forceRebalance()
}

// OnClientClosed implements kgo.HookClientClosed.
func (c clientHook) OnClientClosed(*kgo.Client) {
	c.hooks.endTerm(ErrLeft)
	c.hooks.mu.Lock()
	c.hooks.cancelCallLocked()
	c.hooks.mu.Unlock()
	c.hooks.closed(ErrLeft)
}

// joining: a JoinGroup for topics is about to be sent, and who will lead is open. owns
// tells whether the client takes itself for the owner of partitions.
func (h *Hooks) joining(topics []string, owns bool) {
	h.mu.Lock()
	if r := h.round; r != nil { // it came to nothing, and what it was for is still due
		h.round = nil
		h.dueAgainLocked(r)
	}
	h.cancelCallLocked() // this is the round it was for
	h.goesOnLocked()
	reason := strings.Join(h.reasons, "; ")
	client, t := h.client, h.term
	wait := min(h.settings.interval, hostedPatience)
	h.mu.Unlock()
	if t != nil && client != nil {
		// JoinGroup was answered with UNKNOWN_MEMBER_ID: kgo forgot the
		// member id and starts afresh, and tells nobody else.
		if id, _ := client.GroupMetadata(); id != t.Member {
			h.end(t, ErrLost)
		}
		// If the round names no leader, the term has to end at once, and its cause
		// is to be known by then.
		select {
		case <-h.findOutHosted():
		case <-time.After(wait):
		}
	}
	h.findOutExpelled(owns)
	h.emit(Event{Kind: EventJoining, Reason: reason, Topics: slices.Sorted(slices.Values(topics))})
}

// syncing: SyncGroup was written, and is not answered yet.
func (h *Hooks) syncing() {
	h.mu.Lock()
	joined := h.machine.phase == StateJoining
	// Where JoinGroup named another leader, that one may begin when its SyncGroup is
	// answered.
	succeeded := h.round == nil
	h.mu.Unlock()
	if succeeded {
		h.endTerm(ErrSucceeded)
	}
	if joined {
		h.emit(Event{Kind: EventSyncing, Reason: "JoinGroup was answered, and this member does not lead"})
	}
}

// elected: the coordinator named this member leader of a round.
func (h *Hooks) elected(r *round) {
	h.mu.Lock()
	h.round = r
	r.before = h.adopted
	r.forced, r.anew, r.unrevoked = h.reasons, h.anew, h.mayHoldLocked(r.protocol)
	h.reasons, h.anew = nil, false // what comes from here on is for the next round
	h.asked++                      // a group with a leader is not hosted, whatever is answered yet
	h.mu.Unlock()
	r.recall(r.before)
	r.hold(r.before, time.Now())
}

func (h *Hooks) lastOwned() []assign.TopicPartitions {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owned
}

// synced: SyncGroup was answered, and with it the plan was adopted.
func (h *Hooks) synced(protocol string, assigned map[string][]int32, from announcement) {
	owned := toTopicPartitions(assigned)
	h.mu.Lock()
	h.owned = owned
	h.wentByLocked(protocol)
	r := h.round
	h.round = nil
	client := h.client
	h.missAttachLocked()
	h.inLocked()
	replan := false
	var started *term
	switch {
	case r == nil: // another member leads
		h.adopted = nil
		h.reasons, h.anew = nil, false
		if client != nil {
			h.trusted, _ = client.GroupMetadata()
		}
	case !r.adopted(owned) || h.doubtLocked(r):
		// The coordinator kept the plan it had: a static leader came back
		// (KIP-814). What that plan was is not known, so a round is
		// brought about before this member leads.
		h.adopted = nil
		h.dueAgainLocked(r)
		h.reasonLocked("a static member leads that may just have come back, and the plan that the group follows is not known")
		replan = true
	default:
		h.adopted = r
		switch {
		case h.term != nil:
			h.term.lease.renew(r.sentAt, nil)
		case h.ctx.Err() != nil:
		case client == nil:
			if h.pending != nil {
				h.pending.cancel(ErrLost)
			}
			h.pending = h.newTerm(r)
		default:
			started = h.newTerm(r)
			h.installLocked(started)
		}
		if r.withheldForIsolated {
			// It waits a heartbeat interval: a member that is slow with its
			// SyncGroup would be turned away by the next round, and never
			// learn that it has to give up what it holds.
			h.callRoundLocked(h.settings.interval, "what was withheld because of members that cannot be read is given out")
		}
		if r.unrevoked && len(r.sent.Withheld) > 0 {
			h.callRoundLocked(h.settings.interval, "what members may still have held when the group went by an eager protocol is given out")
		}
		if end, any := r.nextEnd(); any {
			h.callRoundLocked(max(0, time.Until(end)), "a place is not held any more")
		}
	}
	if replan && client == nil {
		h.replan = true
	}
	h.mu.Unlock()

	if r == nil {
		h.endTerm(ErrSucceeded)
	}
	if r != nil {
		from = announcement{Leader: r.info.LeaderID, Reason: causesInWords(r.causes)}
	}
	h.emit(Event{Kind: EventAssigned, Protocol: protocol, Assigned: owned, Leader: r != nil, LeaderID: from.Leader, Reason: from.Reason})
	if r == nil {
		h.findOutHosted()
	}
	if started != nil {
		h.run(started)
	}
	if replan && client != nil {
		client.ForceRebalance()
	}
}

// doubtLocked tells whether the group may follow another plan than that of r although
// this member got what it gave itself. Of the standard protocols kgo asks for a plan
// also where a static leader came back and the coordinator keeps the plan it had
// (KIP-814), and does not say so. The first plan of a static member under each of its
// ids is therefore not counted on, and a round brought about. Where it has followed under
// the id, that is the one that it came back with, and what it plans is sent.
func (h *Hooks) doubtLocked(r *round) bool {
	me := slices.IndexFunc(r.group.Members, func(m assign.Member) bool { return m.ID == r.info.LeaderID })
	if me < 0 || r.group.Members[me].Instance == "" || h.trusted == r.info.LeaderID || !r.protocol.standard() {
		return false
	}
	h.trusted = r.info.LeaderID
	return true
}

// heartbeat asks the coordinator whether the member of the given id still is one: nil
// when it is, errRebalancing when it is but a round is on, ErrLost when it
// is not, any other error when the answer says nothing.
//
// It has no effect but to renew the member's session: kgo sends it over the
// connection of its own heartbeats, which JoinGroup and SyncGroup do not block, and
// drops the answer when ctx ends first.
func (h *Hooks) heartbeat(ctx context.Context, client *kgo.Client, s settings, member string) error {
	id, generation := client.GroupMetadata()
	if id != member {
		return ErrLost // the client has joined anew
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = s.group, id, generation
	if s.instance != "" {
		req.InstanceID = &s.instance
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if err := heartbeatError(resp.ErrorCode); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.machine.phase == StateJoining || h.machine.phase == StateSyncing {
		// Between JoinGroup and SyncGroup the coordinator answers as if all
		// was settled, but still drops a member that does not sync in time.
		return errRebalancing
	}
	return nil
}
