package assign

import (
	"cmp"
	"errors"
	"fmt"
)

// DefaultTolerance is the Tolerance of the zero [Balanced].
const DefaultTolerance = 0.05

// Exact as Balanced.Tolerance allows no imbalance of more than a thousandth of the fair
// share that a move can lessen. It costs more moves and more time than the default.
const Exact = -1

// exactly is the tolerance that Exact stands for. What is below it is not worth a move,
// and to find the last such gains among 100,000 partitions takes minutes.
const exactly = 0.001

// Balanced is the assignor "balanced": it spreads the weight of partitions over the
// capacity of members. The zero value is ready to use. In this order it seeks
//
//  1. validity: every partition once, to a subscriber; then the constraints:
//     nothing for draining members, CoPartition, Pins, what members refuse
//     (Member.Refused), and their ceilings (MaxPartitions and MaxWeight). What cannot be kept is given up
//     partition by partition, and listed in Plan.Unmet; a ceiling gives way where
//     a partition fits on no member that the others let have it, and then as few
//     partitions as possible go beyond;
//  2. an even load: weight over capacity, the highest as low as can be, then the
//     next, and so on down;
//  3. evenness of each topic, and of each class of topics (Topic.Class), unless
//     IgnoreTopics;
//  4. little movement;
//  5. partitions whose leader is in the rack of their member, as many as the choice
//     of which partitions a member gets, not how many, can bring about; unless
//     IgnoreRacks.
//
// Where all partitions weigh the same and all members have the same capacity, counts
// are what is evened, and the plan is exact: no plan has more even counts, and of
// those with counts as even none moves less. With equal subscriptions every topic,
// every class and the whole then differ by at most one between any two members. Where
// subscriptions differ, or a ceiling leaves a member short of its share, 3 keeps as few
// partitions as possible above a topic's even share, and leaves classes out.
//
// Otherwise it is a heuristic: free partitions go, heaviest first, to the member with the
// least load, and loads are then lowered by single moves and by swaps of two until
// neither helps. A partition leaves its owner only where a member is outside the
// Tolerance of its fair share, which is that of the whole group, or beyond a ceiling: a
// plan within it stays, however uneven its topics are. Partitions that move anyway, or
// are free, then bring members down to their share of each topic and class, by capacity,
// with the tolerance and rounded up, and go to their rack, by moves and swaps that keep
// loads within half the tolerance. Whether more partitions fit below ceilings of weight
// is a puzzle, of which it tries the easy ways.
//
// Time and memory grow with the number of partitions and with the number of
// subscribers of each topic, added up over the topics.
type Balanced struct {
	// ProtocolName replaces the name "balanced", so that several variants
	// can be told apart by a group. Members of one group need the same one.
	ProtocolName string

	// Tolerance is how far a member's load may be from its fair share, as a
	// fraction of it, before partitions are moved; moves then go on to half of
	// it, so that the next small change leads to none. Zero means
	// [DefaultTolerance], [Exact] next to none. It has no say where all weights and
	// all capacities are equal.
	Tolerance float64

	// MaxMoves caps how many partitions leave their owner in one plan; 0 means no
	// cap. A plan then only goes part of the way, from the fullest members
	// first, and later rounds go on from there. Partitions that their owner may
	// not keep, by a ceiling for one, move in any case and do not count.
	MaxMoves int

	// IgnoreTopics leaves out that each topic and class be even by itself.
	IgnoreTopics bool

	// IgnoreRacks leaves racks out. FollowerFetching says that members fetch
	// from replicas in their rack (KIP-392), so that any replica there makes a
	// partition local and not only the leader.
	IgnoreRacks      bool
	FollowerFetching bool

	// CoPartition lists groups of topics of which partitions of one number are
	// to go to one member, as joins need it. Groups that share a topic are one.
	// Together they weigh their sum, so that plans are by weight unless all
	// topics are in groups of the same size; where all partitions weigh the same,
	// the tolerance then has no say either. Class and racks of a group are those
	// of the first topic by name.
	CoPartition [][]string

	// Pins say which members may have some partitions. Several for one partition
	// all hold, as far as a member satisfies them; the first ones come first.
	Pins []Pin
}

// Name returns the protocol name.
func (b Balanced) Name() string { return cmp.Or(b.ProtocolName, "balanced") }

// Assign returns the target for g. It fails when g fails [Group.Check], when the
// tolerance is neither [Exact] nor a finite number of at least zero, or when a pin
// does not say what is pinned where.
func (b Balanced) Assign(g Group) (Plan, error) { return solver(b.solve).assign(g) }

func (b Balanced) solve(ix *index, owned table) (*problem, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	p := newProblemOf(ix, owned, &b)
	p.ceilings = newCeilings(p)
	uniform := p.uniform()
	if uniform {
		p.planByCount(&b)
	} else {
		p.planByWeight(&b)
	}
	if b.MaxMoves > 0 {
		p.limitMoves(b.MaxMoves, uniform, false)
	}
	return p, nil
}

func (b Balanced) check() error {
	var errs []error
	if b.Tolerance != Exact && !finite(b.Tolerance) {
		errs = append(errs, fmt.Errorf("the tolerance of assignor %q is %v; give a finite number, 0 or more, or assign.Exact", b.Name(), b.Tolerance))
	}
	if b.MaxMoves < 0 {
		errs = append(errs, fmt.Errorf("assignor %q has MaxMoves %d; give 0 for no cap, or more", b.Name(), b.MaxMoves))
	}
	for _, pin := range b.Pins {
		errs = append(errs, pin.check())
	}
	return errors.Join(errs...)
}

func (b Balanced) tolerance() float64 {
	switch b.Tolerance {
	case Exact:
		return exactly
	case 0:
		return DefaultTolerance
	}
	return b.Tolerance
}
