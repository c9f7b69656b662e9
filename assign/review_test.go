package assign_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// damaged returns a copy of the plan with up to two mistakes, of any kind.
func damaged(r *rand.Rand, g assign.Group, plan assign.Plan) assign.Plan {
	plan = plan.Clone()
	for range r.IntN(3) {
		if len(g.Members) == 0 || len(g.Topics) == 0 {
			return plan
		}
		id := g.Members[r.IntN(len(g.Members))].ID
		topic := g.Topics[r.IntN(len(g.Topics))]
		p := int32(r.IntN(int(topic.Partitions)+2) - 1)
		switch r.IntN(5) {
		case 0:
			plan.Move(topic.Name, p, id)
		case 1:
			plan.Give(id, topic.Name, p)
		case 2:
			plan.Give([]string{id, "nobody"}[r.IntN(2)], []string{topic.Name, "nothing"}[r.IntN(2)], p)
		case 3:
			plan.Withheld = append(plan.Withheld, assign.Withheld{Topic: topic.Name, Partition: p, Member: []string{id, "nobody"}[r.IntN(2)]})
		case 4:
			delete(plan.Assignment, id)
		}
	}
	return plan
}

// keepsTheRules is Validate put plainly.
func keepsTheRules(g assign.Group, plan assign.Plan) bool {
	may, due := make(map[string]bool), make(map[string]int)
	for _, t := range g.Topics {
		for _, m := range g.Members {
			if slices.Contains(m.Topics, t.Name) {
				for p := range t.Partitions {
					may[fmt.Sprintf("%s %s %d", m.ID, t.Name, p)] = true
					due[fmt.Sprintf("%s %d", t.Name, p)] = 1
				}
			}
		}
	}
	good := true
	give := func(member, topic string, p int32) {
		good = good && may[fmt.Sprintf("%s %s %d", member, topic, p)]
		due[fmt.Sprintf("%s %d", topic, p)]--
	}
	for id, list := range plan.Assignment {
		for _, tp := range list {
			for _, p := range tp.Partitions {
				give(id, tp.Topic, p)
			}
		}
	}
	for _, w := range plan.Withheld {
		give(w.Member, w.Topic, w.Partition)
	}
	for _, n := range due {
		good = good && n == 0
	}
	return good
}

// takes tells whether the plan gives somebody what another owns.
func takes(g assign.Group, plan assign.Plan) bool {
	owners := g.Ownership().Owners()
	for id, list := range plan.Assignment {
		for _, tp := range list {
			for _, p := range tp.Partitions {
				if owner, owned := owners[tp.Topic][p]; owned && owner != id {
					return true
				}
			}
		}
	}
	return false
}

// One review of a group says of each of many plans what is said of it alone, and leaves
// the plans as they are.
func TestReview(t *testing.T) {
	r := newRand(t)
	valid, broken := 0, 0
	for range cases(2000) {
		g := randomGroup(r)
		target, err := assign.Balanced{}.Assign(g)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) == 0 { // all keep what they own
			for i := range g.Members {
				g.Members[i].Owned, g.Members[i].Generation = target.Assignment[g.Members[i].ID], 1
			}
		}
		review := assign.NewReview(g)
		for range 4 {
			plan := damaged(r, g, target)
			before := plan.Clone()
			err := review.Validate(plan)
			if good := keepsTheRules(g, plan); good != (err == nil) {
				t.Fatalf("%s\n%s\ngot %v, want good: %v", inJSON(g), inJSON(plan), err, good)
			} else if good {
				valid++
			} else {
				broken++
			}
			if stats, ok := review.MeasureValid(); ok != (err == nil) || ok && stats != assign.Measure(g, plan) {
				t.Errorf("measured %+v, %v, want %+v, %v", stats, ok, assign.Measure(g, plan), err == nil)
			}
			if sent := review.Withhold(plan); err == nil && (!keepsTheRules(g, sent) || takes(g, sent)) {
				t.Errorf("%s\n%s\nwithheld too much or too little: %s", inJSON(g), inJSON(plan), inJSON(sent))
			}
			if alone := assign.Validate(g, plan); !reflect.DeepEqual(err, alone) {
				t.Errorf("valid? %v, alone: %v", err, alone)
			}
			if got, alone := review.Measure(plan), assign.Measure(g, plan); got != alone {
				t.Errorf("measured %+v, alone %+v", got, alone)
			}
			if got, alone := review.WithholdValid(plan), assign.Withhold(g, plan); !reflect.DeepEqual(got, alone) {
				t.Errorf("withheld %+v, alone %+v", got, alone)
			}
			if got, alone := review.Withhold(plan), assign.Withhold(g, plan); !reflect.DeepEqual(got, alone) {
				t.Errorf("withheld %+v, alone %+v", got, alone)
			}
			if !reflect.DeepEqual(plan, before) {
				t.Errorf("the plan was changed: %+v, before %+v", plan, before)
			}
		}
	}
	if valid < 100 && !testing.Short() || broken < 100 && !testing.Short() {
		t.Errorf("tried %d plans that keep to the rules and %d that do not", valid, broken)
	}
}

