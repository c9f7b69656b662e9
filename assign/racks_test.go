package assign_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// rackedGroup returns a small group of members and partitions in three racks.
func rackedGroup(r *rand.Rand) assign.Group {
	rack := func() string { return []string{"a", "b", "c"}[r.IntN(3)] }
	var g assign.Group
	var names []string
	for n := range 1 + r.IntN(2) {
		topic := assign.Topic{Name: topicName(n), Partitions: int32(1 + r.IntN(6))}
		for range topic.Partitions {
			topic.Racks = append(topic.Racks, []string{rack(), rack()})
		}
		g.Topics = append(g.Topics, topic)
		names = append(names, topic.Name)
	}
	for n := range 1 + r.IntN(4) {
		m := assign.Member{ID: fmt.Sprintf("m%d", n), Topics: names, Generation: 1}
		if !chance(r, 5) {
			m.Rack = rack()
		}
		g.Members = append(g.Members, m)
	}
	for _, topic := range g.Topics {
		for p := range topic.Partitions {
			if !chance(r, 3) {
				m := &g.Members[r.IntN(len(g.Members))]
				m.Owned = append(m.Owned, assign.TopicPartitions{Topic: topic.Name, Partitions: []int32{p}})
			}
		}
	}
	return g
}

// TestAsManyPartitionsAreLocalAsCountsAllow tries every other way to give each member as
// many partitions of each topic as it has, with as few moves.
func TestAsManyPartitionsAreLocalAsCountsAllow(t *testing.T) {
	r := newRand(t)
	for range cases(3000) {
		g := rackedGroup(r)
		for _, followers := range []bool{false, true} {
			for _, ignoreTopics := range []bool{false, true} {
				plan := mustAssign(t, assign.Balanced{FollowerFetching: followers, IgnoreTopics: ignoreTopics}, g)
				for i := range g.Topics {
					ours, best := localOf(g, &g.Topics[i], plan, followers)
					if ours < best {
						t.Fatalf("%d partitions of %s are local, %d can be with the same counts and moves: %s\n%s",
							ours, g.Topics[i].Name, best, brief(plan.Assignment), inJSON(g))
					}
				}
			}
		}
	}
}

// localOf counts the partitions of the topic that are local, and the most that can be.
func localOf(g assign.Group, topic *assign.Topic, plan assign.Plan, followers bool) (ours, best int) {
	local := func(p, m int) int {
		replicas := topic.Racks[p]
		if !followers {
			replicas = replicas[:1]
		}
		if slices.Contains(replicas, g.Members[m].Rack) {
			return 1
		}
		return 0
	}
	number := make(map[string]int)
	for m := range g.Members {
		number[g.Members[m].ID] = m
	}
	numbers := func(a assign.Assignment) []int {
		of := slices.Repeat([]int{-1}, int(topic.Partitions))
		for id, list := range a {
			for _, tp := range list {
				if tp.Topic == topic.Name {
					for _, p := range tp.Partitions {
						of[p] = number[id]
					}
				}
			}
		}
		return of
	}
	owner, has := numbers(g.Ownership()), numbers(plan.Assignment)
	counts, moves := make([]int, len(g.Members)), 0
	for p, m := range has {
		counts[m]++
		ours += local(p, m)
		if owner[p] >= 0 && owner[p] != m {
			moves++
		}
	}
	var place func(p, moves, locals int)
	place = func(p, moves, locals int) {
		if moves < 0 {
			return
		}
		if p == len(has) {
			best = max(best, locals)
			return
		}
		for m := range counts {
			if counts[m] > 0 {
				counts[m]--
				moved := 0
				if owner[p] >= 0 && owner[p] != m {
					moved = 1
				}
				place(p+1, moves-moved, locals+local(p, m))
				counts[m]++
			}
		}
	}
	place(0, moves, 0)
	return ours, best
}

// TestWeightedPlansHeedTopicsAndRacks: where the tolerance leaves a choice, nearly every
// partition is local and nearly none is above a member's share of its topic, also when
// members leave and others get what they had.
func TestWeightedPlansHeedTopicsAndRacks(t *testing.T) {
	r := newRand(t)
	for n := range cases(40) {
		var g assign.Group
		var names []string
		const members, topics = 12, 8
		for i := range topics {
			topic := assign.Topic{Name: topicName(i), Partitions: int32(24 + r.IntN(60)), Class: []string{"", "red", "blue"}[i%3]}
			for range topic.Partitions {
				topic.Racks = append(topic.Racks, []string{[]string{"a", "b", "c"}[r.IntN(3)]})
				topic.Weights = append(topic.Weights, 1+r.Float64())
			}
			g.Topics = append(g.Topics, topic)
			names = append(names, topic.Name)
		}
		for i := range members {
			g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%02d", i), Rack: []string{"a", "b", "c"}[i%3], Topics: names})
		}
		scratch := assign.Measure(g, mustAssign(t, assign.Balanced{}, g))
		inRack, possible := make(map[string]int), 0
		for _, topic := range g.Topics {
			for _, replicas := range topic.Racks {
				inRack[replicas[0]]++
			}
		}
		for _, n := range inRack { // a third of the members is in each
			possible += min(n, scratch.Partitions/3)
		}
		if scratch.RackLocal < possible*9/10 {
			t.Fatalf("only %d are local, of about %d that can be", scratch.RackLocal, possible)
		}
		if n%2 == 0 { // one member of each rack leaves
			g = owning(g, mustAssign(t, assign.Balanced{}, g))
			g.Members = g.Members[3:]
		}
		plan := mustAssign(t, assign.Balanced{}, g)
		stats := assign.Measure(g, plan)
		if stats.MaxLoad > stats.LowerBound*1.05 {
			t.Fatalf("the highest load is %.3f of the lower bound", stats.MaxLoad/stats.LowerBound)
		}
		above := 0
		for _, topic := range g.Topics {
			limit := int(1 + float64(topic.Partitions)*(1+assign.DefaultTolerance)/float64(len(g.Members)))
			for _, list := range plan.Assignment {
				for _, tp := range list {
					if tp.Topic == topic.Name {
						above += max(0, len(tp.Partitions)-limit)
					}
				}
			}
		}
		if above > stats.Partitions/100 {
			t.Fatalf("%d of %d partitions are above a topic's even share: %s", above, stats.Partitions, brief(plan.Assignment))
		}
	}
}
