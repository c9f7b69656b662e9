package assign

// Keep returns the plan that changes least: every partition stays with its owner as
// long as that still subscribes to the topic, and a partition without one goes to
// the subscriber that has the fewest, the first of several in the order of
// [Group.Ownership]. It is valid for every Group and cannot fail, which makes it
// the plan to fall back on when another one cannot be used.
func Keep(g Group) Plan {
	ix := newIndex(g)
	return ix.plan(ix.keep())
}

func (ix *index) keep() table {
	tb := ix.owned()
	counts := make([]int, len(ix.members))
	for t := range tb {
		for p, m := range tb[t] {
			switch {
			case m == unassigned:
			case !ix.subscribes(int(m), t):
				tb[t][p] = unassigned
			default:
				counts[m]++
			}
		}
	}
	for t := range tb {
		for p, m := range tb[t] {
			if m != unassigned {
				continue
			}
			fewest := ix.subscribers[t][0]
			for _, candidate := range ix.subscribers[t] {
				if counts[candidate] < counts[fewest] {
					fewest = candidate
				}
			}
			tb[t][p] = int32(fewest)
			counts[fewest]++
		}
	}
	return tb
}
