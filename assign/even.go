package assign

import (
	"cmp"
	"slices"
)

// kind is a set of partitions that are alike for planning: they weigh the same and
// the same members may have them. Only who owns how many of them differs.
type kind struct {
	size     int32
	class    string  // kinds of one class are spread evenly together; empty for none
	eligible []int32 // members, ascending
	owned    []int32 // by place in eligible: how many the member owns
	want     []int32 // by place in eligible: how many it is to have, the result
}

// evenCounts decides how many partitions of each kind each member is to have, when
// all weigh the same and all members have the same capacity. In this order:
//
//  1. counts are as even as eligibility allows: the largest is as small as it can
//     be, then the next, and so on down;
//  2. with perKind, each kind is spread evenly, and each class;
//  3. as many partitions as possible stay where they are.
//
// All three are exact where every kind has the same eligible members. Elsewhere 1
// and 3 are, and 2 keeps as few partitions as possible above an even share.
func evenCounts(kinds []kind, members int, perKind bool) {
	var used []kind
	for k := range kinds {
		kinds[k].want = make([]int32, len(kinds[k].eligible))
		if kinds[k].size > 0 {
			used = append(used, kinds[k]) // shares want
		}
	}
	kinds = used
	switch {
	case !sameEligible(kinds):
		evenMixed(kinds, members, perKind)
	case perKind:
		evenPerKind(kinds)
	default:
		evenTotals(kinds)
	}
}

// sameEligible tells whether the same members may have all partitions.
func sameEligible(kinds []kind) bool {
	var first []int32
	for k := range kinds {
		if kinds[k].size == 0 {
			continue
		}
		if first == nil {
			first = kinds[k].eligible
		}
		if !sameMembers(kinds[k].eligible, first) {
			return false
		}
	}
	return true
}

