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
	names   []string  // of topics

	memberNumber map[string]int
	topicNumber  map[string]int

	subscribers [][]int32 // topic → numbers of its subscribers, ascending

	repeats bool // members or topics are in the group twice
}

func newIndex(g Group) *index {
	ix := &index{
		members:      make([]*Member, 0, len(g.Members)),
		topics:       make([]*Topic, 0, len(g.Topics)),
		memberNumber: make(map[string]int, len(g.Members)),
		topicNumber:  make(map[string]int, len(g.Topics)),
	}
	// A plan has one entry for an id: of members that share one against the
	// rules, only the first can be given anything. Topics likewise.
	for i := range g.Members {
		m := &g.Members[i]
		if _, known := ix.memberNumber[m.ID]; !known {
			ix.memberNumber[m.ID] = 0
			ix.members = append(ix.members, m)
		}
	}
	ix.repeats = len(ix.members) < len(g.Members)
	slices.SortFunc(ix.members, compareMembers)
	for n, m := range ix.members {
		ix.memberNumber[m.ID] = n
	}

	subscribers := ix.subscribersByName()
	known := make(map[string]bool, len(g.Topics))
	for i := range g.Topics {
		t := &g.Topics[i]
		if known[t.Name] {
			ix.repeats = true
			continue
		}
		known[t.Name] = true
		if t.Partitions > 0 && len(subscribers[t.Name]) > 0 {
			ix.topics = append(ix.topics, t)
		}
	}
	slices.SortFunc(ix.topics, func(l, r *Topic) int { return cmp.Compare(l.Name, r.Name) })
	ix.names = make([]string, len(ix.topics))
	for n, t := range ix.topics {
		ix.names[n] = t.Name
		ix.topicNumber[t.Name] = n
		ix.subscribers = append(ix.subscribers, subscribers[t.Name])
	}
	return ix
}

