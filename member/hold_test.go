package member

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

func pod(name string) Traits { return Traits{Labels: map[string]string{"pod": name}} }

func TestThePlaceOfAMemberThatRestartsIsHeld(t *testing.T) {
	for name, eager := range map[string]bool{"cooperative": false, "eager": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t, HooksConfig{
					Protocols: []Protocol{{Assignor: assign.Balanced{}, Eager: eager}},
					Hold:      Hold{For: time.Minute, Label: "pod"},
				})
				topics := []string{"t"}
				me := func(owned ...int32) *kmsg.JoinGroupResponseMember {
					return joined("me", l.saysOf(topics, pod("p0"), owned...))
				}
				other := func(id, name string, owned ...int32) *kmsg.JoinGroupResponseMember {
					return joined(id, l.saysOf(topics, pod(name), owned...))
				}
				given := l.round(6, me(), other("b", "p1"), other("c", "p2"))
				b, c := given["b"], given["c"]

				// p1 is gone: nothing moves, and its partitions wait.
				given = l.round(6, me(given["me"]...), other("c", "p2", c...))
				if want := map[string][]int32{"me": given["me"], "c": c}; !reflect.DeepEqual(given, want) || count(given) != 4 {
					t.Errorf("got %v", given)
				}
				planned := l.of(EventPlanned)
				last := planned[len(planned)-1]
				if len(last.Plan.Withheld) != 2 || last.Stats.Withheld != 2 || last.Stats.MovedPartitions != 0 || last.Reason != "left b" {
					t.Errorf("got %v, %+v, %s", last.Plan.Withheld, last.Stats, last.Reason)
				}
				// Neither does it when somebody else joins.
				time.Sleep(30 * time.Second)
				given = l.round(6, me(given["me"]...), other("c", "p2", c...), other("d", "p3"))
				if count(given) != 4 || len(given["d"]) != 0 {
					t.Errorf("got %v", given)
				}
				// It is back, under another id.
				given = l.round(6, me(given["me"]...), other("c", "p2", c...), other("b2", "p1"))
				if !reflect.DeepEqual(given["b2"], b) || count(given) != 6 {
					t.Errorf("b had %v; got %v", b, given)
				}
			})
		})
	}
}

func TestAPlaceIsHeldForItsTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, HooksConfig{Hold: Hold{For: time.Minute}})
		static := func(owned ...int32) *kmsg.JoinGroupResponseMember {
			m := joined("s", l.says(owned...))
			m.InstanceID = kmsg.StringPtr("i1")
			return m
		}
		given := l.round(4, joined("me", l.says()), static())
		given = l.round(4, joined("me", l.says(given["me"]...)))
		if count(given) != 2 || !l.replans() {
			t.Errorf("got %v, and a round has to be due", given)
		}
		time.Sleep(59 * time.Second)
		// Rounds meanwhile do not hold it for longer.
		if given = l.round(4, joined("me", l.says(given["me"]...))); count(given) != 2 {
			t.Errorf("got %v", given)
		}
		time.Sleep(2 * time.Second)
		if given = l.round(4, joined("me", l.says(given["me"]...))); count(given) != 4 {
			t.Errorf("got %v", given)
		}
	})
}

func TestOnlyMembersThatCanBeKnownAgainAreHeld(t *testing.T) {
	l := newLeader(t, HooksConfig{Hold: Hold{For: time.Minute, Label: "pod"}})
	draining := pod("p1")
	draining.Draining = true
	given := l.round(4, joined("me", l.says()), joined("you", l.says()), joined("drained", l.saysOf([]string{"t"}, draining, 3)))
	given = l.round(4, joined("me", l.says(given["me"]...)), joined("you", l.says(given["you"]...)), joined("drained", l.saysOf([]string{"t"}, draining)))
	if given = l.round(4, joined("me", l.says(given["me"]...))); count(given) != 4 {
		t.Errorf("got %v", given)
	}
	for _, h := range []Hold{{For: -1}, {Label: "pod"}} {
		if _, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}, Hold: h}); err == nil {
			t.Errorf("%+v is taken", h)
		}
	}
}

