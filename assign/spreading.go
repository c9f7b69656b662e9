package assign

import (
	"cmp"
	"math"
	"slices"
)

// block is one partition with its weight.
type block struct {
	topic, partition int32
	weight           float64
	free             bool // nobody owns it: moving it costs nothing
}

// compareBlocks orders the heaviest first, then by topic and partition.
func compareBlocks(l, r block) int {
	return cmp.Or(cmp.Compare(r.weight, l.weight), cmp.Compare(l.topic, r.topic), cmp.Compare(l.partition, r.partition))
}

// spreading is the state of one run of Balanced. Weights and capacities in it are
// scaled, see scaleToOne.
type spreading struct {
	ix       *index
	placed   table
	weights  [][]float64 // topic → partition
	capacity []float64   // member
	weight   []float64   // member → weight it has
	blocks   [][]block   // member → what it has; in the order of compareBlocks once settled
	eligible [][]int     // topic → subscribers that may get partitions
	allowed  [][]bool    // topic → member → is eligible
	taking   []bool      // member → is eligible for any topic
	share    float64     // the load that is fair, see fairShare
	changed  []int       // member → step of even in which its blocks changed last
	failed   []int       // member → step of even in which nothing relieved it, or never
}

func newSpreading(ix *index) *spreading {
	n := len(ix.members)
	s := &spreading{
		ix: ix, placed: ix.owned(),
		weights: make([][]float64, len(ix.topics)), eligible: make([][]int, len(ix.topics)), allowed: make([][]bool, len(ix.topics)),
		capacity: make([]float64, n), weight: make([]float64, n), blocks: make([][]block, n), taking: make([]bool, n),
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
			s.allowed[t][m], s.taking[m] = true, true
		}
	}
	s.scale()
	s.share = s.fairShare()
	for t := range ix.topics {
		for p, m := range s.placed[t] {
			if m != unassigned && !s.allowed[t][m] {
				s.placed[t][p] = unassigned
			} else if m != unassigned {
				s.put(block{int32(t), int32(p), s.weights[t][p], false}, int(m))
			}
		}
	}
	return s
}

// fairShare is the load that all members would have if partitions could be divided
// at will, leaving out those so heavy that one alone is more than that, with the
// members that must carry them: the others should be even among themselves, and not
// seem to have too little however even they are.
func (s *spreading) fairShare() float64 {
	var capacities, weights []float64
	for m, c := range s.capacity {
		if s.taking[m] {
			capacities = append(capacities, c)
		}
	}
	for _, list := range s.weights {
		weights = append(weights, list...)
	}
	slices.SortFunc(capacities, func(l, r float64) int { return cmp.Compare(r, l) })
	slices.SortFunc(weights, func(l, r float64) int { return cmp.Compare(r, l) })
	// From the end, so that no difference is ever taken: it would be all
	// rounding after a weight that dwarfs the others.
	restWeight, restCapacity := make([]float64, len(weights)+1), make([]float64, len(capacities)+1)
	for i, w := range slices.Backward(weights) {
		restWeight[i] = restWeight[i+1] + w
	}
	for i, c := range slices.Backward(capacities) {
		restCapacity[i] = restCapacity[i+1] + c
	}
	heavy := 0
	for heavy < min(len(weights), len(capacities)-1) && weights[heavy]/capacities[heavy] > restWeight[heavy]/restCapacity[heavy] {
		heavy++
	}
	if restCapacity[heavy] == 0 {
		return 0
	}
	return restWeight[heavy] / restCapacity[heavy]
}

// scale brings weights and capacities to where no sum and no quotient of them is
// infinite or not a number, and has partitions count as equal where all weights are
// zero: a group that is idle, whose every lag is 0, say, is still spread.
func (s *spreading) scale() {
	if scaleToOne(s.weights, 0) == 0 {
		for _, weights := range s.weights {
			for p := range weights {
				weights[p] = 1
			}
		}
	}
	// What has less than this part of the largest capacity gets next to
	// nothing either way.
	const least = 0x1p-200
	scaleToOne([][]float64{s.capacity}, least)
}

