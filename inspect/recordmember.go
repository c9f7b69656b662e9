package inspect

import (
	"cmp"
	"slices"
)

// newestGroupMetadata is the last version of a classic group's record that is
// known.
const newestGroupMetadata = 4

// decodeGeneration reads a GroupMetadataValue with its members.
func decodeGeneration(value []byte) (*LoggedGeneration, error) {
	reader, version, err := valueReader(value, newestGroupMetadata, 4)
	if err != nil {
		return nil, err
	}
	generation := &LoggedGeneration{ProtocolType: nonEmpty(reader.string())}
	generation.Generation = reader.Int32()
	generation.Assignor = nilIfEmpty(reader.nullableString())
	generation.Leader = nilIfEmpty(reader.nullableString())
	if version >= 2 {
		generation.Since = timeOf(reader.Int64())
	}
	generation.Members = []LoggedMember{}
	var verdict verdictReader
	for range reader.list(14) {
		member := LoggedMember{ID: reader.string()}
		if version >= 3 {
			member.Instance = reader.nullableString()
		}
		member.ClientID, member.Host = reader.string(), reader.string()
		if version >= 1 {
			member.RebalanceTimeout = known(reader.Int32())
		}
		member.SessionTimeout = known(reader.Int32())
		subscription, assignment := reader.bytes(), reader.bytes()
		reader.tags(nil)
		if !reader.Ok() {
			return nil, errRecordEnds
		}
		told, _ := readMember(orEmpty(generation.ProtocolType), orEmpty(generation.Assignor), subscription, assignment)
		member.Rack, member.Traits = told.rack, told.traits
		member.Topics, member.Owned, member.Assigned = told.topics, told.owned, told.assigned
		generation.Members = append(generation.Members, member)
		if isElection(orEmpty(generation.ProtocolType)) {
			_ = verdict.read(assignment)
		}
	}
	generation.Elected = verdict.elected()
	if !reader.Ok() {
		return nil, errRecordEnds
	}
	slices.SortFunc(generation.Members, func(a, b LoggedMember) int { return cmp.Compare(a.ID, b.ID) })
	return generation, nil
}

func nilIfEmpty(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// decodeLoggedMember reads a ConsumerGroupMemberMetadataValue, a
// ShareGroupMemberMetadataValue or a StreamsGroupMemberMetadataValue.
func decodeLoggedMember(number int16, value []byte) (*LoggedMember, error) {
	reader, _, err := valueReader(value, 0, 0)
	if err != nil {
		return nil, err
	}
	member := &LoggedMember{}
	if number != recordShareMember {
		member.Instance = reader.nullableString()
	}
	member.Rack = nilIfEmpty(reader.nullableString())
	member.ClientID, member.Host = reader.string(), reader.string()
	switch number {
	case recordShareMember:
		member.Topics = sortedTopics(reader.strings())
	case recordConsumerMember:
		member.Topics = sortedTopics(reader.strings())
		member.Pattern = nilIfEmpty(reader.nullableString())
		member.RebalanceTimeout = known(reader.Int32())
		member.Assignor = nilIfEmpty(reader.nullableString())
		reader.tags(func(tag uint32, field *recordReader) {
			// The struct of a classic member, behind a number that is 0 for null.
			if tag == 0 && field.Uvarint() > 0 {
				member.Classic = true
				member.SessionTimeout = known(field.Int32())
			}
		})
	case recordStreamsMember:
		member.RebalanceTimeout = known(reader.Int32())
		reader.Int32() // topology epoch
		member.ProcessID = nonEmpty(reader.string())
		if reader.Int8() >= 0 { // user endpoint
			reader.string()
			reader.Uint16()
			reader.tags(nil)
		}
		member.Tags = map[string]string{}
		for range reader.list(3) {
			key, value := reader.string(), reader.string()
			reader.tags(nil)
			if !reader.Ok() {
				break
			}
			member.Tags[key] = value
		}
	}
	if !reader.Ok() {
		return nil, errRecordEnds
	}
	return member, nil
}

// decodeLoggedAssignment reads the target or the current assignment of a member.
func decodeLoggedAssignment(number int16, value []byte, ids map[[16]byte]bool) (*LoggedAssignment, error) {
	reader, _, err := valueReader(value, 0, 0)
	if err != nil {
		return nil, err
	}
	assignment := &LoggedAssignment{}
	switch number {
	case recordConsumerCurrent, recordShareCurrent, recordStreamsCurrent:
		epoch, previous := reader.Int32(), reader.Int32()
		assignment.Epoch, assignment.PreviousEpoch = &epoch, &previous
		state := memberState(reader.Int8())
		assignment.State = &state
	}
	switch number {
	case recordStreamsTarget, recordStreamsCurrent:
		tasks := &LoggedTasks{Active: reader.tasks(), Standby: reader.tasks(), Warmup: reader.tasks()}
		if number == recordStreamsCurrent {
			tasks.Revoking = reader.tasks()
		}
		assignment.Tasks = tasks
	default:
		assignment.Assigned = reader.partitionsByID(ids)
		if number == recordConsumerCurrent {
			assignment.Revoking = reader.partitionsByID(ids)
		}
	}
	if !reader.Ok() {
		return nil, errRecordEnds
	}
	return assignment, nil
}

// memberState names what the broker's MemberState counts.
func memberState(state int8) string {
	switch state {
	case 0:
		return "Stable"
	case 1:
		return "Unrevoked"
	case 2:
		return "Unreleased"
	}
	return "Unknown"
}

// groupRecord is what the record of a group says about its generation and who leads
// it.
type groupRecord struct {
	generation int32
	leader     *string
	// since is when the group came into its state, in milliseconds, negative if
	// not told.
	since int64
	// tombstone: the group was deleted, or converted to another type.
	tombstone bool
}

// decodeGroupRecord reads the head of a GroupMetadataValue. The members that
// follow it are left alone: they are not needed, and they are where bytes made
// up by somebody could claim many of.
func decodeGroupRecord(value []byte) (groupRecord, error) {
	if len(value) == 0 {
		return groupRecord{tombstone: true, since: -1}, nil
	}
	reader, version, err := valueReader(value, newestGroupMetadata, 4)
	if err != nil {
		return groupRecord{}, err
	}
	record := groupRecord{since: -1}
	_ = reader.string() // protocol type
	record.generation = reader.Int32()
	_ = reader.nullableString() // protocol
	record.leader = nilIfEmpty(reader.nullableString())
	if version >= 2 {
		record.since = reader.Int64()
	}
	if !reader.Ok() {
		return groupRecord{}, errRecordEnds
	}
	return record, nil
}

// decodeEpochRecord reads a ConsumerGroupMetadataValue, or that of a share or streams
// group: the group epoch.
func decodeEpochRecord(value []byte) (groupRecord, error) {
	if len(value) == 0 {
		return groupRecord{tombstone: true, since: -1}, nil
	}
	reader, _, err := valueReader(value, 0, 0)
	if err != nil {
		return groupRecord{}, err
	}
	record := groupRecord{generation: reader.Int32(), since: -1}
	if !reader.Ok() {
		return groupRecord{}, errRecordEnds
	}
	return record, nil
}
