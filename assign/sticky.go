package assign

// Sticky returns the assignor "sticky": the counts of partitions are as even as
// subscriptions allow, and as many partitions as possible stay with their owner
// (KIP-54). Both are exact, where Java's StickyAssignor only comes close.
//
// It takes no notice of weights, capacities, ceilings, racks or draining. It is the engine of
// [Balanced] under the standard name, so that members of other clients can be in the
// group.
func Sticky() Assignor { return New("sticky", assignSticky) }

// CooperativeSticky returns the assignor "cooperative-sticky". Its target is that of
// [Sticky]; it differs in the protocol by which partitions change hands (KIP-429),
// see [Withhold].
func CooperativeSticky() Assignor { return New("cooperative-sticky", assignSticky) }

func assignSticky(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	members, topics := make([]Member, len(g.Members)), make([]Topic, len(g.Topics))
	for i, m := range g.Members {
		m.Capacity, m.MaxPartitions, m.MaxWeight, m.Draining = 0, 0, 0, false
		members[i] = m
	}
	for i, t := range g.Topics {
		t.Weights = nil
		topics[i] = t
	}
	return Balanced{IgnoreTopics: true, IgnoreRacks: true}.Assign(Group{Members: members, Topics: topics})
}
