package watch

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// groups is what is known of the groups.
type groups struct {
	known map[string]*groupState
	// logged are the partitions of __consumer_offsets whose records come in: the log
	// tells then when a classic group of theirs completed a rebalance.
	logged map[int32]bool
}

// groupState is one group.
type groupState struct {
	// seen is the last look, at which the group was there or absent.
	seen   Group
	at     time.Time
	first  time.Time
	absent bool
	// told is the group as the last event or snapshot of it told.
	told Group
	// settledAt is the last time at which it was seen settled, and unsettledAt the
	// first after that at which it was not; zero while it is settled.
	settledAt, unsettledAt time.Time
	// pending is a rebalance that looks show and the log has yet to tell.
	pending *Event
}

// logDelay is how long the log may take to tell what looks have shown; servers that
// are not Kafka may not write it at all.
const logDelay = 6 * time.Second

// Groups takes what one coordinator says of its groups.
func (d *Differ) Groups(look GroupsLook) []Event {
	snapshot := &Snapshot{Groups: []Group{}}
	var events []Event
	sorted := slices.SortedFunc(slices.Values(look.Groups), func(a, b Group) int { return cmp.Compare(a.Group, b.Group) })
	for _, now := range sorted {
		state, known := d.groups.known[now.Group]
		switch {
		case known && state.at.After(look.At):
		case known:
			events = append(events, d.groupEvents(state, now, look.At)...)
		default:
			d.groups.known[now.Group] = newGroupState(now, look.At)
			if slices.Contains(look.Appeared, now.Group) {
				events = append(events, appeared(now, time.Time{}, look.At))
			} else {
				snapshot.Groups = append(snapshot.Groups, now)
			}
		}
	}
	for _, name := range slices.Sorted(slices.Values(look.Absent)) {
		state, known := d.groups.known[name]
		switch {
		case !known:
			d.groups.known[name] = &groupState{absent: true, at: look.At}
			snapshot.Absent = append(snapshot.Absent, name)
		case !state.absent && !state.at.After(look.At):
			was := state.seen
			events = append(events, Event{Kind: KindGroup, At: look.At, After: state.at, Group: &GroupChange{
				Group: name, From: &was.State, FromType: &was.Type,
			}})
			*state = groupState{absent: true, at: look.At}
		default:
			state.at = look.At
		}
	}
	if len(snapshot.Groups)+len(snapshot.Absent) > 0 {
		events = append([]Event{{Kind: KindSnapshot, At: look.At, Snapshot: snapshot}}, events...)
	}
	return events
}

