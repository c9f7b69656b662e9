package assign

import (
	"fmt"
	"slices"
)

// Withhold turns a target into what may be sent in this round of a cooperative
// group (KIP-429): a partition that another member still claims to own is taken
// out of the assignment and listed in Withheld, until its owner has given it up
// and joined again. When Withheld is empty the group has settled.
//
// The owner is the member whose claim holds, see [Group.Ownership]: it keeps what
// the target leaves it even where others claim the same partition. Partitions that
// g does not have are left as they are. target is not modified.
func Withhold(g Group, target Plan) Plan {
	ix := newIndex(g)
	holder := ix.owned()
	out := Plan{Assignment: make(Assignment, len(target.Assignment)), Withheld: append([]Withheld(nil), target.Withheld...), Unmet: append([]Unmet(nil), target.Unmet...)}
	for _, id := range target.Assignment.Members() {
		list := make([]TopicPartitions, 0, len(target.Assignment[id]))
		t, known := -1, false
		for _, tp := range target.Assignment[id] {
			t, known = ix.topic(tp.Topic, t)
			if len(tp.Partitions) == 0 {
				continue
			}
			if !known || !slices.ContainsFunc(tp.Partitions, func(p int32) bool { return ix.waits(holder, t, p, id) }) {
				list = append(list, tp) // shared with the target, as Move allows
				continue
			}
			kept := make([]int32, 0, len(tp.Partitions))
			for _, p := range tp.Partitions {
				if !ix.waits(holder, t, p, id) {
					kept = append(kept, p)
					continue
				}
				ownerID := ix.members[holder[t][p]].ID
				out.Withheld = append(out.Withheld, Withheld{
					Topic: tp.Topic, Partition: p, Member: id, Owner: ownerID,
					Reason: fmt.Sprintf("%s has not given it up yet", ownerID),
				})
			}
			if len(kept) > 0 {
				list = append(list, TopicPartitions{tp.Topic, kept})
			}
		}
		out.Assignment[id] = list
	}
	return out
}

// waits tells whether a partition that is meant for the member has another holder.
func (ix *index) waits(holder table, t int, p int32, member string) bool {
	if p < 0 || p >= ix.topics[t].Partitions {
		return false
	}
	owner := holder[t][p]
	return owner != unassigned && ix.members[owner].ID != member
}
