package member

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// refusedLabel is the label in which a member asks the leader not to give it certain
// partitions. Its value is JSON: topic → partitions.
const refusedLabel = "groupkit.refused"

// release ends the handler of a partition and asks the leader to move the partition.
func (m *Member) release(p *partition, why error) {
	m.mu.Lock()
	p.mu.Lock()
	runs := p.call != nil && !p.released // else it came back meanwhile
	if runs {
		p.released = true
		p.call.end(why)
		m.refused[p.topicPartition] = true
	}
	p.mu.Unlock()
	m.mu.Unlock()
	if runs {
		m.warnUntold(m.tellRefused(true))
	}
}

// unrelease takes the refusal back: the handler has returned.
func (m *Member) unrelease(p *partition) {
	m.mu.Lock()
	delete(m.refused, p.topicPartition)
	m.mu.Unlock()
	m.warnUntold(m.tellRefused(false)) // the leader hears it in the next round
	p.notify()
}

func (m *Member) warnUntold(err error) {
	if err != nil {
		m.cfg.Logger.Warn("the leader is not told which partitions the member refuses", "group", m.cfg.Group, "err", err)
	}
}

// tellRefused writes the refused partitions to the member's labels, and has the leader
// hear of them at once. Where there is no room for them the leader hears the user's traits.
func (m *Member) tellRefused(atOnce bool) error {
	m.traitsMu.Lock()
	defer m.traitsMu.Unlock()
	traits, err := m.withRefused(m.traits)
	m.warnUntold(err)
	if atOnce {
		return m.hooks.SetTraits(traits)
	}
	encoded, err := traits.encode()
	if err == nil {
		m.hooks.mu.Lock()
		m.hooks.traits = encoded
		m.hooks.mu.Unlock()
	}
	return err
}

// withRefused returns the traits with the refused partitions, or as they are, and why,
// where that cannot be encoded.
func (m *Member) withRefused(traits Traits) (Traits, error) {
	refused := make(map[string][]int32)
	m.mu.Lock()
	for tp := range m.refused {
		refused[tp.topic] = append(refused[tp.topic], tp.partition)
	}
	m.mu.Unlock()
	if len(refused) == 0 {
		return traits, nil
	}
	value, err := json.Marshal(refused)
	if err != nil {
		return traits, err
	}
	with := traits
	if with.Labels = maps.Clone(traits.Labels); with.Labels == nil {
		with.Labels = make(map[string]string)
	}
	with.Labels[refusedLabel] = string(value)
	if _, err := with.encode(); err != nil {
		return traits, err
	}
	return with, nil
}

// parseRefused reads the value of the label, a member's bytes: what makes no sense says
// nothing.
func parseRefused(value string) []assign.TopicPartitions {
	var listed map[string][]int32
	if value == "" || json.Unmarshal([]byte(value), &listed) != nil {
		return nil
	}
	return toTopicPartitions(listed)
}

// refusing is an assignor that heeds what members refuse, also where the one that it
// wraps does not.
type refusing struct{ assign.Assignor }

// Assign implements assign.Assignor.
func (a refusing) Assign(g assign.Group) (assign.Plan, error) { return a.plan(assign.NewReview(g), g) }

// plan is Assign for the group of the review.
func (a refusing) plan(review *assign.Review, g assign.Group) (assign.Plan, error) {
	plan, err := review.Assign(a.Assignor)
	if err != nil {
		return plan, err
	}
	if unheeded := unheeded(g, plan); len(unheeded) > 0 {
		plan = plan.Clone() // it may hold lists of the group, or be one that the assignor keeps
		moveRefused(g, &plan, unheeded)
		err = review.Validate(plan)
	}
	return plan, err
}

// A refusal is a partition that a member refuses.
type refusal struct {
	member *assign.Member
	topicPartition
}

