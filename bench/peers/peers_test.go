package peers_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/parity"
	"github.com/groupkit/groupkit/bench/peers"
	"github.com/groupkit/groupkit/bench/wire"
)

// TestPeersGiveValidPlans of random groups: what is compared does the work.
func TestPeersGiveValidPlans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		g := parity.RandomGroup(r)
		for i := range g.Members {
			g.Members[i].Topics = known(g, g.Members[i].Topics)
		}
		for _, peer := range peers.All() {
			for _, group := range []assign.Group{g, owned(g, peer.Name, t)} {
				result := peers.Solve(wire.Problem{Group: group}, peer.Name)
				if result.Error != "" {
					t.Fatalf("%s: %s", peer.Name, result.Error)
				}
				if err := assign.Validate(group, assign.Plan{Assignment: result.Assignment}); err != nil {
					t.Fatalf("%s: %v\n%+v", peer.Name, err, group)
				}
			}
		}
	}
}

// TestLagGreedyFollowsItsDescription is the example in the documentation of the
// lag-based assignor.
func TestLagGreedyFollowsItsDescription(t *testing.T) {
	g := assign.Group{
		Topics:  []assign.Topic{{Name: "t0", Partitions: 3, Weights: []float64{100000, 50000, 60000}}},
		Members: []assign.Member{{ID: "C0", Topics: []string{"t0"}}, {ID: "C1", Topics: []string{"t0"}}},
	}
	result := peers.Solve(wire.Problem{Group: g}, peers.Lag)
	if got, want := fmt.Sprint(result.Assignment), "map[C0:[{t0 [0]}] C1:[{t0 [1 2]}]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// known drops topics that are named twice or do not exist, which some peers do not expect.
func known(g assign.Group, topics []string) []string {
	var kept []string
	for _, topic := range g.Topics {
		for _, name := range topics {
			if name == topic.Name && topic.Partitions > 0 {
				kept = append(kept, name)
				break
			}
		}
	}
	return kept
}

// owned returns g as it is once its members run what the peer plans.
func owned(g assign.Group, peer string, t *testing.T) assign.Group {
	t.Helper()
	result := peers.Solve(wire.Problem{Group: g}, peer)
	g = g.Clone()
	for i := range g.Members {
		g.Members[i].Owned, g.Members[i].Generation = result.Assignment[g.Members[i].ID], 1
	}
	return g
}
