package assign_test

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// group builds a group from text. Topics are "t0:3 t1:2", with their number of
// partitions; a member is "C0: t0 t1", with its subscriptions, and what it claims as
// "C0: t0 t1 | t0:0,2 t1:1 @7", with the generation.
func group(topics string, members ...string) assign.Group {
	var g assign.Group
	for _, field := range strings.Fields(topics) {
		name, partitions, _ := strings.Cut(field, ":")
		g.Topics = append(g.Topics, assign.Topic{Name: name, Partitions: number(partitions)})
	}
	for _, text := range members {
		id, rest, _ := strings.Cut(text, ":")
		subscribed, claims, _ := strings.Cut(rest, "|")
		claims, generation, aged := strings.Cut(claims, "@")
		m := assign.Member{ID: id, Topics: strings.Fields(subscribed), Owned: partitions(claims)}
		if aged {
			m.Generation = number(strings.TrimSpace(generation))
		}
		g.Members = append(g.Members, m)
	}
	return g
}

// partitions reads "t0:0,2 t1:1".
func partitions(text string) []assign.TopicPartitions {
	var list []assign.TopicPartitions
	for _, field := range strings.Fields(text) {
		name, numbers, _ := strings.Cut(field, ":")
		tp := assign.TopicPartitions{Topic: name}
		for _, n := range strings.Split(numbers, ",") {
			tp.Partitions = append(tp.Partitions, number(n))
		}
		list = append(list, tp)
	}
	return list
}

func number(text string) int32 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		panic(err)
	}
	return int32(n)
}

// brief writes an assignment as "C0[t0:0,2 t1:1] C1[]".
func brief(a assign.Assignment) string {
	var members []string
	for _, id := range a.Members() {
		var topics []string
		for _, tp := range a[id] {
			topics = append(topics, tp.Topic+":"+strings.ReplaceAll(strings.Trim(fmt.Sprint(tp.Partitions), "[]"), " ", ","))
		}
		members = append(members, id+"["+strings.Join(topics, " ")+"]")
	}
	return strings.Join(members, " ")
}

// planOf reads a plan from "C0[t0:0,2 t1:1] C1[]", as brief writes it.
func planOf(text string) assign.Plan {
	a := make(assign.Assignment)
	for _, part := range strings.Split(text, "]") {
		if id, list, found := strings.Cut(strings.TrimSpace(part), "["); found {
			a[id] = partitions(list)
		}
	}
	return assign.Plan{Assignment: a}
}

func mustAssign(t testing.TB, a assign.Assignor, g assign.Group) assign.Plan {
	t.Helper()
	plan, err := a.Assign(g)
	if err != nil {
		t.Fatalf("%s: %v", a.Name(), err)
	}
	if err := assign.Validate(g, plan); err != nil {
		t.Fatalf("%s: %v", a.Name(), err)
	}
	return plan
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		group assign.Group
		want  []string // what the error says, line by line; nil for no error
	}{
		{"empty", assign.Group{}, nil},
		{"ordinary", group("t0:3", "C0: t0 t0 unknown | t0:99 @-7"), nil},
		{"no partitions", group("t0:0", "C0: t0"), nil},
		{"zero weights and capacities", assign.Group{
			Members: []assign.Member{{ID: "C0"}}, Topics: []assign.Topic{{Name: "t0", Partitions: 1, Weights: []float64{0}}}}, nil},
		{"member without id", assign.Group{Members: []assign.Member{{ID: "C0"}, {}}}, []string{"member 1 of the group has no id"}},
		{"repeated member", assign.Group{Members: []assign.Member{{ID: "C0"}, {ID: "C0"}}}, []string{`member "C0" is in the group twice`}},
		{"topic without name", assign.Group{Topics: []assign.Topic{{Partitions: 1}}}, []string{"topic 0 of the group has no name"}},
		{"repeated topic", group("t0:1 t0:2"), []string{`topic "t0" is in the group twice`}},
		{"negative partitions", group("t0:-1"), []string{`topic "t0" has -1 partitions`}},
		{"everything at once", assign.Group{
			Members: []assign.Member{{ID: "C0", Capacity: -1}, {ID: "C1", Capacity: math.NaN()}, {ID: "C2", Capacity: math.Inf(1)}},
			Topics:  []assign.Topic{{Name: "t0", Partitions: 9, Weights: []float64{1, -2, math.NaN(), math.Inf(1), math.Inf(-1)}}},
		}, []string{
			`member "C0" has capacity -1`, `member "C1" has capacity NaN`, `member "C2" has capacity +Inf`,
			`partition 1 of topic "t0" has weight -2`, `partition 2 of topic "t0" has weight NaN`,
			`partition 3 of topic "t0" has weight +Inf`, `partition 4 of topic "t0" has weight -Inf`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.group.Check()
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(test.want) {
				t.Fatalf("got %q, want %q", lines, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(lines[i], want+"; ") {
					t.Errorf("line %d is %q, want %q and what to do", i, lines[i], want)
				}
			}
			for _, a := range everyAssignor()[:7] {
				if _, assignErr := a.Assign(test.group); (assignErr != nil) != (err != nil) {
					t.Errorf("%s returned %v, Check %v", a.Name(), assignErr, err)
				}
			}
		})
	}
}

func TestEffectiveWeights(t *testing.T) {
	tests := []struct {
		partitions int32
		weights    []float64
		want       []float64
	}{
		{3, nil, []float64{1, 1, 1}},
		{3, []float64{7, 0, 9}, []float64{7, 0, 9}},
		{4, []float64{7, 1, 9}, []float64{7, 1, 9, 7}},
		{5, []float64{4, 1, 10, 6}, []float64{4, 1, 10, 6, 5}},
		{2, []float64{0}, []float64{0, 0}},
		{2, []float64{1, 2, 3}, []float64{1, 2}},
		{0, []float64{1}, []float64{}},
		{-1, nil, []float64{}},
		{3, []float64{math.MaxFloat64, math.MaxFloat64}, []float64{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}},
		{3, []float64{5e-324, 5e-324}, []float64{5e-324, 5e-324, 5e-324}},
	}
	for _, test := range tests {
		topic := assign.Topic{Partitions: test.partitions, Weights: test.weights}
		if got := topic.EffectiveWeights(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%d partitions, weights %v: got %v, want %v", test.partitions, test.weights, got, test.want)
		}
	}
}

func TestGroupCloneSharesNothing(t *testing.T) {
	build := func() assign.Group {
		g := group("t0:2", "C0: t0 | t0:0,1 @4")
		g.Members[0].Labels = map[string]string{"zone": "a"}
		g.Topics[0].Weights = []float64{1, 2}
		g.Topics[0].Racks = [][]string{{"a", "b"}, nil}
		return g
	}
	g := build()
	c := g.Clone()
	if !reflect.DeepEqual(g, c) {
		t.Fatalf("the copy %s differs from %s", inJSON(c), inJSON(g))
	}
	m, topic := &c.Members[0], &c.Topics[0]
	m.ID, m.Topics[0], m.Owned[0].Topic, m.Owned[0].Partitions[0], m.Labels["zone"] = "x", "x", "x", 9, "x"
	topic.Name, topic.Weights[0], topic.Racks[0][0] = "x", 9, "x"
	if !reflect.DeepEqual(g, build()) {
		t.Errorf("changing the copy changed the group to %s", inJSON(g))
	}
}
