package offline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestResultsOfRandomProblemsAreValid goes the whole way: written, read, solved, written,
// read, and only then held to the rules of the group that it began with.
func TestResultsOfRandomProblemsAreValid(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var problems []Problem
	var in, out bytes.Buffer
	for n := range 300 {
		p := randomProblem(r)
		p.ID = fmt.Sprint(n)
		problems = append(problems, p)
		if err := json.NewEncoder(&in).Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	counts, err := Solver{Settle: true}.Run(t.Context(), &in, &out)
	if err != nil || counts != (Counts{300, 0}) {
		t.Fatalf("%+v, %v: %s", counts, err, &out)
	}
	decoder := json.NewDecoder(&out)
	for _, p := range problems {
		var line struct {
			ID      string
			Results map[string]Outcome
		}
		if err := decoder.Decode(&line); err != nil || line.ID != p.ID || len(line.Results) != len(p.Assignors) {
			t.Fatalf("%+v, %v, for %s", line, err, p.ID)
		}
		for name, o := range line.Results {
			plan := assign.Plan{Assignment: o.Assignment, Unmet: o.Unmet}
			if err := assign.Validate(p.Group, plan); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := assign.Validate(p.Group, assign.Plan{Assignment: o.Settled}); err != nil {
				t.Fatalf("%s, settled: %v", name, err)
			}
			if !o.Settled.Equal(o.Assignment) || o.Rounds < 1 || o.Rounds > 2 || o.Unmet == nil || o.Stats.ElapsedNs <= 0 {
				t.Fatalf("%s: %+v", name, o)
			}
			if got := assign.Measure(p.Group, plan); got != o.Stats.Stats {
				t.Fatalf("%s: stats %+v, want %+v", name, o.Stats.Stats, got)
			}
		}
	}
}

func randomProblem(r *rand.Rand) Problem {
	p := Problem{Options: DefaultOptions(), Assignors: Assignors()}
	racks := []string{"", "a", "b", "c"}
	var topics []string
	for n := range 1 + r.IntN(4) {
		t := assign.Topic{Name: fmt.Sprintf("t%d", n), Partitions: int32(r.IntN(12)), Class: racks[r.IntN(4)]}
		for range t.Partitions * int32(r.IntN(2)) {
			t.Weights = append(t.Weights, float64(r.IntN(9)))
			t.Racks = append(t.Racks, []string{racks[r.IntN(4)], racks[r.IntN(4)]})
		}
		topics = append(topics, t.Name)
		p.Group.Topics = append(p.Group.Topics, t)
	}
	for n := range r.IntN(6) {
		m := assign.Member{
			ID: fmt.Sprintf("m%d", n), Rack: racks[r.IntN(4)], Topics: append([]string{"gone"}, topics[r.IntN(len(topics)):]...),
			Capacity: float64(r.IntN(3)), Generation: int32(r.IntN(3)), Draining: r.IntN(5) == 0,
			Labels: map[string]string{"tier": racks[r.IntN(4)]},
		}
		for _, topic := range topics {
			m.Owned = append(m.Owned, assign.TopicPartitions{Topic: topic, Partitions: []int32{int32(r.IntN(14)) - 1}})
		}
		p.Group.Members = append(p.Group.Members, m)
	}
	if r.IntN(2) == 0 {
		p.Options = Options{
			Tolerance: float64(r.IntN(3)) / 10, MaxMoves: r.IntN(4), CoPartition: [][]string{{"t0", "t1"}},
			Pins: []assign.Pin{{Topic: "t0", Partitions: []int32{0, 99}, Label: "tier=a"}},
		}
	}
	return p
}

func TestOptionsReachBalanced(t *testing.T) {
	for _, test := range []struct {
		options string
		want    assign.Balanced
	}{
		{`{}`, assign.Balanced{Tolerance: 0.05}},
		{`{"tolerance":0}`, assign.Balanced{Tolerance: assign.Exact}},
		{`{"tolerance":0.2,"perTopic":false,"racks":false}`, assign.Balanced{Tolerance: 0.2, IgnoreTopics: true, IgnoreRacks: true}},
		{`{"maxMoves":3,"followerFetching":true}`, assign.Balanced{Tolerance: 0.05, MaxMoves: 3, FollowerFetching: true}},
		{`{"coPartition":[["t","u"]],"pins":[{"topic":"t","partitions":[1],"label":"a=b"}]}`, assign.Balanced{
			Tolerance: 0.05, CoPartition: [][]string{{"t", "u"}}, Pins: []assign.Pin{{Topic: "t", Partitions: []int32{1}, Label: "a=b"}},
		}},
	} {
		p, err := Parse([]byte(`{"id":"x","topics":[],"options":` + test.options + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Build("balanced", p.Options); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v; want %+v", test.options, got, err, test.want)
		}
	}
}

func TestEveryAssignorHasItsName(t *testing.T) {
	for _, name := range Assignors() {
		a, err := Build(name, DefaultOptions())
		if err != nil || a.Name() != name {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}

func TestAPanicIsTheErrorOfItsLine(t *testing.T) {
	g := assign.Group{Members: []assign.Member{{ID: "a", Topics: []string{"t"}}}, Topics: []assign.Topic{{Name: "t", Partitions: 1}}}
	bad := assign.New("bad", func(assign.Group) (assign.Plan, error) { panic("no") })
	if _, err := (Solver{}).plan(bad, g); err == nil || err.Error() != "it panicked: no" {
		t.Errorf("%v", err)
	}
	invalid := assign.New("invalid", func(assign.Group) (assign.Plan, error) { return assign.Plan{}, nil })
	if _, err := (Solver{}).plan(invalid, g); err == nil {
		t.Error("an invalid plan is a result")
	}
}
