package assign

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// lane is what Balanced places as one: the partitions of one number of topics that
// are to stay together, or of one topic alone. A unit is one such number.
type lane struct {
	topics []int // by number in index, ascending
	size   int32 // units
	kinds  []int32
	same   int32 // the kind of all units, where kinds is nil
}

// problem is a group made ready for Balanced: lanes of units, kinds that say who may
// have them, and who owns them.
type problem struct {
	ix     *index
	lanes  []lane
	kinds  []kind
	weight [][]float64 // lane → unit; nil where every unit weighs 1
	scaled int         // the power of two that weights were multiplied with
	alike  bool        // all partitions weigh the same
	owner  [][]int32   // lane → unit → member that owns it and may keep it, or unassigned
	placed [][]int32   // lane → unit → member, the result
	unmet  []Unmet

	claimed  bool // somebody owns something
	ceilings *ceilings
}

// newProblem applies the constraints of b to the group. What cannot be met is given up
// in this order, and listed in unmet: a topic whose subscribers are all draining goes to
// them; topics without a common subscriber that stays are not kept together; a pin that
// no member satisfies, or none that satisfies the pins before it, does not hold; what all
// members that may have it refuse, one of them gets. What then fits nowhere goes beyond a
// ceiling, which is found out later.
func newProblem(g Group, b *Balanced) *problem {
	ix := newIndex(g)
	return newProblemOf(ix, ix.owned(), b)
}

// newProblemOf takes who owns what, which is the problem's from then on.
func newProblemOf(ix *index, owned table, b *Balanced) *problem {
	p := &problem{ix: ix}
	staying := p.staying()
	p.makeLanes(b.CoPartition, staying)
	p.makeKinds(b.Pins, staying)
	p.weigh()
	p.settleOwners(owned)
	return p
}

// staying lists the subscribers of each topic that are not draining, or all of them
// where all are.
func (p *problem) staying() [][]int32 {
	ix := p.ix
	if !slices.ContainsFunc(ix.members, func(m *Member) bool { return m.Draining }) {
		return ix.subscribers
	}
	lists := make([][]int32, len(ix.topics))
	for t, subscribers := range ix.subscribers {
		for _, m := range subscribers {
			if !ix.members[m].Draining {
				lists[t] = append(lists[t], m)
			}
		}
		if lists[t] == nil {
			lists[t] = subscribers
			p.giveUp(t, -1, ConstraintDraining, "every member that subscribes to it is draining")
		}
	}
	return lists
}

// makeLanes puts co-partitioned topics into one lane. Groups that share a topic are one.
func (p *problem) makeLanes(groups [][]string, staying [][]int32) {
	ix := p.ix
	for _, topics := range p.merged(groups) {
		common := staying[topics[0]]
		l := lane{topics: topics}
		for i, t := range topics {
			if i > 0 {
				common = intersect(common, staying[t])
			}
			l.size = max(l.size, ix.topics[t].Partitions)
		}
		if len(topics) > 1 && len(common) == 0 {
			names := make([]string, len(topics))
			for i, t := range topics {
				names[i] = ix.topics[t].Name
			}
			for _, t := range topics {
				p.giveUp(t, -1, ConstraintCoPartition, fmt.Sprintf("no member that stays subscribes to all of %v", names))
				p.lanes = append(p.lanes, lane{topics: []int{t}, size: ix.topics[t].Partitions})
			}
			continue
		}
		p.lanes = append(p.lanes, l)
	}
	slices.SortFunc(p.lanes, func(l, r lane) int { return cmp.Compare(l.topics[0], r.topics[0]) })
}

