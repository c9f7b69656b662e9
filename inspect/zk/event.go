package zk

import (
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect"
)

// Kind says what an [Event] is about.
type Kind string

const (
	// Snapshot is the first event: what holds when the watch begins.
	Snapshot Kind = "snapshot"
	// ControllerChanged: /controller changed hands, or was given up.
	ControllerChanged Kind = "controllerChanged"
	// BrokersChanged: brokers' sessions began or ended.
	BrokersChanged Kind = "brokersChanged"
	// MigrationChanged: the migration to KRaft began, came to another stage or another
	// KRaft controller, or was undone. Its end is not told, as nobody notes it in
	// ZooKeeper.
	MigrationChanged Kind = "migrationChanged"
	// Disconnected: no ZooKeeper server answers. What changes meanwhile is told
	// after Reconnected.
	Disconnected Kind = "disconnected"
	// Reconnected: ZooKeeper answers again.
	Reconnected Kind = "reconnected"
)

// Event is one thing that was seen in ZooKeeper.
type Event struct {
	Kind Kind `json:"kind"`
	// At is this machine's time, in UTC, when it was seen.
	At time.Time `json:"at"`
	// From and To are the controllers before and after, for ControllerChanged; To is
	// nil while nobody holds /controller, and From if nobody held it before.
	From *int32 `json:"from"`
	To   *int32 `json:"to"`
	// Missed is how many elections there were between the two that nobody was told
	// of, as the epoch tells.
	Missed int `json:"missed"`
	// Up and Down are the brokers whose sessions began and ended, for BrokersChanged.
	Up   []int32 `json:"up"`
	Down []int32 `json:"down"`
	// Controller is all that is known after the event, as [Controller] returns it.
	Controller inspect.Controller `json:"controller"`
	// Problem is why, for Disconnected, and what is doubtful in Controller otherwise;
	// nil if there is none.
	Problem *inspect.Problem `json:"problem"`
}

// changes are the events that lead from one state to the next.
func changes(before, after inspect.Controller, at time.Time) []Event {
	var events []Event
	event := func(kind Kind) *Event {
		events = append(events, Event{Kind: kind, At: at, Controller: after})
		return &events[len(events)-1]
	}
	if down, up := less(brokersOf(before), brokersOf(after)), less(brokersOf(after), brokersOf(before)); len(down)+len(up) > 0 {
		e := event(BrokersChanged)
		e.Up, e.Down = up, down
	}
	elections := 0
	if before.Epoch != nil && after.Epoch != nil {
		elections = int(*after.Epoch) - int(*before.Epoch)
	}
	if !same(before.Node, after.Node) || elections != 0 {
		e := event(ControllerChanged)
		e.From, e.To = before.Node, after.Node
		e.Missed = max(0, elections-1)
		if after.Node == nil {
			e.Missed = max(0, elections) // those who were elected are gone, too
		}
	}
	if migrationOf(before) != migrationOf(after) {
		event(MigrationChanged)
	}
	return events
}

func brokersOf(c inspect.Controller) []int32 {
	if c.ZooKeeper == nil {
		return nil
	}
	return c.ZooKeeper.Brokers
}

// less returns those of a that are not in b; both are sorted.
func less(a, b []int32) []int32 {
	var rest []int32
	for _, id := range a {
		if _, found := slices.BinarySearch(b, id); !found {
			rest = append(rest, id)
		}
	}
	return rest
}

func same(a, b *int32) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// migrationState is what tells one stage of a migration from another. Offsets, which grow
// all the time, do not, nor does silence, which ends nothing that was told.
type migrationState struct {
	stage                 string
	controller, atEpoch   int32
	claimed, claimedEpoch int32
}

func migrationOf(c inspect.Controller) migrationState {
	state := migrationState{controller: -1, atEpoch: -1, claimed: -1, claimedEpoch: -1}
	if c.ZooKeeper == nil {
		return state
	}
	if m := c.ZooKeeper.Migration; m != nil {
		state.stage, state.controller, state.atEpoch = m.Stage, orNone(m.Controller), orNone(m.ControllerEpoch)
		if state.stage == inspect.MigrationSilent {
			state.stage = inspect.MigrationWritesBoth
		}
	}
	if c.ZooKeeper.KRaftEpoch != nil {
		state.claimed, state.claimedEpoch = orNone(c.Node), *c.ZooKeeper.KRaftEpoch
	}
	return state
}

func orNone(n *int32) int32 {
	if n == nil {
		return -1
	}
	return *n
}
