package assign

import "math"

// topicCounts knows how many units of each topic, and of each class of topics, every
// member has, and how many it is to have at most: its share by capacity, and beyond that
// what the tolerance allows, rounded up. All methods do nothing on a nil topicCounts.
type topicCounts struct {
	members int
	classOf []int32   // lane → class by number, after the lanes; or none
	counts  []int32   // lane or class × member
	share   []float64 // lane or class → units for each capacity of 1
	limit   []int32   // lane or class → the most for any member, where all have one capacity
}

// newTopicCounts returns nil where there is but one topic, which is as even as loads.
func newTopicCounts(s *spreading, tolerance float64) *topicCounts {
	p := s.p
	if len(p.lanes) < 2 {
		return nil
	}
	t := &topicCounts{members: len(p.ix.members), classOf: make([]int32, len(p.lanes))}
	capacityOf := func(k int32) (sum float64) {
		for _, m := range p.kinds[k].eligible {
			sum += s.capacity[m]
		}
		return sum
	}
	var lastKind, last = int32(none), 0.0
	number := make(map[string]int32)
	units, capacity := make([]float64, len(p.lanes)), make([]float64, len(p.lanes))
	for i := range p.lanes {
		l := &p.lanes[i]
		if lastKind == none || !sameList(p.kinds[lastKind].eligible, p.kinds[l.same].eligible) {
			lastKind, last = l.same, capacityOf(l.same)
		}
		units[i], capacity[i] = float64(l.size), last
		t.classOf[i] = none
		if class := p.kinds[l.same].class; class != "" && s.same {
			n, known := number[class]
			if !known {
				n = int32(len(units))
				number[class] = n
				units, capacity = append(units, 0), append(capacity, last)
			}
			t.classOf[i] = n
			units[n] += float64(l.size)
		}
	}
	one := p.oneCapacity()
	for i := range units {
		t.share = append(t.share, units[i]*(1+tolerance)/capacity[i])
		if one {
			t.limit = append(t.limit, t.most(t.share[i]*s.largestCapacity()))
		}
	}
	t.counts = make([]int32, len(units)*t.members)
	return t
}

func (s *spreading) largestCapacity() (largest float64) {
	for m, c := range s.capacity {
		if s.taking[m] {
			largest = max(largest, c)
		}
	}
	return largest
}

func (t *topicCounts) most(share float64) int32 {
	return int32(max(1, min(math.Ceil(share-1e-9), math.MaxInt32)))
}

// room tells how many more of the topic or class the member may have; below 0 where it
// has too many.
func (t *topicCounts) room(s *spreading, group, m int32) int32 {
	count := t.counts[int(group)*t.members+int(m)]
	if t.limit != nil {
		return t.limit[group] - count
	}
	return t.most(t.share[group]*s.capacity[m]) - count
}

// above tells of how many of the unit's topic and class the member has its share.
func (t *topicCounts) above(s *spreading, rank, m int32) (n int) {
	lane := s.lane[rank]
	if t.room(s, lane, m) <= 0 {
		n++
	}
	if class := t.classOf[lane]; class != none && t.room(s, class, m) <= 0 {
		n++
	}
	return n
}

// excess tells of how many of the unit's topic and class the member has too many, leaving
// out the topic and class of another unit that comes for it.
func (t *topicCounts) excess(s *spreading, rank, m, instead int32) (n int) {
	lane := s.lane[rank]
	if t.sharesNot(s, lane, instead) && t.room(s, lane, m) < 0 {
		n++
	}
	if class := t.classOf[lane]; class != none && t.sharesNot(s, class, instead) && t.room(s, class, m) < 0 {
		n++
	}
	return n
}

// full is above, leaving out the topic and class of another unit that goes for it.
func (t *topicCounts) full(s *spreading, rank, m, instead int32) (n int) {
	lane := s.lane[rank]
	if t.sharesNot(s, lane, instead) && t.room(s, lane, m) <= 0 {
		n++
	}
	if class := t.classOf[lane]; class != none && t.sharesNot(s, class, instead) && t.room(s, class, m) <= 0 {
		n++
	}
	return n
}

// sharesNot tells whether the other unit is not of the topic or class.
func (t *topicCounts) sharesNot(s *spreading, group, other int32) bool {
	return other == none || s.lane[other] != group && t.classOf[s.lane[other]] != group
}

func (t *topicCounts) clear() {
	if t != nil {
		clear(t.counts)
	}
}

func (t *topicCounts) add(s *spreading, rank, m int32) { t.change(s, rank, m, 1) }

func (t *topicCounts) move(s *spreading, rank, from, to int32) {
	t.change(s, rank, from, -1)
	t.change(s, rank, to, 1)
}

func (t *topicCounts) change(s *spreading, rank, m, by int32) {
	if t == nil {
		return
	}
	lane := s.lane[rank]
	t.counts[int(lane)*t.members+int(m)] += by
	if class := t.classOf[lane]; class != none {
		t.counts[int(class)*t.members+int(m)] += by
	}
}

// more tells by how much the number of units above an even share grows when a unit, and
// for it another one, or none, change places.
func (t *topicCounts) more(s *spreading, give, to, back int32) int {
	if t == nil {
		return 0
	}
	from := s.at[give]
	n := t.full(s, give, to, back) - t.excess(s, give, from, back)
	if back != none {
		n += t.full(s, back, from, give) - t.excess(s, back, to, give)
	}
	return n
}
