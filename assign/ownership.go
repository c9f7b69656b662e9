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
	for m, member := range ix.members {
		last := -1 // number of the topic before
		for i := range member.Owned {
			tp := &member.Owned[i]
			t, known := ix.topic(tp.Topic, last)
			last = t
			if !known {
				continue
			}
			row := tb[t]
			for _, p := range tp.Partitions {
				if p < 0 || int(p) >= len(row) {
					continue
				}
				// Of members in their order, a later one needs a later generation.
				if holder := row[p]; holder == unassigned || max(member.Generation, 0) > max(ix.members[holder].Generation, 0) {
					row[p] = int32(m)
				}
			}
		}
	}
	return tb
}