// plain returns ix for the same members and topics without capacities, ceilings, draining
// and weights. What members refuse stays.
func (ix *index) plain() *index {
	plain := *ix
	plain.members, plain.topics = make([]*Member, len(ix.members)), make([]*Topic, len(ix.topics))
	members, topics := make([]Member, len(ix.members)), make([]Topic, len(ix.topics))
	for n, m := range ix.members {
		members[n] = *m
		members[n].Capacity, members[n].MaxPartitions, members[n].MaxWeight, members[n].Draining = 0, 0, 0, false
		plain.members[n] = &members[n]
	}
	for n, t := range ix.topics {
		topics[n] = *t
		topics[n].Weights = nil
		plain.topics[n] = &topics[n]
	}
	return &plain
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
		if last < 0 || !sameList(subscriptions[last].topics, m.Topics) {
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
	list := ix.subscribers[topic]
	if member < len(list) && list[member] == int32(member) {
		return true // as always where all subscribe
	}
	_, found := slices.BinarySearch(list, int32(member))
	return found
}

// topic returns the number of the topic. after is the number of the one asked for
// before, or -1: lists of topics are sorted most often, and then it is the next.
func (ix *index) topic(name string, after int) (number int, known bool) {
	if next := after + 1; next < len(ix.names) && ix.names[next] == name {
		return next, true
	}
	number, known = ix.topicNumber[name]
	return number, known
}

// unassigned marks a partition that no member has.
const unassigned = -1

// table is an assignment by numbers: topic → partition → member, or unassigned.
type table [][]int32

func (ix *index) newTable() table {
	total := 0
	for _, topic := range ix.topics {
		total += int(topic.Partitions)
	}
	all := slices.Repeat([]int32{unassigned}, total)
	tb := make(table, len(ix.topics))
	for t, topic := range ix.topics {
		tb[t], all = all[:topic.Partitions:topic.Partitions], all[topic.Partitions:]
	}
	return tb
}

// clone returns a copy of tb.
func (tb table) clone() table {
	total := 0
	for _, row := range tb {
		total += len(row)
	}
	all := make([]int32, 0, total)
	c := make(table, len(tb))
	for t, row := range tb {
		from := len(all)
		all = append(all, row...)
		c[t] = all[from:len(all):len(all)]
	}
	return c
}

// complete tells whether every partition is given to a member that subscribes to its topic.
func (ix *index) complete(tb table) bool {
	if len(tb) != len(ix.topics) {
		return false
	}
	for t, row := range tb {
		if len(row) != int(ix.topics[t].Partitions) {
			return false
		}
		all := len(ix.subscribers[t]) == len(ix.members)
		for _, m := range row {
			if m < 0 || int(m) >= len(ix.members) || !all && !ix.subscribes(int(m), t) {
				return false
			}
		}
	}
	return true
}

// placement is a plan by numbers.
type placement struct {
	table        // without what the plan gives against the rules of the group, see Validate
	exact   bool // there is nothing of that, and each partition is given
	hollow  bool // the plan has topics without partitions
	missing int  // partitions that are not given
}

func (ix *index) place(plan Plan) placement {
	placed := placement{table: ix.newTable(), exact: true}
	for _, row := range placed.table {
		placed.missing += len(row)
	}
	known := 0
	for m, member := range ix.members {
		list, planned := plan.Assignment[member.ID]
		if !planned {
			continue
		}
		known++
		last := -1 // number of the topic before
		for i := range list {
			last = placed.give(ix, m, last, list[i].Topic, list[i].Partitions)
		}
	}
	if known < len(plan.Assignment) {
		for id := range plan.Assignment {
			if _, isMember := ix.memberNumber[id]; !isMember {
				placed.exact = placed.exact && plan.Assignment.Count(id) == 0
				placed.hollow = placed.hollow || len(plan.Assignment[id]) > 0
			}
		}
	}
	for i := range plan.Withheld {
		w := &plan.Withheld[i]
		if m, isMember := ix.memberNumber[w.Member]; isMember {
			placed.give(ix, m, -1, w.Topic, []int32{w.Partition})
		} else {
			placed.exact = false
		}
	}
	placed.exact = placed.exact && placed.missing == 0
	return placed
}

// give gives partitions of a topic to a member. It takes the number of the topic before,
// and returns that of this one.
func (pl *placement) give(ix *index, member, after int, topic string, partitions []int32) int {
	t, known := ix.topic(topic, after)
	pl.hollow = pl.hollow || len(partitions) == 0
	if !known || !ix.subscribes(member, t) {
		pl.exact = pl.exact && len(partitions) == 0
		return t
	}
	row := pl.table[t]
	for _, p := range partitions {
		if p < 0 || int(p) >= len(row) || row[p] != unassigned {
			pl.exact = false
			continue
		}
		row[p] = int32(member)
		pl.missing--
	}
	return t
}

// plan turns tb into a Plan in the promised order, with an entry for every member.
func (ix *index) plan(tb table) Plan {
	// Counting first lets all lists share one array: of partitions, and of topics.
	members := len(ix.members)
	counts, entries := make([]int32, members), make([]int32, members)
	partitions, topics := 0, 0
	for t := range tb {
		for _, m := range tb[t] {
			if m == unassigned {
				continue
			}
			if counts[m]++; counts[m] == 1 {
				entries[m]++
				topics++
			}
			partitions++
		}
		clear(counts)
	}
	numbers := make([]int32, partitions)
	headers := make([]TopicPartitions, topics)
	a := make(Assignment, members)
	first := make([]int32, members) // place in headers of the member's next topic
	at := int32(0)
	for m, member := range ix.members {
		a[member.ID] = headers[at : at+entries[m] : at+entries[m]]
		first[m] = at
		at += entries[m]
	}
	for t := range tb {
		for _, m := range tb[t] {
			if m != unassigned {
				counts[m]++
			}
		}
		for p, m := range tb[t] {
			if m == unassigned {
				continue
			}
			if n := counts[m]; n > 0 { // the first of the topic that the member has
				headers[first[m]] = TopicPartitions{ix.topics[t].Name, numbers[:0:n]}
				numbers = numbers[n:]
				first[m]++
				counts[m] = 0
			}
			last := &headers[first[m]-1]
			last.Partitions = append(last.Partitions, int32(p))
		}
	}
	return Plan{Assignment: a}
}
