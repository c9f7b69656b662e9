package inspect

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

const (
	protocolConsumer = "consumer"
	protocolConnect  = "connect"
	// protocolSticky is the assignor that tells what is owned in the user data.
	protocolSticky = "sticky"
)

// told is what a member of a classic group was heard to say, and what it was given.
// What is not known is nil.
type told struct {
	topics   []string
	owned    []TopicPartitions
	rack     *string
	traits   *Traits
	assigned []TopicPartitions
	// candidacy is told by the members of an election, which have no partitions.
	candidacy *Candidacy
}

// readMember reads what a member of a classic group subscribed to and was assigned.
// Both were written by other members, so they may be anything; what does not decode
// is not known.
//
// A group with a protocol type of its own may use the consumer format too. Its
// bytes are taken for that only if they are exactly what encoding the result
// gives again; else nothing is known, without an error. Connect has another
// format, which has no partitions. What the members of an election are given is
// for [verdictReader].
func readMember(protocolType, assignor string, subscription, assignment []byte) (told, error) {
	if protocolType == protocolConnect {
		return told{}, nil
	}
	if isElection(protocolType) {
		candidacy, err := readCandidacy(subscription)
		return told{candidacy: candidacy}, err
	}
	exactly := protocolType != protocolConsumer
	member, subscriptionErr := readSubscription(assignor, subscription, exactly)
	assigned, assignmentErr := readAssignment(assignment, exactly)
	member.assigned = assigned
	if exactly {
		return member, nil
	}
	return member, errors.Join(subscriptionErr, assignmentErr)
}

var errNotExact = errors.New("not in the consumer format")

func readSubscription(assignor string, raw []byte, exactly bool) (told, error) {
	metadata, err := memberbytes.Subscription(raw)
	if err != nil {
		return told{}, fmt.Errorf("its subscription: %w", err)
	}
	if exactly && !bytes.Equal(metadata.AppendTo(nil), raw) {
		return told{}, errNotExact
	}
	member := told{topics: sortedTopics(metadata.Topics), rack: nilIfEmpty(metadata.Rack)}
	owned := topicPartitions{}
	switch sticky, isSticky := memberbytes.Sticky(metadata.UserData); {
	case assignor == protocolSticky && isSticky:
		for _, tp := range sticky.CurrentAssignment {
			owned.add(tp.Topic, tp.Partitions...)
		}
		member.owned = owned.sorted()
	case assignor == protocolSticky:
		// It owns nothing that it can say, or says it in another way.
	case metadata.Version >= 1:
		for _, tp := range metadata.OwnedPartitions {
			owned.add(tp.Topic, tp.Partitions...)
		}
		member.owned = owned.sorted()
	}
	if traits, ok := memberbytes.ParseTraits(metadata.UserData); ok {
		member.traits = &Traits{
			Capacity: traits.Capacity, MaxPartitions: traits.MaxPartitions, MaxWeight: traits.MaxWeight,
			Labels: traits.Labels, Draining: traits.Draining,
		}
		if traits.Labels == nil {
			member.traits.Labels = map[string]string{}
		}
	}
	return member, nil
}

func readAssignment(raw []byte, exactly bool) ([]TopicPartitions, error) {
	// A leader may leave a member out of its plan, which gives it no bytes.
	if len(raw) == 0 {
		return []TopicPartitions{}, nil
	}
	assignment, err := memberbytes.Assignment(raw)
	if err != nil {
		return nil, fmt.Errorf("what it is given: %w", err)
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
