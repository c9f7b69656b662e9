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
	for range cases(20000) {
		g := randomGroup(r)
		subscriptions := make([]string, 0, len(g.Topics))
		for i := range g.Topics {
			g.Topics[i].Weights = nil
			subscriptions = append(subscriptions, g.Topics[i].Name)
		}
		for i := range g.Members {
			m := &g.Members[i]
			m.Topics, m.Capacity, m.Draining = subscriptions, 0, false
		}
		for _, tolerance := range []float64{0, assign.Exact, 100} {
			plan := mustAssign(t, assign.Balanced{Tolerance: tolerance}, g)
			if stats := assign.Measure(g, plan); stats.CountSpread > 1 {
				t.Fatalf("counts differ by %d in %s\n%s", stats.CountSpread, brief(plan.Assignment), inJSON(g))
			}
		}
	}
}

// TestBalancedIsCloseToTheOptimum tries every plan of small groups.
func TestBalancedIsCloseToTheOptimum(t *testing.T) {
	r := newRand(t)
	worst := 0.0
	for range cases(20000) {
		g := weightedGroup(r)
		plan := mustAssign(t, assign.Balanced{Tolerance: assign.Exact}, g)
		optimum := lowestMaxLoad(g.Topics[0].EffectiveWeights(), len(g.Members))
		worst = max(worst, assign.Measure(g, plan).MaxLoad/optimum)
		if got := assign.Measure(g, plan).MaxLoad; got > optimum*4/3*(1+1e-9) {
			t.Fatalf("load %v, the optimum is %v\n%s\n%s", got, optimum, brief(plan.Assignment), inJSON(g))
		}
	}
	t.Logf("at worst %.3f times the optimum", worst)
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

// TestBalancedEndsInTime plans for 100 members and 10,000 partitions, of which a few
// weigh as much as all the others.
func TestBalancedEndsInTime(t *testing.T) {
	for _, skew := range []float64{0.6, 1, 1.5} {
		for _, tolerance := range []float64{0, assign.Exact} {
			g := largeGroup(skew)
			a := assign.Balanced{Tolerance: tolerance}
			timed := func(what string, g assign.Group) assign.Plan {
				start := time.Now()
				plan := mustAssign(t, a, g)
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s, skew %v, tolerance %v: %v", what, skew, tolerance, took)
				}
				return plan
			}
			plan := timed("from scratch", g)
			if stats := assign.Measure(g, plan); stats.MaxLoad > stats.LowerBound*1.01 {
				t.Errorf("skew %v, tolerance %v: load %v, at least %v", skew, tolerance, stats.MaxLoad, stats.LowerBound)
			}
			g = owning(g, plan)
			g.Members = g.Members[1:]
			timed("one member left", g)
			timed("range before", owning(g, mustAssign(t, assign.Range(), g)))
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
