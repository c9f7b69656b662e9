package assign

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// DefaultTolerance is the Tolerance of the zero [Balanced].
const DefaultTolerance = 0.05

// Exact as Balanced.Tolerance allows no imbalance that a move can lessen.
const Exact = -1

// Balanced is the assignor "balanced": it spreads the weight of partitions over the
// capacity of members. The zero value is ready to use. In this order it seeks
//
//  1. validity: every partition once, to a subscriber; a draining member gets
//     nothing as long as another subscriber remains;
//  2. an even load: weight over capacity, so that a member of capacity 2 carries
//     twice the weight;
//  3. little movement: a partition leaves its owner only to bring a member that is
//     outside the tolerance closer to its fair share.
//
// With equal weights, capacities and subscriptions no member has more than one
// partition more than another, whatever the tolerance. Where every weight is zero
// the partitions count as equal. Otherwise it is a heuristic: loads are lowered by
// single moves and by swaps of two partitions until neither helps.
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
	s.even(b.tolerance(s))
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

// block is one partition with its weight.
type block struct {
	topic, partition int32
	weight           float64
}

// spreading is the state of one run of Balanced.
type spreading struct {
	ix       *index
	placed   table
	weights  [][]float64 // topic → partition
	capacity []float64   // member
	weight   []float64   // member → weight it has
	count    []int       // member → partitions it has
	blocks   [][]block   // member → what it has, heaviest first once sorted
	eligible [][]int     // topic → subscribers that may get partitions
	allowed  [][]bool    // topic → member → is eligible
	total    float64
}

func newSpreading(ix *index) *spreading {
	n := len(ix.members)
	s := &spreading{
		ix: ix, placed: ix.owned(),
		weights: make([][]float64, len(ix.topics)), eligible: make([][]int, len(ix.topics)), allowed: make([][]bool, len(ix.topics)),
		capacity: make([]float64, n), weight: make([]float64, n), count: make([]int, n), blocks: make([][]block, n),
	}
	for m, member := range ix.members {
		s.capacity[m] = member.EffectiveCapacity()
	}
	for t, topic := range ix.topics {
		s.weights[t] = topic.EffectiveWeights()
		for _, m := range ix.subscribers[t] {
			if !ix.members[m].Draining {
				s.eligible[t] = append(s.eligible[t], m)
			}
		}
		if len(s.eligible[t]) == 0 {
			s.eligible[t] = ix.subscribers[t]
		}
		s.allowed[t] = make([]bool, n)
		for _, m := range s.eligible[t] {
			s.allowed[t][m] = true
		}
	}
	s.weighAlikeIfAllAreZero()
	for t := range ix.topics {
		for p, m := range s.placed[t] {
			s.total += s.weights[t][p]
			if m != unassigned && !s.allowed[t][m] {
				s.placed[t][p] = unassigned
			} else if m != unassigned {
				s.put(block{int32(t), int32(p), s.weights[t][p]}, int(m))
			}
		}
	}
	return s
}

// weighAlikeIfAllAreZero keeps a group that is idle, whose every lag is 0, say, from
// being a group in which nothing matters.
func (s *spreading) weighAlikeIfAllAreZero() {
	for _, weights := range s.weights {
		if slices.ContainsFunc(weights, func(w float64) bool { return w != 0 }) {
			return
		}
	}
	for _, weights := range s.weights {
		for p := range weights {
			weights[p] = 1
		}
	}
}

func (s *spreading) put(b block, m int) {
	s.placed[b.topic][b.partition] = int32(m)
	s.weight[m] += b.weight
	s.count[m]++
	s.blocks[m] = append(s.blocks[m], b)
}

func (s *spreading) take(m, i int) block {
	b := s.blocks[m][i]
	s.blocks[m] = slices.Delete(s.blocks[m], i, i+1)
	s.weight[m] -= b.weight
	s.count[m]--
	return b
}

// uniform tells whether all weights and all capacities are equal.
func (s *spreading) uniform() bool {
	first := math.NaN()
	for _, weights := range s.weights {
		for _, w := range weights {
			if math.IsNaN(first) {
				first = w
			}
			if w != first {
				return false
			}
		}
	}
	for _, c := range s.capacity {
		if c != s.capacity[0] {
			return false
		}
	}
	return true
}

