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
func Withhold(g Group, target Plan) Plan { return NewReview(g).Withhold(target) }

func (ix *index) withhold(target Plan, holders table) Plan {
	out := Plan{Assignment: make(Assignment, len(target.Assignment)), Withheld: append([]Withheld(nil), target.Withheld...), Unmet: append([]Unmet(nil), target.Unmet...)}
	entries := 0
	for _, list := range target.Assignment {
		entries += len(list)
	}
	all := make([]TopicPartitions, 0, entries) // all lists share it
	for _, id := range target.Assignment.Members() {
		m, isMember := ix.memberNumber[id]
		if !isMember {
			m = len(ix.members) // which holds nothing
		}
		from := len(all)
		t, known := -1, false
		for _, tp := range target.Assignment[id] {
			t, known = ix.topic(tp.Topic, t)
			if len(tp.Partitions) == 0 {
				continue
			}
			var row []int32 // of a topic that is not known, nobody holds anything
			if known {
				row = holders[t]
			}
			waits := func(p int32) bool {
				return p >= 0 && int(p) < len(row) && row[p] != unassigned && row[p] != int32(m)
			}
			if !slices.ContainsFunc(tp.Partitions, waits) {
				all = append(all, tp) // shared with the target, as Move allows
				continue
			}
			kept := make([]int32, 0, len(tp.Partitions))
			for _, p := range tp.Partitions {
				if !waits(p) {
					kept = append(kept, p)
					continue
				}
				ownerID := ix.members[row[p]].ID
				out.Withheld = append(out.Withheld, Withheld{
					Topic: tp.Topic, Partition: p, Member: id, Owner: ownerID,
					Reason: fmt.Sprintf("%s has not given it up yet", ownerID),
				})
			}
			if len(kept) > 0 {
				all = append(all, TopicPartitions{tp.Topic, kept})
			}
		}
		out.Assignment[id] = all[from:len(all):len(all)]
	}
	return out
}
