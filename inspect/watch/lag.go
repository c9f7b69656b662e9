package watch

import (
	"maps"
	"slices"
	"time"
)

// lagForgotten is after how long a partition is forgotten that a group does not tell of any
// more: its topic or its offset is gone.
const lagForgotten = 10 * time.Minute

// lagState is how far a group is with one partition.
type lagState struct {
	committed int64
	lag       int64
	since     time.Time // when committed was first seen with something left to read
	at        time.Time
	stalled   bool
	owner     string
	event     *LagChange
}

// Offsets takes how far one group is. A partition stalls when something is left to
// read of it, it has had the same owner, and its committed offset has not moved for
// [Config.StallAfter], while the group was settled; it goes on when the offset moves or
// nothing is left. A partition without an owner never stalls.
func (d *Differ) Offsets(look OffsetsLook) []Event {
	var events []Event
	state, known := d.groups.known[look.Group]
	if !known || state.absent {
		return nil
	}
	owned, assignmentsKnown := owners(state.told)
	settled := state.unsettledAt.IsZero()
	lags := d.lags[look.Group]
	if lags == nil {
		lags = map[partitionKey]*lagState{}
		d.lags[look.Group] = lags
	}
	for _, o := range look.Offsets {
		key := partitionKey{o.Topic, o.Partition}
		owner := owned[key]
		was, seen := lags[key]
		lag := o.End - max(0, o.Committed)
		moves := seen && was.committed != o.Committed
		switch {
		case !seen, moves, lag <= 0:
			if seen && was.stalled {
				events = append(events, lagEvent(look, o, lag, false, look.At.Sub(was.since), was.event.Owner, was.at))
			}
			lags[key] = &lagState{committed: o.Committed, lag: lag, since: look.At, at: look.At, owner: owner}
			continue
		case was.lag <= 0:
			was.since = look.At
		case !was.stalled && (!settled || !assignmentsKnown || owner == "" || owner != was.owner):
			// Nobody has been told for so long to read it.
			was.since, was.owner = look.At, owner
		case !was.stalled && look.At.Sub(was.since) >= d.config.StallAfter:
			event := lagEvent(look, o, lag, true, look.At.Sub(was.since), memberRef(state.told, owner), was.at)
			was.stalled, was.event = true, event.Lag
			events = append(events, event)
		}
		was.at, was.lag = look.At, lag
	}
	maps.DeleteFunc(lags, func(_ partitionKey, s *lagState) bool { return look.At.Sub(s.at) > lagForgotten })
	return events
}

func lagEvent(look OffsetsLook, o Offset, lag int64, stalled bool, lasted time.Duration, owner *MemberRef, after time.Time) Event {
	return Event{Kind: KindLag, At: look.At, After: after, Lag: &LagChange{
		Group: look.Group, Topic: o.Topic, Partition: o.Partition, Stalled: stalled,
		Committed: o.Committed, End: o.End, Lag: lag, For: Millis(lasted), Owner: owner,
	}}
}

func memberRef(g Group, id string) *MemberRef {
	i := slices.IndexFunc(g.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return &g.Members[i].MemberRef
}
