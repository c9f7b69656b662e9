package assign_test

import (
	"math"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestMeasure(t *testing.T) {
	g := group("t:4 u:2 alone:3", "C0: t u | t:0,1 @1", "C1: t | t:2 @1", "C2: u")
	g.Topics[0].Weights = []float64{8, 1, 2, 3}
	g.Topics[0].Racks = [][]string{{"a", "b"}, {"b"}, {"", "a"}}
	g.Members[0].Rack, g.Members[1].Rack = "b", "a"
	g.Members[1].Capacity = 2
	plan := planOf("C0[t:0 u:0] C1[t:1,2,3] C2[]")
	plan.Withheld = []assign.Withheld{{Topic: "u", Partition: 1, Member: "C2", Owner: "C0"}}
	want := assign.Stats{
		Members: 3, Partitions: 6, Withheld: 1, CountSpread: 2, TopicSpread: 2,
		MaxLoad: 9, MinLoad: 1, LowerBound: 4, MovedPartitions: 1, MovedWeight: 1, RackLocal: 2,
	}
	if got := assign.Measure(g, plan); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// What is against the rules does not count.
	plan.Give("C9", "t", 0)
	plan.Give("C2", "t", 0)
	plan.Give("C0", "t", 0)
	plan.Give("C0", "t", 99)
	plan.Give("C0", "gone", 0)
	plan.Give("C0", "alone", 0)
	if got := assign.Measure(g, plan); got != want {
		t.Errorf("with violations: got  %+v\nwant %+v", got, want)
	}
	if got := assign.Measure(assign.Group{}, assign.Plan{}); got != (assign.Stats{}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got := assign.Measure(g, assign.Plan{}); got.Idle != 3 || got.Partitions != 0 || got.MaxLoad != 0 || got.LowerBound != 4 {
		t.Errorf("of an empty plan: %+v", got)
	}
}

func TestMeasureStaysFinite(t *testing.T) {
	g := group("t:4", "C0: t", "C1: t")
	measure := func(weight, capacity float64) assign.Stats {
		g.Topics[0].Weights = []float64{weight, weight, weight, weight}
		g.Members[0].Capacity, g.Members[1].Capacity = capacity, capacity
		return assign.Measure(g, mustAssign(t, assign.Balanced{}, g))
	}
	for _, weight := range []float64{0, 5e-324, 1, 1e308, math.MaxFloat64} {
		for _, capacity := range []float64{5e-324, 1, 1e308, math.MaxFloat64} {
			s := measure(weight, capacity)
			inJSON(s) // panics at what is not finite
			if s.MinLoad > s.MaxLoad || s.LowerBound > s.MaxLoad {
				t.Errorf("weight %v, capacity %v: %+v", weight, capacity, s)
			}
		}
	}
	if s := measure(5e-324, 5e-324); s.MaxLoad != 2 || s.LowerBound != 2 {
		t.Errorf("the smallest of both: %+v", s)
	}
	if s := measure(1e308, 1e308); s.MaxLoad != 2 || s.LowerBound != 2 {
		t.Errorf("the largest of both: %+v", s)
	}
	if s := measure(1e308, 1e-308); s.MaxLoad != math.MaxFloat64 {
		t.Errorf("beyond a float64: %+v", s)
	}
}

// TestMeasureOfRandomPlans counts again, partition by partition.
func TestMeasureOfRandomPlans(t *testing.T) {
	r := newRand(t)
	for range cases(2000) {
		g := randomGroup(r)
		for i := range g.Members {
			g.Members[i].Capacity = float64(r.IntN(4))
		}
		for i := range g.Topics {
			for p := range g.Topics[i].Weights {
				g.Topics[i].Weights[p] = float64(r.IntN(9))
			}
		}
		target := mustAssign(t, assign.RoundRobin(), g)
		for _, plan := range []assign.Plan{target, assign.Withhold(g, target)} {
			got, want := assign.Measure(g, plan), measureByHand(g, target)
			want.Withheld, want.LowerBound = len(plan.Withheld), got.LowerBound
			for _, pair := range [][2]*float64{{&got.MaxLoad, &want.MaxLoad}, {&got.MinLoad, &want.MinLoad}, {&got.MovedWeight, &want.MovedWeight}} {
				if math.Abs(*pair[0]-*pair[1]) < 1e-9 {
					*pair[0] = *pair[1]
				}
			}
			if got != want {
				t.Fatalf("got  %+v\nwant %+v\n%s\n%s", got, want, brief(target.Assignment), inJSON(g))
			}
			if got.Partitions > 0 && got.LowerBound > got.MaxLoad*(1+1e-9) {
				t.Fatalf("the lower bound is no bound: %+v\n%s", got, inJSON(g))
			}
		}
	}
}

func measureByHand(g assign.Group, plan assign.Plan) assign.Stats {
	s := assign.Stats{Members: len(g.Members)}
	var counts []int
	var loads []float64
	for _, m := range g.Members {
		count, load := 0, 0.0
		for _, topic := range g.Topics {
			for p, w := range topic.EffectiveWeights() {
				if owner, _ := plan.Owner(topic.Name, int32(p)); owner != m.ID {
					continue
				}
				count++
				load += w / m.EffectiveCapacity()
				if before := ownerByHand(g, topic.Name, int32(p)); before != "" && before != m.ID {
					s.MovedPartitions++
					s.MovedWeight += w
				}
				if m.Rack != "" && p < len(topic.Racks) && slices.Contains(topic.Racks[p], m.Rack) {
					s.RackLocal++
				}
			}
		}
		if count == 0 {
			s.Idle++
		}
		s.Partitions += count
		counts, loads = append(counts, count), append(loads, load)
	}
	if len(counts) > 0 {
		s.CountSpread = slices.Max(counts) - slices.Min(counts)
		s.MaxLoad, s.MinLoad = slices.Max(loads), slices.Min(loads)
	}
	for _, topic := range g.Topics {
		var ofTopic []int
		for _, m := range g.Members {
			if slices.Contains(m.Topics, topic.Name) {
				count := 0
				for _, tp := range plan.Assignment[m.ID] {
					if tp.Topic == topic.Name {
						count += len(tp.Partitions)
					}
				}
				ofTopic = append(ofTopic, count)
			}
		}
		if len(ofTopic) > 0 {
			s.TopicSpread = max(s.TopicSpread, slices.Max(ofTopic)-slices.Min(ofTopic))
		}
	}
	return s
}
