package assign

import "slices"

// realize places units as evenCounts wants it: members keep what they own up to the
// wanted number, and get what is free up to it. Where racks are known, units that are
// local to a member are the last that it gives up and the first that it gets.
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
	racks  *racks
	keep   []int32   // member → how many units it still keeps
	lack   []int32   // member → how many free units it still gets
	byRack [][]int32 // rack → members that may lack something, from the first one on
}

// place places the units of kind k of lane i.
func (rz *realizing) place(i int, k int32) {
	kd := &rz.kinds[k]
	for at, m := range kd.eligible {
		rz.keep[m] = min(kd.owned[at], kd.want[at])
		rz.lack[m] = kd.want[at] - rz.keep[m]
	}
	if rz.racks != nil {
		rz.keepUnits(i, k, true)
	}
	rz.keepUnits(i, k, false)
	if rz.racks != nil {
		rz.giveLocalUnits(i, k)
	}
	rz.giveUnits(i, k)
}

func (rz *realizing) ours(i int, unit int, k int32) bool {
	kinds := rz.lanes[i].kinds
	return kinds == nil || kinds[unit] == k
}

func (rz *realizing) keepUnits(i int, k int32, localOnly bool) {
	placed := rz.placed[i]
	for u, m := range rz.owner[i] {
		if m == unassigned || placed[u] != unassigned || rz.keep[m] == 0 || !rz.ours(i, u, k) {
			continue
		}
		if localOnly && !rz.racks.local(i, u, m) {
			continue
		}
		placed[u] = m
		rz.keep[m]--
	}
}

// giveLocalUnits gives free units to members in whose rack they are.
func (rz *realizing) giveLocalUnits(i int, k int32) {
	for n := range rz.byRack {
		rz.byRack[n] = rz.byRack[n][:0]
	}
	for _, m := range rz.kinds[k].eligible {
		if n := rz.racks.ofMember[m]; n != unassigned && rz.lack[m] > 0 {
			for int(n) >= len(rz.byRack) {
				rz.byRack = append(rz.byRack, nil)
			}
			rz.byRack[n] = append(rz.byRack[n], m)
		}
	}
	for u, m := range rz.placed[i] {
		if m != unassigned || !rz.ours(i, u, k) {
			continue
		}
		for _, n := range rz.racks.near[i][u] {
			if int(n) >= len(rz.byRack) || len(rz.byRack[n]) == 0 {
				continue
			}
			to := rz.byRack[n][0]
			rz.placed[i][u] = to
			if rz.lack[to]--; rz.lack[to] == 0 {
				rz.byRack[n] = rz.byRack[n][1:]
			}
			break
		}
	}
}

func (rz *realizing) giveUnits(i int, k int32) {
	eligible := rz.kinds[k].eligible
	next := 0
	for u, m := range rz.placed[i] {
		if m != unassigned || !rz.ours(i, u, k) {
			continue
		}
		for rz.lack[eligible[next]] == 0 {
			next++
		}
		rz.placed[i][u] = eligible[next]
		rz.lack[eligible[next]]--
	}
}
