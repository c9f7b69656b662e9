package watch

import (
	"maps"
	"slices"
	"time"
)

// Records takes what was read of __consumer_offsets. From the first look on that
// covers the partition of a group, its generations are told from the log and not from
// what the coordinator answers; when the log has a gap, it is the other way until the
// next look.
func (d *Differ) Records(look RecordsLook) []Event {
	var events []Event
	logged := maps.Clone(d.groups.logged)
	if logged == nil {
		logged = map[int32]bool{}
	}
	for _, p := range look.Partitions {
		logged[p] = true
	}
	for _, p := range look.Gaps {
		delete(logged, p)
	}
	d.groups.logged = logged
	for _, record := range look.Records {
		if state, known := d.groups.known[record.Group]; known {
			if event := recordEvent(state, record, look.At); event != nil {
				events = append(events, *event)
			}
		}
	}
	return events
}

// recordEvent compares a record with what was told last of its group. It is nil for
// records that tell nothing new: one that is written again, or the first of a group
// without members.
func recordEvent(state *groupState, record GroupRecord, at time.Time) *Event {
	if record.Tombstone || state.absent && len(record.Members) == 0 {
		return nil
	}
	before := state.told
	if before.Generation != nil && record.Generation < *before.Generation {
		return nil
	}
	now := Group{
		Group: record.Group, Type: typeClassic, State: "Stable",
		Assignor: record.Protocol, Generation: &record.Generation, Leader: record.Leader, Members: record.Members,
	}
	change := changeOf(before, now, SourceLog)
	same := equal(change.From, change.To) && equal(change.FromLeader, change.ToLeader)
	if same && len(change.Joined)+len(change.Left) == 0 && (change.Moved == nil || *change.Moved == 0) {
		return nil
	}
	quiet := state.pending == nil && state.unsettledAt.IsZero()
	if before.Generation == nil && quiet && len(change.Joined)+len(change.Left) == 0 && !record.Written.After(state.first) {
		// Written while the watch began, of a generation that was there then.
		state.told, state.seen.Generation, state.seen.Leader = now, now.Generation, now.Leader
		return nil
	}
	now.OffsetsPartition = state.seen.OffsetsPartition
	change.NotStable = notStableByRecord(state, record, at)
	after := state.at
	if after.After(at) {
		after = time.Time{}
	}
	state.told, state.seen.Generation, state.seen.Leader, state.seen.State = now, now.Generation, now.Leader, now.State
	state.settledAt, state.unsettledAt, state.pending = at, time.Time{}, nil
	return &Event{Kind: KindGeneration, At: at, After: after, Generation: change}
}

// notStableByRecord bounds how long the group was not stable before a record: at
// least from when all had joined until the plan was there, by the coordinator's clock,
// and as long as looks saw it, by this machine's. The two are not compared.
func notStableByRecord(state *groupState, record GroupRecord, at time.Time) Span {
	var span Span
	if !record.Entered.IsZero() && record.Written.After(record.Entered) {
		span.AtLeast = Millis(record.Written.Sub(record.Entered))
	}
	if !state.unsettledAt.IsZero() {
		span.AtLeast = max(span.AtLeast, Millis(state.at.Sub(state.unsettledAt)))
	}
	from := state.settledAt
	if from.IsZero() {
		from = state.unsettledAt
	}
	span.AtMost = max(span.AtLeast, Millis(at.Sub(from)))
	return span
}

// coordinatorEvents tells of all groups in a partition of __consumer_offsets that has
// another leader.
func (d *Differ) coordinatorEvents(change *LeaderChange, after, at time.Time) []Event {
	var events []Event
	for _, name := range slices.Sorted(maps.Keys(d.groups.known)) {
		if !d.groups.known[name].isIn(change.Partition) {
			continue
		}
		events = append(events, Event{Kind: KindCoordinator, At: at, After: after, Coordinator: &CoordinatorChange{
			Group: name, Partition: change.Partition, From: change.From, To: change.To, Cause: change.Cause, Evidence: change.Evidence,
		}})
	}
	return events
}
