package member

import "slices"

// A State is where a member stands in its group. Each change of it is told by an
// [Event], whose From and State differ then, with the generation and the cause.
//
// While a term is on the state is [StateLeading], also while rounds go on, through
// which the term lasts; and it is [StateResigning] until the work of a term that has
// ended returned, whatever the member does meanwhile.
type State string

// The states. A member begins in StateJoining.
const (
	// StateJoining: the member is about to join, or waits for the answer to
	// JoinGroup.
	StateJoining State = "joining"
	// StateSyncing: the member has joined and waits for the plan, or makes it.
	StateSyncing State = "syncing"
	// StateFollowing: the member has its part of the plan, and no term of it is on:
	// another member leads, or this one is about to, and waits for Attach, for
	// TakeoverDelay or for the work of its former term to return.
	StateFollowing State = "following"
	// StateLeading: a term of this member is on.
	StateLeading State = "leading"
	// StateResigning: the term has ended, and its work has not returned yet.
	StateResigning State = "resigning"
	// StateLeaderless: the group has no leader, because the broker assigns
	// partitions: a member that speaks KIP-848 joined it. No member can lead until
	// the last of those left.
	StateLeaderless State = "leaderless"
	// StateFenced: the coordinator put the member out of the group, or the client
	// gave up its membership; it owns nothing until it joins again.
	StateFenced State = "fenced"
	// StateClosed: Hooks or the client were closed. The state does not change any
	// more, also where a client that was not closed goes on in its group.
	StateClosed State = "closed"
)

// moves are the changes of state that there are; there are no others.
var moves = map[State][]State{
	StateJoining:    {StateSyncing, StateLeading, StateFenced, StateClosed},
	StateSyncing:    {StateJoining, StateFollowing, StateLeading, StateLeaderless, StateFenced, StateClosed},
	StateFollowing:  {StateJoining, StateLeading, StateLeaderless, StateFenced, StateClosed},
	StateLeading:    {StateResigning},
	StateResigning:  {StateJoining, StateSyncing, StateFollowing, StateLeaderless, StateFenced, StateClosed},
	StateLeaderless: {StateJoining, StateFollowing, StateFenced, StateClosed},
	StateFenced:     {StateJoining, StateClosed},
	StateClosed:     nil,
}

// A machine keeps the state of one member. Two things make it up that change
// independently of each other: the phase of membership, and the term.
type machine struct {
	phase  State // one of joining, syncing, following, leaderless, fenced, closed
	office State // leading, resigning, or "" while no term is on
	hosted bool  // the broker assigns partitions, as far as is known
}

func newMachine() machine { return machine{phase: StateJoining} }

func (m *machine) state() State {
	if m.office != "" {
		return m.office
	}
	return m.phase
}

// take brings the machine to where an event of the kind leads, as far as there is a
// move to it, and returns the states before and after. leader says, of EventAssigned,
// that this member led the round.
func (m *machine) take(kind EventKind, leader bool) (from, to State) {
	next := m.after(kind, leader)
	if m.phase != next.phase && !slices.Contains(moves[m.phase], next.phase) {
		next.phase = m.phase
	}
	from, to = m.state(), next.state()
	if from != to && !slices.Contains(moves[from], to) {
		return from, from
	}
	*m = next
	return from, to
}

// after tells where the event leads, whether or not that is possible.
func (m machine) after(kind EventKind, leader bool) machine {
	switch kind {
	case EventJoining:
		m.phase = StateJoining
	case EventSyncing:
		m.phase = StateSyncing
	case EventElected:
		m.phase = StateSyncing
	case EventAssigned:
		m.phase, m.hosted = StateFollowing, m.hosted && !leader
		if m.hosted {
			m.phase = StateLeaderless
		}
		m.deny(leader)
	case EventLeaderless:
		m.hosted = true
		if m.phase == StateFollowing {
			m.phase = StateLeaderless
		}
		m.deny(false)
	case EventLed:
		m.hosted = false
		if m.phase == StateLeaderless {
			m.phase = StateFollowing
		}
	case EventLost:
		m.phase = StateFenced
		m.deny(false)
	case EventClosed:
		m.phase = StateClosed
		m.deny(false)
	case EventLeading:
		if m.office == "" {
			m.office = StateLeading
		}
	case EventResigned:
		m.deny(false)
	case EventLeadReturned:
		if m.office == StateResigning {
			m.office = ""
		}
	}
	return m
}

// deny ends a term that is on, unless the member leads.
func (m *machine) deny(leader bool) {
	if !leader && m.office == StateLeading {
		m.office = StateResigning
	}
}
