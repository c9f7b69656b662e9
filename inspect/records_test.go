package inspect

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

func recordBytes(version int16, leader *string, generation int32, members int) []byte {
	value := kmsg.NewGroupMetadataValue()
	value.Version = version
	value.ProtocolType = "consumer"
	value.Generation = generation
	value.Protocol = kmsg.StringPtr("range")
	value.Leader = leader
	for range members {
		value.Members = append(value.Members, kmsg.NewGroupMetadataValueMember())
	}
	return value.AppendTo(nil)
}

func TestGroupRecordsOfEachVersion(t *testing.T) {
	for version := int16(0); version <= newestGroupMetadata; version++ {
		for _, leader := range []*string{nil, kmsg.StringPtr(""), kmsg.StringPtr("a-1")} {
			record, err := decodeGroupRecord(recordBytes(version, leader, 42, 3))
			if err != nil || record.generation != 42 || record.tombstone {
				t.Errorf("version %d: %+v, %v", version, record, err)
			}
			if hasLeader := leader != nil && *leader != ""; (record.leader != nil) != hasLeader || hasLeader && *record.leader != *leader {
				t.Errorf("version %d: leader %v", version, record.leader)
			}
		}
	}
}

// kafkaRecord is one line of records.txt, which Kafka's own classes wrote.
type kafkaRecord struct {
	number     int16
	key, value []byte
}

func kafkaRecords(t testing.TB) []kafkaRecord {
	t.Helper()
	text, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	var records []kafkaRecord
	for line := range strings.Lines(string(text)) {
		var r kafkaRecord
		if _, err := fmt.Sscanf(line, "%d\t%x\t%x", &r.number, &r.key, &r.value); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		records = append(records, r)
	}
	return records
}

func TestEveryRecordThatKafkaWritesIsDecoded(t *testing.T) {
	var out bytes.Buffer
	seen := map[int16]bool{}
	for _, r := range kafkaRecords(t) {
		key, err := parseRecordKey(r.key)
		if err != nil || key.number != r.number || key.group != "g" {
			t.Fatalf("type %d: %+v, %v", r.number, key, err)
		}
		seen[r.number] = true
		entry := LogEntry{Kind: key.kind, Type: nonEmpty(key.groupType)}
		if key.kind == LogCommit {
			entry.Commit = &LoggedCommit{Topic: key.topic, Partition: key.partition}
		}
		if err := decodeRecord(&entry, key, r.value, map[[16]byte]bool{}); err != nil {
			t.Errorf("type %d: %v", r.number, err)
		}
		line, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%d %s\n", r.number, line)

		// A value that is cut off is an error, or is whole without what is missing:
		// tags, and what nothing is read of.
		for n := range r.value {
			entry := LogEntry{Commit: &LoggedCommit{}}
			_ = decodeRecord(&entry, key, r.value[:n], map[[16]byte]bool{})
		}
	}
	for number := range int16(24) {
		if _, known := recordTypeOf(number); known != seen[number] {
			t.Errorf("type %d: known %v, and Kafka wrote one: %v", number, known, seen[number])
		}
	}
	golden := "testdata/records.decoded.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != out.String() {
		t.Errorf("%v: got\n%s\nwant\n%s", err, &out, want)
	}
}

func FuzzRecordKey(f *testing.F) {
	for _, r := range kafkaRecords(f) {
		f.Add(r.key)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, err := parseRecordKey(raw)
		if err != nil || key.number != recordClassicGroup {
			return
		}
		// What is taken for a key is what kmsg takes for the same one.
		twin := kmsg.NewGroupMetadataKey()
		if err := twin.ReadFrom(raw); err != nil || twin.Version != 2 || twin.Group != key.group {
			t.Errorf("%x is %q, and to kmsg %+v, %v", raw, key.group, twin, err)
		}
	})
}

// FuzzRecord holds the decoders to what they may allocate for bytes that claim more
// than there is, and classic groups and commits to kmsg.
func FuzzRecord(f *testing.F) {
	for _, r := range kafkaRecords(f) {
		f.Add(r.key, r.value)
	}
	f.Fuzz(func(t *testing.T, rawKey, value []byte) {
		key, err := parseRecordKey(rawKey)
		if err != nil {
			return
		}
		entry := LogEntry{Commit: &LoggedCommit{}}
		if err := decodeRecord(&entry, key, value, map[[16]byte]bool{}); err != nil {
			if entry.Generation != nil || entry.Details != nil || entry.Assignment != nil || entry.Epoch != nil || entry.Topics != nil || entry.ShareState != nil {
				t.Fatalf("%v, and something is told all the same: %+v", err, entry)
			}
			return
		}
		if key.kind == LogCommit {
			twin := kmsg.NewOffsetCommitValue()
			if err := twin.ReadFrom(value); err == nil && twin.Version < 4 && entry.Commit.Offset != nil && twin.Offset != *entry.Commit.Offset {
				t.Fatalf("%x: offset %d, and to kmsg %d", value, *entry.Commit.Offset, twin.Offset)
			}
		}
		if key.kind == LogGeneration {
			twin := kmsg.NewGroupMetadataValue()
			if err := twin.ReadFrom(value); err == nil && (twin.Generation != entry.Generation.Generation || len(twin.Members) != len(entry.Generation.Members)) {
				t.Fatalf("%x: %+v, and to kmsg %+v", value, entry.Generation, twin)
			}
		}
	})
}

func FuzzGroupRecord(f *testing.F) {
	for version := int16(0); version <= newestGroupMetadata; version++ {
		f.Add(recordBytes(version, kmsg.StringPtr("a"), 7, 2))
		f.Add(recordBytes(version, nil, -1, 0))
	}
	f.Add([]byte{})
	f.Add([]byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		record, err := decodeGroupRecord(raw)
		twin := kmsg.NewGroupMetadataValue()
		if twinErr := twin.ReadFrom(raw); twinErr != nil || len(raw) == 0 || twin.Version < 0 || twin.Version > newestGroupMetadata {
			return // the head may be whole where the rest is not
		}
		if err != nil || record.generation != twin.Generation {
			t.Fatalf("%x: %+v, %v, and to kmsg %+v", raw, record, err, twin)
		}
		leader, twinLeader := "", ""
		if record.leader != nil {
			leader = *record.leader
		}
		if twin.Leader != nil {
			twinLeader = *twin.Leader
		}
		if leader != twinLeader {
			t.Fatalf("%x: leader %q, and to kmsg %q", raw, leader, twinLeader)
		}
	})
}

func FuzzReadMember(f *testing.F) {
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{"orders"}
	assignment := kmsg.NewConsumerMemberAssignment()
	f.Add("consumer", "sticky", metadata.AppendTo(nil), assignment.AppendTo(nil))
	f.Add("own", "own", []byte{0, 1, 0x7f, 0xff, 0xff, 0xff}, []byte{0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, protocolType, assignor string, metadata, assignment []byte) {
		member, err := readMember(protocolType, assignor, metadata, assignment)
		if err != nil && member.topics != nil && member.assigned != nil {
			t.Errorf("error %v although all is decoded", err)
		}
	})
}
