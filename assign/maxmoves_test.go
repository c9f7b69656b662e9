package assign_test

import (
	"math"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestMaxMovesGoesPartOfTheWayInEachRound follows groups from a skewed state, with and
// without weights, to where nothing moves any more.
func TestMaxMovesGoesPartOfTheWayInEachRound(t *testing.T) {
	r := newRand(t)
	for n := range cases(400) {
		g := skewed(r)
		if n%2 == 0 {
			for i := range g.Topics {
				for range g.Topics[i].Partitions {
					g.Topics[i].Weights = append(g.Topics[i].Weights, math.Exp(3*r.NormFloat64()))
				}
			}
		}
		limit := 1 + r.IntN(8)
		b := assign.Balanced{MaxMoves: limit}
		highest := math.Inf(1)
		partitions := assign.Measure(g, assign.Keep(g)).Partitions
		for round := 0; ; round++ {
			// Counted, each round is nearer by what moved. By weight each one lowers
			// a load, which can take longer.
			if n%2 == 1 && round > partitions+1 || round > 20*(partitions+1) {
				t.Fatalf("%d partitions still move after %d rounds of at most %d", partitions, round, limit)
			}
			plan := mustAssign(t, b, g)
			stats := assign.Measure(g, plan)
			if stats.MovedPartitions > limit {
				t.Fatalf("%d partitions move, at most %d may", stats.MovedPartitions, limit)
			}
			// What evens out topics may cost half the tolerance.
			if stats.MaxLoad > max(highest, stats.LowerBound*(1+assign.DefaultTolerance/2))*(1+1e-9) {
				t.Fatalf("round %d raises the highest load from %v to %v, at least %v", round, highest, stats.MaxLoad, stats.LowerBound)
			}
			highest = stats.MaxLoad
			g = owning(g, plan)
			if stats.MovedPartitions == 0 {
				break
			}
		}
		// Counts are then even; topics are too, but for circles of more moves.
		if n%2 == 1 {
			if spread := assign.Measure(g, assign.Keep(g)).CountSpread; spread > 1 {
				t.Fatalf("the spread is %d where nothing moves any more", spread)
			}
		}
	}
}

func TestMaxMovesDoesNotHoldBackWhatCannotStay(t *testing.T) {
	g := group("t:6", "C0: t | t:0,1,2,3,4,5 @1", "C1: t")
	g.Members[0].Draining = true
	plan := mustAssign(t, assign.Balanced{MaxMoves: 1}, g)
	if got, want := brief(plan.Assignment), "C0[] C1[t:0,1,2,3,4,5]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
