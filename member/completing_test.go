package member

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// A plan may name topics of which it gives a member nothing. They are sent in no round, also
// not in the one that only completes it, and the assignor's own plan stays as it is.
func TestTopicsWithoutPartitionsAreNotSent(t *testing.T) {
	for name, onPlan := range map[string]func(context.Context, Round) (assign.Plan, error){
		"of the assignor": nil,
		"of OnPlan": func(_ context.Context, r Round) (assign.Plan, error) {
			r.Proposed.Assignment["me"] = []assign.TopicPartitions{{Topic: "t"}}
			return r.Proposed, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := assign.Assignment{"me": {{Topic: "t"}}, "you": {{Topic: "t", Partitions: []int32{0, 1}}}}
			l := newLeader(t, HooksConfig{OnPlan: onPlan, Protocols: []Protocol{{Assignor: assign.New("hollow", func(assign.Group) (assign.Plan, error) {
				return assign.Plan{Assignment: all}, nil
			})}}})
			given := l.round(2, joined("me", l.says(1)), joined("you", l.says(0)))
			given = l.round(2, joined("me", l.says()), joined("you", l.says(given["you"]...)))
			if len(given["you"]) != 2 {
				t.Errorf("got %v", given)
			}
			for _, e := range l.of(EventPlanned) {
				for id, list := range e.Plan.Assignment {
					for _, tp := range list {
						if len(tp.Partitions) == 0 {
							t.Errorf("%s gets nothing of %q in generation %d", id, tp.Topic, e.Generation)
						}
					}
				}
			}
			if len(all["me"]) != 1 {
				t.Errorf("the assignor's plan became %v", all)
			}
		})
	}
}

// Whether all that is owned was given is told as a look at each partition by itself tells
// it, in whatever order the given ones are.
func TestWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	some := func() (list []assign.TopicPartitions) {
		for range r.IntN(5) {
			tp := assign.TopicPartitions{Topic: []string{"a", "b", "c"}[r.IntN(3)]}
			for range r.IntN(4) {
				tp.Partitions = append(tp.Partitions, int32(r.IntN(6)))
			}
			list = append(list, tp)
		}
		return list
	}
	in := func(list []assign.TopicPartitions, topic string, p int32) bool {
		return assign.Plan{Assignment: assign.Assignment{"m": list}}.Clone().Assignment.Owners()[topic][p] == "m"
	}
	all, not := 0, 0
	for range 5000 {
		owned, given := some(), some()
		if r.IntN(2) == 0 {
			given = append(given, owned...)
		}
		want := true
		for _, tp := range owned {
			for _, p := range tp.Partitions {
				want = want && in(given, tp.Topic, p)
			}
		}
		a := assign.Assignment{"m": owned}.Clone()
		a.Sort()
		distinct := a["m"]
		for i := range distinct { // what is owned is so once
			distinct[i].Partitions = slices.Compact(distinct[i].Partitions)
		}
		if got := within(distinct, inOrder(given)); got != want {
			t.Fatalf("%v within %v: %v", distinct, given, got)
		}
		if want {
			all++
		} else {
			not++
		}
	}
	if all < 500 || not < 500 {
		t.Errorf("%d were within and %d not", all, not)
	}
}

func TestARoundThatCompletesAPlanAsksNobodyAgain(t *testing.T) {
	asked := 0
	cfg := HooksConfig{OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		asked++
		if asked > 1 {
			round.Proposed.Move("t", 0, "me") // another decision each time
		}
		return round.Proposed, nil
	}}
	l := newLeader(t, cfg)
	l.round(4, joined("me", l.says()))
	first := l.round(4, joined("me", l.says(0, 1, 2, 3)), joined("you", l.says()))
	if asked != 2 || count(first) >= 4 {
		t.Fatalf("OnPlan was asked %d times, and %v is given while some must be withheld", asked, first)
	}
	second := l.round(4, joined("me", l.says(first["me"]...)), joined("you", l.says()))
	if asked != 2 {
		t.Errorf("OnPlan was asked again by the round that gives out what was withheld")
	}
	if count(second) != 4 || !slices.Contains(second["me"], 0) {
		t.Errorf("the plan was not completed: %v", second)
	}
	if r := l.balancer.hooks.adopted; !reflect.DeepEqual(r.sent, assign.Withhold(r.group, r.target)) {
		t.Errorf("sent %v, where Withhold leaves %v", r.sent, assign.Withhold(r.group, r.target))
	}
	// Another member is another question.
	l.round(4, joined("me", l.says(second["me"]...)), joined("you", l.says(second["you"]...)), joined("they", l.says()))
	if asked != 3 {
		t.Errorf("OnPlan was asked %d times, want 3: a member joined", asked)
	}
}

func TestAPlanThatAMemberDoesNotFollowIsMadeAgain(t *testing.T) {
	asked := 0
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		asked++
		return round.Proposed, nil
	}})
	l.round(2, joined("me", l.says()))
	l.round(2, joined("me", l.says(0, 1)), joined("you", l.says()))
	l.round(2, joined("me", l.says(0, 1)), joined("you", l.says())) // it keeps what it was to give up
	if asked != 3 {
		t.Errorf("OnPlan was asked %d times, want 3", asked)
	}
}

func TestAFallbackHoldsForOneRound(t *testing.T) {
	fails := true
	l := newLeader(t, HooksConfig{Protocols: []Protocol{{Assignor: assign.New("balanced", func(g assign.Group) (assign.Plan, error) {
		if fails {
			return assign.Plan{}, errors.New("not now")
		}
		return assign.Balanced{}.Assign(g)
	})}}})
	first := l.round(6, joined("me", l.says(0, 1, 2, 3)), joined("you", l.says()), joined("bad", garbled))
	fails = false
	second := l.round(6, joined("me", l.says(first["me"]...)), joined("you", l.says(first["you"]...)), joined("bad", garbled))
	third := l.round(6, joined("me", l.says(second["me"]...)), joined("you", l.says(second["you"]...)), joined("bad", garbled))
	if len(third["me"]) != 3 || len(third["you"]) != 3 {
		t.Errorf("got %v, %v and %v: the plan that was kept for want of another stands", first, second, third)
	}
}

func TestReplanAsksAgainAlsoWhereAPlanWouldBeCompleted(t *testing.T) {
	asked := 0
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		asked++
		return round.Proposed, nil
	}})
	first := l.round(4, joined("me", l.says(0, 1, 2, 3)), joined("you", l.says()))
	l.hooks.Replan("the weights changed")
	l.round(4, joined("me", l.says(first["me"]...)), joined("you", l.says()))
	if asked != 2 {
		t.Errorf("OnPlan was asked %d times, want 2", asked)
	}
}
