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
// all weigh the same and all members have the same capacity. room holds the most that
// each member may have of all kinds, where it is not nil; all fits. In this order:
//
//  1. counts are as even as eligibility and room allow: the largest is as small as it
//     can be, then the next, and so on down;
//  2. with perKind, each kind is spread evenly, and each class;
//  3. as many partitions as possible stay where they are.
//
// All three are exact where every kind has the same eligible members and nobody is
// short of room for an even share. Elsewhere 1 and 3 are, and 2 keeps as few partitions
// as possible above an even share.
func evenCounts(kinds []kind, members int, perKind bool, room []int32) {
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
		evenMixed(kinds, members, perKind, room)
	case !perKind:
		evenTotals(kinds, room)
	case binding(kinds, room):
		evenMixed(kinds, members, perKind, room)
	default:
		evenPerKind(kinds)
	}
}

// binding tells whether some member has no room for an even share of kinds that the same
// members may have.
func binding(kinds []kind, room []int32) bool {
	if room == nil || len(kinds) == 0 {
		return false
	}
	total, eligible := int32(0), kinds[0].eligible
	for k := range kinds {
		total += kinds[k].size
	}
	share := (total + int32(len(eligible)) - 1) / int32(len(eligible))
	return slices.ContainsFunc(eligible, func(m int32) bool { return room[m] < share })
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
		if !sameList(kinds[k].eligible, first) {
			return false
		}
	}
	return true
}

// sameList is slices.Equal, which most often sees one list twice.
func sameList[E comparable](a, b []E) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// evenTotals: every member may have every partition, and only its total counts.
func evenTotals(kinds []kind, room []int32) {
	if len(kinds) == 0 {
		return
	}
	eligible := kinds[0].eligible
	total, owned := int32(0), make([]int32, len(eligible))
	for k := range kinds {
		total += kinds[k].size
		for i, n := range kinds[k].owned {
			owned[i] += n
		}
	}
	lacking := evenTotal(total, owned, roomOf(eligible, room))
	for i := range lacking {
		lacking[i] -= owned[i]
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

// evenTotal returns how many partitions each of the members is to have of as many as
// total: the same number, or what they have room for; and of those that have room for
// one more, the ones that own the most get that.
func evenTotal(total int32, owned, room []int32) []int32 {
	want := make([]int32, len(owned))
	level := levelOf(total, len(want), room)
	more := total
	byOwned := make([]int32, 0, len(want))
	for i := range want {
		want[i] = level
		if room != nil {
			want[i] = min(level, room[i])
		}
		more -= want[i]
		if room == nil || room[i] > level {
			byOwned = append(byOwned, int32(i))
		}
	}
	if more > 0 {
		slices.SortStableFunc(byOwned, func(l, r int32) int { return cmp.Compare(owned[r], owned[l]) })
		for _, i := range byOwned[:more] {
			want[i]++
		}
	}
	return want
}

// levelOf returns the most that each of the members can have of as many as total, those
// without room for that less.
func levelOf(total int32, members int, room []int32) int32 {
	if room == nil {
		return total / int32(members)
	}
	low, high := int32(0), total // high is enough, or all have what they have room for
	for low < high {
		middle := low + (high-low+1)/2
		used := int64(0)
		for _, n := range room {
			used += int64(min(n, middle))
		}
		if used <= int64(total) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// roomOf returns the room of these members, nil where there is no limit.
func roomOf(members, room []int32) []int32 {
	if room == nil {
		return nil
	}
	of := make([]int32, len(members))
	for i, m := range members {
		of[i] = room[m]
	}
	return of
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