// merged returns all topics, those together that are to stay together.
func (p *problem) merged(groups [][]string) [][]int {
	lead := make([]int, len(p.ix.topics)) // topic → one of those that it is to stay with
	for t := range lead {
		lead[t] = t
	}
	find := func(t int) int {
		for lead[t] != t {
			t = lead[t]
		}
		return t
	}
	for _, names := range groups {
		first := -1
		for _, name := range names {
			t, known := p.ix.topicNumber[name]
			switch {
			case !known:
			case first < 0:
				first = find(t)
			default:
				a, b := find(t), find(first)
				lead[max(a, b)] = min(a, b)
			}
		}
	}
	together := make([][]int, len(lead))
	for t := range lead {
		together[find(t)] = append(together[find(t)], t)
	}
	return slices.DeleteFunc(together, func(topics []int) bool { return topics == nil })
}

// intersect returns what is in both ascending lists.
func intersect(a, b []int32) []int32 {
	if sameList(a, b) {
		return a
	}
	var both []int32
	for _, m := range a {
		if _, found := slices.BinarySearch(b, m); found {
			both = append(both, m)
		}
	}
	return both
}

// makeKinds finds who may have each unit.
func (p *problem) makeKinds(pins []Pin, staying [][]int32) {
	byTopic := make(map[string][]Pin)
	for _, pin := range pins {
		byTopic[pin.Topic] = append(byTopic[pin.Topic], pin)
	}
	for i := range p.lanes {
		l := &p.lanes[i]
		eligible := staying[l.topics[0]]
		for _, t := range l.topics[1:] {
			eligible = intersect(eligible, staying[t])
		}
		l.same = p.newKind(l, eligible)
		for _, t := range l.topics {
			for _, pin := range byTopic[p.ix.topics[t].Name] {
				p.pin(l, t, pin)
			}
		}
	}
	p.refuse()
}

func (p *problem) newKind(l *lane, eligible []int32) int32 {
	if last := len(p.kinds) - 1; last >= 0 && sameList(p.kinds[last].eligible, eligible) {
		eligible = p.kinds[last].eligible
	}
	class := p.ix.topics[l.topics[0]].Class
	p.kinds = append(p.kinds, kind{class: class, eligible: eligible})
	return int32(len(p.kinds) - 1)
}

// pin narrows who may have the units of l that hold the pinned partitions of topic t.
func (p *problem) pin(l *lane, t int, pin Pin) {
	units := slices.Compact(slices.Sorted(slices.Values(pin.Partitions)))
	if pin.Partitions == nil {
		for u := range p.ix.topics[t].Partitions {
			units = append(units, u)
		}
	}
	narrowed := make(map[int32]int32) // kind → kind of those that the pin names too, or unassigned
	for _, u := range units {
		if u < 0 || u >= p.ix.topics[t].Partitions {
			continue
		}
		before := l.kind(u)
		after, known := narrowed[before]
		if !known {
			after = p.narrow(l, before, func(m int32) bool { return pin.names(p.ix.members[m]) })
			narrowed[before] = after
		}
		switch {
		case after == before:
		case after != unassigned:
			l.setKind(u, after)
		case before == l.same:
			p.giveUp(t, u, ConstraintPin, fmt.Sprintf("no member that may have it is %s", pin))
		default:
			p.giveUp(t, u, ConstraintPin, fmt.Sprintf("no member that earlier pins name is %s", pin))
		}
	}
}

// narrow returns the kind of those of a kind that may have the unit, or unassigned where
// there are none.
func (p *problem) narrow(l *lane, k int32, may func(m int32) bool) int32 {
	eligible := p.kinds[k].eligible
	var narrowed []int32
	for _, m := range eligible {
		if may(m) {
			narrowed = append(narrowed, m)
		}
	}
	switch len(narrowed) {
	case 0:
		return unassigned
	case len(eligible):
		return k
	}
	return p.newKind(l, narrowed)
}