// load is the load of m if it carried weight more.
func (s *spreading) load(m int, more float64) float64 { return (s.weight[m] + more) / s.capacity[m] }

// lighter tells whether a is the better receiver of weight w than b: by load, then
// by count, so that partitions without weight are spread too.
func (s *spreading) lighter(a, b int, w float64) bool {
	if la, lb := s.load(a, w), s.load(b, w); la != lb {
		return la < lb
	}
	return float64(s.count[a])/s.capacity[a] < float64(s.count[b])/s.capacity[b]
}

// placeUnowned gives each partition without an owner, heaviest first, to the member
// that then has the least load.
func (s *spreading) placeUnowned() {
	var free []block
	for t := range s.placed {
		for p, m := range s.placed[t] {
			if m == unassigned {
				free = append(free, block{int32(t), int32(p), s.weights[t][p]})
			}
		}
	}
	slices.SortStableFunc(free, func(l, r block) int { return cmp.Compare(r.weight, l.weight) })
	for _, b := range free {
		best := s.eligible[b.topic][0]
		for _, m := range s.eligible[b.topic][1:] {
			if s.lighter(m, best, b.weight) {
				best = m
			}
		}
		s.put(b, best)
	}
}

// even moves partitions from the most loaded members to less loaded ones until all
// are within the tolerance of the mean, or no move helps any more. Each step lowers
// the load of the heavier of two members below what it was and keeps the other
// below that too, so it comes to an end.
func (s *spreading) even(tolerance float64) {
	capacity := 0.0
	for _, c := range s.capacity {
		capacity += c
	}
	mean := s.total / capacity
	stuck := make([]bool, len(s.capacity))
	for {
		heavy := -1
		lightest := math.Inf(1)
		for m := range s.capacity {
			lightest = min(lightest, s.load(m, 0))
			if !stuck[m] && (heavy < 0 || s.load(m, 0) > s.load(heavy, 0) ||
				s.load(m, 0) == s.load(heavy, 0) && s.count[m] > s.count[heavy]) {
				heavy = m
			}
		}
		if heavy < 0 || s.load(heavy, 0) <= mean*(1+tolerance) && lightest >= mean*(1-tolerance) && tolerance > 0 {
			return
		}
		if s.relieve(heavy) {
			clear(stuck)
		} else {
			stuck[heavy] = true
		}
	}
}

// relieve makes the one move, or failing that the one swap, from heavy that brings
// the heavier of the two members lowest.
func (s *spreading) relieve(heavy int) bool {
	const negligible = 1e-9 // gains below this part of the load are rounding
	before := s.load(heavy, 0)
	bestPeak, bestMember, give, back := before-before*negligible, -1, -1, -1
	for light := range s.capacity {
		if light == heavy || s.load(light, 0) >= before {
			continue
		}
		for i, b := range s.blocks[heavy] {
			if b.weight == 0 || !s.allowed[b.topic][light] {
				continue
			}
			if peak := max(s.load(light, b.weight), s.load(heavy, -b.weight)); peak < bestPeak {
				bestPeak, bestMember, give, back = peak, light, i, -1
			}
		}
	}
	if bestMember < 0 {
		for light := range s.capacity {
			if light == heavy || s.load(light, 0) >= before {
				continue
			}
			for i, b := range s.blocks[heavy] {
				if !s.allowed[b.topic][light] {
					continue
				}
				for j, c := range s.blocks[light] {
					if c.weight >= b.weight || !s.allowed[c.topic][heavy] {
						continue
					}
					delta := b.weight - c.weight
					if peak := max(s.load(light, delta), s.load(heavy, -delta)); peak < bestPeak {
						bestPeak, bestMember, give, back = peak, light, i, j
					}
				}
			}
		}
	}
	if bestMember < 0 {
		return false
	}
	moved := s.take(heavy, give)
	if back >= 0 {
		s.put(s.take(bestMember, back), heavy)
	}
	s.put(moved, bestMember)
	return true
}