func TestOnPlanMayGiveAwayAPlaceThatIsHeld(t *testing.T) {
	var held []string
	l := newLeader(t, HooksConfig{Hold: Hold{For: time.Minute, Label: "pod"}, OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		plan := round.Proposed
		for _, id := range round.Held {
			held = append(held, id)
			for _, tp := range plan.Assignment.Clone()[id] {
				for _, p := range tp.Partitions {
					plan.Move(tp.Topic, p, round.Leader)
				}
			}
		}
		return plan, nil
	}})
	given := l.round(4, joined("me", l.says()), joined("b", l.saysOf([]string{"t"}, pod("p1"))))
	given = l.round(4, joined("me", l.says(given["me"]...)))
	if len(held) != 1 || held[0] != "b" || count(given) != 4 {
		t.Errorf("held %v, got %v", held, given)
	}
}

// Another member claims what a place has: it keeps it.
func TestAPlaceHoldsNothingThatAnotherOwns(t *testing.T) {
	l := newLeader(t, HooksConfig{Hold: Hold{For: time.Minute, Label: "pod"}})
	l.round(4, joined("me", l.says()), joined("b", l.saysOf([]string{"t"}, pod("p1"))))
	given := l.round(4, joined("me", l.says(0, 1, 2, 3)))
	if count(given) != 4 {
		t.Errorf("got %v", given)
	}
	// New partitions go to who is there.
	if given = l.round(6, joined("me", l.says(0, 1, 2, 3))); count(given) != 6 {
		t.Errorf("got %v", given)
	}
}

// A member that is there is not taken for one that vanished, whatever it says of itself.
func TestAMemberThatChangesItsLabelKeepsItsPlace(t *testing.T) {
	for name, traits := range map[string]Traits{
		"another label":            pod("p9"),
		"none":                     {},
		"none, and it drains":      {Draining: true},
		"that of a member present": pod("p1"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t, HooksConfig{
					Protocols: []Protocol{{Assignor: assign.Balanced{}}},
					Hold:      Hold{For: time.Minute, Label: "pod"},
				})
				topics := []string{"t"}
				given := l.round(6, joined("me", l.saysOf(topics, pod("p0"))), joined("b", l.saysOf(topics, pod("p1"))), joined("c", l.saysOf(topics, pod("p2"))))
				for range 2 { // what moves is withheld in the first
					given = l.round(6, joined("me", l.saysOf(topics, pod("p0"), given["me"]...)), joined("b", l.saysOf(topics, pod("p1"), given["b"]...)),
						joined("c", l.saysOf(topics, traits, given["c"]...)))
				}
				if want := map[bool]int{false: 2, true: 0}[traits.Draining]; len(given["c"]) != want || count(given) != 6 {
					t.Errorf("got %v, want %d for c", given, want)
				}
			})
		})
	}
}

// Of two members with the same label, neither is taken for the other's return.
func TestALabelThatTwoMembersHaveMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, HooksConfig{
			Protocols: []Protocol{{Assignor: assign.Balanced{}}},
			Hold:      Hold{For: time.Minute, Label: "pod"},
		})
		topics := []string{"t"}
		given := l.round(6, joined("me", l.saysOf(topics, pod("p0"))), joined("b", l.saysOf(topics, pod("p1"))))
		b := given["b"]
		given = l.round(6, joined("me", l.saysOf(topics, pod("p0"), given["me"]...)), joined("b", l.saysOf(topics, pod("p1"), b...)),
			joined("a", l.saysOf(topics, pod("p1"))))
		for _, p := range given["a"] {
			if slices.Contains(b, p) {
				t.Errorf("partition %d went from b to a before b gave it up: %v", p, given)
			}
		}
		if len(given["b"]) != 2 {
			t.Errorf("got %v", given)
		}
	})
}
