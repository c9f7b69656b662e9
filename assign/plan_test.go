package assign_test

import (
	"maps"
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestMove(t *testing.T) {
	tests := []struct {
		name, plan string
		topic      string
		partition  int32
		member     string
		want       string
	}{
		{"to another member", "C0[t:0,1] C1[t:2]", "t", 0, "C1", "C0[t:1] C1[t:0,2]"},
		{"the last of a topic", "C0[t:0 u:0] C1[t:2]", "t", 0, "C1", "C0[u:0] C1[t:0,2]"},
		{"the last of all", "C0[t:0] C1[]", "t", 0, "C1", "C0[] C1[t:0]"},
		{"to the member that has it", "C0[t:0,1] C1[]", "t", 0, "C0", "C0[t:0,1] C1[]"},
		{"which nobody had", "C0[t:0]", "t", 7, "C0", "C0[t:0,7]"},
		{"a topic that sorts before", "C0[u:0] C1[t:0]", "t", 0, "C0", "C0[t:0 u:0] C1[]"},
		{"to a member without an entry", "C0[t:0]", "t", 0, "C1", "C0[] C1[t:0]"},
		{"in an empty plan", "", "t", 0, "C1", "C1[t:0]"},
		{"given to all", "C0[t:0] C1[t:0] C2[t:0]", "t", 0, "C1", "C0[] C1[t:0] C2[]"},
		{"given to one several times", "C0[t:0,0 u:1 t:0,1] C1[]", "t", 0, "C1", "C0[u:1 t:1] C1[t:0]"},
		{"the same number of another topic", "C0[t:0 u:0] C1[]", "u", 0, "C1", "C0[t:0] C1[u:0]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := planOf(test.plan)
			plan.Move(test.topic, test.partition, test.member)
			if got := brief(plan.Assignment); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestMoveTakesFromWithheld(t *testing.T) {
	plan := planOf("C0[] C1[]")
	plan.Withheld = []assign.Withheld{{Topic: "t", Partition: 0, Member: "C0"}, {Topic: "t", Partition: 1, Member: "C0"}, {Topic: "u", Partition: 0, Member: "C0"}}
	before := plan.Clone()
	shallow := plan
	plan.Move("t", 0, "C1")
	if got := brief(plan.Assignment); got != "C0[] C1[t:0]" {
		t.Errorf("got %s", got)
	}
	if len(plan.Withheld) != 2 || plan.Withheld[0].Partition != 1 || plan.Withheld[1].Topic != "u" {
		t.Errorf("left withheld: %+v", plan.Withheld)
	}
	if !reflect.DeepEqual(shallow.Withheld, before.Withheld) {
		t.Errorf("the list of a copy became %+v", shallow.Withheld)
	}
}

// TestMoveLeavesSharedListsAlone: a plan made of what members own shares its lists
// with the group.
func TestMoveLeavesSharedListsAlone(t *testing.T) {
	g := group("t:4", "C0: t | t:2,0 @1", "C1: t | t:3,1 @1")
	before := g.Clone()
	plan := assign.NewPlan(g)
	for _, m := range g.Members {
		plan.Assignment[m.ID] = m.Owned
	}
	plan.Move("t", 0, "C1")
	if !reflect.DeepEqual(g, before) {
		t.Errorf("the group became %s", inJSON(g))
	}
	plan.Assignment.Sort()
	if got := brief(plan.Assignment); got != "C0[t:2] C1[t:0,1,3]" {
		t.Errorf("got %s", got)
	}
}

func TestGive(t *testing.T) {
	var plan assign.Plan
	plan.Give("C1", "t", 3)
	plan.Give("C1", "t", 1)
	plan.Give("C1", "a", 0)
	plan.Give("C0", "t", 1)
	if got := brief(plan.Assignment); got != "C0[t:1] C1[t:3,1 a:0]" {
		t.Errorf("got %s", got)
	}
}

func TestOwner(t *testing.T) {
	plan := planOf("C2[t:0] C1[t:0,1] C0[u:1]")
	tests := []struct {
		topic     string
		partition int32
		member    string
	}{{"t", 0, "C1"}, {"t", 1, "C1"}, {"u", 1, "C0"}, {"u", 0, ""}, {"v", 0, ""}}
	owners := plan.Assignment.Owners()
	for _, test := range tests {
		member, ok := plan.Owner(test.topic, test.partition)
		if member != test.member || ok != (test.member != "") {
			t.Errorf("%s[%d]: got %q, %v", test.topic, test.partition, member, ok)
		}
		if got := owners[test.topic][test.partition]; got != test.member {
			t.Errorf("%s[%d]: Owners has %q", test.topic, test.partition, got)
		}
	}
}

func TestPlanCloneSharesNothing(t *testing.T) {
	plan := planOf("C0[t:0,1] C1[]")
	plan.Withheld = []assign.Withheld{{Topic: "t", Partition: 2, Member: "C1"}}
	c := plan.Clone()
	if !reflect.DeepEqual(plan, c) {
		t.Fatalf("the copy is %+v", c)
	}
	c.Assignment["C0"][0].Partitions[0] = 9
	c.Assignment["C0"][0].Topic = "x"
	c.Assignment["C2"] = nil
	c.Withheld[0].Member = "x"
	if got := brief(plan.Assignment); got != "C0[t:0,1] C1[]" || plan.Withheld[0].Member != "C1" {
		t.Errorf("changing the copy changed the plan to %s, %+v", got, plan.Withheld)
	}
	if empty := (assign.Plan{}).Clone(); empty.Assignment != nil || empty.Withheld != nil {
		t.Errorf("the copy of nothing is %+v", empty)
	}
}

func TestAssignmentEqual(t *testing.T) {
	tests := []struct {
		one, other string
		want       bool
	}{
		{"", "", true},
		{"C0[]", "", true},
		{"C0[t:0,1]", "C0[t:1,0]", true},
		{"C0[t:0,1 u:0]", "C0[u:0 t:1 t:0] C1[]", true},
		{"C0[t:0]", "C0[t:1]", false},
		{"C0[t:0]", "C1[t:0]", false},
		{"C0[t:0]", "C0[u:0]", false},
		{"C0[t:0]", "C0[t:0,0]", false},
		{"C0[t:0]", "C0[t:0] C1[t:1]", false},
	}
	for _, test := range tests {
		one, other := planOf(test.one).Assignment, planOf(test.other).Assignment
		if one.Equal(other) != test.want || other.Equal(one) != test.want {
			t.Errorf("%q and %q: got %v", test.one, test.other, !test.want)
		}
		if brief(one) != brief(planOf(test.one).Assignment) {
			t.Errorf("%q became %q", test.one, brief(one))
		}
	}
}

func TestAssignmentSort(t *testing.T) {
	shared := []int32{5, 3, 9}
	a := assign.Assignment{
		"C0": {{Topic: "u", Partitions: []int32{1}}, {Topic: "t", Partitions: shared[:1]}, {Topic: "t", Partitions: nil}, {Topic: "t", Partitions: []int32{4, 2}}, {Topic: "t", Partitions: []int32{0}}},
		"C1": {{Topic: "t", Partitions: nil}},
		"C2": nil,
	}
	a.Sort()
	if got := brief(a); got != "C0[t:0,2,4,5 u:1] C1[] C2[]" {
		t.Errorf("got %s", got)
	}
	if shared[1] != 3 || shared[2] != 9 {
		t.Errorf("what lay behind a list became %v", shared)
	}
	if n := a.Count("C0"); n != 5 {
		t.Errorf("C0 has %d", n)
	}
	if n := a.Count("nobody"); n != 0 {
		t.Errorf("nobody has %d", n)
	}
}

func TestDiff(t *testing.T) {
	tests := []struct {
		before, after string
		want          []assign.Move
	}{
		{"", "", nil},
		{"C0[t:0,1] C1[]", "C0[t:1,0]", nil},
		{"C0[t:0]", "C1[t:0]", []assign.Move{{Topic: "t", Partition: 0, From: "C0", To: "C1"}}},
		{"C0[t:0 u:3]", "C0[u:3 v:1]", []assign.Move{{Topic: "t", Partition: 0, From: "C0"}, {Topic: "v", Partition: 1, To: "C0"}}},
		{"", "C0[b:0 a:2,1]", []assign.Move{{Topic: "a", Partition: 1, To: "C0"}, {Topic: "a", Partition: 2, To: "C0"}, {Topic: "b", Partition: 0, To: "C0"}}},
	}
	for _, test := range tests {
		got := assign.Diff(planOf(test.before).Assignment, planOf(test.after).Assignment)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("from %q to %q: got %+v, want %+v", test.before, test.after, got, test.want)
		}
	}
}

// TestDiffLeadsFromOneToTheOther carries the moves out.
func TestDiffLeadsFromOneToTheOther(t *testing.T) {
	r := newRand(t)
	for range cases(5000) {
		g := randomGroup(r)
		before, after := assign.Plan{Assignment: g.Ownership()}, assign.Keep(g)
		step := before.Clone()
		for _, move := range assign.Diff(before.Assignment, after.Assignment) {
			if owner, _ := step.Owner(move.Topic, move.Partition); owner != move.From {
				t.Fatalf("%+v, but the owner is %q", move, owner)
			}
			step.Move(move.Topic, move.Partition, move.To)
		}
		maps.DeleteFunc(step.Assignment, func(id string, _ []assign.TopicPartitions) bool { return id == "" })
		if !step.Assignment.Equal(after.Assignment) {
			t.Fatalf("got %s, want %s\n%s", brief(step.Assignment), brief(after.Assignment), inJSON(g))
		}
	}
}
