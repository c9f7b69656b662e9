package assign_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func manyMembers(members, partitions int) assign.Group {
	g := assign.Group{Topics: []assign.Topic{{Name: "t", Partitions: int32(partitions)}}}
	for m := range members {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%03d", m), Topics: []string{"t"}})
	}
	return g
}

func TestRendezvousKeepsItsBound(t *testing.T) {
	for _, bound := range []float64{1, 1.1, 1.25, 2} {
		g := manyMembers(13, 1000)
		g.Members[4].Capacity = 3
		plan := mustAssign(t, assign.Rendezvous{Bound: bound}, g)
		for id := range plan.Assignment {
			share := 1000.0 / 15
			if id == "m004" {
				share *= 3
			}
			if n, most := plan.Assignment.Count(id), int(math.Ceil(bound*share-1e-6)); n > most {
				t.Errorf("bound %v: %s has %d partitions, at most %d fit", bound, id, n, most)
			}
		}
	}
	if _, err := (assign.Rendezvous{Bound: 0.9}).Assign(manyMembers(1, 1)); err == nil {
		t.Error("a bound below 1 is accepted")
	}
}

// TestRendezvousMovesLittle compares the moves after a member left with the partitions
// that it had. Without bounds no others move at all.
func TestRendezvousMovesLittle(t *testing.T) {
	for _, test := range []struct{ bound, most float64 }{{100, 0}, {2, 0}, {1.25, 0.5}} {
		g := manyMembers(20, 2000)
		before := mustAssign(t, assign.Rendezvous{Bound: test.bound}, g)
		gone := g.Members[7].ID
		g.Members = append(g.Members[:7:7], g.Members[8:]...)
		after := mustAssign(t, assign.Rendezvous{Bound: test.bound}, g)
		others := 0
		for _, move := range assign.Diff(before.Assignment, after.Assignment) {
			if move.From != gone {
				others++
			}
		}
		if had := before.Assignment.Count(gone); float64(others) > test.most*float64(had) {
			t.Errorf("bound %v: %d partitions of others move beside the %d of the one that left", test.bound, others, had)
		}
	}
}

func TestRendezvousGoesByInstance(t *testing.T) {
	g := manyMembers(5, 50)
	for m := range g.Members {
		g.Members[m].Instance = fmt.Sprintf("i%d", m)
	}
	before := mustAssign(t, assign.Rendezvous{}, g)
	g.Members[2].ID = "restarted"
	after := mustAssign(t, assign.Rendezvous{}, g)
	if got, want := fmt.Sprint(after.Assignment["restarted"]), fmt.Sprint(before.Assignment["m002"]); got != want {
		t.Errorf("after its restart the instance has %s, before %s", got, want)
	}
}
