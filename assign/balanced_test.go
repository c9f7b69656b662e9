package assign_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
)

func TestBalancedCountsDifferByOneAtMost(t *testing.T) {
	r := newRand(t)
	for range cases(6000) {
		g := randomGroup(r)
		subscriptions := make([]string, 0, len(g.Topics))
		for i := range g.Topics {
			g.Topics[i].Weights = nil
			subscriptions = append(subscriptions, g.Topics[i].Name)
		}
		for i := range g.Members {
			m := &g.Members[i]
			m.Topics, m.Capacity, m.MaxPartitions, m.MaxWeight, m.Draining = subscriptions, 0, 0, 0, false
		}
		for _, tolerance := range []float64{0, assign.Exact, 100} {
			plan := mustAssign(t, assign.Balanced{Tolerance: tolerance}, g)
			if stats := assign.Measure(g, plan); stats.CountSpread > 1 {
				t.Fatalf("counts differ by %d in %s\n%s", stats.CountSpread, brief(plan.Assignment), inJSON(g))
			}
		}
	}
}

// TestBalancedIsCloseToTheOptimum tries every plan of small groups. The bounds are
// those known for m equal members: 4/3-1/(3m) for placing the heaviest first (Graham
// 1969), 2-2/(m+1) for any plan that no single move betters (Finn and Horowitz 1979).
func TestBalancedIsCloseToTheOptimum(t *testing.T) {
	r := newRand(t)
	worst := make(map[bool]float64)
	for range cases(20000) {
		g := weightedGroup(r)
		owned := slices.ContainsFunc(g.Members, func(m assign.Member) bool { return len(m.Owned) > 0 })
		plan := mustAssign(t, assign.Balanced{Tolerance: assign.Exact}, g)
		m := float64(len(g.Members))
		bound := 4./3 - 1/(3*m)
		if owned {
			bound = 2 - 2/(m+1)
		}
		load := assign.Measure(g, plan).MaxLoad
		optimum := lowestMaxLoad(g.Topics[0].EffectiveWeights(), len(g.Members))
		if load > bound*optimum*(1+1e-8) {
			t.Fatalf("load %v, the optimum is %v\n%s\n%s", load, optimum, brief(plan.Assignment), inJSON(g))
		}
		worst[owned] = max(worst[owned], load/optimum)
	}
	t.Logf("at worst %.3f times the optimum from scratch, %.3f from a plan before", worst[false], worst[true])
}

// TestBalancedIsCloseToTheLowerBound holds plans by weight to 1.02 of what no plan can go
// below, wherever members get ten partitions or more on average.
func TestBalancedIsCloseToTheLowerBound(t *testing.T) {
	r := newRand(t)
	zipf := rand.NewZipf(r, 1.2, 1, 10000)
	distributions := map[string]func() float64{
		"zipf":    func() float64 { return float64(zipf.Uint64() + 1) },
		"uniform": func() float64 { return 100 * r.Float64() },
		"lag": func() float64 {
			if r.IntN(3) == 0 {
				return 0 // caught up
			}
			return math.Round(math.Exp(6 + 2*r.NormFloat64()))
		},
	}
	for name, draw := range distributions {
		worst := 1.0
		for n := range cases(300) {
			members := 2 + r.IntN(40)
			partitions := members * (10 + r.IntN(30))
			topic := assign.Topic{Name: "t", Partitions: int32(partitions)}
			for range partitions {
				topic.Weights = append(topic.Weights, draw())
			}
			g := assign.Group{Topics: []assign.Topic{topic}}
			for m := range members {
				g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%02d", m), Topics: []string{"t"}})
				if n%2 == 1 && chance(r, 3) {
					g.Members[m].Capacity = []float64{0.5, 2, 3}[r.IntN(3)]
				}
			}
			stats := assign.Measure(g, mustAssign(t, assign.Balanced{Tolerance: assign.Exact}, g))
			ratio := stats.MaxLoad / stats.LowerBound
			if worst = max(worst, ratio); ratio > 1.02 {
				t.Errorf("%s: %d members, %d partitions: the highest load is %.4f of the lower bound", name, members, partitions, ratio)
			}
		}
		t.Logf("%s: at worst %.4f of the lower bound", name, worst)
	}
}

// weightedGroup returns a group of one topic, small enough to try every plan, where
// some partitions have an owner.
func weightedGroup(r *rand.Rand) assign.Group {
	var g assign.Group
	topic := assign.Topic{Name: "t", Partitions: 1 + int32(r.IntN(7))}
	for range topic.Partitions {
		w := float64(1 + r.IntN(9))
		if chance(r, 4) {
			w = math.Exp(r.NormFloat64() * 2)
		}
		topic.Weights = append(topic.Weights, w)
	}
	g.Topics = []assign.Topic{topic}
	for m := range 2 + r.IntN(3) {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprint(m), Topics: []string{"t"}})
	}
	owned := r.IntN(2) == 0
	for p := range topic.Partitions {
		if owned && !chance(r, 4) {
			m := &g.Members[r.IntN(len(g.Members))]
			m.Owned = append(m.Owned, assign.TopicPartitions{Topic: "t", Partitions: []int32{p}})
		}
	}
	return g
}

