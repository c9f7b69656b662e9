package inspect

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

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

func FuzzGroupOfKey(f *testing.F) {
	key := kmsg.NewGroupMetadataKey()
	key.Version = 2
	key.Group = "orders"
	f.Add(key.AppendTo(nil))
	f.Add([]byte{})
	f.Add([]byte{0, 3, 0, 1, 'a'})
	f.Add([]byte{0, 2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		group, ok := groupOfKey(raw)
		if !ok {
			return
		}
		// What is taken for a key is what kmsg takes for the same one.
		twin := kmsg.NewGroupMetadataKey()
		if err := twin.ReadFrom(raw); err != nil || twin.Version != 2 || twin.Group != group {
			t.Errorf("%x is %q, and to kmsg %+v, %v", raw, group, twin, err)
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

func FuzzDecodeMember(f *testing.F) {
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{"orders"}
	assignment := kmsg.NewConsumerMemberAssignment()
	f.Add("consumer", metadata.AppendTo(nil), assignment.AppendTo(nil))
	f.Add("own", []byte{0, 1, 0x7f, 0xff, 0xff, 0xff}, []byte{0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, protocolType string, metadata, assignment []byte) {
		var member Member
		if err := decodeMember(&member, protocolType, metadata, assignment); err != nil && member.Topics != nil && member.Assigned != nil {
			t.Errorf("error %v although all is decoded", err)
		}
	})
}
