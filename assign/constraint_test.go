package assign_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func labelled(g assign.Group, member int, key, value string) assign.Group {
	g.Members[member].Labels = map[string]string{key: value}
	return g
}

func TestConstraints(t *testing.T) {
	for _, test := range []struct {
		name     string
		group    assign.Group
		balanced assign.Balanced
		want     string
		unmet    string
	}{
		{"a pin to a label", labelled(group("t:4", "C0: t", "C1: t"), 1, "tier", "gold"),
			assign.Balanced{Pins: []assign.Pin{{Topic: "t", Partitions: []int32{0, 1, 2}, Label: "tier=gold"}}},
			"C0[t:3] C1[t:0,1,2]", "[]"},
		{"a pin to an instance that is away", group("t:2", "C0: t", "C1: t"),
			assign.Balanced{Pins: []assign.Pin{{Topic: "t", Partitions: []int32{1}, Instance: "i9"}}},
			"C0[t:0] C1[t:1]", "[{t 1 pin no member that may have it is instance i9}]"},
		{"the first of two pins holds", labelled(labelled(group("t:2", "C0: t", "C1: t"), 0, "a", "1"), 1, "b", "1"),
			assign.Balanced{Pins: []assign.Pin{{Topic: "t", Label: "a=1"}, {Topic: "t", Partitions: []int32{0}, Label: "b=1"}}},
			"C0[t:0,1] C1[]", "[{t 0 pin no member that earlier pins name is label b=1}]"},
		{"partitions of one number stay together", group("t:4 u:3", "C0: t u", "C1: t u"),
			assign.Balanced{CoPartition: [][]string{{"u", "t"}}},
			"C0[t:0,2 u:0,2] C1[t:1,3 u:1]", "[]"},
		{"nobody subscribes to both", group("t:1 u:1", "C0: t", "C1: u"),
			assign.Balanced{CoPartition: [][]string{{"t", "u"}}},
			"C0[t:0] C1[u:0]", "[{t 0 coPartition no member that stays subscribes to all of [t u]} {u 0 coPartition no member that stays subscribes to all of [t u]}]"},
		{"two pins that agree", labelled(group("t:2 u:2", "C0: t u", "C1: t u"), 1, "a", "1"),
			assign.Balanced{CoPartition: [][]string{{"t", "u"}}, Pins: []assign.Pin{{Topic: "t", Label: "a=1"}, {Topic: "u", Label: "a=1"}, {Topic: "u", Partitions: []int32{0, 0}, Label: "a=1"}}},
			"C0[] C1[t:0,1 u:0,1]", "[]"},
		{"groups that share a topic are one", group("t:3 u:3 v:3", "C0: t u v", "C1: t u v", "C2: t u v"),
			assign.Balanced{CoPartition: [][]string{{"t", "u"}, {"u", "v"}}},
			"C0[t:0 u:0 v:0] C1[t:1 u:1 v:1] C2[t:2 u:2 v:2]", "[]"},
		{"only a draining member has both", func() assign.Group {
			g := group("t:2 u:2", "C0: t u", "C1: t", "C2: u")
			g.Members[0].Draining = true
			return g
		}(), assign.Balanced{CoPartition: [][]string{{"t", "u"}}}, "C0[] C1[t:0,1] C2[u:0,1]",
			"[{t 0 coPartition no member that stays subscribes to all of [t u]} {t 1 coPartition no member that stays subscribes to all of [t u]} {u 0 coPartition no member that stays subscribes to all of [t u]} {u 1 coPartition no member that stays subscribes to all of [t u]}]"},
		{"all are draining", func() assign.Group {
			g := group("t:1", "C0: t")
			g.Members[0].Draining = true
			return g
		}(), assign.Balanced{}, "C0[t:0]", "[{t 0 draining every member that subscribes to it is draining}]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := mustAssign(t, test.balanced, test.group)
			if got := brief(plan.Assignment); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := fmt.Sprint(plan.Unmet); got != test.unmet {
				t.Errorf("unmet is %s\nwant %s", got, test.unmet)
			}
		})
	}
}

