package watch

import (
	"maps"
	"slices"
	"time"
)

// generationByLooks finds a rebalance that completed between two looks at a settled
// group, nil if there is no trace of one. A classic group that rebalances faster than
// it is looked at, with nothing changed, leaves none, unless its members tell the
// generation that they joined with. An election in which somebody else leads does.
func generationByLooks(state *groupState, now Group, after, at time.Time) *GenerationChange {
	before := state.told
	change := changeOf(before, now, SourcePoll)
	notSettled := !state.unsettledAt.IsZero()
	advanced := !equal(change.From, change.To) && change.To != nil && change.From != nil
	rejoined := joinedAnew(before, now)
	voted := !sameElected(before.Elected, now.Elected)
	if !notSettled && !advanced && !rejoined && !voted && len(change.Joined)+len(change.Left) == 0 && (change.Moved == nil || *change.Moved == 0) {
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
		FromLeader: before.Leader, ToLeader: now.Leader, FromElected: before.Elected, ToElected: now.Elected,
		Assignor: now.Assignor, Source: source,
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
