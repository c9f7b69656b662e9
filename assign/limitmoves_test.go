package assign_test

import (
	"fmt"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestLimitMovesArrives follows random groups to the target, by so many moves a plan.
func TestLimitMovesArrives(t *testing.T) {
	r := newRand(t)
	for range cases(600) {
		g := randomGroup(r)
		most := 1 + r.IntN(4)
		for _, a := range []assign.Assignor{assign.Range(), assign.RoundRobin(), assign.Rendezvous{}} {
			target := mustAssign(t, a, g)
			limited := assign.LimitMoves(a, most)
			if limited.Name() != a.Name() {
				t.Fatalf("%s became %s", a.Name(), limited.Name())
			}
			at := g
			for round := 0; ; round++ {
				plan := mustAssign(t, limited, at)
				free := 0 // moves of what cannot stay
				for _, move := range assign.Diff(at.Ownership(), plan.Assignment) {
					if move.From != "" && !mayKeep(at, move.From, move.Topic) {
						free++
					}
				}
				if moved := assign.Measure(at, plan).MovedPartitions; moved > most+free {
					t.Fatalf("%s: %d partitions move, %d may and %d have to\n%s", a.Name(), moved, most, free, inJSON(at))
				}
				if plan.Assignment.Equal(target.Assignment) {
					break
				}
				if round > assign.Measure(g, target).Partitions {
					t.Fatalf("%s: not there after %d plans of at most %d moves\n%s", a.Name(), round, most, inJSON(g))
				}
				at = owning(at, plan)
			}
		}
	}
}

// mayKeep tells whether the member subscribes and does not drain.
func mayKeep(g assign.Group, id, topic string) bool {
	for _, m := range g.Members {
		if m.ID == id {
			for _, name := range m.Topics {
				if name == topic {
					return !m.Draining
				}
			}
		}
	}
	return false
}

// Two partitions a rebalance are given back to the order of range.
func ExampleLimitMoves() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{2, 3}}}},
			{ID: "b", Topics: []string{"orders"}, Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1}}}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 4}},
	}
	plan, err := assign.LimitMoves(assign.Range(), 2).Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	printPlan(plan)
	// Output:
	// a: orders[0 3]
	// b: orders[1 2]
}
