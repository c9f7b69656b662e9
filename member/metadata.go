package member

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// encodeSubscription returns the metadata that a member sends in JoinGroup
// (ConsumerProtocolSubscription version 3).
func encodeSubscription(protocol Protocol, topics []string, owned []assign.TopicPartitions, generation int32, traits []byte) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.Generation = generation
	for _, tp := range owned {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = tp.Topic, tp.Partitions
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	meta.UserData = traits
	if protocol.name() == stickyName {
		sticky := kmsg.NewStickyMemberMetadata()
		sticky.Generation = generation
		for _, tp := range owned {
			c := kmsg.NewStickyMemberMetadataCurrentAssignment()
			c.Topic, c.Partitions = tp.Topic, tp.Partitions
			sticky.CurrentAssignment = append(sticky.CurrentAssignment, c)
		}
		meta.UserData = sticky.AppendTo(nil)
		meta.OwnedPartitions = nil
	}
	return meta.AppendTo(nil)
}

// member reads what a member sent in JoinGroup. The bytes come from another
// process, of any client and version: an error says that they cannot be understood.
func (s *subscriptionReader) member(protocol Protocol, from *kmsg.JoinGroupResponseMember) (assign.Member, error) {
	m := assign.Member{ID: from.MemberID}
	if from.InstanceID != nil {
		m.Instance = *from.InstanceID
	}
	meta, owned, err := s.read(m.ID, from.ProtocolMetadata)
	if err != nil {
		return m, err
	}
	m.Topics = s.cleaned(meta.Topics)
	if meta.Rack != nil {
		m.Rack = *meta.Rack
	}
	m.Generation = meta.Generation
	m.Owned = owned
	if protocol.name() == stickyName {
		m.Owned, m.Generation = decodeSticky(meta.UserData)
	} else {
		ParseTraits(meta.UserData).Apply(&m)
	}
	return m, nil
}

// impossibleTopic tells whether no topic can have the name, by the rules of
// org.apache.kafka.common.internals.Topic. Asking the cluster about such a name, or
// planning for it, could fail the round for all members.
func impossibleTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return true
	}
	return strings.ContainsFunc(name, func(c rune) bool {
		letterOrDigit := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letterOrDigit && c != '.' && c != '_' && c != '-'
	})
}

// decodeSticky reads StickyAssignorUserDataV1; what cannot be read owns nothing.
func decodeSticky(data []byte) (owned []assign.TopicPartitions, generation int32) {
	sticky, ok := memberbytes.Sticky(data)
	if !ok {
		return nil, -1
	}
	for _, c := range sticky.CurrentAssignment {
		owned = append(owned, assign.TopicPartitions{Topic: c.Topic, Partitions: c.Partitions})
	}
	return owned, sticky.Generation
}

// encodeAssignment returns the SyncGroup form of what each member gets
// (ConsumerProtocolAssignment version 0, which every client reads), by member id. It
// writes what kmsg.ConsumerMemberAssignment would, all members into one array.
func encodeAssignment(members []string, a assign.Assignment, userData []byte) []kmsg.SyncGroupRequestGroupAssignment {
	size := 0
	for _, id := range members {
		size += 10 + len(userData)
		for _, tp := range a[id] {
			size += 6 + len(tp.Topic) + 4*len(tp.Partitions)
		}
	}
	all := make([]byte, 0, size)
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(members))
	for _, id := range slices.Sorted(slices.Values(members)) {
		from := len(all)
		all = binary.BigEndian.AppendUint16(all, 0) // version
		all = binary.BigEndian.AppendUint32(all, uint32(len(a[id])))
		for _, tp := range a[id] {
			all = binary.BigEndian.AppendUint16(all, uint16(len(tp.Topic)))
			all = append(all, tp.Topic...)
			all = binary.BigEndian.AppendUint32(all, uint32(len(tp.Partitions)))
			for _, p := range tp.Partitions {
				all = binary.BigEndian.AppendUint32(all, uint32(p))
			}
		}
		if userData == nil {
			all = binary.BigEndian.AppendUint32(all, math.MaxUint32) // null
		} else {
			all = binary.BigEndian.AppendUint32(all, uint32(len(userData)))
			all = append(all, userData...)
		}
		one := kmsg.NewSyncGroupRequestGroupAssignment()
		one.MemberID, one.MemberAssignment = id, all[from:len(all):len(all)]
		out = append(out, one)
	}
	return out
}

// toTopicPartitions turns kgo's form into the sorted one of package assign.
func toTopicPartitions(from map[string][]int32) []assign.TopicPartitions {
	list := make([]assign.TopicPartitions, 0, len(from))
	for topic, partitions := range from {
		if len(partitions) > 0 {
			list = append(list, assign.TopicPartitions{Topic: topic, Partitions: slices.Sorted(slices.Values(partitions))})
		}
	}
	slices.SortFunc(list, func(l, r assign.TopicPartitions) int { return cmp.Compare(l.Topic, r.Topic) })
	return list
}
