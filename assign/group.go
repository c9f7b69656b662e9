package assign

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Group is the whole problem that an [Assignor] solves: the members, and the
// topics that at least one of them subscribes to. Members and Topics may be in any
// order. Neither member ids nor topic names may repeat.
type Group struct {
	Members []Member `json:"members"`
	Topics  []Topic  `json:"topics"`
}

// A Member is what the leader knows of one member of the group.
type Member struct {
	// ID is the member id that the coordinator gave. It is unique in the
	// group, and new each time the member joins afresh.
	ID string `json:"id"`

	// Instance is group.instance.id of a static member (KIP-345), which
	// survives restarts; empty for a dynamic member.
	Instance string `json:"instance,omitempty"`

	// Rack is client.rack (KIP-881); empty when the member told none.
	Rack string `json:"rack,omitempty"`

	// Topics are the topics that the member subscribes to.
	Topics []string `json:"topics"`

	// Owned is what the member claims to own from an earlier round
	// (KIP-429), as it was told: it may be wrong, see [Group.Ownership].
	Owned []TopicPartitions `json:"owned,omitempty"`

	// Generation is the generation of the group in which Owned was owned
	// (KIP-792); at most 0 when it is not known, which any known one beats.
	Generation int32 `json:"generation,omitempty"`

	// Capacity is how much load the member can take in relation to the
	// others: 2 takes twice as much as 1. Zero means 1.
	Capacity float64 `json:"capacity,omitempty"`

	// MaxPartitions is the most partitions that the member may have, and
	// MaxWeight the most weight, in the unit of Topic.Weights. Zero means no
	// ceiling. Only [Balanced] knows of them.
	MaxPartitions int32   `json:"maxPartitions,omitempty"`
	MaxWeight     float64 `json:"maxWeight,omitempty"`

	// Labels are facts about the member that its owner chose to tell.
	Labels map[string]string `json:"labels,omitempty"`

	// Draining says that the member is about to leave: it is given nothing
	// by assignors that know of it, as long as another subscriber remains.
	Draining bool `json:"draining,omitempty"`

	// Refused are partitions that the member must not have, in whatever order: its
	// handler of them hangs, say. [Balanced], [Sticky], [CooperativeSticky], [Rendezvous]
	// and [Failover] give them to another subscriber where there is one that may have them.
	Refused []TopicPartitions `json:"refused,omitempty"`
}

// A Topic is what the leader knows of one topic.
type Topic struct {
	Name string `json:"name"`

	// Partitions is the number of partitions, which are numbered from 0.
	// Zero means that the topic does not exist or that nothing is known of
	// it; then nothing of it can be assigned.
	Partitions int32 `json:"partitions"`

	// Weights holds the load of each partition, by index, in a unit of the
	// caller's choice (bytes per second, lag, …), at least 0. A partition
	// beyond the end of the list weighs the median of the list, and 1 when
	// the list is empty.
	Weights []float64 `json:"weights,omitempty"`

	// Class names what the topic belongs to, a tenant say. Assignors that
	// spread each topic evenly spread each class evenly too.
	Class string `json:"class,omitempty"`

	// Racks holds, for each partition by index, the racks of its replicas,
	// the leader's first; a replica whose rack is unknown is "".
	Racks [][]string `json:"racks,omitempty"`
}

// TopicPartitions are partitions of one topic.
type TopicPartitions struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// EffectiveCapacity returns Capacity, or 1 where it is zero.
func (m *Member) EffectiveCapacity() float64 {
	if m.Capacity == 0 {
		return 1
	}
	return m.Capacity
}

// EffectiveWeights returns the weight of every partition of the topic, with the
// rules of Topic.Weights applied. The result has Partitions entries.
func (t *Topic) EffectiveWeights() []float64 {
	weights := make([]float64, max(t.Partitions, 0))
	known := copy(weights, t.Weights)
	if known == len(weights) {
		return weights
	}
	missing := 1.0
	if known > 0 {
		missing = median(weights[:known])
	}
	for i := known; i < len(weights); i++ {
		weights[i] = missing
	}
	return weights
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	low, high := sorted[middle-1], sorted[middle]
	return low + (high-low)/2 // the sum of both may be more than a float64 holds
}

