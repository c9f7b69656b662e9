package assign

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// ceilings are the most that members may have, MaxPartitions and MaxWeight.
type ceilings struct {
	partitions []int32   // member → partitions
	weight     []float64 // member → weight, at the scale of problem.weight
	units      []int32   // member → units, where all are alike; see countUnits
}

const noCeiling = math.MaxInt32

// newCeilings returns nil where no member has a ceiling.
func newCeilings(p *problem) *ceilings {
	if !slices.ContainsFunc(p.ix.members, func(m *Member) bool { return m.MaxPartitions > 0 || m.MaxWeight > 0 }) {
		return nil
	}
	c := &ceilings{partitions: make([]int32, len(p.ix.members)), weight: make([]float64, len(p.ix.members))}
	for m, member := range p.ix.members {
		c.partitions[m], c.weight[m] = noCeiling, math.Inf(1)
		if member.MaxPartitions > 0 {
			c.partitions[m] = member.MaxPartitions
		}
		if member.MaxWeight > 0 {
			c.weight[m] = math.Ldexp(member.MaxWeight, p.scaled)
		}
	}
	return c
}

// countUnits turns the ceilings into numbers of units, for units that weigh the same. It
// fails where they have different numbers of partitions.
func (c *ceilings) countUnits(p *problem) bool {
	size, weight := int32(0), 1.0
	for i := range p.lanes {
		for u := range p.placed[i] {
			n := p.unitPartitions(i, u)
			if size == 0 {
				size, weight = n, p.unitWeight(i, u)
			}
			if n != size {
				return false
			}
			if len(p.lanes[i].topics) == 1 {
				break // nor do the others
			}
		}
	}
	size = max(size, 1)
	c.units = make([]int32, len(c.partitions))
	for m := range c.units {
		c.units[m] = noCeiling
		if c.partitions[m] != noCeiling {
			c.units[m] = c.partitions[m] / size
		}
		if most := math.Floor(c.weight[m] / weight * (1 + rounding)); most < float64(c.units[m]) {
			c.units[m] = int32(most)
		}
	}
	return true
}

// rounding is the part of a sum that adding it up in another order can change.
const rounding = 1e-12

// fits tells whether the member may have that much, in all.
func (c *ceilings) fits(member int, partitions int32, weight float64) bool {
	return c == nil || partitions <= c.partitions[member] && weight <= c.weight[member]*(1+rounding)
}

// relax raises ceilings, in units, where the kinds do not fit below them: by as little as
// possible in all, and by about as much for each of the members that are short of room.
// Who owns what has no say in that, unless it is such a plan already.
func (c *ceilings) relax(kinds []kind) {
	merged, _ := mergeKinds(kinds)
	base := slices.Clone(c.units)
	if short := c.short(merged); short == nil {
		return
	}
	for {
		short := c.short(merged)
		if short == nil {
			break
		}
		more := short.deficit
		for place, m := range short.members {
			share := more / int32(len(short.members)-place)
			if share*int32(len(short.members)-place) < more {
				share++
			}
			c.units[m] += share
			more -= share
		}
		c.takeBack(merged, base)
	}
	asOwned := &ceilings{units: slices.Clone(base)}
	for m, n := range ownedOf(kinds, len(base)) {
		asOwned.units[m] = max(base[m], n)
	}
	if asOwned.raise(base) == c.raise(base) && asOwned.short(merged) == nil {
		c.units = asOwned.units
	}
}

// raise measures how far ceilings were raised: by how much in all, and how evenly.
func (c *ceilings) raise(base []int32) (raised [2]int64) {
	for m, n := range c.units {
		more := int64(n) - int64(base[m])
		raised[0] += more
		raised[1] += more * more
	}
	return raised
}

// ownedOf returns how many units each member owns.
func ownedOf(kinds []kind, members int) []int32 {
	owned := make([]int32, members)
	for k := range kinds {
		for at, n := range kinds[k].owned {
			owned[kinds[k].eligible[at]] += n
		}
	}
	return owned
}

