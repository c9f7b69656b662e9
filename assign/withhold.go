package assign

import "fmt"

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
		for _, tp := range target.Assignment[id] {
			t, known := ix.topicNumber[tp.Topic]
			kept := make([]int32, 0, len(tp.Partitions))
			for _, p := range tp.Partitions {
				if !known || p < 0 || p >= ix.topics[t].Partitions {
					kept = append(kept, p)
					continue
				}
				owner := holder[t][p]
				if owner == unassigned || ix.members[owner].ID == id {
					kept = append(kept, p)
					continue
				}
				ownerID := ix.members[owner].ID
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