// unheeded lists the partitions that the plan gives to members that refuse them, and does
// not tell of: such a one the assignor could not give to another within its constraints.
func unheeded(g assign.Group, plan assign.Plan) (list []refusal) {
	for i := range g.Members {
		m := &g.Members[i]
		for _, refused := range m.Refused {
			for _, n := range slices.Compact(slices.Sorted(slices.Values(refused.Partitions))) {
				told := func(u assign.Unmet) bool {
					return u.Constraint == assign.ConstraintRefused && u.Topic == refused.Topic && u.Partition == n
				}
				if contains(plan.Assignment[m.ID], refused.Topic, n) && !slices.ContainsFunc(plan.Unmet, told) {
					list = append(list, refusal{m, topicPartition{refused.Topic, n}})
				}
			}
		}
	}
	return list
}

func contains(list []assign.TopicPartitions, topic string, n int32) bool {
	return slices.ContainsFunc(list, func(tp assign.TopicPartitions) bool {
		return tp.Topic == topic && slices.Contains(tp.Partitions, n)
	})
}

// moveRefused gives partitions that their member refuses to the subscriber with the
// fewest that may have them, and lists those for which there is none.
func moveRefused(g assign.Group, plan *assign.Plan, refused []refusal) {
	a := plan.Assignment
	for _, r := range refused {
		to := receiver(g, a, r.topicPartition)
		if to == "" {
			plan.Unmet = append(plan.Unmet, assign.Unmet{Topic: r.topic, Partition: r.partition, Constraint: assign.ConstraintRefused,
				Reason: "no other member that subscribes has room for it and does not refuse it"})
			continue
		}
		if take(a, r.member.ID, r.topicPartition) {
			give(a, to, r.topicPartition)
			if back, ok := exchange(r.member, a, to); ok && take(a, to, back) {
				give(a, r.member.ID, back)
			}
		}
	}
	a.Sort()
}

// receiver returns the member with the fewest partitions of those that subscribe to the
// topic, are not draining, have room and do not refuse the partition; "" when there is
// none.
func receiver(g assign.Group, a assign.Assignment, tp topicPartition) string {
	best, fewest := "", 0
	for i := range g.Members {
		m := &g.Members[i]
		if m.Draining || contains(m.Refused, tp.topic, tp.partition) || !slices.Contains(m.Topics, tp.topic) {
			continue
		}
		n := a.Count(m.ID)
		if m.MaxPartitions > 0 && n >= int(m.MaxPartitions) {
			continue
		}
		if best == "" || n < fewest || n == fewest && m.ID < best {
			best, fewest = m.ID, n
		}
	}
	return best
}

// exchange returns a partition that the member owns and that the other gets, for the
// member to keep in place of the one that it refuses, where it has become uneven between
// the two.
func exchange(m *assign.Member, a assign.Assignment, other string) (topicPartition, bool) {
	if a.Count(other) <= a.Count(m.ID)+1 {
		return topicPartition{}, false
	}
	for _, gets := range a[other] {
		for _, owned := range m.Owned {
			if owned.Topic != gets.Topic || !slices.Contains(m.Topics, owned.Topic) {
				continue
			}
			for _, n := range gets.Partitions {
				if slices.Contains(owned.Partitions, n) && !contains(m.Refused, gets.Topic, n) {
					return topicPartition{gets.Topic, n}, true
				}
			}
		}
	}
	return topicPartition{}, false
}

// give adds a partition to what a member gets.
func give(a assign.Assignment, id string, tp topicPartition) {
	for i := range a[id] {
		if a[id][i].Topic == tp.topic {
			a[id][i].Partitions = append(slices.Clone(a[id][i].Partitions), tp.partition)
			return
		}
	}
	a[id] = append(a[id], assign.TopicPartitions{Topic: tp.topic, Partitions: []int32{tp.partition}})
}

// take removes a partition from what a member gets, and tells whether it was there.
func take(a assign.Assignment, id string, tp topicPartition) bool {
	for i, one := range a[id] {
		if at := slices.Index(one.Partitions, tp.partition); one.Topic == tp.topic && at >= 0 {
			a[id][i].Partitions = slices.Delete(slices.Clone(one.Partitions), at, at+1)
			if len(a[id][i].Partitions) == 0 {
				a[id] = slices.Delete(a[id], i, i+1)
			}
			return true
		}
	}
	return false
}
