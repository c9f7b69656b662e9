package inspect

import (
	"bytes"
	"context"
	"maps"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// foundRecord is the newest record of one group, or why it says nothing.
type foundRecord struct {
	record groupRecord
	err    error
}

// foundRecords are what one partition tells of several groups.
type foundRecords struct {
	records map[string]foundRecord
	// revoking is what members of consumer groups were told to give up and have
	// not yet, by group and member, as far as it lies behind the group's epoch.
	// The IDs of its topics are in ids.
	revoking map[string]map[string][]TopicPartitions
	ids      map[[16]byte]bool
}

// newest looks for the newest record of each group that tells its generation, from
// the end of the log backwards, so that the first one found is the newest. It returns
// those found and why it stopped looking for the others: nil if there are no others.
func (l *logReader) newest(ctx context.Context, groups map[string]*Group) (foundRecords, error) {
	found := foundRecords{
		records: make(map[string]foundRecord, len(groups)), revoking: map[string]map[string][]TopicPartitions{}, ids: map[[16]byte]bool{},
	}
	start, end, err := l.bounds(ctx)
	if err != nil {
		return found, err
	}
	inWindow := map[string]foundRecord{}
	type groupMember struct{ group, member string }
	currentInWindow, current := map[groupMember][]byte{}, map[groupMember][]byte{}
	visit := func(r *kgo.Record) {
		if r.Attrs.IsControl() {
			return
		}
		key, err := parseRecordKey(r.Key)
		if err != nil || key.groupType == "" {
			return
		}
		group := groups[key.group]
		switch {
		case group == nil || *group.Type != key.groupType:
		case key.kind == LogGeneration || key.kind == LogEpoch:
			decode := decodeEpochRecord
			if key.kind == LogGeneration {
				decode = decodeGroupRecord
			}
			record, err := decode(r.Value)
			if record.since < 0 && !record.tombstone {
				record.since = r.Timestamp.UnixMilli()
			}
			inWindow[group.Group] = foundRecord{record, err}
		case key.kind == LogCurrent && key.groupType == typeConsumer && isBehind(group) && isMember(group, key.name):
			currentInWindow[groupMember{group.Group, strings.Clone(key.name)}] = bytes.Clone(r.Value)
		}
	}
	_, err = l.backwards(ctx, end, start, visit, func() bool {
		for group, record := range inWindow {
			if _, newer := found.records[group]; !newer {
				found.records[group] = record
			}
		}
		for of, value := range currentInWindow {
			if _, newer := current[of]; !newer {
				current[of] = value
			}
		}
		clear(inWindow)
		clear(currentInWindow)
		return len(found.records) == len(groups)
	})
	for of, value := range current {
		if len(value) == 0 {
			continue // the member left
		}
		ids := map[[16]byte]bool{}
		if assignment, err := decodeLoggedAssignment(recordConsumerCurrent, value, ids); err == nil && len(assignment.Revoking) > 0 {
			if found.revoking[of.group] == nil {
				found.revoking[of.group] = map[string][]TopicPartitions{}
			}
			found.revoking[of.group][of.member] = assignment.Revoking
			maps.Copy(found.ids, ids)
		}
	}
	switch {
	case len(found.records) == len(groups):
		return found, nil
	case err == nil:
		err = errLogStart
	}
	// What was found in a part of a window may not be the newest, and is dropped.
	return found, err
}

// isBehind tells whether some member has not come to the group's target.
func isBehind(group *Group) bool {
	if group.TargetEpoch == nil {
		return false
	}
	for i := range group.Members {
		if epoch := group.Members[i].Epoch; epoch != nil && *epoch < *group.TargetEpoch {
			return true
		}
	}
	return false
}