func TestAPinThatSaysTooLittleIsAnError(t *testing.T) {
	for _, pin := range []assign.Pin{{}, {Topic: "t"}, {Topic: "t", Instance: "i", Label: "a=1"}, {Topic: "t", Label: "gold"}} {
		if _, err := (assign.Balanced{Pins: []assign.Pin{pin}}).Assign(group("t:1", "C0: t")); err == nil {
			t.Errorf("pin %+v is accepted", pin)
		}
	}
}

// TestEveryTopicAndClassAndTheWholeAreEven starts from states that sticky leaves skewed
// for good.
func TestEveryTopicAndClassAndTheWholeAreEven(t *testing.T) {
	r := newRand(t)
	for range cases(300) {
		g := skewed(r)
		plan := mustAssign(t, assign.Balanced{}, g)
		classes := make(map[string]map[string]int) // class → member → count
		for id, list := range plan.Assignment {
			for _, topic := range g.Topics {
				if classes[topic.Class] == nil {
					classes[topic.Class] = make(map[string]int)
				}
				classes[topic.Class][id] += 0
				for _, tp := range list {
					if tp.Topic == topic.Name {
						classes[topic.Class][id] += len(tp.Partitions)
					}
				}
			}
		}
		stats := assign.Measure(g, plan)
		if stats.CountSpread > 1 || stats.TopicSpread > 1 {
			t.Fatalf("the spread is %d, that of a topic %d; want at most 1: %s", stats.CountSpread, stats.TopicSpread, brief(plan.Assignment))
		}
		for class, counts := range classes {
			low, high := 1<<30, 0
			for _, n := range counts {
				low, high = min(low, n), max(high, n)
			}
			if class != "" && high-low > 1 {
				t.Fatalf("the spread of class %s is %d: %s", class, high-low, brief(plan.Assignment))
			}
		}
	}
}

func skewed(r *rand.Rand) assign.Group {
	g := assign.Group{}
	var names []string
	for n := range 1 + r.IntN(5) {
		topic := assign.Topic{Name: fmt.Sprintf("t%d", n), Partitions: int32(r.IntN(30)), Class: []string{"", "red", "blue"}[r.IntN(3)]}
		g.Topics = append(g.Topics, topic)
		names = append(names, topic.Name)
	}
	for n := range 1 + r.IntN(5) {
		g.Members = append(g.Members, assign.Member{ID: fmt.Sprintf("m%d", n), Topics: names, Generation: 1})
	}
	for _, topic := range g.Topics {
		favourite := r.IntN(len(g.Members))
		for p := range topic.Partitions {
			m := &g.Members[favourite]
			if r.IntN(3) == 0 {
				m = &g.Members[r.IntN(len(g.Members))]
			}
			m.Owned = append(m.Owned, assign.TopicPartitions{Topic: topic.Name, Partitions: []int32{p}})
		}
	}
	return g
}

func TestPartitionsGoToTheRackOfTheirLeaderAmongEqualPlans(t *testing.T) {
	g := group("t:6", "C0: t", "C1: t", "C2: t")
	for i, rack := range []string{"a", "b", "c"} {
		g.Members[i].Rack = rack
	}
	g.Topics[0].Racks = [][]string{{"c", "a"}, {"b", "a"}, {"a", "b"}, {"c", "b"}, {"b", "c"}, {"a", "c"}}
	for _, test := range []struct {
		balanced assign.Balanced
		want     string
	}{
		{assign.Balanced{}, "C0[t:2,5] C1[t:1,4] C2[t:0,3]"},
		{assign.Balanced{IgnoreRacks: true}, "C0[t:0,1] C1[t:2,3] C2[t:4,5]"},
	} {
		if got := brief(mustAssign(t, test.balanced, g).Assignment); got != test.want {
			t.Errorf("%+v\ngot  %s\nwant %s", test.balanced, got, test.want)
		}
	}
	plan := mustAssign(t, assign.Balanced{FollowerFetching: true}, g)
	if n := assign.Measure(g, plan).RackLocal; n != 6 {
		t.Errorf("%d of 6 partitions have a replica in their member's rack: %s", n, brief(plan.Assignment))
	}
}
