package main

import (
	"testing"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/peers"
	"github.com/groupkit/groupkit/bench/wire"
)

// TestMovesFromOneStartAreAsManyAsKgos: in the tables each peer starts from its own
// plan, so the moves there say as much about that plan as about the step. From one start
// the exact planners move equally many partitions, also at full size.
func TestMovesFromOneStartAreAsManyAsKgos(t *testing.T) {
	for _, s := range scenarios(false) {
		if !s.Mixed {
			continue
		}
		for _, start := range []string{peers.KgoSticky, peers.BalancedCounts, peers.Balanced} {
			settled := owning(s.group(), plan(t, s.group(), start), 1)
			leave, _ := without(settled, s.Members/2)
			join := joined(settled, settled.Members[s.Members/2], "member-new")
			for step, g := range map[string]assign.Group{oneLeaves: leave, oneJoins: join} {
				kgo, ours := moved(t, g, peers.KgoSticky), moved(t, g, peers.BalancedCounts)
				if ours != kgo {
					t.Errorf("%s, %s, from the plan of %s: %d moved, kgo moves %d", s, step, start, ours, kgo)
				}
			}
		}
	}
}

func plan(t *testing.T, g assign.Group, peer string) assign.Assignment {
	t.Helper()
	result := peers.Solve(wire.Problem{Group: g}, peer)
	if result.Error != "" {
		t.Fatal(result.Error)
	}
	return result.Assignment
}

func moved(t *testing.T, g assign.Group, peer string) int {
	t.Helper()
	return assign.Measure(g, assign.Plan{Assignment: plan(t, g, peer)}).MovedPartitions
}
