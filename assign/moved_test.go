package assign_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestWeightMovedIsCloseToTheLeast starts from owners drawn at random, and from a settled
// group of which a member left or that one joined. What moves is compared with the weight
// that members have beyond the tolerance, which no plan within it can leave where it is,
// and with what a plan from scratch would move.
func TestWeightMovedIsCloseToTheLeast(t *testing.T) {
	r := newRand(t)
	b := assign.Balanced{IgnoreTopics: true}
	for _, name := range []string{"uniform", "lag"} {
		weight := map[string]func() float64{
			"uniform": func() float64 { return 1 + 99*r.Float64() },
			"lag":     func() float64 { return math.Round(math.Exp(4 + r.NormFloat64())) },
		}[name]
		for _, state := range []string{"random", "left", "joined"} {
			moved, least, scratch := 0.0, 0.0, 0.0
			for range cases(40) {
				topic := assign.Topic{Name: "t", Partitions: 800}
				for range topic.Partitions {
					topic.Weights = append(topic.Weights, weight())
				}
				g := assign.Group{Topics: []assign.Topic{topic}}
				for m := range 20 {
					g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%02d", m), Topics: []string{"t"}})
				}
				switch state {
				case "random":
					for p := range topic.Partitions {
						m := &g.Members[r.IntN(len(g.Members))]
						m.Owned = append(m.Owned, assign.TopicPartitions{Topic: "t", Partitions: []int32{p}})
					}
				case "left":
					g = owning(g, mustAssign(t, b, g))
					g.Members = g.Members[1:]
				default:
					g = owning(g, mustAssign(t, b, g))
					g.Members = append(g.Members, assign.Member{ID: "new", Topics: []string{"t"}})
				}
				stats := assign.Measure(g, mustAssign(t, b, g))
				moved += stats.MovedWeight
				least += leastMoved(g, assign.DefaultTolerance)
				bare := g.Clone()
				for i := range bare.Members {
					bare.Members[i].Owned = nil
				}
				scratch += assign.Measure(g, mustAssign(t, b, bare)).MovedWeight
			}
			t.Logf("%s, %s: moved %.0f, at least %.0f has to, a plan from scratch moves %.0f", name, state, moved, least, scratch)
			// Half the tolerance, on either side, is what moving goes on to.
			if moved > least*1.5+0.05*scratch {
				t.Errorf("%s, %s: moved %.0f, at least %.0f has to", name, state, moved, least)
			}
			if moved > scratch/3 {
				t.Errorf("%s, %s: moved %.0f, a plan from scratch moves %.0f", name, state, moved, scratch)
			}
		}
	}
}

// leastMoved is the weight that has to leave members that have too much, or to come to
// those that have too little, whichever is more; free partitions come first.
func leastMoved(g assign.Group, tolerance float64) float64 {
	weights := g.Topics[0].EffectiveWeights()
	total, free := 0.0, 0.0
	for _, w := range weights {
		total += w
		free += w
	}
	share := total / float64(len(g.Members))
	above, below := 0.0, 0.0
	owned := g.Ownership()
	for _, m := range g.Members {
		has := 0.0
		for _, tp := range owned[m.ID] {
			for _, p := range tp.Partitions {
				has += weights[p]
			}
		}
		free -= has
		above += max(0, has-share*(1+tolerance))
		below += max(0, share*(1-tolerance)-has)
	}
	return max(above, below-free)
}
