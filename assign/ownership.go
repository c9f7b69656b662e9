package assign

// Ownership returns who owns what when the round begins: the claims in
// Member.Owned, with those dropped that cannot hold. A claim holds when a subscribed topic
// has that partition, and when no other member claims the
// partition with a later generation (KIP-792). Of two claims of the same
// generation the one of the first member holds, static members before dynamic
// ones, then by instance, then by id. A member that does not subscribe to a topic
// any more still owns what it claims of it, until it gives that up.
//
// The result has an entry for every member, in the order of [Assignment].
func (g Group) Ownership() Assignment {
	ix := newIndex(g)
	return ix.plan(ix.owned()).Assignment
}

// owned settles the claims of all members; see Group.Ownership.
func (ix *index) owned() table {
	tb := ix.newTable()
	ix.eachClaim(func(m, t int, p int32) {
		// Of members in their order, a later one needs a later generation.
		if holder := tb[t][p]; holder == unassigned || max(ix.members[m].Generation, 0) > max(ix.members[holder].Generation, 0) {
			tb[t][p] = int32(m)
		}
	})
	return tb
}

// eachClaim calls claim for every partition that a member claims and that exists.
func (ix *index) eachClaim(claim func(member, topic int, partition int32)) {
	for m, member := range ix.members {
		last := -1
		for _, tp := range member.Owned {
			t, known := ix.topic(tp.Topic, last)
			last = t
			if !known {
				continue
			}
			for _, p := range tp.Partitions {
				if p >= 0 && p < ix.topics[t].Partitions {
					claim(m, t, p)
				}
			}
		}
	}
}

// keepsClaims tells whether a plan leaves to each member all that it claims.
func (ix *index) keepsClaims(placed table) bool {
	for m, member := range ix.members {
		last := -1
		for i := range member.Owned {
			tp := &member.Owned[i]
			t, known := ix.topic(tp.Topic, last)
			last = t
			if !known {
				continue
			}
			row := placed[t]
			for _, p := range tp.Partitions {
				if p >= 0 && int(p) < len(row) && row[p] != int32(m) {
					return false
				}
			}
		}
	}
	return true
}
