package assign

import (
	"math"
	"slices"
)

// block is one unit with its weight.
type block struct {
	lane, unit int32
	weight     float64
	free       bool // nobody owns it: moving it costs nothing
}

// compareBlocks orders the heaviest first, then by lane and unit.
func compareBlocks(l, r block) int {
	switch { // weights are finite, and this is called millions of times
	case l.weight > r.weight:
		return -1
	case l.weight < r.weight:
		return 1
	case l.lane != r.lane:
		return int(l.lane) - int(r.lane)
	}
	return int(l.unit) - int(r.unit)
}

// spreading places the units of a problem by weight. Weights and capacities in it are
// scaled, see scaleToOne.
type spreading struct {
	*problem
	capacity []float64 // member
	carried  []float64 // member → weight it has
	blocks   [][]block // member → what it has; in the order of compareBlocks once settled
	allowed  [][]bool  // kind → member → is eligible; kinds with the same members share one
	taking   []bool    // member → is eligible for any unit
	everyone []int     // the numbers of all members
	share    float64   // the load that is fair, see fairShare
	changed  []int     // member → step of even in which its blocks changed last
	failed   []int     // member → step of even in which nothing relieved it, or never
}

func newSpreading(p *problem) *spreading {
	n := len(p.ix.members)
	s := &spreading{
		problem:  p,
		capacity: make([]float64, n), carried: make([]float64, n), blocks: make([][]block, n), taking: make([]bool, n), everyone: make([]int, n),
		allowed: make([][]bool, len(p.kinds)),
	}
	for m, member := range p.ix.members {
		s.capacity[m] = member.EffectiveCapacity()
	}
	for k := range p.kinds {
		eligible := p.kinds[k].eligible
		if k > 0 && sameMembers(p.kinds[k-1].eligible, eligible) {
			s.allowed[k] = s.allowed[k-1]
		} else {
			s.allowed[k] = make([]bool, n)
			for _, m := range eligible {
				s.allowed[k][m] = true
			}
		}
		if p.kinds[k].size > 0 {
			for _, m := range eligible {
				s.taking[m] = true
			}
		}
	}
	s.scale()
	s.share = s.fairShare()
	for i := range p.lanes {
		for u, m := range p.owner[i] {
			if m != unassigned {
				s.put(block{int32(i), int32(u), s.weight[i][u], false}, int(m))
			}
		}
	}
	return s
}

// mayHave tells whether the member may have the block.
func (s *spreading) mayHave(b block, m int) bool {
	return s.allowed[s.lanes[b.lane].kind(b.unit)][m]
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
	for _, list := range s.weight {
		weights = append(weights, list...)
	}
	for _, values := range [][]float64{capacities, weights} {
		slices.Sort(values)
		slices.Reverse(values)
	}
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
	if scaleToOne(s.weight, 0) == 0 {
		for _, weights := range s.weight {
			for p := range weights {
				weights[p] = 1
			}
		}
	}
	scaleToOne([][]float64{s.capacity}, leastCapacity)
}

// leastCapacity is the part of the largest capacity that every member is taken to have
// at least: it gets next to nothing either way.
const leastCapacity = 0x1p-200

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

// load is the load of m if it carried weight more.
func (s *spreading) load(m int, more float64) float64 { return (s.carried[m] + more) / s.capacity[m] }

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
	s.placed[b.lane][b.unit] = int32(m)
	s.carried[m] += b.weight
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
	s.carried[m] = 0
	for _, b := range s.blocks[m] {
		s.carried[m] += b.weight
	}
}

// transfer moves the block at i of the member from to the member to; both are
// settled before and after, but for the weight: see weigh.
func (s *spreading) transfer(from, i, to int) {
	b := s.blocks[from][i]
	s.blocks[from] = slices.Delete(s.blocks[from], i, i+1)
	at, _ := slices.BinarySearchFunc(s.blocks[to], b, compareBlocks)
	s.blocks[to] = slices.Insert(s.blocks[to], at, b)
	s.placed[b.lane][b.unit] = int32(to)
}

// placeUnowned gives each unit without an owner, heaviest first, to the member that
// then has the least load.
func (s *spreading) placeUnowned() {
	var free []block
	for i := range s.lanes {
		for u, m := range s.owner[i] {
			if m == unassigned {
				free = append(free, block{int32(i), int32(u), s.weight[i][u], true})
			}
		}
	}
	slices.SortFunc(free, compareBlocks)
	receivers := newReceivers(s)
	for _, b := range free {
		s.put(b, receivers.take(s.lanes[b.lane].kind(b.unit), b.weight))
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
		heavy, lowest := -1, math.Inf(1)
		for m := range s.capacity {
			load := s.load(m, 0)
			if !stuck[m] && (heavy < 0 || load > s.load(heavy, 0)) {
				heavy = m
			}
			if s.taking[m] {
				lowest = min(lowest, load)
			}
		}
		if heavy < 0 || s.load(heavy, 0) <= s.share*(1+goal) && lowest >= s.share*(1-goal) {
			return // no pair of members is outside the tolerance
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
	search := func(look func(int, int, bool, *step), lights []int) bool {
		for _, light := range lights {
			within := before <= s.share*(1+tolerance) && s.load(light, 0) >= s.share*(1-tolerance)
			looked := max(s.changed[heavy], s.changed[light]) <= s.failed[heavy]
			if light != heavy && s.load(light, 0) < before && !within && !looked {
				look(heavy, light, freeOnly, &best)
			}
		}
		return best.member != none
	}
	// The best receiver is most often among the few that have the least.
	few, all := s.lightest()
	_ = search(s.findMove, few) || search(s.findMove, all) || search(s.findSwap, few) || search(s.findSwap, all)
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

// lightest returns the few members that have the least load, and all of them.
func (s *spreading) lightest() (few, all []int) {
	const count = 16
	for m := range s.capacity {
		s.everyone[m] = m
		if !s.taking[m] {
			continue
		}
		load := s.load(m, 0)
		if len(few) == count && load >= s.load(few[count-1], 0) {
			continue
		}
		at := len(few)
		for at > 0 && load < s.load(few[at-1], 0) {
			at--
		}
		if len(few) == count {
			few = few[:count-1]
		}
		few = slices.Insert(few, at, m)
	}
	return few, s.everyone
}

// peak is the higher load of the two after heavy gave weight to light.
func (s *spreading) peak(heavy, light int, weight float64) float64 {
	return max(s.load(light, weight), s.load(heavy, -weight))
}

// findMove puts the best move from heavy to light into best if it is better.
func (s *spreading) findMove(heavy, light int, freeOnly bool, best *step) {
	for i, b := range s.blocks[heavy] {
		if b.weight == 0 || !s.mayHave(b, light) || freeOnly && !b.free {
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
	equal := (s.carried[heavy]*s.capacity[light] - s.carried[light]*s.capacity[heavy]) / (s.capacity[heavy] + s.capacity[light])
	lights := s.blocks[light]
	fits := func(j int) bool { return s.mayHave(lights[j], heavy) && (!freeOnly || lights[j].free) }
	above, below := none, 0 // the last that fits and weighs at least what is sought; where to look for one that weighs less
	for i, b := range s.blocks[heavy] {
		if b.weight == 0 || !s.mayHave(b, light) || freeOnly && !b.free {
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
