package inspect

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// The records of __consumer_offsets tell by the first two bytes of their key
// what they are. 0 and 1 are offset commits, 2 is the state of a classic group,
// and those from 3 on belong to the other types of groups
// (group-coordinator/src/main/resources/common/message in Kafka).
const groupMetadataKey = 2

// newestGroupMetadata is the last version of a group's record that is known.
// Kafka refuses newer ones too, for their fields may lie elsewhere.
const newestGroupMetadata = 4

// groupRecord is what the record of a classic group says about who leads it.
type groupRecord struct {
	generation int32
	leader     *string
	// tombstone: the group was deleted, or converted to another type.
	tombstone bool
}

// groupOfKey returns the group that a record is the state of, and false for
// records of other kinds and for what does not decode.
func groupOfKey(key []byte) (string, bool) {
	reader := kbin.Reader{Src: key}
	if reader.Int16() != groupMetadataKey {
		return "", false
	}
	group := reader.String()
	return group, reader.Ok() && len(reader.Src) == 0
}

// decodeGroupRecord reads the head of a GroupMetadataValue. The members that
// follow it are left alone: they are not needed, and they are where bytes made
// up by somebody could claim many of.
func decodeGroupRecord(value []byte) (groupRecord, error) {
	if len(value) == 0 {
		return groupRecord{tombstone: true}, nil
	}
	reader := kbin.Reader{Src: value}
	version := reader.Int16()
	if !reader.Ok() || version < 0 || version > newestGroupMetadata {
		return groupRecord{}, fmt.Errorf("its version is %d, and only 0 to %d are known", version, newestGroupMetadata)
	}
	var record groupRecord
	if version >= 4 { // the first with compact strings
		_ = reader.CompactString() // protocol type
		record.generation = reader.Int32()
		_ = reader.CompactNullableString() // protocol
		record.leader = reader.CompactNullableString()
	} else {
		_ = reader.String()
		record.generation = reader.Int32()
		_ = reader.NullableString()
		record.leader = reader.NullableString()
	}
	if !reader.Ok() {
		return groupRecord{}, errors.New("it ends too early")
	}
	if record.leader != nil && *record.leader == "" {
		record.leader = nil
	}
	return record, nil
}
