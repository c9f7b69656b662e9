package assign_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// BenchmarkLarge plans for 1,000 members and 100,000 partitions of 200 topics: from
// scratch, after a member left, after one joined, and from owners drawn at random.
// Package bench measures the same beside other clients' assignors.
func BenchmarkLarge(b *testing.B) {
	for _, weights := range []string{"none", "zipf", "lag", "uniform"} {
		fresh := thousandMembers(weights)
		settled := func() assign.Group { return owning(fresh, mustAssign(b, assign.Balanced{}, fresh)) }
		for _, state := range []struct {
			name  string
			group func() assign.Group // made only where the benchmark runs
		}{
			{"scratch", func() assign.Group { return fresh }},
			{"left", func() assign.Group {
				g := settled()
				g.Members = append(g.Members[:500], g.Members[501:]...)
				return g
			}},
			{"joined", func() assign.Group {
				g := settled()
				one := g.Members[500]
				one.ID, one.Owned = "new", nil
				g.Members = append(g.Members, one)
				return g
			}},
			{"random", func() assign.Group { return ownedAtRandom(fresh) }},
		} {
			b.Run(weights+"/"+state.name, func(b *testing.B) {
				g := state.group()
				b.ReportAllocs()
				var plan assign.Plan
				for b.Loop() {
					plan = mustAssign(b, assign.Balanced{}, g)
				}
				stats := assign.Measure(g, plan)
				b.ReportMetric(stats.MaxLoad/stats.LowerBound, "load/bound")
				b.ReportMetric(float64(stats.MovedPartitions), "moved")
				b.ReportMetric(float64(stats.RackLocal), "local")
				b.ReportMetric(float64(stats.TopicSpread), "topic-spread")
			})
		}
	}
}

func thousandMembers(weights string) assign.Group {
	const members, topics, partitions = 1000, 200, 500
	r := rand.New(rand.NewPCG(members, partitions))
	zipf := rand.NewZipf(r, 1.2, 1, 1_000_000)
	weight := map[string]func() float64{
		"zipf": func() float64 { return float64(zipf.Uint64() + 1) },
		"lag": func() float64 {
			if r.IntN(10) < 7 {
				return float64(r.IntN(10))
			}
			return math.Round(math.Exp(6 + 2*r.NormFloat64()))
		},
		"uniform": func() float64 { return float64(r.IntN(1000) + 1) },
	}[weights]
	var g assign.Group
	var names []string
	for n := range topics {
		topic := assign.Topic{Name: fmt.Sprintf("topic-%03d", n), Partitions: partitions}
		for range partitions {
			first := r.IntN(3)
			topic.Racks = append(topic.Racks, []string{string(rune('a' + first)), string(rune('a' + (first+1)%3))})
			if weight != nil {
				topic.Weights = append(topic.Weights, weight())
			}
		}
		g.Topics = append(g.Topics, topic)
		names = append(names, topic.Name)
	}
	for n := range members {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("member-%04d", n), Rack: string(rune('a' + n%3)), Topics: names})
	}
	return g
}

func ownedAtRandom(g assign.Group) assign.Group {
	r := rand.New(rand.NewPCG(1, 2))
	plan := assign.NewPlan(g)
	for _, topic := range g.Topics {
		for p := range topic.Partitions {
			plan.Give(g.Members[r.IntN(len(g.Members))].ID, topic.Name, p)
		}
	}
	plan.Assignment.Sort()
	return owning(g, plan)
}

// TestAllocationStaysNearTheSizeOfThePlan: what one plan allocates is within four times
// what the plan itself takes, which is four bytes a partition, and 40 for each member and
// each of its topics.
func TestAllocationStaysNearTheSizeOfThePlan(t *testing.T) {
	for partitions := int32(125); partitions <= 2000; partitions *= 4 {
		g := thousandMembers("none")
		g.Topics = g.Topics[:100]
		for i := range g.Topics {
			topic := &g.Topics[i]
			topic.Partitions = partitions
			for len(topic.Racks) < int(partitions) {
				topic.Racks = append(topic.Racks, topic.Racks[len(topic.Racks)%500])
			}
		}
		for _, b := range []assign.Balanced{{IgnoreTopics: true, IgnoreRacks: true}, {}} {
			size := uint64(0)
			for _, list := range mustAssign(t, b, g).Assignment {
				size += 40
				for _, tp := range list {
					size += 40 + 4*uint64(len(tp.Partitions))
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := b.Assign(g); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4*size {
				t.Errorf("%d partitions a topic, %+v: %d bytes for a plan of %d", partitions, b, allocated, size)
			}
		}
	}
}
