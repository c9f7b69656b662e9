package assign

// Sticky returns the assignor "sticky": the counts of partitions are as even as
// subscriptions, and what members refuse, allow, and as many partitions as possible stay
// with their owner (KIP-54). Both are exact, where Java's StickyAssignor only comes close.
//
// It takes no notice of weights, capacities, ceilings, racks or draining. It is the engine of
// [Balanced] under the standard name, so that members of other clients can be in the
// group.
func Sticky() Assignor { return sticky("sticky") }

// CooperativeSticky returns the assignor "cooperative-sticky". Its target is that of
// [Sticky]; it differs in the protocol by which partitions change hands (KIP-429),
// see [Withhold].
func CooperativeSticky() Assignor { return sticky("cooperative-sticky") }

// sticky is the engine of Balanced under the name.
type sticky string

func (s sticky) Name() string { return string(s) }

func (s sticky) Assign(g Group) (Plan, error) { return solver(s.solve).assign(g) }

func (s sticky) solve(ix *index, owned table) (*problem, error) {
	return Balanced{IgnoreTopics: true, IgnoreRacks: true}.solve(ix.plain(), owned)
}
