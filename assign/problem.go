package assign

import (
	"cmp"
	"fmt"
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
	weight [][]float64 // lane → unit
	owner  [][]int32   // lane → unit → member that owns it and may keep it, or unassigned
	placed [][]int32   // lane → unit → member, the result
	unmet  []Unmet
}

// newProblem applies the constraints of b to the group. What cannot be met is given up
// in this order, and listed in unmet: partitions of topics without a common subscriber
// do not stay together; a pin to nobody who subscribes does not hold; a draining member
// is given what nobody else subscribes to.
func newProblem(g Group, b *Balanced) *problem {
	p := &problem{ix: newIndex(g)}
	p.makeLanes(b.CoPartition)
	p.makeKinds(b)
	p.settleOwners()
	return p
}

// makeLanes puts topics of one co-partitioned group into one lane.
func (p *problem) makeLanes(groups [][]string) {
	ix := p.ix
	laneOf := make([]int, len(ix.topics)) // topic → lane + 1
	for _, names := range groups {
		var topics []int
		for _, name := range names {
			if t, known := ix.topicNumber[name]; known && laneOf[t] == 0 && !slices.Contains(topics, t) {
				topics = append(topics, t)
			}
		}
		slices.Sort(topics)
		if len(topics) < 2 {
			continue
		}
		common := ix.subscribers[topics[0]]
		for _, t := range topics[1:] {
			common = intersect(common, ix.subscribers[t])
		}
		if len(common) == 0 {
			for _, t := range topics {
				p.giveUp(t, -1, ConstraintCoPartition, fmt.Sprintf("no member subscribes to all of %v", names))
			}
			continue
		}
		l := lane{topics: topics}
		for _, t := range topics {
			l.size = max(l.size, ix.topics[t].Partitions)
		}
		p.lanes = append(p.lanes, l)
		for _, t := range topics {
			laneOf[t] = len(p.lanes)
		}
	}
	for t, topic := range ix.topics {
		if laneOf[t] == 0 {
			p.lanes = append(p.lanes, lane{topics: []int{t}, size: topic.Partitions})
		}
	}
	slices.SortFunc(p.lanes, func(l, r lane) int { return cmp.Compare(l.topics[0], r.topics[0]) })
}

// intersect returns what is in both ascending lists.
func intersect(a, b []int32) []int32 {
	var both []int32
	for _, m := range a {
		if _, found := slices.BinarySearch(b, m); found {
			both = append(both, m)
		}
	}
	return both
}

// makeKinds finds who may have each unit.
func (p *problem) makeKinds(b *Balanced) {
	ix := p.ix
	anyDraining := false
	for _, m := range ix.members {
		anyDraining = anyDraining || m.Draining
	}
	p.weight = make([][]float64, len(p.lanes))
	for i := range p.lanes {
		l := &p.lanes[i]
		eligible := ix.subscribers[l.topics[0]]
		for _, t := range l.topics[1:] {
			eligible = intersect(eligible, ix.subscribers[t])
		}
		if anyDraining {
			staying := make([]int32, 0, len(eligible))
			for _, m := range eligible {
				if !ix.members[m].Draining {
					staying = append(staying, m)
				}
			}
			if len(staying) > 0 {
				eligible = staying
			} else {
				for _, t := range l.topics {
					p.giveUp(t, -1, ConstraintDraining, "every member that subscribes to it is draining")
				}
			}
		}
		l.same = p.newKind(l, eligible)
		p.pin(l, eligible, b.Pins)
		p.weight[i] = p.weigh(l)
	}
}

func (p *problem) newKind(l *lane, eligible []int32) int32 {
	if last := len(p.kinds) - 1; last >= 0 && sameMembers(p.kinds[last].eligible, eligible) {
		eligible = p.kinds[last].eligible
	}
	class := p.ix.topics[l.topics[0]].Class
	p.kinds = append(p.kinds, kind{class: class, eligible: eligible, owned: make([]int32, len(eligible))})
	return int32(len(p.kinds) - 1)
}

