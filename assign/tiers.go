package assign

// tier is a part of a group that is planned by itself: its kinds go to its members
// only, and its members get nothing else. In the most even plan every member of a
// tier has the same number of partitions, or one more than the least.
type tier struct {
	kinds, members []int
}

// tiers cuts a group of mixed subscriptions into tiers. It tries the even share of
// all: members that cannot be filled up to it, whatever goes to them, form a lower tier
// with the kinds that they share among themselves, and kinds that do not fit on their
// members below it form a higher one with those. Each side is cut again.
func tiers(kinds []kind, members int) []tier {
	all := tier{}
	inUse := make([]bool, members)
	for k := range kinds {
		if kinds[k].size == 0 {
			continue
		}
		all.kinds = append(all.kinds, k)
		for _, m := range kinds[k].eligible {
			inUse[m] = true
		}
	}
	for m, used := range inUse {
		if used {
			all.members = append(all.members, m)
		}
	}
	var done []tier
	open := []tier{all}
	for len(open) > 0 {
		t := open[len(open)-1]
		open = open[:len(open)-1]
		if len(t.kinds) == 0 || len(t.members) == 0 {
			continue
		}
		if one, other, split := t.cut(kinds, members); split {
			open = append(open, one, other)
		} else {
			done = append(done, t)
		}
	}
	return done
}

// cut divides t where its members cannot all have the even share.
func (t tier) cut(kinds []kind, members int) (one, other tier, split bool) {
	const source, sink = 0, 1
	place := make([]int32, members)
	for i, m := range t.members {
		place[m] = 2 + int32(len(t.kinds)) + int32(i)
	}
	total, arcs := int32(0), len(t.kinds)+len(t.members)
	for _, k := range t.kinds {
		total += kinds[k].size
		arcs += len(kinds[k].eligible)
	}
	n := newNetwork(2+len(t.kinds)+len(t.members), arcs)
	for i, k := range t.kinds {
		n.add(source, 2+int32(i), kinds[k].size, 0)
		for _, m := range kinds[k].eligible {
			if place[m] != 0 {
				n.add(2+int32(i), place[m], kinds[k].size+1, 0) // never the bottleneck
			}
		}
	}
	exits := make([]int32, len(t.members))
	each := total / int32(len(t.members))
	for i, m := range t.members {
		exits[i] = n.add(place[m], sink, each, 0)
	}
	sent := n.run(source, sink)
	if sent < each*int32(len(t.members)) {
		return t.divide(n.reaching(sink), 2)
	}
	for _, exit := range exits {
		n.widen(exit, 1)
	}
	if sent += n.run(source, sink); sent < total {
		return t.divide(n.reachable(source), 2)
	}
	return tier{}, tier{}, false
}

// divide parts t by the nodes of its kinds and members, which begin at first.
func (t tier) divide(in []bool, first int) (one, other tier, split bool) {
	for i, k := range t.kinds {
		if in[first+i] {
			one.kinds = append(one.kinds, k)
		} else {
			other.kinds = append(other.kinds, k)
		}
	}
	for i, m := range t.members {
		if in[first+len(t.kinds)+i] {
			one.members = append(one.members, m)
		} else {
			other.members = append(other.members, m)
		}
	}
	return one, other, true
}
