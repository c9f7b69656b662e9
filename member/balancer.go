package member

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
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
		b.hooks.joining()
	}
	owned := toTopicPartitions(current)
	if !b.IsCooperative() {
		// An eager member has given up everything by now. What it had is
		// told all the same, so that the leader can give it back.
		owned = b.hooks.lastOwned()
	}
	return encodeSubscription(b.protocol, topics, owned, generation, b.hooks.traits)
}

// MemberBalancer implements kgo.GroupBalancer. It never fails: a member whose
// metadata cannot be read is kept aside.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	r := &round{hooks: b.hooks, protocol: b.protocol, began: time.Now()}
	topics := make(map[string]struct{})
	seen := make(map[string]bool, len(members))
	for i := range members {
		if seen[members[i].MemberID] {
			continue
		}
		seen[members[i].MemberID] = true
		m, err := decodeMember(b.protocol, &members[i])
		if err != nil {
			r.isolated = append(r.isolated, isolated{m.ID, err})
			continue
		}
		r.group.Members = append(r.group.Members, m)
		for _, topic := range m.Topics {
			topics[topic] = struct{}{}
		}
	}
	b.hooks.elected(r)
	return r, topics, nil
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	assigned, err := kgo.ParseConsumerSyncAssignment(assignment)
	if err != nil {
		return nil, err
	}
	b.hooks.synced(b.protocol.name(), assigned)
	return assigned, nil
}

// clientHook is what Hooks learn from the client outside of rounds.
type clientHook struct{ hooks *Hooks }

// OnGroupManageError implements kgo.HookGroupManageError.
func (c clientHook) OnGroupManageError(err error) {
	c.hooks.endTerm(err)
	c.hooks.emit(Event{Kind: EventLost, Err: err})
}

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (c clientHook) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.LeaveGroup) {
		c.hooks.endTerm(ErrLeft)
	}
}

// OnClientClosed implements kgo.HookClientClosed.
func (c clientHook) OnClientClosed(*kgo.Client) { c.hooks.endTerm(ErrLeft) }

// joining: a JoinGroup is about to be sent, and who will lead is open.
func (h *Hooks) joining() {
	h.mu.Lock()
	h.round = nil
	h.mu.Unlock()
	h.emit(Event{Kind: EventJoining})
}

// elected: the coordinator named this member leader of a round.
func (h *Hooks) elected(r *round) {
	h.mu.Lock()
	h.round = r
	h.mu.Unlock()
}

func (h *Hooks) lastOwned() []assign.TopicPartitions {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owned
}

// synced: SyncGroup was answered, and with it the plan was adopted.
func (h *Hooks) synced(protocol string, assigned map[string][]int32) {
	owned := toTopicPartitions(assigned)
	h.mu.Lock()
	h.owned = owned
	r := h.round
	h.round = nil
	leader := r != nil
	replan := false
	var started *term
	if leader {
		// Without a plan the coordinator kept the one it had: a static
		// leader came back (KIP-814). What the plan was is not known, so a
		// round is brought about before this member leads.
		if replan = !r.planned; !replan {
			h.previous = r.sent.Assignment
			replan = h.emptyIsolatedLocked(r)
			if h.term == nil && h.pending == nil && h.ctx.Err() == nil {
				if t := h.newTerm(r); h.client == nil {
					h.pending = t
				} else {
					h.installLocked(t)
					started = t
				}
			}
		}
	} else {
		h.previous, h.emptied = nil, nil
	}
	client := h.client
	if replan && client == nil {
		h.replan = true
	}
	h.mu.Unlock()

	if !leader {
		h.endTerm(ErrSucceeded)
	}
	h.emit(Event{Kind: EventAssigned, Protocol: protocol, Assigned: owned, Leader: leader})
	if started != nil {
		h.run(started)
	}
	if replan && client != nil {
		client.ForceRebalance()
	}
}

// emptyIsolatedLocked notes that the members isolated in r now hold nothing, and
// tells whether partitions were withheld because of them, so that a round is due.
func (h *Hooks) emptyIsolatedLocked(r *round) bool {
	h.emptied = make(map[string]bool, len(r.isolated))
	for _, m := range r.isolated {
		h.emptied[m.id] = true
	}
	return r.withheldForIsolated
}

// heartbeat asks the coordinator whether this member still is one: nil when it is,
// errRebalancing when it is but has to join again, errMembershipLost when it is not,
// any other error when the answer says nothing.
func (h *Hooks) heartbeat(ctx context.Context, client *kgo.Client, s settings) error {
	id, generation := client.GroupMetadata()
	if id == "" || generation < 0 {
		return errStaleHeartbeat
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
	err = heartbeatError(resp.ErrorCode)
	if errors.Is(err, errMembershipLost) {
		if now, _ := client.GroupMetadata(); now != id {
			return errStaleHeartbeat // of a membership before this one
		}
	}
	return err
}
