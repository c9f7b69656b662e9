package assign

import (
	"math"
	"slices"
)

// spreading places the units of a problem by weight. Units go by their rank: 0 is the
// heaviest, and equal ones are in order of lane and unit. Weights and capacities in it
// are scaled, see scale.
type spreading struct {
	p *problem

	// By rank.
	lane, unit []int32
	weight     []float64
	partitions []int32 // nil where each unit is one
	home       []int32 // the owner, or unassigned
	at         []int32 // the member that has it

	// By member.
	capacity []float64
	held     [][]int32 // the units that it has, ascending
	carried  []float64 // their weight
	loads    []float64 // and that over capacity
	count    []int32   // their partitions
	most     []float64 // ceiling of weight, scaled; nil where nobody has any ceiling
	taking   []bool    // is eligible for any unit

	same    bool     // all units have the same eligible members
	allowed [][]bool // kind → member → is eligible; kinds with the same members share one
	share   float64  // the load that is fair, see fairShare
	topics  *topicCounts
	racks   *racks
}

// planByWeight places units of different weight, or on members of different capacity.
func (p *problem) planByWeight(b *Balanced) {
	tolerance := b.tolerance()
	if p.alike && p.oneCapacity() {
		tolerance = 0 // only the units are of different size: counts are what is evened
	}
	s := newSpreading(p)
	if !b.IgnoreTopics {
		s.topics = newTopicCounts(s, tolerance)
	}
	if !b.IgnoreRacks {
		s.racks = newRacks(p, b.FollowerFetching)
	}
	if s.placeUnowned(tolerance) {
		s.even(tolerance, true) // what nobody owns is free to move
		s.evenTopics(tolerance, false)
	}
	// Without a tolerance partitions are counted, and leave their owner for even topics
	// too; with one, a plan within it stays.
	ownedToo := tolerance == 0
	// Each step of each of these lowers the first of these that it changes: what is
	// beyond ceilings; loads outside half the tolerance; what a topic's members have
	// above its even share; what moves, or is not in its rack. So that comes to an
	// end, from where a plan makes no step.
	s.heedCeilings()
	for round := range mostRounds {
		s.even(tolerance, false)
		changed := s.heedCeilings()
		changed = s.evenTopics(tolerance, ownedToo) || changed
		if round < roundsForRacks { // later ones bring next to nothing
			changed = s.findRacks(tolerance) || changed
		}
		if !changed {
			break
		}
	}
	for rank, m := range s.at {
		p.placed[s.lane[rank]][s.unit[rank]] = m
	}
}

// mostRounds is far beyond what it takes; it is there for the rounding of sums.
const mostRounds = 100

const roundsForRacks = 2

