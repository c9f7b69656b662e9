package member

import (
	"context"
	"math/rand/v2"
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
