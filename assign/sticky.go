package assign

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sticky returns the assignor "sticky": the counts of partitions are as even as
// subscriptions allow, and as many partitions as possible stay with their owner
// (KIP-54). It is franz-go's implementation, whose balance is optimal where Java's
// StickyAssignor only comes close.
//
// It takes no notice of weights, capacities, racks or draining. Among equally good
// plans it may return another one each time it is called.
func Sticky() Assignor { return New("sticky", assignSticky) }

// CooperativeSticky returns the assignor "cooperative-sticky". Its target is that of
// [Sticky]; it differs in the protocol by which partitions change hands (KIP-429),
// see [Withhold].
func CooperativeSticky() Assignor { return New("cooperative-sticky", assignSticky) }

func assignSticky(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	ix := newIndex(g)
	// The claims are settled here, and with one generation for all: what
	// reaches the balancer has no conflicts left.
	owned := ix.plan(ix.owned()).Assignment
	const settled = 1
	// Likewise each topic once, and none that has nothing to assign.
	subscriptions := make([][]string, len(ix.members))
	for t, topic := range ix.topics {
		for _, m := range ix.subscribers[t] {
			subscriptions[m] = append(subscriptions[m], topic.Name)
		}
	}
	members := make([]kmsg.JoinGroupResponseMember, len(ix.members))
	for m, member := range ix.members {
		sticky := kmsg.NewStickyMemberMetadata()
		sticky.Generation = settled
		for _, tp := range owned[member.ID] {
			current := kmsg.NewStickyMemberMetadataCurrentAssignment()
			current.Topic, current.Partitions = tp.Topic, tp.Partitions
			sticky.CurrentAssignment = append(sticky.CurrentAssignment, current)
		}
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Version = 3
		meta.Topics = subscriptions[m]
		meta.UserData = sticky.AppendTo(nil)
		meta.Generation = settled
		members[m] = kmsg.NewJoinGroupResponseMember()
		members[m].MemberID = member.ID
		if member.Instance != "" {
			members[m].InstanceID = &member.Instance
		}
		members[m].ProtocolMetadata = meta.AppendTo(nil)
	}
	strategy, ok := kgo.StickyBalancer().(kgo.ConsumerBalancerBalance)
	if !ok {
		return Plan{}, fmt.Errorf("franz-go's sticky balancer cannot be called from here; use a franz-go release that this module names in go.mod")
	}
	balancer, err := kgo.NewConsumerBalancer(strategy, members)
	if err != nil {
		return Plan{}, fmt.Errorf("sticky could not prepare the members: %w", err)
	}
	partitions := make(map[string]int32, len(ix.topics))
	for _, topic := range ix.topics {
		partitions[topic.Name] = topic.Partitions
	}
	into, err := balancer.BalanceOrError(partitions)
	if err != nil {
		return Plan{}, fmt.Errorf("sticky could not balance the group: %w", err)
	}
	balanced, ok := into.(*kgo.BalancePlan)
	if !ok {
		return Plan{}, fmt.Errorf("franz-go's sticky balancer returned a plan of type %T, which cannot be read; use a franz-go release that this module names in go.mod", into)
	}
	tb := ix.newTable()
	for id, topics := range balanced.AsMemberIDMap() {
		for topic, list := range topics {
			for _, p := range list {
				tb[ix.topicNumber[topic]][p] = int32(ix.memberNumber[id])
			}
		}
	}
	return ix.plan(tb), nil
}
