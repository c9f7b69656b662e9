package watch

import (
	"cmp"
	"slices"
	"time"
)

// groups is what is known of the groups.
type groups struct {
	known map[string]*groupState
	// held are groups that were seen for the first time, and are told when it is known
	// which of their records come after that look.
	held map[string]*heldGroup
	// logged are the partitions of __consumer_offsets whose records come in.
	logged map[int32]bool
}

// groupState is one group.
type groupState struct {
	// seen is the last look, at which the group was there or absent.
	seen   Group
	at     time.Time
	absent bool
	// told is the group as the last event or snapshot of it told.
	told Group
	// settledAt is the last time at which it was seen settled, and unsettledAt the
	// first after that at which it was not; zero while it is settled.
	settledAt, unsettledAt time.Time

	// placed: it is known which of its records come after told, so they tell what
	// changes. Else looks do.
	placed bool
	// answered is when the last look was answered, zero once the log was read after
	// that, or tells of something else.
	answered time.Time
	// pending is a rebalance that looks show and the log has yet to tell, and passed
	// how often it was read to its end since and did not.
	pending *Event
	passed  int
	// owed: told is from looks, and a record of the same may follow.
	owed bool
	// ended: the log has its end, and nothing after that so far.
	ended bool
	// endOwed is when it was seen to be gone, which was told, while the log has yet to say
	// so; else zero.
	endOwed time.Time
}

// heldGroup is a group that is not told yet.
type heldGroup struct {
	group Group
	// at is when it was looked at last, since when first.
	at, since time.Time
	// answered is as in groupState.
	answered time.Time
	appeared bool
}

const (
	typeClassic = "classic"
	partLog     = "log"

	// logDelay is how long what looks show waits for a log that is not read to its end.
	logDelay = 12 * time.Second
	// mostPassed is how often the log is read to its end until what it did not tell is
	// told from looks. Coordinators show an empty group a moment before its record can
	// be read; servers that are not Kafka may not write any.
	mostPassed = 2
)

// Groups takes what one coordinator says of its groups.
func (d *Differ) Groups(look GroupsLook) []Event {
	if look.Answered.IsZero() {
		look.Answered = look.At
	}
	var fresh firstLooks
	var events []Event
	sorted := slices.SortedFunc(slices.Values(look.Groups), func(a, b Group) int { return cmp.Compare(a.Group, b.Group) })
	for _, now := range sorted {
		state, known := d.groups.known[now.Group]
		appeared := slices.Contains(look.Appeared, now.Group)
		switch {
		case known && state.at.After(look.At):
		case known:
			events = append(events, d.groupEvents(state, now, look)...)
		case d.hold(now, appeared, look):
		default:
			delete(d.groups.held, now.Group)
			d.groups.known[now.Group] = newGroupState(now, look.At)
			d.groups.known[now.Group].answered = look.Answered
			fresh.add(now, appeared, look.At)
		}
	}
	for _, name := range slices.Sorted(slices.Values(look.Absent)) {
		delete(d.groups.held, name)
		state, known := d.groups.known[name]
		switch {
		case !known:
			d.groups.known[name] = &groupState{absent: true, at: look.At}
			fresh.absent = append(fresh.absent, name)
		case state.at.After(look.At), state.settledAt.After(look.At):
		case !state.absent:
			events = append(events, vanished(state.seen, state.at, look.At))
			gone := groupState{absent: true, at: look.At, seen: Group{OffsetsPartition: state.seen.OffsetsPartition}}
			if state.placed && !state.ended {
				gone.endOwed = look.Answered
			}
			*state = gone
		default:
			state.at = look.At
		}
		if state := d.groups.known[name]; state.absent {
			delete(d.lags, name)
			if slices.Contains(look.Forgotten, name) {
				d.forget(name)
			}
		}
	}
	return append(fresh.events(look.At), events...)
}

// forget leaves nothing of a group, so that a long watch of groups that come and go does
// not grow.
func (d *Differ) forget(name string) {
	delete(d.groups.known, name)
	delete(d.lags, name)
	delete(d.blind, keyOf("group "+name, nil))
}

// hold keeps a group that is seen for the first time until the log was read after it
// was looked at, and says whether it does.
func (d *Differ) hold(now Group, appeared bool, look GroupsLook) bool {
	if now.Type != typeClassic || !d.isLogged(now) || d.isBlind(partLog, look.Node) {
		return false
	}
	held := d.groups.held[now.Group]
	if held == nil {
		held = &heldGroup{since: look.At}
		d.groups.held[now.Group] = held
	}
	if look.At.Sub(held.since) >= logDelay {
		return false
	}
	held.group, held.at, held.answered = now, look.At, look.Answered
	held.appeared = held.appeared || appeared
	return true
}

// firstLooks are groups that are told for the first time.
type firstLooks struct {
	groups   []Group
	absent   []string
	appeared []Event
}

func (f *firstLooks) add(now Group, isNew bool, at time.Time) {
	if isNew {
		f.appeared = append(f.appeared, appearedWith(now, time.Time{}, at))
	} else {
		f.groups = append(f.groups, now)
	}
}

func (f *firstLooks) events(at time.Time) []Event {
	if len(f.groups)+len(f.absent) == 0 {
		return f.appeared
	}
	snapshot := &Snapshot{Groups: append([]Group{}, f.groups...), Absent: f.absent}
	return append([]Event{{Kind: KindSnapshot, At: at, Snapshot: snapshot}}, f.appeared...)
}