// pin gives the units that pins name kinds of their own.
func (p *problem) pin(l *lane, eligible []int32, pins []Pin) {
	for _, pin := range pins {
		t, known := p.ix.topicNumber[pin.Topic]
		if !known || !slices.Contains(l.topics, t) {
			continue
		}
		units := pin.Partitions
		if units == nil {
			for u := range l.size {
				units = append(units, u)
			}
		}
		var named []int32
		for _, m := range eligible {
			if pin.names(p.ix.members[m]) {
				named = append(named, m)
			}
		}
		pinned := int32(-1)
		for _, u := range units {
			switch {
			case u < 0 || u >= p.ix.topics[t].Partitions:
				continue
			case len(named) == 0:
				p.giveUp(t, u, ConstraintPin, fmt.Sprintf("no member that may have it is %s", pin))
				continue
			case l.kinds != nil && l.kinds[u] != l.same:
				p.giveUp(t, u, ConstraintPin, fmt.Sprintf("an earlier pin holds, not the one to %s", pin))
				continue
			}
			if pinned < 0 {
				pinned = p.newKind(l, named)
			}
			if l.kinds == nil {
				l.kinds = make([]int32, l.size)
				for i := range l.kinds {
					l.kinds[i] = l.same
				}
			}
			l.kinds[u] = pinned
		}
	}
}

// weigh adds up the weights of each unit's partitions.
func (p *problem) weigh(l *lane) []float64 {
	if len(l.topics) == 1 {
		return p.ix.topics[l.topics[0]].EffectiveWeights()
	}
	weights := make([]float64, l.size)
	for _, t := range l.topics {
		for u, w := range p.ix.topics[t].EffectiveWeights() {
			weights[u] += w
		}
	}
	return weights
}

// settleOwners finds who owns each unit, counts it for the kinds, and takes from those
// who may not keep what they own. Of the owners of one unit's partitions the one with
// the most keeps it, the first of equals.
func (p *problem) settleOwners() {
	owned := p.ix.owned()
	p.owner, p.placed = make([][]int32, len(p.lanes)), make([][]int32, len(p.lanes))
	place := make([]int32, len(p.ix.members)) // member → place in eligible + 1
	var placed []int32                        // the eligible that place is of
	for i := range p.lanes {
		l := &p.lanes[i]
		owner := owned[l.topics[0]]
		if len(l.topics) > 1 {
			owner = p.mostOwned(l, owned)
		}
		for u := range owner {
			kd := &p.kinds[l.kind(int32(u))]
			kd.size++
			if !sameMembers(placed, kd.eligible) || placed == nil {
				for _, m := range placed {
					place[m] = 0
				}
				for at, m := range kd.eligible {
					place[m] = int32(at) + 1
				}
				placed = kd.eligible
			}
			if m := owner[u]; m != unassigned {
				if at := place[m]; at > 0 {
					kd.owned[at-1]++
				} else {
					owner[u] = unassigned
				}
			}
		}
		p.owner[i] = owner
		p.placed[i] = make([]int32, l.size)
		for u := range p.placed[i] {
			p.placed[i][u] = unassigned
		}
	}
}

func (p *problem) mostOwned(l *lane, owned table) []int32 {
	owner := make([]int32, l.size)
	for u := range owner {
		owner[u] = unassigned
		most := 0
		for _, t := range l.topics {
			if u >= len(owned[t]) || owned[t][u] == unassigned {
				continue
			}
			n := 0
			for _, other := range l.topics {
				if u < len(owned[other]) && owned[other][u] == owned[t][u] {
					n++
				}
			}
			if n > most {
				owner[u], most = owned[t][u], n
			}
		}
	}
	return owner
}

// kind returns the kind of a unit.
func (l *lane) kind(unit int32) int32 {
	if l.kinds == nil {
		return l.same
	}
	return l.kinds[unit]
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
	capacity := -1.0
	seen := make([]bool, len(p.ix.members))
	var last []int32
	for k := range p.kinds {
		if p.kinds[k].size == 0 || last != nil && sameMembers(last, p.kinds[k].eligible) {
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
	tb := make(table, len(p.ix.topics))
	for i := range p.lanes {
		for _, t := range p.lanes[i].topics {
			tb[t] = p.placed[i][:p.ix.topics[t].Partitions]
		}
	}
	plan := p.ix.plan(tb)
	plan.Unmet = sortUnmet(p.unmet)
	return plan
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