// An embedding overrides Assign of the assignor in it.
type embedding struct{ assign.Balanced }

func (embedding) Assign(g assign.Group) (assign.Plan, error) { return assign.Range().Assign(g) }

// foreign is an assignor of which a Review knows nothing.
func foreign(a assign.Assignor) assign.Assignor { return assign.New(a.Name(), a.Assign) }

// TestReviewAssigns: a Review has an assignor's own plan, keeps it for what is asked next,
// and leaves the group and what it knows of it as they are.
func TestReviewAssigns(t *testing.T) {
	r := newRand(t)
	for range cases(2000) {
		g := randomGroup(r)
		review, before := assign.NewReview(g), g.Clone()
		for _, a := range []assign.Assignor{
			assign.Balanced{}, assign.Balanced{MaxMoves: 2}, &assign.Balanced{IgnoreTopics: true}, assign.Sticky(), assign.CooperativeSticky(),
			foreign(assign.Balanced{}), assign.Range(), embedding{},
		} {
			want, wantErr := a.Assign(g)
			got, err := review.Assign(a)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %s\n%v, %v, want %v, %v", a.Name(), inJSON(g), inJSON(got), err, inJSON(want), wantErr)
			}
			if !reflect.DeepEqual(g, before) {
				t.Fatalf("%s changed the group: %s, before %s", a.Name(), inJSON(g), inJSON(before))
			}
			if err != nil {
				continue
			}
			if stats, ok := review.MeasureValid(); !ok || stats != assign.Measure(g, want) {
				t.Errorf("%s: %s\nmeasured %+v, %v, want %+v", a.Name(), inJSON(g), stats, ok, assign.Measure(g, want))
			}
			if sent, alone := review.WithholdValid(got), assign.Withhold(g, want); !reflect.DeepEqual(sent, alone) {
				t.Errorf("%s: %s\nwithheld %+v, want %+v", a.Name(), inJSON(g), sent, alone)
			}
		}
	}
}

// A plan that breaks the rules comes with what is wrong with it, and what gives a member
// nothing of a topic is not an entry.
func TestReviewHoldsAnAssignorToTheRules(t *testing.T) {
	g := assign.Group{
		Members: []assign.Member{{ID: "a", Topics: []string{"t", "u"}}},
		Topics:  []assign.Topic{{Name: "t", Partitions: 1}, {Name: "u"}},
	}
	plan := assign.Plan{Assignment: assign.Assignment{"a": {{Topic: "t", Partitions: []int32{0}}, {Topic: "u"}}}}
	returns := func(plan assign.Plan, err error) assign.Assignor {
		return assign.New("fixed", func(assign.Group) (assign.Plan, error) { return plan, err })
	}
	review := assign.NewReview(g)
	got, err := review.Assign(returns(plan, nil))
	if err != nil || len(got.Assignment["a"]) != 1 || len(plan.Assignment["a"]) != 2 {
		t.Errorf("got %v, %v, and the plan returned is %v", got, err, plan)
	}
	if _, err := review.Assign(returns(assign.Plan{}, nil)); !errors.Is(err, assign.ErrInvalidPlan) {
		t.Errorf("got %v", err)
	}
	if _, valid := review.MeasureValid(); valid {
		t.Error("the plan before counts as the last one")
	}
	broken := errors.New("broken")
	if _, err := review.Assign(returns(plan, broken)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, valid := review.MeasureValid(); valid {
		t.Error("a plan that came with an error counts as valid")
	}
	if _, err := assign.NewReview(assign.Group{Members: []assign.Member{{}}}).Assign(assign.Sticky()); err == nil {
		t.Error("a member without an id is no error")
	}
}

func TestCloneSharesNothing(t *testing.T) {
	a := assign.Assignment{
		"m1": {{Topic: "a", Partitions: []int32{0, 1}}, {Topic: "b", Partitions: []int32{}}, {Topic: "c"}},
		"m2": {{Topic: "a", Partitions: []int32{2}}},
		"m3": {}, "m4": nil,
	}
	want := fmt.Sprintf("%#v", a)
	c := a.Clone()
	if !reflect.DeepEqual(a, c) {
		t.Fatalf("got %#v, want %#v", c, a)
	}
	c["m1"][0].Partitions[0] = 7
	c["m1"] = append(c["m1"], assign.TopicPartitions{Topic: "d"})
	c["m1"][0].Partitions = append(c["m1"][0].Partitions, 8)
	c["m2"][0].Topic = "z"
	if got := fmt.Sprintf("%#v", a); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := c["m2"]; len(got) != 1 || got[0].Topic != "z" || !slices.Equal(got[0].Partitions, []int32{2}) {
		t.Errorf("got %v: it shares memory with another member's", got)
	}
}
