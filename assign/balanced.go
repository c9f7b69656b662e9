package assign

import (
	"cmp"
	"fmt"
)

// DefaultTolerance is the Tolerance of the zero [Balanced].
const DefaultTolerance = 0.05

// Exact as Balanced.Tolerance allows no imbalance that a move can lessen. In a
// cooperative group that plans anew in each round it can take many rounds to settle,
// as partitions that were given up may find a better place than the one meant for
// them.
const Exact = -1

// Balanced is the assignor "balanced": it spreads the weight of partitions over the
// capacity of members. The zero value is ready to use. In this order it seeks
//
//  1. validity: every partition once, to a subscriber; a draining member gets
//     nothing as long as another subscriber remains;
//  2. an even load: weight over capacity, so that a member of capacity 2 carries
//     twice the weight;
//  3. little movement: a partition leaves its owner only where a member is outside
//     the tolerance. Moves then go on to half of it, so that the next small change
//     leads to none.
//
// With equal weights, capacities and subscriptions no member has more than one
// partition more than another, whatever the tolerance. Where every weight is zero
// the partitions count as equal. Otherwise it is a heuristic: loads are lowered by
// single moves and by swaps of two partitions until neither helps.
//
// The fair share is that of the whole group. A member whose subscriptions keep it
// away from that share is outside the tolerance for good, and is then evened out with
// others as by [Exact].
//
// The time grows with partitions × members for partitions without an owner.
type Balanced struct {
	// ProtocolName replaces the name "balanced", so that several variants
	// can be told apart by a group. Members of one group need the same one.
	ProtocolName string

	// Tolerance is how far a member's load may be from its fair share, as a
	// fraction of it, before partitions are moved. Zero means
	// [DefaultTolerance], [Exact] none. It has no say where all weights and
	// all capacities are equal.
	Tolerance float64
}

// Name returns the protocol name.
func (b Balanced) Name() string { return cmp.Or(b.ProtocolName, "balanced") }

// Assign returns the target for g. It fails when g fails [Group.Check] or when the
// tolerance is neither [Exact] nor a finite number of at least zero.
func (b Balanced) Assign(g Group) (Plan, error) {
	if b.Tolerance != Exact && !finite(b.Tolerance) {
		return Plan{}, fmt.Errorf("the tolerance of assignor %q is %v; give a finite number, 0 or more, or assign.Exact", b.Name(), b.Tolerance)
	}
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	ix := newIndex(g)
	s := newSpreading(ix)
	s.placeUnowned()
	s.even(0, true) // what nobody owns is free to move
	s.even(b.tolerance(s), false)
	return ix.plan(s.placed), nil
}

func (b Balanced) tolerance(s *spreading) float64 {
	switch {
	case b.Tolerance == Exact || s.uniform():
		return 0
	case b.Tolerance == 0:
		return DefaultTolerance
	}
	return b.Tolerance
}