// weigh adds up the weights of each unit's partitions. Where nothing is known of weights
// and no topics are kept together, all units weigh 1 and no list is made.
func (p *problem) weigh() {
	p.alike = true
	together := len(p.lanes) < len(p.ix.topics)
	if !together && !slices.ContainsFunc(p.ix.topics, func(t *Topic) bool { return len(t.Weights) > 0 }) {
		return
	}
	weights := make([][]float64, len(p.ix.topics))
	largest, first := 0.0, -1.0
	for t, topic := range p.ix.topics {
		weights[t] = topic.EffectiveWeights()
		for _, w := range weights[t] {
			if first < 0 {
				first = w
			}
			p.alike = p.alike && w == first
			largest = max(largest, w)
		}
	}
	if largest > 0x1p900 { // no sum may become infinite
		p.scaled = -200
		for _, list := range weights {
			for i := range list {
				list[i] = math.Ldexp(list[i], p.scaled)
			}
		}
	}
	p.weight = make([][]float64, len(p.lanes))
	for i := range p.lanes {
		l := &p.lanes[i]
		p.weight[i] = weights[l.topics[0]]
		if len(l.topics) > 1 {
			p.weight[i] = make([]float64, l.size)
			for _, t := range l.topics {
				for u, w := range weights[t] {
					p.weight[i][u] += w
				}
			}
		}
	}
}

// unitWeight returns the weight of a unit.
func (p *problem) unitWeight(lane, unit int) float64 {
	if p.weight == nil {
		return 1
	}
	return p.weight[lane][unit]
}

// unitPartitions returns how many partitions a unit has.
func (p *problem) unitPartitions(lane, unit int) (n int32) {
	l := &p.lanes[lane]
	if len(l.topics) == 1 {
		return 1
	}
	for _, t := range l.topics {
		if int32(unit) < p.ix.topics[t].Partitions {
			n++
		}
	}
	return n
}

// kind returns the kind of a unit.
func (l *lane) kind(unit int32) int32 {
	if l.kinds == nil {
		return l.same
	}
	return l.kinds[unit]
}

// setKind changes the kind of one unit.
func (l *lane) setKind(unit, kind int32) {
	if l.kinds == nil {
		l.kinds = slices.Repeat([]int32{l.same}, int(l.size))
	}
	l.kinds[unit] = kind
}

// uniform tells whether all units weigh the same and all members that may get any have
// the same capacity, so that only counts matter.
func (p *problem) uniform() bool {
	first := -1.0
	for _, weights := range p.weight {
		for _, w := range weights {
			if first < 0 {
				first = w
			}
			if w != first {
				return false
			}
		}
	}
	if p.ceilings != nil && !p.ceilings.countUnits(p) {
		return false
	}
	return p.oneCapacity()
}

// oneCapacity tells whether all members that may have any unit have the same capacity.
func (p *problem) oneCapacity() bool {
	capacity := -1.0
	seen := make([]bool, len(p.ix.members))
	var last []int32
	for k := range p.kinds {
		if p.kinds[k].size == 0 || last != nil && sameList(last, p.kinds[k].eligible) {
			continue
		}
		last = p.kinds[k].eligible
		for _, m := range last {
			if seen[m] {
				continue
			}
			seen[m] = true
			c := p.ix.members[m].EffectiveCapacity()
			if capacity < 0 {
				capacity = c
			}
			if c != capacity {
				return false
			}
		}
	}
	return true
}

// plan turns the placed units into a Plan.
func (p *problem) plan() Plan {
	plan := p.ix.plan(p.table())
	p.reportCeilings()
	plan.Unmet = sortUnmet(p.unmet)
	return plan
}

// table returns the placed units as partitions.
func (p *problem) table() table {
	tb := make(table, len(p.ix.topics))
	for i := range p.lanes {
		for _, t := range p.lanes[i].topics {
			tb[t] = p.placed[i][:p.ix.topics[t].Partitions]
		}
	}
	return tb
}

func (p *problem) giveUp(topic int, partition int32, constraint Constraint, reason string) {
	t := p.ix.topics[topic]
	if partition >= 0 {
		p.unmet = append(p.unmet, Unmet{t.Name, partition, constraint, reason})
		return
	}
	for n := range t.Partitions {
		p.unmet = append(p.unmet, Unmet{t.Name, n, constraint, reason})
	}
}
