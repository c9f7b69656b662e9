package assign_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestCeilings(t *testing.T) {
	atMost := func(g assign.Group, partitions ...int32) assign.Group {
		for m, n := range partitions {
			g.Members[m].MaxPartitions = n
		}
		return g
	}
	heaviest := func(g assign.Group, weights []float64, most ...float64) assign.Group {
		g.Topics[0].Weights = weights
		for m, w := range most {
			g.Members[m].MaxWeight = w
		}
		return g
	}
	for _, test := range []struct {
		name     string
		group    assign.Group
		balanced assign.Balanced
		want     string
		unmet    string
	}{
		{"what one may not have goes to the others", atMost(group("t:6", "C0: t", "C1: t", "C2: t"), 1),
			assign.Balanced{}, "C0[t:0] C1[t:1,2,3] C2[t:4,5]", "[]"},
		{"the owner gives up what is too much", atMost(group("t:4", "C0: t | t:0,1,2 @1", "C1: t | t:3 @1"), 1),
			assign.Balanced{}, "C0[t:0] C1[t:1,2,3]", "[]"},
		{"equal weights count", heaviest(group("t:6", "C0: t", "C1: t"), []float64{2, 2, 2, 2, 2, 2}, 4.5),
			assign.Balanced{}, "C0[t:0,1] C1[t:2,3,4,5]", "[]"},
		{"of weight", heaviest(group("t:4", "C0: t", "C1: t"), []float64{5, 4, 3, 1}, 4),
			assign.Balanced{}, "C0[t:1] C1[t:0,2,3]", "[]"},
		{"room is made by passing on", heaviest(atMost(group("t:2 u:1", "C0: t u", "C1: t"), 1), []float64{2, 1}),
			assign.Balanced{}, "C0[u:0] C1[t:0,1]", "[]"},
		{"too many for all", atMost(group("t:5", "C0: t", "C1: t"), 1, 2), assign.Balanced{}, "C0[t:0,1] C1[t:2,3,4]",
			"[{t 1 maxPartitions no member that may have it has room below its ceiling; C0 may have 1 partition} {t 4 maxPartitions no member that may have it has room below its ceiling; C1 may have 2 partitions}]"},
		{"too much for all", heaviest(group("t:3", "C0: t", "C1: t"), []float64{3, 2, 1}, 2.5, 2.5), assign.Balanced{}, "C0[t:0] C1[t:1,2]",
			"[{t 0 maxWeight no member that may have it has room below its ceiling; C0 may have a weight of 2.5} {t 2 maxWeight no member that may have it has room below its ceiling; C1 may have a weight of 2.5}]"},
		{"a pin goes before a ceiling", labelled(atMost(group("t:4", "C0: t", "C1: t"), 0, 1), 1, "a", "1"),
			assign.Balanced{Pins: []assign.Pin{{Topic: "t", Partitions: []int32{0, 1}, Label: "a=1"}}}, "C0[t:2,3] C1[t:0,1]",
			"[{t 1 maxPartitions no member that may have it has room below its ceiling; C1 may have 1 partition}]"},
		{"partitions kept together count one by one", atMost(group("t:3 u:3", "C0: t u", "C1: t u"), 3),
			assign.Balanced{CoPartition: [][]string{{"t", "u"}}}, "C0[t:0 u:0] C1[t:1,2 u:1,2]", "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := mustAssign(t, test.balanced, test.group)
			if got := brief(plan.Assignment); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := fmt.Sprint(plan.Unmet); got != test.unmet {
				t.Errorf("unmet is %s\nwant     %s", got, test.unmet)
			}
		})
	}
}

func TestCeilingsThatAreNoneAreErrors(t *testing.T) {
	for _, m := range []assign.Member{{MaxPartitions: -1}, {MaxWeight: -1}, {MaxWeight: math.NaN()}, {MaxWeight: math.Inf(1)}} {
		m.ID = "m"
		if _, err := (assign.Balanced{}).Assign(assign.Group{Members: []assign.Member{m}}); err == nil {
			t.Errorf("%+v is accepted", m)
		}
	}
}

// TestCeilingsHoldWhereTheyCan looks at random groups: who is beyond a ceiling has that
// listed, exactly; and with ceilings of partitions as few are beyond as any plan has.
func TestCeilingsHoldWhereTheyCan(t *testing.T) {
	r := newRand(t)
	for n := range cases(6000) {
		g := randomGroup(r)
		for i := range g.Members {
			m := &g.Members[i]
			m.MaxPartitions, m.MaxWeight, m.Draining = int32(r.IntN(5)), 0, false
			if n%3 == 0 {
				m.MaxWeight = 30 * r.Float64()
			}
		}
		for i := range g.Topics {
			g.Topics[i].Weights = nil
			for range g.Topics[i].Partitions {
				if n%2 == 0 {
					g.Topics[i].Weights = append(g.Topics[i].Weights, 10*r.Float64())
				}
			}
		}
		for _, b := range []assign.Balanced{{}, {MaxMoves: 1 + r.IntN(3)}} {
			plan := mustAssign(t, b, g)
			beyond := checkUnmet(t, g, plan)
			if least := fewestBeyond(g); n%3 != 0 && beyond != least {
				t.Fatalf("%d partitions beyond ceilings, a plan has %d: %s\n%s", beyond, least, brief(plan.Assignment), inJSON(g))
			}
		}
	}
}