func newSpreading(p *problem) *spreading {
	n := len(p.ix.members)
	s := &spreading{
		p: p, same: sameEligible(p.kinds),
		capacity: make([]float64, n), held: make([][]int32, n), carried: make([]float64, n),
		loads: make([]float64, n), count: make([]int32, n), taking: make([]bool, n),
		allowed: make([][]bool, len(p.kinds)),
	}
	for m, member := range p.ix.members {
		s.capacity[m] = member.EffectiveCapacity()
	}
	scaleToOne([][]float64{s.capacity}, leastCapacity)
	for k := range p.kinds {
		eligible := p.kinds[k].eligible
		if k > 0 && sameList(p.kinds[k-1].eligible, eligible) {
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
	s.rank()
	s.share = s.fairShare()
	return s
}

// rank numbers the units by weight. Weights are brought to where no sum and no quotient
// of them is infinite or not a number. Where all are zero partitions are counted: a group
// that is idle, whose every lag is 0, say, is still spread.
func (s *spreading) rank() {
	p := s.p
	units := 0
	for i := range p.lanes {
		units += int(p.lanes[i].size)
	}
	heaviest := 1.0
	if p.weight != nil {
		heaviest = 0
		for _, weights := range p.weight {
			for _, w := range weights {
				heaviest = max(heaviest, w)
			}
		}
	}
	_, exponent := math.Frexp(heaviest)
	scale := math.Ldexp(1, -exponent)
	list := make([]weighed, 0, units)
	several := false
	for i := range p.lanes {
		several = several || len(p.lanes[i].topics) > 1
		for u := range p.placed[i] {
			w := 0.5
			switch {
			case heaviest == 0:
			case math.IsInf(scale, 1):
				w = math.Ldexp(p.unitWeight(i, u), -exponent)
			default:
				w = p.unitWeight(i, u) * scale
			}
			list = append(list, newWeighed(w, int32(len(list))))
		}
	}
	s.lane, s.unit = make([]int32, units), make([]int32, units)
	s.weight, s.home = make([]float64, units), make([]int32, units)
	rankOf := make([]int32, units) // number → rank; then the place is at's
	for rank, w := range sortByWeight(list) {
		rankOf[w.number] = int32(rank)
		s.weight[rank] = math.Float64frombits(^w.key)
	}
	number := 0
	for i := range p.lanes {
		for u, owner := range p.owner[i] {
			rank := rankOf[number]
			s.lane[rank], s.unit[rank], s.home[rank] = int32(i), int32(u), owner
			number++
		}
	}
	s.at = rankOf
	copy(s.at, s.home)
	if several {
		s.partitions = make([]int32, units)
		for rank := range s.partitions {
			s.partitions[rank] = p.unitPartitions(int(s.lane[rank]), int(s.unit[rank]))
		}
	}
	if p.ceilings != nil {
		s.most = make([]float64, len(s.capacity))
		for m, most := range p.ceilings.weight {
			if s.most[m] = math.Ldexp(most, -exponent); heaviest == 0 {
				s.most[m] = math.Inf(1) // nothing weighs anything
			}
		}
	}
}

// size is the number of partitions of a unit.
func (s *spreading) size(rank int32) int32 {
	if s.partitions == nil {
		return 1
	}
	return s.partitions[rank]
}

// mayHave tells whether the member may have the unit.
func (s *spreading) mayHave(rank, m int32) bool {
	return s.same || s.allowed[s.p.lanes[s.lane[rank]].kind(s.unit[rank])][m]
}

// fairShare is the load that all members would have if partitions could be divided
// at will, leaving out those so heavy that one alone is more than that, with the
// members that must carry them, and members whose ceiling is below it: the others should
// be even among themselves, and not seem to have too little however even they are.
func (s *spreading) fairShare() float64 {
	var capacities []float64
	capped := 0.0 // weight that goes to members below the share
	for m, c := range s.capacity {
		if s.taking[m] {
			capacities = append(capacities, c)
		}
	}
	if len(capacities) == 0 {
		return 0
	}
	slices.Sort(capacities)
	slices.Reverse(capacities)
	// From the end, so that no difference is ever taken: it would be all
	// rounding after a weight that dwarfs the others.
	restWeight, restCapacity := make([]float64, len(s.weight)+1), make([]float64, len(capacities)+1)
	for i, w := range slices.Backward(s.weight) {
		restWeight[i] = restWeight[i+1] + w
	}
	for i, c := range slices.Backward(capacities) {
		restCapacity[i] = restCapacity[i+1] + c
	}
	heavy := 0
	for heavy < min(len(s.weight), len(capacities)-1) && s.weight[heavy]/capacities[heavy] > restWeight[heavy]/restCapacity[heavy] {
		heavy++
	}
	share := restWeight[heavy] / restCapacity[heavy]
	if s.most == nil {
		return share
	}
	// Those who may not have the share leave the rest to the others, whose share
	// grows, so that more may not have it.
	out := make([]bool, len(s.capacity))
	rest := restCapacity[heavy]
	for again := true; again; {
		again = false
		for m, most := range s.most {
			if s.taking[m] && !out[m] && most < share*s.capacity[m] && rest-s.capacity[m] > rest*0x1p-20 {
				out[m], again = true, true
				capped += most
				rest -= s.capacity[m]
			}
		}
		share = max(share, (restWeight[heavy]-capped)/rest)
	}
	return share
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
	if exponent == 0 && least == 0 {
		return largest
	}
	for _, values := range lists {
		for i, v := range values {
			values[i] = max(math.Ldexp(v, -exponent), least)
		}
	}
	return largest
}

// load is the load of m if it carried weight more.
func (s *spreading) load(m int32, more float64) float64 { return (s.carried[m] + more) / s.capacity[m] }

// hold writes down who has which unit, by member, and adds up weights, always by rank:
// what a member carries is then the same number however the units came to it. Rounding
// that depended on the way could have two plans improve on each other for ever.
func (s *spreading) hold() {
	units := make([]int32, len(s.capacity))
	for _, m := range s.at {
		units[m]++
	}
	all := make([]int32, len(s.at)+8*len(s.capacity)) // with room for some that come
	for m, n := range units {
		s.held[m], all = all[:0:n+8], all[n+8:]
	}
	for rank, m := range s.at {
		s.held[m] = append(s.held[m], int32(rank))
	}
	for m := range s.held {
		s.weigh(int32(m))
	}
}

func (s *spreading) weigh(m int32) {
	weight, count := 0.0, int32(0)
	for _, rank := range s.held[m] {
		weight += s.weight[rank]
		count += s.size(rank)
	}
	s.carried[m], s.count[m] = weight, count
	s.loads[m] = weight / s.capacity[m]
}

// transfer gives a unit to another member.
func (s *spreading) transfer(rank, to int32) {
	from := s.at[rank]
	i, _ := slices.BinarySearch(s.held[from], rank)
	s.held[from] = slices.Delete(s.held[from], i, i+1)
	i, _ = slices.BinarySearch(s.held[to], rank)
	s.held[to] = slices.Insert(s.held[to], i, rank)
	s.at[rank] = to
	s.topics.move(s, rank, from, to)
	s.weigh(from)
	s.weigh(to)
}

// swap has the two units change places.
func (s *spreading) swap(a, b int32) {
	atA, atB := s.at[a], s.at[b]
	replace(s.held[atA], a, b)
	replace(s.held[atB], b, a)
	s.at[a], s.at[b] = atB, atA
	s.topics.move(s, a, atA, atB)
	s.topics.move(s, b, atB, atA)
	if s.weight[a] != s.weight[b] || s.partitions != nil {
		s.weigh(atA)
		s.weigh(atB)
	}
}

// replace puts one number in the place of another one into an ascending list.
func replace(list []int32, out, in int32) {
	i, _ := slices.BinarySearch(list, out)
	for ; i+1 < len(list) && list[i+1] < in; i++ {
		list[i] = list[i+1]
	}
	for ; i > 0 && list[i-1] > in; i-- {
		list[i] = list[i-1]
	}
	list[i] = in
}

// fits tells whether the member may have the unit besides what it has.
func (s *spreading) fits(rank, m int32) bool {
	return s.most == nil ||
		s.count[m]+s.size(rank) <= s.p.ceilings.partitions[m] && s.carried[m]+s.weight[rank] <= s.most[m]*(1+rounding)
}

// fitsFor tells whether the member may have the unit in place of another one: it then is
// below its ceilings, or no further above them.
func (s *spreading) fitsFor(in, out, m int32) bool {
	if s.most == nil {
		return true
	}
	count, weight := s.count[m]+s.size(in)-s.size(out), s.carried[m]+s.weight[in]-s.weight[out]
	return (count <= s.p.ceilings.partitions[m] || count <= s.count[m]) &&
		(weight <= s.most[m]*(1+rounding) || s.weight[in] <= s.weight[out])
}
