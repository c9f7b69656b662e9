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
	b := assign.Balanced{}
	for _, name := range []string{"uniform", "lag"} {
		weight := map[string]func() float64{
			"uniform": func() float64 { return 1 + 99*r.Float64() },
			"lag":     func() float64 { return math.Round(math.Exp(4 + r.NormFloat64())) },
		}[name]
		for _, state := range []string{"random", "left", "joined"} {
			moved, least, scratch := 0.0, 0.0, 0.0
			for range cases(40) {
				g := weighedTopics(8, 100, 20, weight)
				switch state {
				case "random":
					for _, topic := range g.Topics {
						for p := range topic.Partitions {
							m := &g.Members[r.IntN(len(g.Members))]
							m.Owned = append(m.Owned, assign.TopicPartitions{Topic: topic.Name, Partitions: []int32{p}})
						}
					}
				case "left":
					g = owning(g, mustAssign(t, b, g))
					g.Members = g.Members[1:]
				default:
					g = owning(g, mustAssign(t, b, g))
					g.Members = append(g.Members, assign.Member{ID: "new", Topics: g.Members[0].Topics})
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

// weighedTopics returns a group in which every member subscribes to every topic, and nobody
// owns anything.
func weighedTopics(topics int, partitions int32, members int, weight func() float64) (g assign.Group) {
	var names []string
	for n := range topics {
		topic := assign.Topic{Name: topicName(n), Partitions: partitions}
		for range partitions {
			topic.Weights = append(topic.Weights, weight())
		}
		g.Topics = append(g.Topics, topic)
		names = append(names, topic.Name)
	}
	for m := range members {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%02d", m), Topics: names})
	}
	return g
}

// TestWithinTheToleranceAPlanStays: what is owned moves neither for topics nor for racks
// when loads are good enough, however uneven topics are, and a new partition moves nothing
// either.
func TestWithinTheToleranceAPlanStays(t *testing.T) {
	r := newRand(t)
	skewed, tried := 0, cases(200)
	for range tried {
		g := weighedTopics(2+r.IntN(6), int32(40+r.IntN(40)), 2+r.IntN(6), func() float64 { return 1 + r.Float64() })
		for i := range g.Topics {
			g.Topics[i].Class = []string{"", "x", "y"}[r.IntN(3)]
			for range g.Topics[i].Partitions {
				g.Topics[i].Racks = append(g.Topics[i].Racks, []string{string(rune('a' + r.IntN(3)))})
			}
		}
		for i := range g.Members {
			g.Members[i].Rack = string(rune('a' + i%3))
			if chance(r, 4) {
				g.Members[i].Capacity = 2
			}
		}
		// A plan by loads alone leaves topics and racks as they come.
		g = owning(g, mustAssign(t, assign.Balanced{IgnoreTopics: true, IgnoreRacks: true}, g))
		before := assign.Measure(g, assign.Plan{Assignment: g.Ownership()})
		if before.TopicSpread > 2 {
			skewed++
		}
		for i := range g.Topics { // weights that are not what they were, and one that is new
			topic := &g.Topics[i]
			for p := range topic.Weights {
				topic.Weights[p] *= 1 + 0.02*r.Float64()
			}
		}
		g.Topics[0].Partitions++
		g.Topics[0].Weights = append(g.Topics[0].Weights, 0.1)
		if plan := mustAssign(t, assign.Balanced{}, g); assign.Measure(g, plan).MovedPartitions > 0 {
			t.Fatalf("it moves %+v\n%s", assign.Diff(g.Ownership(), plan.Assignment), inJSON(g))
		}
	}
	if skewed < tried/3 {
		t.Errorf("topics were uneven in %d of %d groups only, which shows little", skewed, tried)
	}
}

// leastMoved is the weight that has to leave members that have too much, or to come to
// those that have too little, whichever is more; free partitions come first.
func leastMoved(g assign.Group, tolerance float64) float64 {
	weights := make(map[string][]float64)
	total, free := 0.0, 0.0
	for _, topic := range g.Topics {
		weights[topic.Name] = topic.EffectiveWeights()
		for _, w := range weights[topic.Name] {
			total += w
			free += w
		}
	}
	share := total / float64(len(g.Members))
	above, below := 0.0, 0.0
	owned := g.Ownership()
	for _, m := range g.Members {
		has := 0.0
		for _, tp := range owned[m.ID] {
			for _, p := range tp.Partitions {
				has += weights[tp.Topic][p]
			}
		}
		free -= has
		above += max(0, has-share*(1+tolerance))
		below += max(0, share*(1-tolerance)-has)
	}
	return max(above, below-free)
}
