package assign_test

import (
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestExamplesOfKafka holds the assignors to the examples in the documentation of
// Kafka's RangeAssignor, RoundRobinAssignor and StickyAssignor.
func TestExamplesOfKafka(t *testing.T) {
	static := func(g assign.Group, instances ...string) assign.Group {
		for i, instance := range instances {
			g.Members[i].Instance = instance
		}
		return g
	}
	tests := []struct {
		name     string
		assignor assign.Assignor
		group    assign.Group
		want     string
	}{
		{"range", assign.Range(), group("t0:3 t1:3", "C0: t0 t1", "C1: t0 t1"), "C0[t0:0,1 t1:0,1] C1[t0:2 t1:2]"},
		{"range, new member ids", assign.Range(), group("t0:3 t1:3", "C3: t0 t1", "C2: t0 t1"), "C2[t0:0,1 t1:0,1] C3[t0:2 t1:2]"},
		{"range, new member ids of static members", assign.Range(), static(group("t0:3 t1:3", "C3: t0 t1", "C2: t0 t1"), "I0", "I1"),
			"C2[t0:2 t1:2] C3[t0:0,1 t1:0,1]"},
		{"range, static members first", assign.Range(), static(group("t0:3", "C0: t0", "C1: t0", "C2: t0"), "", "I9", ""), "C0[t0:1] C1[t0:0] C2[t0:2]"},
		{"range, unequal subscriptions", assign.Range(), group("t0:3 t1:3", "C0: t0", "C1: t0 t1", "C2: t1"), "C0[t0:0,1] C1[t0:2 t1:0,1] C2[t1:2]"},
		{"range, more members than partitions", assign.Range(), group("t0:1", "C0: t0", "C1: t0"), "C0[t0:0] C1[]"},
		{"roundrobin", assign.RoundRobin(), group("t0:3 t1:3", "C0: t0 t1", "C1: t0 t1"), "C0[t0:0,2 t1:1] C1[t0:1 t1:0,2]"},
		{"roundrobin, unequal subscriptions", assign.RoundRobin(), group("t0:1 t1:2 t2:3", "C0: t0", "C1: t0 t1", "C2: t0 t1 t2"),
			"C0[t0:0] C1[t1:0] C2[t1:1 t2:0,1,2]"},
		{"roundrobin, new member ids of static members", assign.RoundRobin(), static(group("t0:3 t1:3", "C3: t0 t1", "C2: t0 t1"), "I0", "I1"),
			"C2[t0:1 t1:0,2] C3[t0:0,2 t1:1]"},
		{"sticky, unequal subscriptions", assign.Sticky(), group("t0:1 t1:2 t2:3", "C0: t0", "C1: t0 t1", "C2: t0 t1 t2"),
			"C0[t0:0] C1[t1:0,1] C2[t2:0,1,2]"},
		{"sticky, unequal subscriptions, C0 left", assign.Sticky(), group("t0:1 t1:2 t2:3", "C1: t0 t1 | t1:0,1 @1", "C2: t0 t1 t2 | t2:0,1,2 @1"),
			"C1[t0:0 t1:0,1] C2[t2:0,1,2]"},
		{"sticky, settled", assign.Sticky(), group("t0:3", "C0: t0 | t0:0,2 @1", "C1: t0 | t0:1 @1"), "C0[t0:0,2] C1[t0:1]"},
		{"sticky, a stale claim", assign.Sticky(), group("t0:2", "C0: t0 | t0:0,1 @1", "C1: t0 | t0:1 @2"), "C0[t0:0] C1[t0:1]"},
		{"keep", assign.New("keep", func(g assign.Group) (assign.Plan, error) { return assign.Keep(g), nil }),
			group("t0:5", "C0: t0 | t0:0,1,2 @1", "C1: t0", "C2: t1 | t0:3 @1"), "C0[t0:0,1,2] C1[t0:3,4] C2[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := brief(mustAssign(t, test.assignor, test.group).Assignment); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestStickyAfterOneLeft is the first example of Kafka's StickyAssignor, where
// several answers are right.
func TestStickyAfterOneLeft(t *testing.T) {
	g := group("t0:2 t1:2 t2:2 t3:2", "C0: t0 t1 t2 t3 | t0:0 t1:1 t3:0 @1", "C2: t0 t1 t2 t3 | t1:0 t2:1 @1")
	for _, a := range []assign.Assignor{assign.Sticky(), assign.CooperativeSticky()} {
		stats := assign.Measure(g, mustAssign(t, a, g))
		if stats.MovedPartitions != 0 || stats.CountSpread != 0 {
			t.Errorf("%s: %+v", a.Name(), stats)
		}
	}
}

// TestStickyOfRandomGroups holds the counts to one partition more or less where all
// subscribe to the same, and a settled group to no moves.
func TestStickyOfRandomGroups(t *testing.T) {
	r := newRand(t)
	for range cases(5000) {
		g := randomGroup(r)
		for i := range g.Members {
			g.Members[i].Topics = []string{"t00", "t01", "t02"}
		}
		plan := mustAssign(t, assign.Sticky(), g)
		if stats := assign.Measure(g, plan); stats.CountSpread > 1 {
			t.Fatalf("counts differ by %d in %s\n%s", stats.CountSpread, brief(plan.Assignment), inJSON(g))
		}
		if again := mustAssign(t, assign.Sticky(), owning(g, plan)); !again.Assignment.Equal(plan.Assignment) {
			t.Fatalf("%s became %s\n%s", brief(plan.Assignment), brief(again.Assignment), inJSON(g))
		}
	}
}

// TestKeepOfRandomGroups: what may stay stays.
func TestKeepOfRandomGroups(t *testing.T) {
	r := newRand(t)
	for range cases(5000) {
		g := randomGroup(r)
		plan := assign.Keep(g)
		subscribes := make(map[string]bool)
		for _, m := range g.Members {
			for _, topic := range m.Topics {
				subscribes[m.ID+" "+topic] = true
			}
		}
		for _, move := range assign.Diff(g.Ownership(), plan.Assignment) {
			if move.From != "" && subscribes[move.From+" "+move.Topic] {
				t.Fatalf("%+v\n%s", move, inJSON(g))
			}
		}
	}
}

func TestNames(t *testing.T) {
	tests := map[string]assign.Assignor{
		"range": assign.Range(), "roundrobin": assign.RoundRobin(), "sticky": assign.Sticky(),
		"cooperative-sticky": assign.CooperativeSticky(), "balanced": assign.Balanced{},
		"orders-v2": assign.Balanced{ProtocolName: "orders-v2"},
	}
	for want, a := range tests {
		if got := a.Name(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
