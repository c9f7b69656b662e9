package member

import (
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// In the round in which a group goes from a cooperative protocol to an eager one members
// hold what they own; in those that follow they have given it up.
func TestInTheRoundThatMakesAGroupEagerNothingMovesAtOnce(t *testing.T) {
	eager, cooperative := Protocol{Assignor: assign.Range(), Name: "ranged", Eager: true}, Protocol{Assignor: assign.Balanced{}}
	moved := map[string][]int32{"me": {0, 1}, "you": {2, 3}}
	for name, follows := range map[string]bool{"the leader was in the group": true, "the leader has just joined": false} {
		t.Run(name, func(t *testing.T) {
			l := newLeader(t, HooksConfig{Protocols: []Protocol{eager, cooperative}})
			by := func(p Protocol) { l.balancer = &balancer{hooks: l.hooks, protocol: p, first: true} }
			round := func() map[string][]int32 {
				return l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1)))
			}
			if follows {
				by(cooperative)
				if given := round(); !reflect.DeepEqual(given, map[string][]int32{"me": {2, 3}, "you": {0, 1}}) || l.replans() {
					t.Fatalf("got %v", given)
				}
			}
			by(eager)
			if given := round(); count(given) != 0 || !l.replans() {
				t.Errorf("in the round of the change %v", given)
			}
			given := map[string][]int32{}
			for range 2 { // members claim what the round before gave them
				given = l.round(4, joined("me", l.says(given["me"]...)), joined("you", l.says(given["you"]...)))
				if !reflect.DeepEqual(given, moved) || l.replans() {
					t.Errorf("afterwards %v", given)
				}
			}
			by(cooperative)
			round()
			by(eager)
			if given := l.round(4, joined("me", l.says(0, 1)), joined("you", l.says(2, 3))); !reflect.DeepEqual(given, moved) || l.replans() {
				t.Errorf("where nothing moves %v", given)
			}
		})
	}
}

// Where a round begins before the SyncGroup of a member came, it has not heard that it has
// to give up what it holds, and what it holds moves in no round until it has.
func TestWhatAMemberHoldsThatMissedTheRoundOfTheChangeDoesNotMove(t *testing.T) {
	eager, cooperative := Protocol{Assignor: assign.Range(), Name: "ranged", Eager: true}, Protocol{Assignor: assign.Balanced{}}
	l := newLeader(t, HooksConfig{Protocols: []Protocol{eager, cooperative}})
	by := func(p Protocol) { l.balancer = &balancer{hooks: l.hooks, protocol: p, first: true} }
	by(cooperative)
	l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1)))
	by(eager)
	l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1))) // of which you do not hear
	for range 2 {
		l.replans()
		given := l.round(4, joined("me", l.says()), joined("you", l.says(0, 1)))
		if want := map[string][]int32{"me": nil, "you": {2, 3}}; !reflect.DeepEqual(given, want) || !l.replans() {
			t.Errorf("while 0 and 1 are held %v", given)
		}
	}
	given := l.round(4, joined("me", l.says()), joined("you", l.says(2, 3)))
	if want := map[string][]int32{"me": {0, 1}, "you": {2, 3}}; !reflect.DeepEqual(given, want) || l.replans() {
		t.Errorf("once they are given up %v", given)
	}
}

// Why the next round is brought about, and what is waited for, is true also where the group
// was always eager, which a leader that has just joined does not know.
func TestWhatALeaderDoesNotKnowIsNotTold(t *testing.T) {
	l := newLeader(t, HooksConfig{Protocols: []Protocol{{Assignor: assign.Range(), Name: "ranged", Eager: true}}})
	l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1)))
	if want := []string{"what members may still have held when the group went by an eager protocol is given out"}; !slices.Equal(l.hooks.reasons, want) {
		t.Errorf("the next round is for %q", l.hooks.reasons)
	}
	if w := l.of(EventPlanned)[0].Plan.Withheld; len(w) != 4 || w[0].Reason != "you may still hold it" {
		t.Errorf("withheld %v", w)
	}
}

// A leader that missed the round before does not know that the group was eager in it.
func TestALeaderThatMissedACooperativeRoundTakesNobodyForRevoked(t *testing.T) {
	eager, cooperative := Protocol{Assignor: assign.Range(), Name: "ranged", Eager: true}, Protocol{Assignor: assign.Balanced{}}
	l := newLeader(t, HooksConfig{Protocols: []Protocol{eager, cooperative}})
	by := func(p Protocol) { l.balancer = &balancer{hooks: l.hooks, protocol: p, first: true} }
	by(eager)
	for range 2 {
		l.round(4, joined("me", l.says()), joined("you", l.says()))
	}
	by(cooperative)
	l.plan(4, joined("me", l.says()), joined("you", l.says())) // and its SyncGroup is turned away
	by(eager)
	l.replans()
	given := l.round(4, joined("me", l.says()), joined("you", l.says(0, 1)))
	if want := map[string][]int32{"me": nil, "you": {2, 3}}; !reflect.DeepEqual(given, want) || !l.replans() {
		t.Errorf("got %v", given)
	}
}

// Plain members of kgo tell no ownership under range; what they hold is known from the round
// before.
func TestInTheRoundOfTheChangeMembersHoldWhatTheyWereGiven(t *testing.T) {
	eager, cooperative := Protocol{Assignor: assign.Range()}, Protocol{Assignor: assign.Balanced{}}
	l := newLeader(t, HooksConfig{Protocols: []Protocol{eager, cooperative}})
	by := func(p Protocol) { l.balancer = &balancer{hooks: l.hooks, protocol: p, first: true} }
	by(cooperative)
	l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1)))
	by(eager)
	l.replans()
	plain := []*kmsg.JoinGroupResponseMember{joined("me", l.says()), joined("you", l.says()), joined("new", l.says())}
	given := l.round(4, plain...)
	if count(given) != 0 || !l.replans() {
		t.Errorf("in the round of the change %v", given) // all of it is another's
	}
	if given = l.round(4, plain...); count(given) != 4 || l.replans() {
		t.Errorf("afterwards %v", given)
	}
}

// An isolated member may hold what it had as others do.
func TestInTheRoundOfTheChangeIsolatedMembersAreNotForgotten(t *testing.T) {
	eager, cooperative := Protocol{Assignor: assign.Range(), Name: "ranged", Eager: true}, Protocol{Assignor: assign.Balanced{}}
	l := newLeader(t, HooksConfig{Protocols: []Protocol{eager, cooperative}})
	by := func(p Protocol) { l.balancer = &balancer{hooks: l.hooks, protocol: p, first: true} }
	by(cooperative)
	l.round(4, joined("me", l.says(2, 3)), joined("you", l.says(0, 1)))
	by(eager)
	l.replans()
	if given := l.round(4, joined("me", l.says(2, 3)), joined("you", garbled)); !reflect.DeepEqual(given, map[string][]int32{"me": {2, 3}, "you": nil}) || !l.replans() {
		t.Errorf("in the round of the change %v", given)
	}
	if given := l.round(4, joined("me", l.says(2, 3)), joined("you", garbled)); len(given["me"]) != 4 || l.replans() {
		t.Errorf("afterwards %v", given)
	}
}
