package inspect

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Types of the records of __consumer_offsets, by the number that their key begins
// with (CoordinatorRecordType in Kafka 4.3). 9 and 18 were never released.
const (
	recordLegacyCommit     = 0
	recordCommit           = 1
	recordClassicGroup     = 2
	recordConsumerEpoch    = 3
	recordConsumerTopics   = 4
	recordConsumerMember   = 5
	recordConsumerTargetAt = 6
	recordConsumerTarget   = 7
	recordConsumerCurrent  = 8
	recordShareMember      = 10
	recordShareEpoch       = 11
	recordShareTargetAt    = 12
	recordShareTarget      = 13
	recordShareCurrent     = 14
	recordShareState       = 15
	recordConsumerPattern  = 16
	recordStreamsEpoch     = 17
	recordStreamsMember    = 19
	recordStreamsTargetAt  = 20
	recordStreamsTarget    = 21
	recordStreamsCurrent   = 22
	recordStreamsTopology  = 23
)

// recordType is what the records of one type are.
type recordType struct {
	kind LogKind
	// groupType is the type of group, "" for those that several have.
	groupType string
	// rest is what follows the group in the key.
	rest keyRest
}

type keyRest int

const (
	restNothing   keyRest = iota
	restPartition         // a topic and a partition
	restMember            // the ID of a member
	restPattern           // a regular expression
)

// recordTypeOf returns false for numbers that stand for no type of record.
func recordTypeOf(number int16) (recordType, bool) {
	switch number {
	case recordLegacyCommit, recordCommit:
		return recordType{LogCommit, "", restPartition}, true
	case recordClassicGroup:
		return recordType{LogGeneration, typeClassic, restNothing}, true
	case recordConsumerEpoch:
		return recordType{LogEpoch, typeConsumer, restNothing}, true
	case recordConsumerTopics:
		return recordType{LogTopics, typeConsumer, restNothing}, true
	case recordConsumerMember:
		return recordType{LogMember, typeConsumer, restMember}, true
	case recordConsumerTargetAt:
		return recordType{LogTargetEpoch, typeConsumer, restNothing}, true
	case recordConsumerTarget:
		return recordType{LogTarget, typeConsumer, restMember}, true
	case recordConsumerCurrent:
		return recordType{LogCurrent, typeConsumer, restMember}, true
	case recordConsumerPattern:
		return recordType{LogPattern, typeConsumer, restPattern}, true
	case recordShareEpoch:
		return recordType{LogEpoch, typeShare, restNothing}, true
	case recordShareMember:
		return recordType{LogMember, typeShare, restMember}, true
	case recordShareTargetAt:
		return recordType{LogTargetEpoch, typeShare, restNothing}, true
	case recordShareTarget:
		return recordType{LogTarget, typeShare, restMember}, true
	case recordShareCurrent:
		return recordType{LogCurrent, typeShare, restMember}, true
	case recordShareState:
		return recordType{LogShareState, typeShare, restNothing}, true
	case recordStreamsEpoch:
		return recordType{LogEpoch, typeStreams, restNothing}, true
	case recordStreamsMember:
		return recordType{LogMember, typeStreams, restMember}, true
	case recordStreamsTargetAt:
		return recordType{LogTargetEpoch, typeStreams, restNothing}, true
	case recordStreamsTarget:
		return recordType{LogTarget, typeStreams, restMember}, true
	case recordStreamsCurrent:
		return recordType{LogCurrent, typeStreams, restMember}, true
	case recordStreamsTopology:
		return recordType{LogTopology, typeStreams, restNothing}, true
	}
	return recordType{}, false
}

// recordKey is the key of a record. The strings lie in the record, and are to be
// cloned by whoever keeps them.
type recordKey struct {
	number int16
	recordType
	group     string
	topic     string // restPartition
	partition int32  // restPartition
	name      string // restMember, restPattern
}

var (
	errUnknownRecord = errors.New("a record of a type that is not known")
	errBrokenKey     = errors.New("a key that does not decode")
)

// parseRecordKey reads a key without allocating: most records of a partition are
// about other groups. It fails with errUnknownRecord or errBrokenKey; the number
// is set where the key has one.
func parseRecordKey(raw []byte) (recordKey, error) {
	reader := kbin.Reader{Src: raw}
	key := recordKey{number: reader.Int16()}
	if !reader.Ok() {
		return recordKey{number: -1}, errBrokenKey
	}
	var known bool
	if key.recordType, known = recordTypeOf(key.number); !known {
		return key, errUnknownRecord
	}
	key.group = reader.UnsafeString()
	switch key.rest {
	case restPartition:
		key.topic = reader.UnsafeString()
		key.partition = reader.Int32()
	case restMember, restPattern:
		key.name = reader.UnsafeString()
	}
	if !reader.Ok() || len(reader.Src) > 0 {
		return recordKey{number: key.number}, errBrokenKey
	}
	return key, nil
}
