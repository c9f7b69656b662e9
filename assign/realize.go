package assign

import "slices"

// planByCount places units that all weigh the same, on members of one capacity.
func (p *problem) planByCount(b *Balanced) {
	var room []int32
	if p.ceilings != nil {
		p.countOwned()
		p.ceilings.relax(p.kinds)
		room = p.ceilings.units
	}
	var r *racks
	if !b.IgnoreRacks {
		r = newRacks(p, b.FollowerFetching)
	}
	if b.IgnoreTopics && r == nil && sameEligible(p.kinds) {
		p.realizeTotals(room)
		return
	}
	p.countOwned()
	evenCounts(p.kinds, len(p.ix.members), !b.IgnoreTopics, room)
	p.realize(r)
}

// realizeTotals does for all units at once what evenTotals and realize do kind by kind,
// for which members × topics numbers would be needed.
func (p *problem) realizeTotals(room []int32) {
	used := slices.IndexFunc(p.kinds, func(k kind) bool { return k.size > 0 })
	if used < 0 {
		return
	}
	eligible := p.kinds[used].eligible
	total, count := int32(0), make([]int32, len(p.ix.members))
	for i := range p.lanes {
		total += p.lanes[i].size
		for _, m := range p.owner[i] {
			if m != unassigned {
				count[m]++
			}
		}
	}
	want := evenTotal(total, roomOf(eligible, count), roomOf(eligible, room))
	for at, m := range eligible {
		count[m] -= want[at]
	}
	// What a member has too much of goes from the end, and what is free then to the
	// first members that lack something.
	for i := len(p.lanes) - 1; i >= 0; i-- {
		for u := int(p.lanes[i].size) - 1; u >= 0; u-- {
			m := p.owner[i][u]
			switch {
			case m == unassigned:
			case count[m] > 0:
				count[m]--
			default:
				p.placed[i][u] = m
			}
		}
	}
	next := 0
	for i := range p.lanes {
		for u, m := range p.placed[i] {
			if m != unassigned {
				continue
			}
			for count[eligible[next]] == 0 {
				next++
			}
			p.placed[i][u] = eligible[next]
			count[eligible[next]]++
		}
	}
}

// realize places units as evenCounts wants it: members keep what they own up to the
// wanted number, and get what is free up to it. Where racks are known, it chooses which
// units these are so that as many as possible are local.
func (p *problem) realize(r *racks) {
	members := len(p.ix.members)
	rz := realizing{problem: p, racks: r, keep: make([]int32, members), lack: make([]int32, members)}
	for i := range p.lanes {
		l := &p.lanes[i]
		if l.kinds == nil {
			rz.place(i, l.same)
			continue
		}
		for _, k := range slices.Compact(slices.Sorted(slices.Values(l.kinds))) {
			rz.place(i, k)
		}
	}
}

type realizing struct {
	*problem
	racks *racks
	keep  []int32 // member → how many units it still keeps
	lack  []int32 // member → how many free units it still gets
	local localizing
}

// place places the units of kind k of lane i.
func (rz *realizing) place(i int, k int32) {
	kd := &rz.kinds[k]
	for at, m := range kd.eligible {
		rz.keep[m] = min(kd.owned[at], kd.want[at])
		rz.lack[m] = kd.want[at] - rz.keep[m]
	}
	if rz.racks != nil {
		rz.placeByRack(i, k)
		return
	}
	placed := rz.placed[i]
	for u, m := range rz.owner[i] {
		if m != unassigned && rz.keep[m] > 0 && rz.ours(i, u, k) {
			placed[u] = m
			rz.keep[m]--
		}
	}
	next := 0
	for u, m := range placed {
		if m != unassigned || !rz.ours(i, u, k) {
			continue
		}
		for rz.lack[kd.eligible[next]] == 0 {
			next++
		}
		placed[u] = kd.eligible[next]
		rz.lack[kd.eligible[next]]--
	}
}

func (rz *realizing) ours(i int, unit int, k int32) bool {
	kinds := rz.lanes[i].kinds
	return kinds == nil || kinds[unit] == k
}