func newGroupState(now Group, at time.Time) *groupState {
	state := &groupState{seen: now, told: now, at: at, settledAt: at}
	if !now.Settled() {
		state.settledAt, state.unsettledAt = time.Time{}, at
	}
	return state
}

func appeared(now Group, after, at time.Time) Event {
	members := len(now.Members)
	return Event{Kind: KindGroup, At: at, After: after, Group: &GroupChange{
		Group: now.Group, To: &now.State, ToType: &now.Type, Members: &members,
	}}
}

// appearedWith is a group that appeared of whose members nothing else tells.
func appearedWith(now Group, after, at time.Time) Event {
	event := appeared(now, after, at)
	for _, m := range now.Members {
		event.Group.Joined = append(event.Group.Joined, m.MemberRef)
	}
	return event
}

func vanished(was Group, after, at time.Time) Event {
	return Event{Kind: KindGroup, At: at, After: after, Group: &GroupChange{Group: was.Group, From: &was.State, FromType: &was.Type}}
}

// begunAnew says whether a group that has epochs is another one than before: epochs only
// grow, unless the log of the coordinator lost its end, and then members stay.
func begunAnew(before, now Group) bool {
	if before.Type != now.Type || before.Type == typeClassic || before.Generation == nil || now.Generation == nil || *now.Generation >= *before.Generation {
		return false
	}
	were := membersByID(before)
	return !slices.ContainsFunc(now.Members, func(m Member) bool { _, was := were[m.ID]; return was })
}

// groupEvents compares a group with what was known of it.
func (d *Differ) groupEvents(state *groupState, now Group, look GroupsLook) []Event {
	at := look.At
	if state.absent {
		after, endOwed := state.at, state.endOwed
		*state = *newGroupState(now, at)
		state.answered = look.Answered
		if now.Type == typeClassic && d.isLogged(now) {
			// All of its records come after it was absent.
			state.told, state.endOwed, state.placed = Group{}, endOwed, true
			return []Event{appeared(now, after, at)}
		}
		return []Event{appearedWith(now, after, at)}
	}
	if at.Before(state.settledAt) {
		return nil // the log has told more than this look could see
	}
	if begunAnew(state.told, now) {
		was, after := state.seen, state.at
		if now.OffsetsPartition == nil {
			now.OffsetsPartition = was.OffsetsPartition
		}
		*state = *newGroupState(now, at)
		return []Event{vanished(was, after, at), appearedWith(now, after, at)}
	}
	before, after := state.seen, state.at
	if now.OffsetsPartition == nil {
		now.OffsetsPartition = before.OffsetsPartition
	}
	state.seen, state.at, state.answered = now, at, look.Answered
	var events []Event
	members := len(now.Members)
	if before.Type != now.Type {
		state.unplace()
		events = append(events, Event{Kind: KindGroup, At: at, After: after, Group: &GroupChange{
			Group: now.Group, From: &before.State, To: &now.State, FromType: &before.Type, ToType: &now.Type, Members: &members,
		}})
	}
	if !now.Settled() {
		if state.unsettledAt.IsZero() {
			state.unsettledAt = at
			if before.Type == now.Type {
				events = append(events, Event{Kind: KindGroup, At: at, After: after, Group: &GroupChange{
					Group: now.Group, From: &before.State, To: &now.State, FromType: &before.Type, ToType: &now.Type, Members: &members,
				}})
			}
		}
		return events
	}
	if change := generationByLooks(state, now, after, at); change != nil && state.pending == nil {
		state.pending, state.passed = &Event{Kind: KindGeneration, At: at, After: after, Generation: change}, 0
	}
	if state.settledAt, state.unsettledAt = at, (time.Time{}); !d.waitsForTheLog(state, look) {
		events = append(events, state.tellFromLooks()...)
	}
	return events
}

// waitsForTheLog says whether what looks show of a group is left to the log to tell.
func (d *Differ) waitsForTheLog(state *groupState, look GroupsLook) bool {
	if !state.placed {
		return false
	}
	if state.pending == nil {
		return true
	}
	if late := look.At.Sub(state.pending.At) >= logDelay; late || d.isBlind(partLog, look.Node) {
		state.unplace()
		return false
	}
	return state.passed < mostPassed
}

// tellFromLooks takes a group that is settled for what it looks like.
func (s *groupState) tellFromLooks() []Event {
	event := s.pending
	if event != nil {
		s.owed = true
		// More may have happened since it was first seen.
		moved := changeOf(s.told, s.seen, SourcePoll)
		g := event.Generation
		g.Joined, g.Left, g.Moved, g.Members, g.Assignor, g.ToElected = moved.Joined, moved.Left, moved.Moved, moved.Members, moved.Assignor, moved.ToElected
	}
	s.told, s.pending, s.passed = s.seen, nil, 0
	if event == nil {
		return nil
	}
	return []Event{*event}
}

// unplace leaves it to looks to tell of a group. Which generation it is in is not
// known then.
func (s *groupState) unplace() {
	s.placed, s.ended, s.endOwed = false, false, time.Time{}
	if s.told.Type == typeClassic {
		s.told.Generation, s.told.Leader = nil, nil
	}
}

func (d *Differ) isLogged(g Group) bool {
	return g.OffsetsPartition != nil && d.groups.logged[*g.OffsetsPartition]
}

func (s *groupState) isIn(partition int32) bool {
	return !s.absent && s.seen.OffsetsPartition != nil && *s.seen.OffsetsPartition == partition
}