// scaleToOne divides all values by the one power of two that brings the largest
// into [0.5, 1), which is exact but for values too small to matter beside it, and
// raises those below least to it. It returns the largest value as it was.
func scaleToOne(lists [][]float64, least float64) float64 {
	largest := 0.0
	for _, values := range lists {
		for _, v := range values {
			largest = max(largest, v)
		}
	}
	_, exponent := math.Frexp(largest)
	for _, values := range lists {
		for i, v := range values {
			values[i] = max(math.Ldexp(v, -exponent), least)
		}
	}
	return largest
}

// uniform tells whether all weights and all capacities that count are equal.
func (s *spreading) uniform() bool {
	weight, capacity := math.NaN(), math.NaN()
	for _, weights := range s.weights {
		for _, w := range weights {
			if math.IsNaN(weight) {
				weight = w
			}
			if w != weight {
				return false
			}
		}
	}
	for m, c := range s.capacity {
		if !s.taking[m] {
			continue
		}
		if math.IsNaN(capacity) {
			capacity = c
		}
		if c != capacity {
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
	return float64(len(s.blocks[a]))/s.capacity[a] < float64(len(s.blocks[b]))/s.capacity[b]
}

// put gives b to m, and leaves it to settle to sort the blocks of m.
func (s *spreading) put(b block, m int) {
	s.placed[b.topic][b.partition] = int32(m)
	s.weight[m] += b.weight
	s.blocks[m] = append(s.blocks[m], b)
}

// settle sorts the blocks of m and adds up their weights, always in that order: what
// a member carries is then the same number however the blocks came to it. Rounding
// that depended on the way could have two plans improve on each other for ever.
func (s *spreading) settle(m int) {
	slices.SortFunc(s.blocks[m], compareBlocks)
	s.weigh(m)
}

func (s *spreading) weigh(m int) {
	s.weight[m] = 0
	for _, b := range s.blocks[m] {
		s.weight[m] += b.weight
	}
}

// transfer moves the block at i of the member from to the member to; both are
// settled before and after, but for the weight: see weigh.
func (s *spreading) transfer(from, i, to int) {
	b := s.blocks[from][i]
	s.blocks[from] = slices.Delete(s.blocks[from], i, i+1)
	at, _ := slices.BinarySearchFunc(s.blocks[to], b, compareBlocks)
	s.blocks[to] = slices.Insert(s.blocks[to], at, b)
	s.placed[b.topic][b.partition] = int32(to)
}

// placeUnowned gives each partition without an owner, heaviest first, to the member
// that then has the least load.
func (s *spreading) placeUnowned() {
	var free []block
	for t := range s.placed {
		for p, m := range s.placed[t] {
			if m == unassigned {
				free = append(free, block{int32(t), int32(p), s.weights[t][p], true})
			}
		}
	}
	slices.SortFunc(free, compareBlocks)
	for _, b := range free {
		best := s.eligible[b.topic][0]
		for _, m := range s.eligible[b.topic][1:] {
			if s.lighter(m, best, b.weight) {
				best = m
			}
		}
		s.put(b, best)
	}
	for m := range s.blocks {
		s.settle(m)
	}
}

// even moves partitions from more to less loaded members until no move helps a
// member that is outside the tolerance of the fair share; with freeOnly, only
// partitions that nobody owns. Once it has to move one it goes on to half the
// tolerance, so that the next small change does not lead to moves again.
//
// Each step brings the loads of two members below the higher of the two before, so
// it comes to an end. Where it has ended, it makes no step when it is called again.
func (s *spreading) even(tolerance float64, freeOnly bool) {
	s.changed, s.failed = make([]int, len(s.capacity)), make([]int, len(s.capacity))
	for m := range s.failed {
		s.failed[m] = never
	}
	stuck := make([]bool, len(s.capacity))
	goal := tolerance
	for now := 1; ; now++ {
		heavy := -1
		for m := range s.capacity {
			if !stuck[m] && (heavy < 0 || s.load(m, 0) > s.load(heavy, 0)) {
				heavy = m
			}
		}
		if heavy < 0 {
			return
		}
		light, found := s.relieve(heavy, goal, freeOnly)
		if !found {
			stuck[heavy], s.failed[heavy] = true, now
			continue
		}
		s.changed[heavy], s.changed[light] = now, now
		clear(stuck)
		if goal != tolerance/2 {
			goal = tolerance / 2
			for m := range s.failed {
				s.failed[m] = never // to find a step under the other goal
			}
		}
	}
}

// step is a block that leaves a member, and the one it gets for it, if any.
type step struct {
	peak   float64 // the higher of the two loads afterwards
	member int     // the other member
	give   int     // by place in the blocks of the one
	back   int     // by place in the blocks of the other, or none
}

const (
	none  = -1
	never = -1
)

// relieve takes the one move, or failing that the one swap, from heavy that brings
// the heavier of the two members lowest, and returns the other member. It does not
// look again at pairs of which neither has changed since it last failed.
func (s *spreading) relieve(heavy int, tolerance float64, freeOnly bool) (light int, found bool) {
	const negligible = 1e-9 // gains below this part of the load are rounding
	before := s.load(heavy, 0)
	best := step{before - before*negligible, none, none, none}
	for _, look := range []func(int, int, bool, *step){s.findMove, s.findSwap} {
		for light := range s.capacity {
			within := before <= s.share*(1+tolerance) && s.load(light, 0) >= s.share*(1-tolerance)
			looked := max(s.changed[heavy], s.changed[light]) <= s.failed[heavy]
			if light != heavy && s.load(light, 0) < before && !within && !looked {
				look(heavy, light, freeOnly, &best)
			}
		}
		if best.member != none {
			break
		}
	}
	if best.member == none {
		return none, false
	}
	given := s.blocks[heavy][best.give]
	if best.back != none {
		s.transfer(best.member, best.back, heavy)
		best.give, _ = slices.BinarySearchFunc(s.blocks[heavy], given, compareBlocks)
	}
	s.transfer(heavy, best.give, best.member)
	s.weigh(heavy)
	s.weigh(best.member)
	return best.member, true
}

// peak is the higher load of the two after heavy gave weight to light.
func (s *spreading) peak(heavy, light int, weight float64) float64 {
	return max(s.load(light, weight), s.load(heavy, -weight))
}

// findMove puts the best move from heavy to light into best if it is better.
func (s *spreading) findMove(heavy, light int, freeOnly bool, best *step) {
	for i, b := range s.blocks[heavy] {
		if b.weight == 0 || !s.allowed[b.topic][light] || freeOnly && !b.free {
			continue
		}
		if peak := s.peak(heavy, light, b.weight); peak < best.peak {
			*best = step{peak, light, i, none}
		}
	}
}

// findSwap puts the best swap between heavy and light into best if it is better.
// The peak is lowest where the difference of the two weights is closest to the one
// that makes both loads equal. Both lists are sorted, so the two candidates around
// that are found by walking through both at once.
func (s *spreading) findSwap(heavy, light int, freeOnly bool, best *step) {
	equal := (s.weight[heavy]*s.capacity[light] - s.weight[light]*s.capacity[heavy]) / (s.capacity[heavy] + s.capacity[light])
	lights := s.blocks[light]
	fits := func(j int) bool { return s.allowed[lights[j].topic][heavy] && (!freeOnly || lights[j].free) }
	above, below := none, 0 // the last that fits and weighs at least what is sought; where to look for one that weighs less
	for i, b := range s.blocks[heavy] {
		if b.weight == 0 || !s.allowed[b.topic][light] || freeOnly && !b.free {
			continue
		}
		for below < len(lights) && (lights[below].weight >= b.weight-equal || !fits(below)) {
			if fits(below) {
				above = below
			}
			below++
		}
		for _, j := range []int{above, below} {
			if j == none || j == len(lights) {
				continue
			}
			if peak := s.peak(heavy, light, b.weight-lights[j].weight); peak < best.peak {
				*best = step{peak, light, i, j}
			}
		}
	}
}
