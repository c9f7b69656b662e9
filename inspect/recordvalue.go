package inspect

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
)

// valueReader opens a value, which begins with its version. newest is the last one
// that is known: Kafka refuses newer ones too, for their fields may lie elsewhere.
func valueReader(value []byte, newest, firstFlexible int16) (recordReader, int16, error) {
	reader := recordReader{Reader: kbin.Reader{Src: value}}
	version := reader.Int16()
	if !reader.Ok() || version < 0 || version > newest {
		return reader, version, fmt.Errorf("its version is %d, and only 0 to %d are known", version, newest)
	}
	reader.flexible = version >= firstFlexible
	return reader, version, nil
}

// decodeRecord fills in what the value of a record says. ids collects the IDs of
// topics that stand for their names.
func decodeRecord(entry *LogEntry, key recordKey, value []byte, ids map[[16]byte]bool) error {
	switch key.kind {
	case LogCommit:
		return decodeCommit(entry.Commit, key.number, value)
	case LogGeneration:
		generation, err := decodeGeneration(value)
		entry.Generation = generation
		return err
	case LogEpoch, LogTargetEpoch:
		reader, _, err := valueReader(value, 0, 0)
		if err != nil {
			return err
		}
		epoch := reader.Int32()
		if !reader.Ok() {
			return errRecordEnds
		}
		entry.Epoch = &epoch
		return nil
	case LogMember:
		member, err := decodeLoggedMember(key.number, value)
		if err == nil {
			member.ID = strings.Clone(key.name)
			entry.Details = member
		}
		return err
	case LogTarget, LogCurrent:
		assignment, err := decodeLoggedAssignment(key.number, value, ids)
		entry.Assignment = assignment
		return err
	case LogTopics, LogPattern, LogTopology:
		return decodeTopics(entry, key, value)
	case LogShareState:
		state, err := decodeShareState(value)
		entry.ShareState = state
		return err
	}
	return errUnknownRecord
}

// decodeCommit reads an OffsetCommitValue (0 to 4) or a LegacyOffsetCommitValue.
func decodeCommit(commit *LoggedCommit, number int16, value []byte) error {
	newest := int16(4)
	if number == recordLegacyCommit {
		newest = 1
	}
	reader, version, err := valueReader(value, newest, 4)
	if err != nil {
		return err
	}
	offset, epoch := reader.Int64(), int32(-1)
	if version >= 3 {
		epoch = reader.Int32()
	}
	metadata := reader.string()
	at := reader.Int64()
	if !reader.Ok() {
		return errRecordEnds
	}
	commit.Offset, commit.LeaderEpoch = known(offset), known(epoch)
	commit.Metadata, commit.CommittedAt = metadata, timeOf(at)
	return nil
}

// decodeTopics reads what kinds of records tell of topics: a
// ConsumerGroupPartitionMetadataValue, a ConsumerGroupRegularExpressionValue or a
// StreamsGroupTopologyValue.
func decodeTopics(entry *LogEntry, key recordKey, value []byte) error {
	reader, _, err := valueReader(value, 0, 0)
	if err != nil {
		return err
	}
	var topics []string
	var told LoggedTopics
	switch key.kind {
	case LogTopics:
		for range reader.list(22) {
			reader.Uuid()
			topics = append(topics, reader.string())
			reader.Int32()             // how many partitions
			for range reader.list(6) { // racks of each
				reader.Int32()
				reader.strings()
				reader.tags(nil)
			}
			reader.tags(nil)
			if !reader.Ok() {
				break
			}
		}
	case LogPattern:
		pattern := strings.Clone(key.name)
		told.Pattern = &pattern
		topics = reader.strings()
	case LogTopology:
		epoch := reader.Int32()
		entry.Epoch = &epoch
		for range reader.list(8) {
			topics = append(topics, subtopologySources(&reader)...)
			if !reader.Ok() {
				break
			}
		}
	}
	if !reader.Ok() {
		entry.Epoch = nil
		return errRecordEnds
	}
	told.Topics = sortedTopics(topics)
	entry.Topics = &told
	return nil
}

// subtopologySources reads a subtopology, and returns what it consumes.
func subtopologySources(reader *recordReader) []string {
	reader.string() // its ID
	sources := reader.strings()
	reader.strings() // patterns
	topicInfos(reader)
	reader.strings() // sinks
	sources = append(sources, topicInfos(reader)...)
	for range reader.list(4) { // groups of topics with as many partitions
		for range 3 {
			reader.Span(2 * reader.list(2))
		}
		reader.tags(nil)
		if !reader.Ok() {
			break
		}
	}
	reader.tags(nil)
	return sources
}

// topicInfos reads topics that a streams group creates, and returns their names.
func topicInfos(reader *recordReader) []string {
	var names []string
	for range reader.list(9) {
		names = append(names, reader.string())
		reader.Int32() // partitions
		reader.Int16() // replicas
		for range reader.list(3) {
			reader.string()
			reader.string()
			reader.tags(nil)
			if !reader.Ok() {
				break
			}
		}
		reader.tags(nil)
		if !reader.Ok() {
			break
		}
	}
	return names
}

// decodeShareState reads a ShareGroupStatePartitionMetadataValue.
func decodeShareState(value []byte) (*LoggedShareState, error) {
	reader, _, err := valueReader(value, 0, 0)
	if err != nil {
		return nil, err
	}
	withPartitions := func() []TopicPartitions {
		read := topicPartitions{}
		for range reader.list(19) {
			reader.Uuid()
			name := reader.string()
			partitions := reader.int32s()
			reader.tags(nil)
			if !reader.Ok() {
				break
			}
			read.add(name, partitions...)
		}
		return read.sorted()
	}
	state := &LoggedShareState{Initializing: withPartitions(), Initialized: withPartitions()}
	var deleting []string
	for range reader.list(18) {
		reader.Uuid()
		deleting = append(deleting, reader.string())
		reader.tags(nil)
		if !reader.Ok() {
			break
		}
	}
	state.Deleting = sortedTopics(deleting)
	if !reader.Ok() {
		return nil, errRecordEnds
	}
	return state, nil
}