// Check reports what makes g no problem to solve: a member id or a topic name that
// is empty or repeats, a weight, capacity or ceiling that is negative, infinite or not
// a number, a negative number of partitions. All of it is reported, joined; each
// error names the member or partition. Assignors of this package call it.
func (g Group) Check() error {
	var errs []error
	members := make(map[string]bool, len(g.Members))
	for i := range g.Members {
		m := &g.Members[i]
		switch {
		case m.ID == "":
			errs = append(errs, fmt.Errorf("member %d of the group has no id; give each member one", i))
		case members[m.ID]:
			errs = append(errs, fmt.Errorf("member %q is in the group twice; list each member once", m.ID))
		}
		members[m.ID] = true
		if !finite(m.Capacity) {
			errs = append(errs, fmt.Errorf("member %q has capacity %v; give a finite number, 0 or more", m.ID, m.Capacity))
		}
		if !finite(m.MaxWeight) {
			errs = append(errs, fmt.Errorf("member %q has maxWeight %v; give a finite number, 0 for no ceiling", m.ID, m.MaxWeight))
		}
		if m.MaxPartitions < 0 {
			errs = append(errs, fmt.Errorf("member %q has maxPartitions %d; give 0 for no ceiling, or more", m.ID, m.MaxPartitions))
		}
	}
	topics := make(map[string]bool, len(g.Topics))
	for i := range g.Topics {
		t := &g.Topics[i]
		switch {
		case t.Name == "":
			errs = append(errs, fmt.Errorf("topic %d of the group has no name; give each topic one", i))
		case topics[t.Name]:
			errs = append(errs, fmt.Errorf("topic %q is in the group twice; list each topic once", t.Name))
		}
		topics[t.Name] = true
		if t.Partitions < 0 {
			errs = append(errs, fmt.Errorf("topic %q has %d partitions; give 0 when their number is unknown", t.Name, t.Partitions))
		}
		for p, w := range t.Weights {
			if !finite(w) {
				errs = append(errs, fmt.Errorf("partition %d of topic %q has weight %v; give a finite number, 0 or more", p, t.Name, w))
			}
		}
	}
	return errors.Join(errs...)
}

// check is Check for a group with this index, which knows whether anything repeats: only
// what is wrong is looked for twice.
func (g Group) check(ix *index) error {
	wrong := ix.repeats ||
		slices.ContainsFunc(g.Members, func(m Member) bool {
			return m.ID == "" || !finite(m.Capacity) || !finite(m.MaxWeight) || m.MaxPartitions < 0
		}) ||
		slices.ContainsFunc(g.Topics, func(t Topic) bool {
			return t.Name == "" || t.Partitions < 0 || slices.ContainsFunc(t.Weights, func(w float64) bool { return !finite(w) })
		})
	if wrong {
		return g.Check()
	}
	return nil
}

func finite(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }

// Clone returns a copy of g that shares no memory with it.
func (g Group) Clone() Group {
	members := slices.Clone(g.Members)
	for i := range members {
		m := &members[i]
		m.Topics = slices.Clone(m.Topics)
		m.Owned = cloneTopicPartitions(m.Owned)
		m.Refused = cloneTopicPartitions(m.Refused)
		if m.Labels != nil {
			labels := make(map[string]string, len(m.Labels))
			for k, v := range m.Labels {
				labels[k] = v
			}
			m.Labels = labels
		}
	}
	topics := slices.Clone(g.Topics)
	for i := range topics {
		t := &topics[i]
		t.Weights = slices.Clone(t.Weights)
		t.Racks = slices.Clone(t.Racks)
		for p := range t.Racks {
			t.Racks[p] = slices.Clone(t.Racks[p])
		}
	}
	return Group{Members: members, Topics: topics}
}

// compareMembers is the order in which Kafka's Java assignors list members
// (AbstractPartitionAssignor.MemberInfo): static members first, by instance, then
// dynamic ones, by id. The order survives restarts of static members.
func compareMembers(a, b *Member) int {
	if (a.Instance == "") != (b.Instance == "") {
		if a.Instance != "" {
			return -1
		}
		return 1
	}
	if a.Instance != b.Instance {
		return cmp.Compare(a.Instance, b.Instance)
	}
	return cmp.Compare(a.ID, b.ID)
}
