package assign_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random groups; 0 takes the time")

// newRand returns a source of random numbers, and logs the seed that -seed takes to
// see a failure again.
func newRand(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./assign -run '^%s$' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

var timesFlag = flag.Int("times", 1, "how many times as many random groups to try")

// cases is the number of random groups to try: n, times what -times says, and fewer with
// -short. With the race detector, which makes each take five times as long, it is a quarter:
// assignors start no goroutine, and `make unit` tries all of them without it.
func cases(n int) int {
	n *= *timesFlag
	switch {
	case testing.Short():
		return n / 20
	case raceDetector:
		return n / 4
	}
	return n
}

// chance is true once in n times.
func chance(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func topicName(n int) string { return fmt.Sprintf("t%02d", n) }

// randomGroup returns a small group of a random shape that passes Check, with all
// that a leader may be told: members that subscribe to nothing or to topics that do
// not exist, wrong and conflicting claims, weights and capacities of any size.
func randomGroup(r *rand.Rand) assign.Group {
	var g assign.Group
	topics := r.IntN(6)
	for n := range topics {
		g.Topics = append(g.Topics, assign.Topic{Name: topicName(n), Partitions: int32(r.IntN(9)), Class: []string{"", "", "red", "blue"}[r.IntN(4)]})
	}
	members := r.IntN(8)
	if chance(r, 10) {
		members = r.IntN(30)
	}
	equal := chance(r, 2)
	everything := make([]string, topics)
	for n := range everything {
		everything[n] = topicName(n)
	}
	for n := range members {
		m := assign.Member{ID: fmt.Sprintf("m%02d", n), Topics: everything}
		if !equal {
			m.Topics = nil
			for range r.IntN(topics + 3) {
				m.Topics = append(m.Topics, topicName(r.IntN(topics+2))) // some twice, some of no topic
			}
		}
		if chance(r, 4) {
			m.Instance = fmt.Sprintf("i%02d", (n*7)%31)
		}
		if chance(r, 5) {
			m.Labels = map[string]string{"tier": []string{"gold", "silver"}[r.IntN(2)], "priority": fmt.Sprint(r.IntN(4) - 1)}
		}
		if chance(r, 8) {
			m.Rack = fmt.Sprintf("r%d", r.IntN(3))
		}
		g.Members = append(g.Members, m)
	}
	weigh(r, &g)
	claim(r, &g)
	return g
}

// weigh gives g weights, capacities, racks and draining members, or leaves them out.
func weigh(r *rand.Rand, g *assign.Group) {
	weights := []func() float64{
		func() float64 { return 0 },
		func() float64 { return float64(r.IntN(10)) },
		func() float64 { return float64(r.IntN(2)) },
		func() float64 { return math.Exp(r.NormFloat64() * 3) },
		func() float64 { return 1e16*float64(r.IntN(2)) + r.Float64() },
		func() float64 { return math.MaxFloat64 * r.Float64() },
		func() float64 { return math.SmallestNonzeroFloat64 * float64(r.IntN(5)) },
		func() float64 { return math.Ldexp(r.Float64(), r.IntN(2000)-1000) },
	}
	if chance(r, 2) {
		weight := weights[r.IntN(len(weights))]
		for i := range g.Topics {
			t := &g.Topics[i]
			for range r.IntN(int(t.Partitions) + 2) {
				t.Weights = append(t.Weights, weight())
			}
			for range r.IntN(int(t.Partitions) + 2) {
				t.Racks = append(t.Racks, []string{"r0", fmt.Sprintf("r%d", r.IntN(3))})
			}
		}
	}
	if chance(r, 3) {
		capacity := weights[r.IntN(len(weights))]
		for i := range g.Members {
			g.Members[i].Capacity = capacity()
		}
	}
	if chance(r, 4) {
		most := weights[r.IntN(len(weights))]
		kind := r.IntN(3)
		for i := range g.Members {
			if m := &g.Members[i]; chance(r, 2) {
				if kind != 0 {
					m.MaxPartitions = int32(r.IntN(9))
				}
				if kind != 1 {
					m.MaxWeight = most() * float64(1+r.IntN(3))
					if math.IsInf(m.MaxWeight, 0) {
						m.MaxWeight = 0
					}
				}
			}
		}
	}
	if chance(r, 3) {
		for i := range g.Members {
			g.Members[i].Draining = chance(r, 3)
		}
	}
}

// claim has the members claim partitions: none, those of an earlier plan, or
// anything.
func claim(r *rand.Rand, g *assign.Group) {
	kind := r.IntN(4)
	if kind == 0 {
		return
	}
	sameGeneration := chance(r, 2)
	for i := range g.Members {
		if g.Members[i].Generation = 5; !sameGeneration {
			g.Members[i].Generation = int32(r.IntN(6)) - 1
		}
	}
	if kind < 3 && len(g.Members) > 0 {
		// Each partition with one owner, or none.
		for _, t := range g.Topics {
			for p := range t.Partitions {
				if chance(r, 6) {
					continue
				}
				m := &g.Members[r.IntN(len(g.Members))]
				m.Owned = append(m.Owned, assign.TopicPartitions{Topic: t.Name, Partitions: []int32{p}})
			}
		}
	}
	if kind > 1 {
		for i := range g.Members {
			for range r.IntN(4) {
				tp := assign.TopicPartitions{Topic: topicName(r.IntN(len(g.Topics) + 1))}
				for range r.IntN(5) {
					tp.Partitions = append(tp.Partitions, int32(r.IntN(13))-2)
				}
				g.Members[i].Owned = append(g.Members[i].Owned, tp)
			}
		}
	}
}

// shuffled returns g with members, topics, subscriptions and claims in another order.
func shuffled(r *rand.Rand, g assign.Group) assign.Group {
	g = g.Clone()
	shuffle(r, g.Members)
	shuffle(r, g.Topics)
	for i := range g.Members {
		shuffle(r, g.Members[i].Topics)
		shuffle(r, g.Members[i].Owned)
	}
	return g
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// owning returns g as it is once its members run plan: they claim what it gives
// them, in the generation after all others.
func owning(g assign.Group, plan assign.Plan) assign.Group {
	g = g.Clone()
	generation := int32(0)
	for _, m := range g.Members {
		generation = max(generation, m.Generation)
	}
	for i := range g.Members {
		m := &g.Members[i]
		m.Generation = generation + 1
		m.Owned = slices.Clone(plan.Assignment.Clone()[m.ID])
	}
	return g
}