// checkUnmet holds what the plan lists to what is beyond ceilings, and counts it.
func checkUnmet(t *testing.T, g assign.Group, plan assign.Plan) (beyond int) {
	t.Helper()
	listed := make(map[string]bool)
	for _, u := range plan.Unmet {
		listed[fmt.Sprint(u.Topic, u.Partition)] = true
	}
	weights := make(map[string][]float64)
	for i := range g.Topics {
		weights[g.Topics[i].Name] = g.Topics[i].EffectiveWeights()
	}
	for _, m := range g.Members {
		count, kept, weight := 0, 0, 0.0
		for _, tp := range plan.Assignment[m.ID] {
			for _, p := range tp.Partitions {
				count++
				if !listed[fmt.Sprint(tp.Topic, p)] {
					kept++
					weight += weights[tp.Topic][p]
				}
			}
		}
		if m.MaxPartitions > 0 && kept > int(m.MaxPartitions) || m.MaxWeight > 0 && weight > m.MaxWeight*(1+1e-9) {
			t.Fatalf("%s has more than its ceiling, and only %v is listed: %s\n%s", m.ID, plan.Unmet, brief(plan.Assignment), inJSON(g))
		}
		if m.MaxWeight == 0 && count > kept != (m.MaxPartitions > 0 && count > int(m.MaxPartitions)) {
			t.Fatalf("%s has %d and may have %d, listed is %v\n%s", m.ID, count, m.MaxPartitions, plan.Unmet, inJSON(g))
		}
		beyond += count - kept
	}
	return beyond
}

// fewestBeyond finds, by a plain matching of partitions with room, how many partitions no
// plan has room for.
func fewestBeyond(g assign.Group) (beyond int) {
	room := make([]int, len(g.Members))
	has := make([][]string, len(g.Members)) // member → topics of what it has
	for i, m := range g.Members {
		if room[i] = int(m.MaxPartitions); room[i] == 0 {
			room[i] = 1 << 30
		}
	}
	subscribes := func(m int, topic string) bool {
		for _, name := range g.Members[m].Topics {
			if name == topic {
				return true
			}
		}
		return false
	}
	var place func(topic string, seen []bool) bool
	place = func(topic string, seen []bool) bool {
		for m := range g.Members {
			if seen[m] || !subscribes(m, topic) {
				continue
			}
			seen[m] = true
			if len(has[m]) < room[m] {
				has[m] = append(has[m], topic)
				return true
			}
			for i, other := range has[m] {
				if place(other, seen) {
					has[m][i] = topic
					return true
				}
			}
		}
		return false
	}
	for _, topic := range g.Topics {
		for range topic.Partitions {
			some := false
			for m := range g.Members {
				some = some || subscribes(m, topic.Name)
			}
			if some && !place(topic.Name, make([]bool, len(g.Members))) {
				beyond++
			}
		}
	}
	return beyond
}

// TestCeilingsLeaveTheRestEven: with 1,000 partitions on ten members of which some may
// have few, the others have the same load.
func TestCeilingsLeaveTheRestEven(t *testing.T) {
	r := newRand(t)
	for range cases(200) {
		topic := assign.Topic{Name: "t", Partitions: 1000}
		total := 0.0
		for range topic.Partitions {
			topic.Weights = append(topic.Weights, r.Float64())
			total += topic.Weights[len(topic.Weights)-1]
		}
		g := assign.Group{Topics: []assign.Topic{topic}}
		free, rest := 0.0, total
		for m := range 10 {
			member := assign.Member{ID: fmt.Sprint(m), Topics: []string{"t"}}
			if free++; m < 3 {
				member.MaxWeight = total / 10 * rand.New(rand.NewPCG(r.Uint64(), 0)).Float64()
				free--
				rest -= member.MaxWeight
			}
			g.Members = append(g.Members, member)
		}
		stats := assign.Measure(g, mustAssign(t, assign.Balanced{Tolerance: assign.Exact}, g))
		if stats.MaxLoad > rest/free*1.02 {
			t.Fatalf("the highest load is %v, %v would do: %s", stats.MaxLoad, rest/free, inJSON(g.Members))
		}
	}
}