// sameMembers is slices.Equal, which most often sees one list twice.
func sameMembers(a, b []int32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// evenTotals: every member may have every partition, and only its total counts. The
// members that own the most get the totals that are larger by one.
func evenTotals(kinds []kind) {
	if len(kinds) == 0 {
		return
	}
	members := len(kinds[0].eligible)
	total, owned := int32(0), make([]int32, members)
	for k := range kinds {
		total += kinds[k].size
		for i, n := range kinds[k].owned {
			owned[i] += n
		}
	}
	each, larger := total/int32(members), int(total)%members
	byOwned := make([]int, members)
	for i := range byOwned {
		byOwned[i] = i
	}
	slices.SortStableFunc(byOwned, func(l, r int) int { return cmp.Compare(owned[r], owned[l]) })
	lacking := make([]int32, members)
	for place, i := range byOwned {
		lacking[i] = each - owned[i]
		if place < larger {
			lacking[i]++
		}
	}
	// What a member has too much of goes from the last kinds, and what is free
	// then to the first members that lack something.
	free := make([]int32, len(kinds))
	for k := len(kinds) - 1; k >= 0; k-- {
		free[k] = kinds[k].size
		for i, n := range kinds[k].owned {
			given := min(n, max(0, -lacking[i]))
			lacking[i] += given
			kinds[k].want[i] = n - given
			free[k] -= n - given
		}
	}
	i := 0
	for k := range kinds {
		for free[k] > 0 {
			for lacking[i] <= 0 {
				i++
			}
			taken := min(free[k], lacking[i])
			kinds[k].want[i] += taken
			free[k] -= taken
			lacking[i] -= taken
		}
	}
}

// evenPerKind: every member may have every partition, and each kind, each class and
// the total are to be even at once. Each member gets the even share of each kind,
// rounded down; what is left is fewer than the members for each kind, and at most
// one of it goes to each of them. That one is a partition it keeps, where it owns
// more than the even share, and one that moves elsewhere.
func evenPerKind(kinds []kind) {
	if len(kinds) == 0 {
		return
	}
	members := int32(len(kinds[0].eligible))
	left, total, owned := make([]int32, len(kinds)), int32(0), false
	for k := range kinds {
		each := kinds[k].size / members
		left[k] = kinds[k].size % members
		total += left[k]
		for i := range kinds[k].want {
			kinds[k].want[i] = each
			owned = owned || kinds[k].owned[i] > 0
		}
	}
	classes := make(map[string][]int)
	for k := range kinds {
		if kinds[k].class != "" {
			classes[kinds[k].class] = append(classes[kinds[k].class], k)
		}
	}
	if !owned && len(classes) == 0 {
		// Nothing can be kept: what is left is dealt out in a circle.
		next := int32(0)
		for k := range kinds {
			for range left[k] {
				kinds[k].want[next]++
				next = (next + 1) % members
			}
		}
		return
	}

	const source, sink = 0, 1
	kindNode := func(k int) int32 { return 2 + int32(k) }
	memberNode := func(i int32) int32 { return 2 + int32(len(kinds)) + i }
	nodes := 2 + int32(len(kinds)) + members
	classNode := make(map[string]int32, len(classes)) // of the class's first member
	names := make([]string, 0, len(classes))
	for name, list := range classes {
		if len(list) > 1 { // a class of one kind is even when its kind is
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		classNode[name] = nodes
		nodes += members
	}
	n := newNetwork(int(nodes), (len(kinds)+len(names)*2+1)*int(members)+len(kinds))
	// A class's share that is rounded up costs more than any moves can on a way
	// through the network, so that every share rounded down is used first.
	roundUp := nodes
	for _, name := range names {
		sum := int32(0)
		for _, k := range classes[name] {
			sum += left[k]
		}
		for i := range members {
			n.add(classNode[name]+i, memberNode(i), sum/members, 0)
			n.add(classNode[name]+i, memberNode(i), 1, roundUp)
		}
	}
	cells := make([]int32, len(kinds)) // kind → arc to its first member; the others follow
	for k := range kinds {
		if left[k] == 0 {
			continue
		}
		n.add(source, kindNode(k), left[k], 0)
		to := memberNode(0)
		if node, many := classNode[kinds[k].class]; many {
			to = node
		}
		cells[k] = int32(len(n.to))
		for i := range members {
			moves := int32(1)
			if kinds[k].owned[i] > kinds[k].want[i] {
				moves = 0
			}
			n.add(kindNode(k), to+i, 1, moves)
		}
	}
	exits := make([]int32, members)
	for i := range members {
		exits[i] = n.add(memberNode(i), sink, total/members, 0)
	}
	n.run(source, sink)
	for _, exit := range exits {
		n.widen(exit, 1)
	}
	n.run(source, sink)
	for k := range kinds {
		if left[k] > 0 {
			for i := range members {
				kinds[k].want[i] += n.flow(cells[k] + 2*i)
			}
		}
	}
}

// evenMixed: kinds differ in who may have them. Kinds that the same members may have
// are one as far as only totals count, which keeps networks small where one member of
// many subscribes to something else.
func evenMixed(kinds []kind, members int, perKind bool) {
	merged, of := mergeKinds(kinds)
	for _, t := range tiers(merged, members) {
		if !perKind {
			evenTier(merged, t, members, false)
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
		evenTier(kinds, parts, members, true)
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
		at := slices.IndexFunc(byFirst[digest], func(i int) bool { return sameMembers(merged[i].eligible, e) })
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

// evenTier places the kinds of one tier on its members: each gets the tier's even
// share, rounded down or up.
func evenTier(kinds []kind, t tier, members int, perKind bool) {
	if perKind {
		// Most often all fits in even shares, and the network that allows
		// more is twice as large.
		if placeTier(kinds, t, members, evenShares) {
			return
		}
		placeTier(kinds, t, members, aboveShares)
		return
	}
	placeTier(kinds, t, members, anyShare)
}

// shares says how much of a kind one member may have.
type shares int

const (
	anyShare    shares = iota
	evenShares         // the even share of the kind, rounded up
	aboveShares        // more than that where it must be
)

// placeTier finds what each member of the tier is to have, and tells whether all was
// placed; only then it is written down.
func placeTier(kinds []kind, t tier, members int, allowed shares) bool {
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
	exits := make([]int32, len(t.members))
	each := total / int32(len(t.members))
	for i, m := range t.members {
		exits[i] = n.add(place[m], sink, each, 0)
	}
	sent := n.run(source, sink)
	if sent < each*int32(len(t.members)) {
		return false // a member would fall short of the tier's share
	}
	for _, exit := range exits {
		n.widen(exit, 1)
	}
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
