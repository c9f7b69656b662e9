package assign

import "slices"

// Withhold turns a target into what may be sent in this round of a cooperative
// group (KIP-429): a partition that another member still claims to own is taken
// out of the assignment and listed in Withheld, until its owner has given it up
// and joined again. When Withheld is empty the group has settled.
//
// The owner is the member whose claim holds, see [Group.Ownership]: it keeps what
// the target leaves it even where others claim the same partition. Partitions that
// g does not have are left as they are. target is not modified; the lists returned may be
// those of the target, so clone what you change in place.
func Withhold(g Group, target Plan) Plan { return NewReview(g).Withhold(target) }

// withhold takes who owns what, and which members are given what another owns, and how many
// partitions of that there are; nil and 0 where that is not known.
func (ix *index) withhold(target Plan, holders table, waiting []bool, partitions int) Plan {
	out := Plan{Assignment: make(Assignment, len(target.Assignment)), Withheld: slices.Grow(slices.Clone(target.Withheld), partitions), Unmet: append([]Unmet(nil), target.Unmet...)}
	var ids []string
	for id, list := range target.Assignment {
		if m, isMember := ix.memberNumber[id]; isMember && waiting != nil && !waiting[m] && list != nil {
			out.Assignment[id] = list[:len(list):len(list)]
		} else {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	reasons := make([]string, len(ix.members)) // by owner, who often has many to give up
	for _, id := range ids {
		m, isMember := ix.memberNumber[id]
		if !isMember {
			m = len(ix.members) // which holds nothing
		}
		list := target.Assignment[id]
		first := ix.firstWaiting(list, holders, int32(m))
		kept := list[:first:first]
		if list == nil {
			kept = []TopicPartitions{}
		}
		t, known := -1, false
		for _, tp := range list[first:] {
			t, known = ix.topic(tp.Topic, t)
			var row []int32 // of a topic that is not known, nobody holds anything
			if known {
				row = holders[t]
			}
			if !slices.ContainsFunc(tp.Partitions, func(p int32) bool { return waits(row, p, int32(m)) }) {
				if len(tp.Partitions) > 0 {
					kept = append(kept, tp)
				}
				continue
			}
			var partitions []int32
			for _, p := range tp.Partitions {
				if !waits(row, p, int32(m)) {
					partitions = append(partitions, p)
					continue
				}
				owner, reason := ix.members[row[p]].ID, &reasons[row[p]]
				if *reason == "" {
					*reason = owner + " may still hold it"
				}
				out.Withheld = append(out.Withheld, Withheld{Topic: tp.Topic, Partition: p, Member: id, Owner: owner, Reason: *reason})
			}
			if len(partitions) > 0 {
				kept = append(kept, TopicPartitions{tp.Topic, partitions})
			}
		}
		out.Assignment[id] = kept
	}
	return out
}

// waits tells whether a partition of the topic whose owners are in row is another's.
func waits(row []int32, p, member int32) bool {
	return p >= 0 && int(p) < len(row) && row[p] != unassigned && row[p] != member
}

// firstWaiting returns the place in the list of the first topic of which the member
// cannot have all yet, or that has no partitions; the list's length when there is none.
func (ix *index) firstWaiting(list []TopicPartitions, holders table, member int32) int {
	t, known := -1, false
	for i := range list {
		tp := &list[i]
		if len(tp.Partitions) == 0 {
			return i
		}
		if t, known = ix.topic(tp.Topic, t); !known {
			continue
		}
		for _, p := range tp.Partitions {
			if waits(holders[t], p, member) {
				return i
			}
		}
	}
	return len(list)
}