// lowestMaxLoad tries every way to divide weights among members.
func lowestMaxLoad(weights []float64, members int) float64 {
	loads := make([]float64, members)
	best := math.Inf(1)
	var place func(int)
	place = func(n int) {
		if n == len(weights) {
			best = min(best, slices.Max(loads))
			return
		}
		for m := range loads {
			before := loads[m]
			loads[m] += weights[n]
			place(n + 1)
			loads[m] = before
		}
	}
	place(0)
	return best
}

func TestBalanced(t *testing.T) {
	weights := func(topic int, w ...float64) func(*assign.Group) {
		return func(g *assign.Group) { g.Topics[topic].Weights = w }
	}
	capacity := func(member int, c float64) func(*assign.Group) {
		return func(g *assign.Group) { g.Members[member].Capacity = c }
	}
	draining := func(members ...int) func(*assign.Group) {
		return func(g *assign.Group) {
			for _, m := range members {
				g.Members[m].Draining = true
			}
		}
	}
	tests := []struct {
		name      string
		group     assign.Group
		with      []func(*assign.Group)
		tolerance float64
		want      string
	}{
		{"nobody", group("t:2"), nil, 0, ""},
		{"nothing", group("", "C0: t"), nil, 0, "C0[]"},
		{"no subscriber", group("t:2 u:1", "C0: u"), nil, 0, "C0[u:0]"},
		{"more members than partitions", group("t:1", "C0: t", "C1: t"), nil, 0, "C0[t:0] C1[]"},
		{"weights", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 6, 1, 2, 3)}, 0, "C0[t:0] C1[t:1,2,3]"},
		{"weights not known weigh the median", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 9, 3, 3)}, 0, "C0[t:0] C1[t:1,2,3]"},
		{"no weight at all counts partitions", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 0)}, 0, "C0[t:0,1] C1[t:2,3]"},
		{"partitions without weight are spread", group("t:5", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 0, 0, 5, 0, 0)}, 0, "C0[t:2] C1[t:0,1,3,4]"},
		{"capacity", group("t:6", "C0: t", "C1: t"), []func(*assign.Group){capacity(0, 2)}, 0, "C0[t:0,2,3,5] C1[t:1,4]"},
		{"hardly any capacity", group("t:3", "C0: t", "C1: t"), []func(*assign.Group){capacity(0, 5e-324)}, 0, "C0[] C1[t:0,1,2]"},
		{"draining", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2 @1", "C2: t | t:3 @1"), []func(*assign.Group){draining(0)}, 0, "C0[] C1[t:0,2] C2[t:1,3]"},
		{"all draining", group("t:2", "C0: t", "C1: t"), []func(*assign.Group){draining(0, 1)}, 0, "C0[t:0] C1[t:1]"},
		{"the only subscriber drains", group("t:1 u:1", "C0: t u", "C1: u"), []func(*assign.Group){draining(0)}, 0, "C0[t:0] C1[u:0]"},
		{"mixed subscriptions", group("t:2 u:2", "C0: t u", "C1: u"), nil, 0, "C0[t:0,1] C1[u:0,1]"},
		{"24 partitions beside 3", group("T1:24 T2:3", "C0: T1 T2", "C1: T1 T2", "C2: T1 T2", "C3: T1 T2"), nil, 0,
			"C0[T1:0,1,2,3,4,5 T2:0] C1[T1:6,7,8,9,10,11 T2:1] C2[T1:12,13,14,15,16,17 T2:2] C3[T1:18,19,20,21,22,23]"},
		{"one joins", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2,3 @1", "C2: t"), nil, 0, "C0[t:0,1] C1[t:2] C2[t:3]"},
		{"one left", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2 @1"), nil, 0, "C0[t:0,1] C1[t:2,3]"},
		{"within the tolerance", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2,3 @1"), []func(*assign.Group){weights(0, 5, 5.2, 5, 5)}, 0.05, "C0[t:0,1] C1[t:2,3]"},
		{"outside the tolerance", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2,3 @1"), []func(*assign.Group){weights(0, 5, 7, 4, 5)}, 0.05, "C0[t:0,3] C1[t:1,2]"},
		{"exact where no move helps", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2,3 @1"), []func(*assign.Group){weights(0, 5, 5.2, 5, 5.1)}, assign.Exact, "C0[t:0,1] C1[t:2,3]"},
		{"exact moves for any gain", group("t:4", "C0: t | t:0,1 @1", "C1: t | t:2,3 @1"), []func(*assign.Group){weights(0, 5, 5.4, 5.3, 4.9)}, assign.Exact, "C0[t:0,2] C1[t:1,3]"},
		{"one partition heavier than all others", group("t:5", "C0: t | t:0,1 @1", "C1: t | t:2,3,4 @1"), []func(*assign.Group){weights(0, 100, 1, 1, 1, 1)}, 0, "C0[t:0] C1[t:1,2,3,4]"},
		{"sums beyond a float64", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 1.7e308, 1.7e308, 1.7e308, 1.7e308)}, 0, "C0[t:0,1] C1[t:2,3]"},
		{"the smallest weights", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){weights(0, 5e-324, 5e-324, 5e-324, 15e-324)}, 0, "C0[t:3] C1[t:0,1,2]"},
		{"the largest and the smallest weight", group("t:3", "C0: t", "C1: t"), []func(*assign.Group){weights(0, math.MaxFloat64, 5e-324, 0)}, assign.Exact, "C0[t:0] C1[t:1,2]"},
		{"capacities beyond a float64", group("t:4", "C0: t", "C1: t"), []func(*assign.Group){capacity(0, math.MaxFloat64), capacity(1, math.MaxFloat64)}, 0, "C0[t:0,1] C1[t:2,3]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, change := range test.with {
				change(&test.group)
			}
			plan := mustAssign(t, assign.Balanced{Tolerance: test.tolerance}, test.group)
			if got := brief(plan.Assignment); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestBalancedKeepsMostInPlace holds the moves after one of many members left to a
// few more than the partitions that it had.
func TestBalancedKeepsMostInPlace(t *testing.T) {
	r := newRand(t)
	for range cases(300) {
		topic := assign.Topic{Name: "t", Partitions: 200}
		for range topic.Partitions {
			topic.Weights = append(topic.Weights, 1+r.Float64())
		}
		g := assign.Group{Topics: []assign.Topic{topic}}
		for m := range 10 {
			g.Members = append(g.Members, assign.Member{ID: fmt.Sprint(m), Topics: []string{"t"}})
		}
		g = owning(g, mustAssign(t, assign.Balanced{}, g))
		g.Members = g.Members[1:]
		plan := mustAssign(t, assign.Balanced{}, g)
		stats := assign.Measure(g, plan)
		if stats.MovedPartitions > 0 || stats.MaxLoad > stats.LowerBound*1.05 {
			t.Fatalf("%+v", stats)
		}
	}
}

func TestBalancedRefusesTolerances(t *testing.T) {
	for _, tolerance := range []float64{-0.5, -2, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := (assign.Balanced{Tolerance: tolerance}).Assign(assign.Group{}); err == nil {
			t.Errorf("tolerance %v was accepted", tolerance)
		}
	}
}

// TestBalancedEndsInTime plans for 100 members and 10,000 partitions, of which one
// weighs as much as ten members should have. BenchmarkBalanced tells how long more
// such groups take.
func TestBalancedEndsInTime(t *testing.T) {
	for _, tolerance := range []float64{0, assign.Exact} {
		a := assign.Balanced{Tolerance: tolerance}
		timed := func(what string, g assign.Group) assign.Plan {
			start := time.Now()
			plan := mustAssign(t, a, g)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s, tolerance %v: %v", what, tolerance, took)
			}
			if stats := assign.Measure(g, plan); stats.MaxLoad > stats.LowerBound*1.01 {
				t.Errorf("%s, tolerance %v: load %v, at least %v", what, tolerance, stats.MaxLoad, stats.LowerBound)
			}
			return plan
		}
		g := largeGroup(1)
		g = owning(g, timed("from scratch", g))
		g.Members = g.Members[1:]
		timed("one member left", g)
	}
}

func BenchmarkBalanced(b *testing.B) {
	for _, skew := range []float64{0.6, 1, 1.5} {
		for name, tolerance := range map[string]float64{"default": 0, "exact": assign.Exact} {
			a := assign.Balanced{Tolerance: tolerance}
			fresh := largeGroup(skew)
			left := owning(fresh, mustAssign(b, a, fresh))
			left.Members = left.Members[1:]
			ranged := owning(fresh, mustAssign(b, assign.Range(), fresh))
			for what, g := range map[string]assign.Group{"scratch": fresh, "left": left, "range": ranged} {
				b.Run(fmt.Sprintf("skew=%v/%s/%s", skew, name, what), func(b *testing.B) {
					for b.Loop() {
						mustAssign(b, a, g)
					}
				})
			}
		}
	}
}

func largeGroup(skew float64) assign.Group {
	topic := assign.Topic{Name: "t", Partitions: 10000}
	for p := range topic.Partitions {
		topic.Weights = append(topic.Weights, 1e6/math.Pow(float64(p+1), skew))
	}
	g := assign.Group{Topics: []assign.Topic{topic}}
	for m := range 100 {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%02d", m), Topics: []string{"t"}})
	}
	return g
}
