package inspect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	protocolConsumer = "consumer"
	protocolConnect  = "connect"
)

// decodeMember reads what a member of a classic group subscribed to and was
// assigned. Both were written by other members, so they may be anything; what
// does not decode leaves its field nil.
//
// A group with a protocol type of its own may use the consumer format too. Its
// bytes are taken for that only if they are exactly what encoding the result
// gives again; else its fields stay nil, without an error. Connect has another
// format, which has no partitions.
func decodeMember(member *Member, protocolType string, metadata, assignment []byte) error {
	if protocolType == protocolConnect {
		return nil
	}
	topics, metadataErr := decodeSubscription(metadata, protocolType != protocolConsumer)
	assigned, assignmentErr := decodeAssignment(assignment, protocolType != protocolConsumer)
	member.Topics, member.Assigned = topics, assigned
	if protocolType != protocolConsumer {
		return nil
	}
	return errors.Join(metadataErr, assignmentErr)
}

var errNotExact = errors.New("not in the consumer format")

func decodeSubscription(raw []byte, exactly bool) (topics []string, err error) {
	metadata := kmsg.NewConsumerMemberMetadata()
	if err := metadata.ReadFrom(raw); err != nil {
		return nil, fmt.Errorf("its subscription of %d bytes: %w", len(raw), err)
	}
	if exactly && !bytes.Equal(metadata.AppendTo(nil), raw) {
		return nil, errNotExact
	}
	return sortedTopics(metadata.Topics), nil
}

func decodeAssignment(raw []byte, exactly bool) ([]TopicPartitions, error) {
	// A leader may leave a member out of its plan, which gives it no bytes.
	if len(raw) == 0 {
		return []TopicPartitions{}, nil
	}
	assignment := kmsg.NewConsumerMemberAssignment()
	if err := assignment.ReadFrom(raw); err != nil {
		return nil, fmt.Errorf("its assignment of %d bytes: %w", len(raw), err)
	}
	if exactly && !bytes.Equal(assignment.AppendTo(nil), raw) {
		return nil, errNotExact
	}
	assigned := make(topicPartitions, len(assignment.Topics))
	for _, topic := range assignment.Topics {
		assigned.add(topic.Topic, topic.Partitions...)
	}
	return assigned.sorted(), nil
}

// topicPartitions collects partitions by topic.
type topicPartitions map[string][]int32

func (t topicPartitions) add(topic string, partitions ...int32) {
	t[topic] = append(t[topic], partitions...)
}

func (t topicPartitions) sorted() []TopicPartitions {
	rows := make([]TopicPartitions, 0, len(t))
	for _, topic := range sortedKeys(t) {
		partitions := slices.Clone(t[topic])
		slices.Sort(partitions)
		rows = append(rows, TopicPartitions{Topic: topic, Partitions: emptyIfNil(slices.Compact(partitions))})
	}
	return rows
}

func sortedTopics(topics []string) []string {
	sorted := slices.Clone(topics)
	slices.Sort(sorted)
	return emptyIfNil(slices.Compact(sorted))
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
