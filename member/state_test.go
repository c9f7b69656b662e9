package member

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var stateKinds = []EventKind{
	EventJoining, EventSyncing, EventElected, EventIsolated, EventVetoed, EventFallback, EventPlanned, EventAssigned,
	EventLeading, EventLeadFailed, EventLeadDone, EventLoadUnknown, EventResigned, EventLeadReturned, EventLeaderless, EventLed, EventLost, EventUnattached, EventClosed,
}

// Whatever happens in whatever order, the state changes only as the table says, and the
// table says nothing that cannot happen.
func TestStatesChangeOnlyAsTheTableSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	made := make(map[State]map[State]bool)
	for range 20_000 {
		m := newMachine()
		var events []EventKind
		working := false // work of a term may be running
		for range 1 + random.IntN(40) {
			kind, leader := stateKinds[random.IntN(len(stateKinds))], random.IntN(2) == 0
			if kind == EventClosed && random.IntN(10) > 0 {
				continue // or few walks go far
			}
			events = append(events, kind)
			before := m
			from, to := m.take(kind, leader)
			if from != before.state() || to != m.state() {
				t.Fatalf("%v: told %s to %s, is %s to %s", events, from, to, before.state(), m.state())
			}
			if from != to {
				if !slices.Contains(moves[from], to) {
					t.Fatalf("%v: from %s to %s", events, from, to)
				}
				if made[from] == nil {
					made[from] = make(map[State]bool)
				}
				made[from][to] = true
			}
			// What the states promise, told by the events alone.
			switch {
			case to == StateLeading && from != StateLeading && kind != EventLeading:
				t.Fatalf("%v: %s begins a term", events, kind)
			case working && to != StateLeading && to != StateResigning && kind != EventLeadReturned:
				t.Fatalf("%v: %s hides that work is running, in %s", events, kind, to)
			case to == StateLeading && (kind == EventLost || kind == EventClosed || kind == EventLeaderless || kind == EventResigned):
				t.Fatalf("%v: still leading after %s", events, kind)
			case to == StateLeading && kind == EventAssigned && !leader:
				t.Fatalf("%v: leading, and another member does", events)
			case from == StateClosed && to != StateClosed:
				t.Fatalf("%v: %s after it was closed", events, to)
			case m.phase == StateFenced && to == StateLeading, m.phase == StateLeaderless && to == StateLeading, m.phase == StateClosed && to == StateLeading:
				t.Fatalf("%v: leading while %s", events, m.phase)
			}
			working = to == StateLeading || to == StateResigning
		}
	}
	for from, tos := range moves {
		for _, to := range tos {
			if !made[from][to] {
				t.Errorf("the table has a move from %s to %s, which nothing makes", from, to)
			}
		}
	}
	if got, want := len(moves), 8; got != want {
		t.Errorf("%d states, want %d: %v", got, want, slices.Sorted(maps.Keys(moves)))
	}
}

func TestEachStateIsReachedByWhatItsNameSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []EventKind
		want   []State
	}{
		{"a follower", []EventKind{EventJoining, EventSyncing, EventAssigned}, []State{StateJoining, StateSyncing, StateFollowing}},
		{"a leader through a round", []EventKind{EventElected, EventAssigned, EventLeading, EventJoining, EventElected, EventPlanned},
			[]State{StateSyncing, StateFollowing, StateLeading, StateLeading, StateLeading, StateLeading}},
		{"a leader that is fenced, and whose work is slow", []EventKind{EventElected, EventAssigned, EventLeading, EventResigned, EventLost, EventLeadReturned, EventJoining},
			[]State{StateSyncing, StateFollowing, StateLeading, StateResigning, StateResigning, StateFenced, StateJoining}},
		{"a broker takes over, and gives back", []EventKind{EventSyncing, EventAssigned, EventLeaderless, EventJoining, EventSyncing, EventAssigned, EventLed},
			[]State{StateSyncing, StateFollowing, StateLeaderless, StateJoining, StateSyncing, StateLeaderless, StateFollowing}},
		{"a member that is closed", []EventKind{EventSyncing, EventAssigned, EventClosed, EventJoining, EventLost},
			[]State{StateSyncing, StateFollowing, StateClosed, StateClosed, StateClosed}},
	} {
		m := newMachine()
		for i, kind := range c.events {
			if _, got := m.take(kind, slices.Contains(c.events[:i], EventElected)); got != c.want[i] {
				t.Errorf("%s: after %s it is %s, want %s", c.name, kind, got, c.want[i])
			}
		}
	}
}
