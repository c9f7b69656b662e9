package assign_test

import (
	"fmt"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestPlansByCountAreMonotone: with equal subscriptions, weights and capacities a member
// that leaves frees only its own partitions, and one that joins only receives.
func TestPlansByCountAreMonotone(t *testing.T) {
	r := newRand(t)
	for range cases(3000) {
		var g assign.Group
		var names []string
		for n := range 1 + r.IntN(4) {
			g.Topics = append(g.Topics, assign.Topic{Name: topicName(n), Partitions: int32(r.IntN(20))})
			names = append(names, topicName(n))
		}
		for n := range 2 + r.IntN(6) {
			g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%d", n), Topics: names})
		}
		for _, a := range []assign.Assignor{assign.Sticky(), assign.CooperativeSticky(), assign.Balanced{IgnoreTopics: true}, assign.Balanced{IgnoreTopics: true, IgnoreRacks: true}} {
			g := owning(g, mustAssign(t, a, g))
			for range 6 {
				if len(g.Members) > 1 && chance(r, 2) {
					gone := g.Members[r.IntN(len(g.Members))].ID
					before := g.Ownership()
					for i, m := range g.Members {
						if m.ID == gone {
							g.Members = append(g.Members[:i:i], g.Members[i+1:]...)
							break
						}
					}
					plan := mustAssign(t, a, g)
					for _, move := range assign.Diff(before, plan.Assignment) {
						if move.From != gone {
							t.Fatalf("%s: %s left, and %+v moves\n%s", a.Name(), gone, move, inJSON(g))
						}
					}
					g = owning(g, plan)
					continue
				}
				come := fmt.Sprintf("n%d", r.IntN(1<<30))
				g.Members = append(g.Members, assign.Member{ID: come, Topics: names})
				plan := mustAssign(t, a, g)
				for _, move := range assign.Diff(g.Ownership(), plan.Assignment) {
					if move.To != come {
						t.Fatalf("%s: %s joined, and %+v moves\n%s", a.Name(), come, move, inJSON(g))
					}
				}
				g = owning(g, plan)
			}
		}
	}
}

// TestCoPartitionedCountsAreEven: where all partitions weigh the same, counts are as even
// as units of several partitions allow, whatever the tolerance.
func TestCoPartitionedCountsAreEven(t *testing.T) {
	r := newRand(t)
	for range cases(600) {
		g := assign.Group{Topics: []assign.Topic{
			{Name: "t00", Partitions: int32(5 + r.IntN(200))}, {Name: "t01", Partitions: int32(5 + r.IntN(200))},
			{Name: "t02", Partitions: int32(40 + r.IntN(200))},
		}}
		for n := range 2 + r.IntN(8) {
			g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%d", n), Topics: []string{"t00", "t01", "t02"}})
		}
		b := assign.Balanced{Tolerance: 0.5, CoPartition: [][]string{{"t00", "t01"}}}
		for range 4 {
			plan := mustAssign(t, b, g)
			if spread := assign.Measure(g, plan).CountSpread; spread > 1 {
				t.Fatalf("counts differ by %d: %s\n%s", spread, brief(plan.Assignment), inJSON(g))
			}
			g = owning(g, plan)
			if len(g.Members) > 2 {
				g.Members = g.Members[1:]
			}
		}
	}
}
