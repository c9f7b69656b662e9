package assign

import (
	"cmp"
	"maps"
	"slices"
)

// A Plan says which member gets which partitions.
type Plan struct {
	// Assignment is what each member gets.
	Assignment Assignment `json:"assignment"`

	// Withheld are partitions that have a member in the target and are given
	// to nobody in this round; see [Withhold]. Assignors leave it empty.
	Withheld []Withheld `json:"withheld,omitempty"`

	// Unmet are the constraints that could not be kept, partition by
	// partition. The partitions are assigned all the same.
	Unmet []Unmet `json:"unmet,omitempty"`
}

// An Assignment maps a member id to its partitions. Those of this package hold
// every member of the group, also those that get nothing, topics sorted by name,
// partitions ascending. Assignments made elsewhere need no order: [Assignment.Sort]
// gives it.
type Assignment map[string][]TopicPartitions

// Withheld is a partition that waits for its owner to give it up.
type Withheld struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`

	// Member is the member that the partition is meant for.
	Member string `json:"member"`

	// Owner is the member that still owns the partition, empty when it is
	// not known who does.
	Owner string `json:"owner,omitempty"`

	// Reason is one sentence for people.
	Reason string `json:"reason"`
}

// NewPlan returns a plan in which every member of g has an entry and none has a
// partition.
func NewPlan(g Group) Plan {
	a := make(Assignment, len(g.Members))
	for i := range g.Members {
		a[g.Members[i].ID] = []TopicPartitions{}
	}
	return Plan{Assignment: a}
}

// Give adds a partition to what the member gets. It neither looks for the
// partition elsewhere nor checks that the member exists: [Validate] does.
func (p *Plan) Give(member, topic string, partition int32) {
	if p.Assignment == nil {
		p.Assignment = make(Assignment)
	}
	list := p.Assignment[member]
	for i := range list {
		if list[i].Topic == topic {
			list[i].Partitions = append(list[i].Partitions, partition)
			return
		}
	}
	p.Assignment[member] = append(list, TopicPartitions{topic, []int32{partition}})
}

// Move gives a partition to the member, after taking it from every other member
// and from Withheld. A partition that nobody had is given all the same.
func (p *Plan) Move(topic string, partition int32, member string) {
	for id, list := range p.Assignment {
		has := func(tp TopicPartitions) bool {
			return tp.Topic == topic && slices.Contains(tp.Partitions, partition)
		}
		if !slices.ContainsFunc(list, has) {
			continue
		}
		// The lists may be shared with the group or with another plan.
		kept := make([]TopicPartitions, 0, len(list))
		for _, tp := range list {
			if has(tp) {
				tp.Partitions = slices.DeleteFunc(slices.Clone(tp.Partitions), func(q int32) bool { return q == partition })
			}
			if len(tp.Partitions) > 0 {
				kept = append(kept, tp)
			}
		}
		p.Assignment[id] = kept
	}
	p.Withheld = slices.DeleteFunc(slices.Clone(p.Withheld), func(w Withheld) bool {
		return w.Topic == topic && w.Partition == partition
	})
	if p.Assignment == nil {
		p.Assignment = make(Assignment)
	}
	p.Assignment[member] = cloneTopicPartitions(p.Assignment[member])
	p.Give(member, topic, partition)
	p.Assignment[member] = sortTopicPartitions(p.Assignment[member])
}

// Owner returns the member that the plan gives the partition to, and whether there
// is one. It looks through the whole plan; use [Assignment.Owners] for many.
func (p Plan) Owner(topic string, partition int32) (member string, ok bool) {
	for _, id := range p.Assignment.Members() {
		for _, tp := range p.Assignment[id] {
			if tp.Topic == topic && slices.Contains(tp.Partitions, partition) {
				return id, true
			}
		}
	}
	return "", false
}

// Clone returns a copy of p that shares no memory with it.
func (p Plan) Clone() Plan {
	return Plan{Assignment: p.Assignment.Clone(), Withheld: slices.Clone(p.Withheld), Unmet: slices.Clone(p.Unmet)}
}

// Members returns the member ids in a, sorted.
func (a Assignment) Members() []string { return slices.Sorted(maps.Keys(a)) }

// Owners returns topic → partition → member. Where a gives a partition to several
// members, the first by id is returned.
func (a Assignment) Owners() map[string]map[int32]string {
	owners := make(map[string]map[int32]string)
	for _, id := range a.Members() {
		for _, tp := range a[id] {
			byPartition := owners[tp.Topic]
			if byPartition == nil {
				byPartition = make(map[int32]string, len(tp.Partitions))
				owners[tp.Topic] = byPartition
			}
			for _, p := range tp.Partitions {
				if _, taken := byPartition[p]; !taken {
					byPartition[p] = id
				}
			}
		}
	}
	return owners
}

// Count returns how many partitions a gives to the member.
func (a Assignment) Count(member string) int {
	n := 0
	for _, tp := range a[member] {
		n += len(tp.Partitions)
	}
	return n
}

// Sort puts a into the order that this package promises, in place: one entry a
// topic, topics by name, partitions ascending. Entries without partitions go.
func (a Assignment) Sort() {
	for id, list := range a {
		a[id] = sortTopicPartitions(list)
	}
}

// Clone returns a copy of a that shares no memory with it.
func (a Assignment) Clone() Assignment {
	if a == nil {
		return nil
	}
	topics, partitions := 0, 0
	for _, list := range a {
		topics += len(list)
		for _, tp := range list {
			partitions += len(tp.Partitions)
		}
	}
	// All lists share one array: of topics, and of partitions.
	headers, numbers := make([]TopicPartitions, 0, topics), make([]int32, 0, partitions)
	c := make(Assignment, len(a))
	for id, list := range a {
		if list == nil {
			c[id] = nil
			continue
		}
		first := len(headers)
		for _, tp := range list {
			if tp.Partitions != nil {
				from := len(numbers)
				numbers = append(numbers, tp.Partitions...)
				tp.Partitions = numbers[from:len(numbers):len(numbers)]
			}
			headers = append(headers, tp)
		}
		c[id] = headers[first:len(headers):len(headers)]
	}
	return c
}

// Equal tells whether a and b give the same partitions to the same members, in
// whatever order. Members without partitions do not count.
func (a Assignment) Equal(b Assignment) bool {
	x, y := a.Clone(), b.Clone()
	for _, c := range []Assignment{x, y} {
		c.Sort()
		maps.DeleteFunc(c, func(_ string, list []TopicPartitions) bool { return len(list) == 0 })
	}
	return maps.EqualFunc(x, y, func(l, r []TopicPartitions) bool {
		return slices.EqualFunc(l, r, func(l, r TopicPartitions) bool {
			return l.Topic == r.Topic && slices.Equal(l.Partitions, r.Partitions)
		})
	})
}

func cloneTopicPartitions(list []TopicPartitions) []TopicPartitions {
	c := slices.Clone(list)
	for i := range c {
		c[i].Partitions = slices.Clone(c[i].Partitions)
	}
	return c
}

func sortTopicPartitions(list []TopicPartitions) []TopicPartitions {
	slices.SortStableFunc(list, func(l, r TopicPartitions) int { return cmp.Compare(l.Topic, r.Topic) })
	merged := list[:0]
	own := false // whether the last list of partitions was made here, and has no one else's behind it
	for _, tp := range list {
		if last := len(merged) - 1; last >= 0 && merged[last].Topic == tp.Topic {
			if !own {
				merged[last].Partitions = slices.Clip(merged[last].Partitions)
				own = len(tp.Partitions) > 0
			}
			merged[last].Partitions = append(merged[last].Partitions, tp.Partitions...)
			continue
		}
		merged, own = append(merged, tp), false
	}
	merged = slices.DeleteFunc(merged, func(tp TopicPartitions) bool { return len(tp.Partitions) == 0 })
	for i := range merged {
		slices.Sort(merged[i].Partitions)
	}
	return merged
}
