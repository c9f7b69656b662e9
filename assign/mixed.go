package assign

import "slices"

// evenMixed: kinds differ in who may have them. Kinds that the same members may have
// are one as far as only totals count, which keeps networks small where one member of
// many subscribes to something else.
func evenMixed(kinds []kind, members int, perKind bool, room []int32) {
	merged, of := mergeKinds(kinds)
	for _, t := range tiers(merged, members, room) {
		if !perKind {
			placeTier(merged, t, members, anyShare, room)
			continue
		}
		var parts tier
		inTier := make([]bool, len(merged))
		for _, k := range t.kinds {
			inTier[k] = true
		}
		for k := range kinds {
			if inTier[of[k]] {
				parts.kinds = append(parts.kinds, k)
			}
		}
		parts.members = t.members
		// Most often all fits in even shares, and the network that allows more is
		// twice as large.
		if !placeTier(kinds, parts, members, evenShares, room) {
			placeTier(kinds, parts, members, aboveShares, room)
		}
	}
	if !perKind {
		splitWant(kinds, merged, of)
	}
}

// mergeKinds returns one kind for all that the same members may have, and which of them
// each kind is part of.
func mergeKinds(kinds []kind) (merged []kind, of []int) {
	byFirst := make(map[[3]int32][]int) // a digest of the eligible members → merged kinds
	of = make([]int, len(kinds))
	for k := range kinds {
		e := kinds[k].eligible
		digest := [3]int32{int32(len(e)), e[0], e[len(e)-1]}
		at := slices.IndexFunc(byFirst[digest], func(i int) bool { return sameList(merged[i].eligible, e) })
		if at < 0 {
			at = len(byFirst[digest])
			byFirst[digest] = append(byFirst[digest], len(merged))
			merged = append(merged, kind{eligible: e, owned: make([]int32, len(e)), want: make([]int32, len(e))})
		}
		of[k] = byFirst[digest][at]
		m := &merged[of[k]]
		m.size += kinds[k].size
		for i, n := range kinds[k].owned {
			m.owned[i] += n
		}
	}
	return merged, of
}

// splitWant divides what members are to have of merged kinds: they keep what they own,
// the last kinds give way first, and what is free goes to the first that lack something.
func splitWant(kinds, merged []kind, of []int) {
	for k := range kinds {
		m := &merged[of[k]]
		for i, n := range kinds[k].owned {
			kinds[k].want[i] = min(n, m.want[i])
			m.want[i] -= kinds[k].want[i]
		}
	}
	for k := range kinds {
		m := &merged[of[k]]
		free := kinds[k].size
		for _, n := range kinds[k].want {
			free -= n
		}
		for i := 0; free > 0; i++ {
			taken := min(free, m.want[i])
			kinds[k].want[i] += taken
			m.want[i] -= taken
			free -= taken
		}
	}
}

// shares says how much of a kind one member may have.
type shares int

const (
	anyShare    shares = iota
	evenShares         // the even share of the kind, rounded up
	aboveShares        // more than that where it must be
)

// placeTier places the kinds of one tier on its members, each of which gets the tier's
// even share, rounded down or up, or what it has room for. It tells whether all was
// placed; only then it is written down.
func placeTier(kinds []kind, t tier, members int, allowed shares, room []int32) bool {
	const source, sink = 0, 1
	place := make([]int32, members) // member → its node, 0 when it is not of the tier
	for i, m := range t.members {
		place[m] = 2 + int32(len(t.kinds)) + int32(i)
	}
	arcs := len(t.members) + len(t.kinds)
	cellCount := 0
	for _, k := range t.kinds {
		for at := range kinds[k].eligible {
			cellCount++
			if arcs++; kinds[k].owned[at] > 0 {
				arcs++
			}
		}
		if allowed == aboveShares {
			arcs += 2 * len(kinds[k].eligible)
		}
	}
	nodes := int32(2 + len(t.kinds) + len(t.members))
	n := newNetwork(int(nodes), arcs)
	total := int32(0)
	type cell struct {
		arc, arcs int32 // the first arc, and how many there are
		kind, at  int32 // the kind, and the place in its eligible members
	}
	cells := make([]cell, 0, cellCount)
	for i, k := range t.kinds {
		kd := &kinds[k]
		total += kd.size
		node := 2 + int32(i)
		n.add(source, node, kd.size, 0)
		inTier := int32(0)
		for _, m := range kd.eligible {
			if place[m] != 0 {
				inTier++
			}
		}
		// What goes beyond the even share costs more than any moves on a way
		// through the network.
		share := kd.size
		if allowed != anyShare {
			share = (kd.size + inTier - 1) / inTier
		}
		for at, m := range kd.eligible {
			if place[m] == 0 {
				continue
			}
			c := cell{arc: int32(len(n.to)), kind: int32(k), at: int32(at)}
			arc := func(capacity, cost int32) {
				if capacity > 0 {
					n.add(node, place[m], capacity, cost)
					c.arcs++
				}
			}
			owned := min(kd.owned[at], kd.size)
			arc(min(owned, share), 0)
			arc(share-min(owned, share), 1)
			if allowed == aboveShares {
				over := max(owned-share, 0)
				arc(over, nodes)
				arc(kd.size-share-over, nodes+1)
			}
			cells = append(cells, c)
		}
	}
	x := newExits(n, t, place, total, room)
	sent := n.run(source, sink)
	if sent < x.each {
		return false // a member would fall short of the tier's share
	}
	x.widen(n)
	if sent += n.run(source, sink); sent < total {
		return false
	}
	for _, c := range cells {
		for a := range c.arcs {
			kinds[c.kind].want[c.at] += n.flow(c.arc + 2*a)
		}
	}
	return true
}