func newGroupState(now Group, at time.Time) *groupState {
	state := &groupState{seen: now, told: now, at: at, first: at, settledAt: at}
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

// groupEvents compares a group with what was known of it.
func (d *Differ) groupEvents(state *groupState, now Group, at time.Time) []Event {
	if state.absent {
		after := state.at
		*state = *newGroupState(now, at)
		return []Event{appeared(now, after, at)}
	}
	if at.Before(state.settledAt) {
		return nil // the log has told more than this look could see
	}
	before, after := state.seen, state.at
	if now.OffsetsPartition == nil {
		now.OffsetsPartition = before.OffsetsPartition
	}
	if now.Generation == nil && before.Type == now.Type {
		now.Generation, now.Leader = before.Generation, before.Leader
	}
	state.seen, state.at = now, at
	var events []Event
	members := len(now.Members)
	if before.Type != now.Type {
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
	change := generationByLooks(state, now, after, at)
	switch {
	case now.Type != typeClassic || !d.isLogged(now):
		if change != nil {
			events = append(events, Event{Kind: KindGeneration, At: at, After: after, Generation: change})
		}
		state.told, state.pending = now, nil
	case change == nil && state.pending == nil:
	case state.pending == nil:
		state.pending = &Event{Kind: KindGeneration, At: at, After: after, Generation: change}
	case at.Sub(state.pending.At) >= logDelay:
		pending := *state.pending
		moved := changeOf(state.told, now, SourcePoll) // more may have happened since
		pending.Generation.Joined, pending.Generation.Left, pending.Generation.Moved, pending.Generation.Members = moved.Joined, moved.Left, moved.Moved, moved.Members
		events = append(events, pending)
		state.told, state.pending = now, nil
	}
	state.settledAt, state.unsettledAt = at, time.Time{}
	return events
}

const typeClassic = "classic"

func (d *Differ) isLogged(g Group) bool {
	return g.OffsetsPartition != nil && d.groups.logged[*g.OffsetsPartition]
}

func (s *groupState) isIn(partition int32) bool {
	return !s.absent && s.seen.OffsetsPartition != nil && *s.seen.OffsetsPartition == partition
}

// generationByLooks finds a rebalance that completed between two looks at a settled
// group, nil if there is no trace of one. A classic group that rebalances faster than
// it is looked at, with nothing changed, leaves none, unless its members tell the
// generation that they joined with.
func generationByLooks(state *groupState, now Group, after, at time.Time) *GenerationChange {
	before := state.told
	change := changeOf(before, now, SourcePoll)
	notSettled := !state.unsettledAt.IsZero()
	advanced := !equal(change.From, change.To) && change.To != nil && change.From != nil
	rejoined := joinedAnew(before, now)
	if !notSettled && !advanced && !rejoined && len(change.Joined)+len(change.Left) == 0 && (change.Moved == nil || *change.Moved == 0) {
		return nil
	}
	if now.Type == typeClassic {
		change.From, change.To, change.FromLeader, change.ToLeader = nil, nil, nil, nil
		change.Unseen = nil
		if a, b := joinedWith(before), joinedWith(now); a != nil && b != nil && *b > *a {
			unseen := *b - *a - 1
			change.Unseen = &unseen
		}
	}
	change.NotStable = notStable(state, after, at)
	return change
}

// notStable bounds how long a group that is settled at a time was not, from the looks.
func notStable(state *groupState, after, at time.Time) Span {
	if state.unsettledAt.IsZero() {
		return Span{AtMost: Millis(at.Sub(after))}
	}
	span := Span{AtLeast: Millis(max(0, after.Sub(state.unsettledAt)))}
	from := state.settledAt
	if from.IsZero() {
		from = state.unsettledAt // it never was, as far as is known
	}
	span.AtMost = Millis(at.Sub(from))
	return span
}

// changeOf says what differs between two generations.
func changeOf(before, now Group, source Source) *GenerationChange {
	change := &GenerationChange{
		Group: now.Group, From: before.Generation, To: now.Generation,
		Joined: []MemberRef{}, Left: []MemberRef{}, Members: len(now.Members),
		FromLeader: before.Leader, ToLeader: now.Leader, Assignor: now.Assignor, Source: source,
	}
	if change.From != nil && change.To != nil {
		unseen := max(0, *change.To-*change.From-1)
		change.Unseen = &unseen
	}
	were, are := membersByID(before), membersByID(now)
	for _, id := range slices.Sorted(maps.Keys(are)) {
		if _, was := were[id]; !was {
			change.Joined = append(change.Joined, are[id].MemberRef)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(were)) {
		if _, is := are[id]; !is {
			change.Left = append(change.Left, were[id].MemberRef)
		}
	}
	change.Moved = moved(before, now)
	return change
}

func membersByID(g Group) map[string]Member {
	members := make(map[string]Member, len(g.Members))
	for _, m := range g.Members {
		members[m.ID] = m
	}
	return members
}

// moved counts the partitions whose owner is another one or none, nil if not all
// assignments are known.
func moved(before, now Group) *int {
	were, known := owners(before)
	are, knownNow := owners(now)
	if !known || !knownNow {
		return nil
	}
	count := 0
	for key, owner := range were {
		if are[key] != owner {
			count++
		}
	}
	for key := range are {
		if _, was := were[key]; !was {
			count++
		}
	}
	return &count
}

func owners(g Group) (map[partitionKey]string, bool) {
	all := map[partitionKey]string{}
	for _, m := range g.Members {
		if m.Assigned == nil {
			return nil, false
		}
		for _, topic := range m.Assigned {
			for _, p := range topic.Partitions {
				all[partitionKey{topic.Topic, p}] = m.ID
			}
		}
	}
	return all, true
}

// joinedWith is the highest generation that members say they had when they joined the
// present one, nil if none does.
func joinedWith(g Group) *int32 {
	var highest *int32
	for _, m := range g.Members {
		if m.JoinedWith != nil && (highest == nil || *m.JoinedWith > *highest) {
			highest = m.JoinedWith
		}
	}
	return highest
}

// joinedAnew says whether a member that stayed has joined again.
func joinedAnew(before, now Group) bool {
	were := membersByID(before)
	for _, m := range now.Members {
		if was, stayed := were[m.ID]; stayed && was.JoinedWith != nil && m.JoinedWith != nil && *was.JoinedWith != *m.JoinedWith {
			return true
		}
	}
	return false
}