// shortage is a set of members that have no room for what only they may have.
type shortage struct {
	members []int32
	deficit int32
}

// short returns a shortage, or nil where all fits.
func (c *ceilings) short(kinds []kind) *shortage {
	n, _ := c.fill(kinds, c.units)
	s := &shortage{}
	for k := range kinds {
		s.deficit += kinds[k].size
	}
	if s.deficit -= n.run(0, 1); s.deficit == 0 {
		return nil
	}
	for m, in := range n.reachable(0)[2+len(kinds):] {
		if in {
			s.members = append(s.members, int32(m))
		}
	}
	return s
}

// takeBack lowers raised ceilings again by what is not needed.
func (c *ceilings) takeBack(kinds []kind, base []int32) {
	n, raised := c.fill(kinds, base)
	n.run(0, 1)
	for m, arc := range raised {
		if arc != none {
			c.units[m] = base[m] + n.flow(arc)
		}
	}
}

// fill returns a network of kinds and members, the nodes after 0, the source, and 1, the
// sink, and the arcs for what goes beyond the base, or none. That costs 1 a unit.
func (c *ceilings) fill(kinds []kind, base []int32) (n *network, raised []int32) {
	const source, sink = 0, 1
	arcs := len(kinds) + 2*len(c.units)
	for k := range kinds {
		arcs += len(kinds[k].eligible)
	}
	n = newNetwork(2+len(kinds)+len(c.units), arcs)
	for k := range kinds {
		n.add(source, 2+int32(k), kinds[k].size, 0)
		for _, m := range kinds[k].eligible {
			n.add(2+int32(k), 2+int32(len(kinds))+m, kinds[k].size+1, 0) // never the bottleneck
		}
	}
	raised = make([]int32, len(c.units))
	for m, room := range c.units {
		node := 2 + int32(len(kinds)) + int32(m)
		n.add(node, sink, base[m], 0)
		if raised[m] = none; room > base[m] {
			raised[m] = n.add(node, sink, room-base[m], 1)
		}
	}
	return n, raised
}

// reportCeilings lists the partitions that members have beyond their ceilings: the
// lightest ones, as few as possible.
func (p *problem) reportCeilings() {
	c := p.ceilings
	if c == nil {
		return
	}
	type held struct {
		lane, unit int
		partitions int32
		weight     float64
	}
	has := make([][]held, len(p.ix.members))
	for i := range p.lanes {
		for u, m := range p.placed[i] {
			has[m] = append(has[m], held{i, u, p.unitPartitions(i, u), p.unitWeight(i, u)})
		}
	}
	report := func(h held, constraint Constraint, reason string) {
		for _, t := range p.lanes[h.lane].topics {
			if int32(h.unit) < p.ix.topics[t].Partitions {
				p.giveUp(t, int32(h.unit), constraint, reason)
			}
		}
	}
	for m, list := range has {
		member := p.ix.members[m]
		slices.Reverse(list) // of equal ones the last
		slices.SortStableFunc(list, func(l, r held) int { return cmp.Compare(l.weight, r.weight) })
		partitions, weight := int32(0), 0.0
		for _, h := range list {
			partitions += h.partitions
			weight += h.weight
		}
		at := 0
		for ; partitions > c.partitions[m]; at++ {
			partitions -= list[at].partitions
			weight -= list[at].weight
			report(list[at], ConstraintMaxPartitions, fmt.Sprintf("no member that may have it has room below its ceiling; %s may have %s", member.ID, counted(int(member.MaxPartitions), "partition")))
		}
		list = list[at:]
		for !c.fits(m, 0, weight) && len(list) > 0 {
			excess := weight - c.weight[m]
			at, _ := slices.BinarySearchFunc(list, excess, func(h held, w float64) int { return cmp.Compare(h.weight, w) })
			at = min(at, len(list)-1)
			weight -= list[at].weight
			report(list[at], ConstraintMaxWeight, fmt.Sprintf("no member that may have it has room below its ceiling; %s may have a weight of %v", member.ID, member.MaxWeight))
			list = slices.Delete(list, at, at+1)
		}
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
