package main

import (
	"fmt"

	"github.com/groupkit/groupkit/assign"
)

// A scene is a group that an assignor plans, and plans again after something changed.
type scene struct {
	name     string
	assignor assign.Assignor
	group    assign.Group
	before   func(assign.Group) assign.Plan // nil: what the assignor makes of group
	change   func(*assign.Group)            // nil: the picture shows one plan
	captions []string                       // of the one or two plans
}

func (s scene) file() string { return "assignors-" + s.name + ".svg" }

func scenes() []scene {
	two := func(partitions ...int32) assign.Group { return groupOf(3, partitions...) }
	leaves := func(n int) func(*assign.Group) {
		return func(g *assign.Group) { g.Members = append(g.Members[:n:n], g.Members[n+1:]...) }
	}
	weighted := two(6, 6)
	weighted.Topics[0].Weights = []float64{9, 4, 2, 2, 1, 1}
	weighted.Topics[1].Weights = []float64{5, 3, 2, 2, 1, 1}
	weighted.Members[0].Capacity = 2
	priorities := groupOf(3, 4, 2)
	for i := range priorities.Members {
		priorities.Members[i].Labels = map[string]string{"priority": fmt.Sprint(i + 1)}
	}
	byRange := func(g assign.Group) assign.Plan { return must(assign.Range().Assign(g)) }
	return []scene{
		{name: "range", assignor: assign.Range(), group: two(4, 4), change: leaves(0),
			captions: []string{"runs of neighbours; the first member has more of each topic", "member a left: runs shift"}},
		{name: "roundrobin", assignor: assign.RoundRobin(), group: two(4, 4), change: leaves(0),
			captions: []string{"dealt out in turn", "member a left: dealt out anew"}},
		{name: "sticky", assignor: assign.Sticky(), group: two(4, 5), change: leaves(0),
			captions: []string{"counts are even", "member a left: only its own partitions move"}},
		{name: "balanced", assignor: assign.Balanced{}, group: weighted, before: byRange, change: func(*assign.Group) {},
			captions: []string{"as range left it; a can take twice as much", "load is even: a carries twice as much"}},
		{name: "balanced-topics", assignor: assign.Balanced{}, group: two(6, 6, 6), change: func(*assign.Group) {},
			before: func(g assign.Group) assign.Plan {
				plan := assign.NewPlan(g)
				for i, topic := range g.Topics {
					for p := range topic.Partitions {
						plan.Give(g.Members[i].ID, topic.Name, p)
					}
				}
				return plan
			},
			captions: []string{"as even as sticky asks for, each topic on one member", "each topic is even, too"}},
		{name: "rendezvous", assignor: assign.Rendezvous{}, group: groupOf(4, 8, 8), change: leaves(1),
			captions: []string{"by names alone, no member far above its share", "member b left: what it had is spread"}},
		{name: "failover", assignor: assign.Failover{}, group: priorities, change: leaves(0),
			captions: []string{"all on the member of priority 1", "member a left: priority 2 takes over"}},
		{name: "keep", assignor: assign.New("keep", func(g assign.Group) (assign.Plan, error) { return assign.Keep(g), nil }),
			group: two(6, 3), change: func(g *assign.Group) {
				g.Members[0].Owned = g.Members[0].Owned[:1]
				g.Members = append(g.Members, assign.Member{ID: "d", Topics: g.Members[0].Topics})
			}, captions: []string{"as it was", "d joined, one topic is free: owners keep, free ones go where there are fewest"}},
	}
}

func must(plan assign.Plan, err error) assign.Plan {
	if err != nil {
		panic(err) // the groups are written above
	}
	return plan
}

// groupOf returns members a, b, … that subscribe to topics of so many partitions.
func groupOf(members int, partitions ...int32) assign.Group {
	var g assign.Group
	var names []string
	for i, n := range partitions {
		name := string(rune('t' + i))
		names = append(names, name)
		g.Topics = append(g.Topics, assign.Topic{Name: name, Partitions: n})
	}
	for i := range members {
		g.Members = append(g.Members, assign.Member{ID: string(rune('a' + i)), Topics: names})
	}
	return g
}

// plans returns the group and its plan, as it was and after the change.
func (s scene) plans() (groups []assign.Group, plans []assign.Plan, err error) {
	g := s.group
	plan, err := s.assignor.Assign(g)
	if s.before != nil {
		plan = s.before(g)
	}
	if err != nil || s.change == nil {
		return []assign.Group{g}, []assign.Plan{plan}, err
	}
	after := g.Clone()
	for i := range after.Members {
		m := &after.Members[i]
		m.Owned, m.Generation = plan.Clone().Assignment[m.ID], 1
	}
	s.change(&after)
	next, err := s.assignor.Assign(after)
	return []assign.Group{g, after}, []assign.Plan{plan, next}, err
}
