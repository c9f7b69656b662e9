package assign

import (
	"cmp"
	"slices"
)

// index is a Group made ready for planning: members and topics in an order that
// does not depend on the input's, addressed by number.
type index struct {
	members []*Member // in the order of compareMembers
	topics  []*Topic  // by name; only those with a subscriber and partitions

	memberNumber map[string]int
	topicNumber  map[string]int

	subscribers [][]int32 // topic → numbers of its subscribers, ascending
}

func newIndex(g Group) *index {
	ix := &index{
		memberNumber: make(map[string]int, len(g.Members)),
		topicNumber:  make(map[string]int, len(g.Topics)),
	}
	// A plan has one entry for an id: of members that share one against the
	// rules, only the first can be given anything. Topics likewise.
	known := make(map[string]bool, max(len(g.Members), len(g.Topics)))
	for i := range g.Members {
		if m := &g.Members[i]; !known[m.ID] {
			known[m.ID] = true
			ix.members = append(ix.members, m)
		}
	}
	slices.SortFunc(ix.members, compareMembers)
	for n, m := range ix.members {
		ix.memberNumber[m.ID] = n
	}

	subscribers := ix.subscribersByName()
	clear(known)
	for i := range g.Topics {
		t := &g.Topics[i]
		if known[t.Name] {
			continue
		}
		known[t.Name] = true
		if t.Partitions > 0 && len(subscribers[t.Name]) > 0 {
			ix.topics = append(ix.topics, t)
		}
	}
	slices.SortFunc(ix.topics, func(l, r *Topic) int { return cmp.Compare(l.Name, r.Name) })
	for n, t := range ix.topics {
		ix.topicNumber[t.Name] = n
		ix.subscribers = append(ix.subscribers, subscribers[t.Name])
	}
	return ix
}

// subscribersByName lists the subscribers of each topic. Members that subscribe to the
// same topics in the same order, which most often all do, are looked at as one; and
// topics that the same members subscribe to share one list.
func (ix *index) subscribersByName() map[string][]int32 {
	type subscription struct {
		topics  []string
		members []int32
	}
	var subscriptions []subscription
	for n, m := range ix.members {
		last := len(subscriptions) - 1
		if last < 0 || !slices.Equal(subscriptions[last].topics, m.Topics) {
			last++
			subscriptions = append(subscriptions, subscription{topics: m.Topics})
		}
		subscriptions[last].members = append(subscriptions[last].members, int32(n))
	}
	byName := make(map[string][]int32)
	for _, s := range subscriptions {
		for _, topic := range s.topics {
			list := byName[topic]
			switch {
			case list == nil:
				byName[topic] = s.members[:len(s.members):len(s.members)]
			case list[len(list)-1] != s.members[len(s.members)-1]: // a member may name a topic twice
				byName[topic] = append(list, s.members...)
			}
		}
	}
	return byName
}

// subscribes tells whether the member subscribes to the topic.
func (ix *index) subscribes(member, topic int) bool {
	_, found := slices.BinarySearch(ix.subscribers[topic], int32(member))
	return found
}

// unassigned marks a partition that no member has.
const unassigned = -1

// table is an assignment by numbers: topic → partition → member, or unassigned.
type table [][]int32

func (ix *index) newTable() table {
	tb := make(table, len(ix.topics))
	for t, topic := range ix.topics {
		tb[t] = make([]int32, topic.Partitions)
		for p := range tb[t] {
			tb[t][p] = unassigned
		}
	}
	return tb
}

// plan turns tb into a Plan in the promised order, with an entry for every member.
func (ix *index) plan(tb table) Plan {
	// Counting first lets all partition lists share one array.
	counts := make([][]int32, len(ix.topics))
	total := 0
	for t := range tb {
		counts[t] = make([]int32, len(ix.members))
		for _, m := range tb[t] {
			if m != unassigned {
				counts[t][m]++
				total++
			}
		}
	}
	backing := make([]int32, 0, total)
	lists := make([][]TopicPartitions, len(ix.members))
	for t := range tb {
		offset := len(backing)
		backing = backing[:offset+int(sum(counts[t]))]
		for m, n := range counts[t] {
			if n > 0 {
				lists[m] = append(lists[m], TopicPartitions{ix.topics[t].Name, backing[offset : offset : offset+int(n)]})
				offset += int(n)
			}
		}
		for p, m := range tb[t] {
			if m != unassigned {
				last := &lists[m][len(lists[m])-1]
				last.Partitions = append(last.Partitions, int32(p))
			}
		}
	}
	a := make(Assignment, len(ix.members))
	for m, member := range ix.members {
		if a[member.ID] = lists[m]; lists[m] == nil {
			a[member.ID] = []TopicPartitions{}
		}
	}
	return Plan{Assignment: a}
}

func sum(counts []int32) (n int32) {
	for _, c := range counts {
		n += c
	}
	return n
}
