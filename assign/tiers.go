package assign

// exits are the arcs by which members of a tier leave for the sink.
type exits struct {
	arcs  []int32
	wider []bool // has room for one more
	each  int32  // what they carry together
}

// newExits adds the arcs for an even share of total, rounded down.
func newExits(n *network, t tier, place []int32, total int32, room []int32) exits {
	x := exits{arcs: make([]int32, len(t.members)), wider: make([]bool, len(t.members))}
	of := roomOf(t.members, room)
	level := levelOf(total, len(t.members), of)
	for i, m := range t.members {
		share := level
		if of != nil {
			share = min(level, of[i])
		}
		x.wider[i] = of == nil || of[i] > level
		x.arcs[i] = n.add(place[m], 1, share, 0)
		x.each += share
	}
	return x
}

// widen lets members with room have one more.
func (x exits) widen(n *network) {
	for i, arc := range x.arcs {
		if x.wider[i] {
			n.widen(arc, 1)
		}
	}
}

// tier is a part of a group that is planned by itself: its kinds go to its members
// only, and its members get nothing else. In the most even plan every member of a
// tier has the same number of partitions, or one more than the least, or as many as it
// has room for where that is less.
type tier struct {
	kinds   []int
	members []int32
}

// tiers cuts a group of mixed subscriptions into tiers. It tries the even share of
// all: members that cannot be filled up to it, whatever goes to them, form a lower tier
// with the kinds that they share among themselves, and kinds that do not fit on their
// members below it form a higher one with those. Each side is cut again.
func tiers(kinds []kind, members int, room []int32) []tier {
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
			all.members = append(all.members, int32(m))
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
		if one, other, split := t.cut(kinds, members, room); split {
			open = append(open, one, other)
		} else {
			done = append(done, t)
		}
	}
	return done
}

// cut divides t where its members cannot all have the even share.
func (t tier) cut(kinds []kind, members int, room []int32) (one, other tier, split bool) {
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
	x := newExits(n, t, place, total, room)
	sent := n.run(source, sink)
	if sent < x.each {
		return t.divide(n.reaching(sink), 2)
	}
	x.widen(n)
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
