package watch

import (
	"maps"
	"slices"
	"time"
)

// Records takes what was read of __consumer_offsets. A group's generations are told
// from there once it is known which of its records come after it was looked at: when
// the log was read to its end before and after the look, and had none of the group
// between. Until then, and from a gap on, looks tell.
func (d *Differ) Records(look RecordsLook) []Event {
	if look.Answered.IsZero() {
		look.Answered = look.At
	}
	logged := map[int32]bool{}
	maps.Copy(logged, d.groups.logged)
	for _, p := range slices.Concat(look.Begun, look.Partitions) {
		logged[p] = true
	}
	for _, p := range look.Gaps {
		delete(logged, p)
	}
	d.groups.logged = logged
	for _, state := range d.groups.known {
		if slices.ContainsFunc(look.Gaps, state.hasLog) {
			state.lose()
		}
	}
	touched := map[string]bool{}
	for _, record := range look.Records {
		touched[record.Group] = true
	}
	events := d.release(look, touched)
	for _, record := range look.Records {
		if state, known := d.groups.known[record.Group]; known && (state.placed || state.absent) {
			events = append(events, recordEvents(state, record, look.Answered)...)
		}
	}
	for name, state := range d.groups.known {
		if !state.endOwed.After(look.At) && slices.ContainsFunc(look.Partitions, state.hasLog) {
			state.endOwed = time.Time{} // the log does not say so: the group had no records
		}
		if touched[name] {
			state.answered = time.Time{} // it may be older than the record
		}
		if state.seen.Type != typeClassic || state.answered.IsZero() || state.answered.After(look.At) || !slices.ContainsFunc(look.Partitions, state.isIn) {
			continue
		}
		state.answered = time.Time{}
		state.placed = true
		if state.pending != nil {
			state.passed++
		}
	}
	return events
}

// release tells of the groups that were held, as far as the log was read to its end
// without a record of theirs, or has a gap. The others are looked at again.
func (d *Differ) release(look RecordsLook, touched map[string]bool) []Event {
	var fresh firstLooks
	var at time.Time
	for _, name := range slices.Sorted(maps.Keys(d.groups.held)) {
		held := d.groups.held[name]
		partition := *held.group.OffsetsPartition
		lost := slices.Contains(look.Gaps, partition)
		read := slices.Contains(look.Partitions, partition) && !held.answered.IsZero() && !held.answered.After(look.At)
		if touched[name] {
			held.answered = time.Time{} // it may be older than the record, so it is looked at again
		}
		if !lost && (!read || touched[name]) {
			continue
		}
		delete(d.groups.held, name)
		state := newGroupState(held.group, held.at)
		state.placed = !lost
		d.groups.known[name] = state
		fresh.add(held.group, held.appeared, held.at)
		if held.at.After(at) {
			at = held.at
		}
	}
	return fresh.events(at)
}

// hasLog says whether a partition has the records of a group, also of one that is
// absent.
func (s *groupState) hasLog(partition int32) bool {
	return s.seen.OffsetsPartition != nil && *s.seen.OffsetsPartition == partition
}

// lose leaves out records of a group.
func (s *groupState) lose() {
	if s.absent {
		s.told = Group{}
	}
	s.unplace()
}

// recordEvents compares a record with what was told last of its group. There are none
// for records that tell nothing new: one that is written again, or the first of a group,
// which is written before a member has joined.
func recordEvents(state *groupState, record GroupRecord, at time.Time) []Event {
	if record.Tombstone {
		// Whether it was deleted or converted is not known yet, and then its members stay.
		state.told.Generation, state.told.Leader = nil, nil
		if state.ended = state.endOwed.IsZero() && !state.absent; !state.ended {
			state.told = Group{OffsetsPartition: state.told.OffsetsPartition}
		}
		state.endOwed = time.Time{}
		return nil
	}
	if !state.endOwed.IsZero() {
		if record.Generation > 0 {
			return nil // of a group of which it was told that it is gone
		}
		state.endOwed = time.Time{}
	}
	before := state.told
	if before.Generation != nil && record.Generation < *before.Generation {
		return nil
	}
	now := Group{
		Group: record.Group, Type: typeClassic, State: "Stable",
		Assignor: record.Protocol, Generation: &record.Generation, Leader: record.Leader, Elected: record.Elected, Members: record.Members,
		OffsetsPartition: state.seen.OffsetsPartition,
	}
	if len(now.Members) == 0 {
		now.State = "Empty"
	}
	var events []Event
	after := state.at
	if after.After(at) {
		after = time.Time{}
	}
	if state.ended {
		// It was made again before a look could show that it was gone.
		events = append(events, vanished(state.seen, after, at), appeared(now, after, at))
		state.seen.State, state.unsettledAt = now.State, time.Time{}
		before = Group{OffsetsPartition: before.OffsetsPartition}
	}
	state.ended = false
	change := changeOf(before, now, SourceLog)
	same := len(change.Joined)+len(change.Left) == 0 && (change.Moved == nil || *change.Moved == 0) && sameElected(before.Elected, now.Elected)
	if same && equal(change.From, change.To) && equal(change.FromLeader, change.ToLeader) {
		return events
	}
	// The record of an empty group may follow on the look that showed it.
	empty := len(now.Members) == 0 && (record.Generation == 0 || state.pending == nil && state.unsettledAt.IsZero())
	if same && before.Generation == nil && (state.owed || empty) {
		state.told, state.owed = now, false
		return events
	}
	if state.absent {
		events = append(events, appeared(now, after, at))
		*state = groupState{seen: now, at: at, settledAt: state.at, placed: true}
	}
	if !replacedOnly(change) || change.From == nil && !state.unsettledAt.IsZero() {
		change.NotStable = notStableByRecord(state, record, at)
	}
	state.told, state.seen.Generation, state.seen.Leader, state.seen.State = now, now.Generation, now.Leader, now.State
	if state.settledAt = at; state.pending == nil {
		// Else the rebalance of which this tells was seen to end, and the next one to begin.
		state.unsettledAt = time.Time{}
	}
	state.pending, state.passed, state.owed = nil, 0, false
	return append(events, Event{Kind: KindGeneration, At: at, After: after, Generation: change})
}

// replacedOnly says whether all that a record tells is that static members are back
// under other IDs, for which the group was stable all the while: the record says since
// when. Where the generation before is not known, the members tell.
func replacedOnly(change *GenerationChange) bool {
	if change.From != nil {
		return equal(change.From, change.To)
	}
	instances := map[string]bool{}
	for _, m := range change.Left {
		if m.Instance != nil {
			instances[*m.Instance] = true
		}
	}
	back := 0
	for _, m := range change.Joined {
		if m.Instance != nil && instances[*m.Instance] {
			back++
		}
	}
	return back > 0 && back == len(change.Joined) && back == len(change.Left)
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
