package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition says who leads one partition of a topic.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Leader is the broker that leads, nil if none does.
	Leader *int32 `json:"leader"`
	// LeaderEpoch counts the partition's elections, nil if not told.
	LeaderEpoch *int32 `json:"leaderEpoch"`
	// Preferred is the broker that a preferred election makes the leader: the
	// first replica. Nil if no replica is told.
	Preferred *int32 `json:"preferred"`
	// Replicas are the brokers that hold the partition, in the order in which
	// an election tries them.
	Replicas []int32 `json:"replicas"`
	// ISR are the replicas that are in sync, in the broker's order.
	ISR []int32 `json:"isr"`
	// Offline is whether the partition has no leader, so that nobody can
	// produce to it or consume from it.
	Offline bool `json:"offline"`
	// OfflineReplicas are the replicas whose broker is down, or whose disk
	// failed.
	OfflineReplicas []int32 `json:"offlineReplicas"`
}

// Partitions returns the partitions of the topics named, or of all topics that
// are not internal if none is named. Rows are in the order of the topics given,
// or by name, and in a topic by number. To see an internal topic, such as
// __consumer_offsets, name it.
//
// A topic that does not exist is left out, with [CodeTopicNotFound] among the
// Errors. Asking never creates a topic (on brokers from 0.11 on; older ones
// cannot be told not to).
//
// It takes DESCRIBE on each topic. A topic that is named and may not be seen is
// left out with [CodeNotAuthorized]; when none is named, the broker silently
// leaves out what may not be seen.
//
// One Metadata request. The leaders are those that the answering broker knows
// of; the order of election is that of PartitionChangeBuilder in Kafka.
func (in *Inspector) Partitions(ctx context.Context, topics ...string) (Answer[[]Partition], error) {
	answer := newAnswer[[]Partition]()
	topics, invalid := uniqueNames("topic", topics)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	asked := topics
	if len(asked) == 0 {
		asked = nil
	}
	resp, err := in.metadata(ctx, asked)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = resp.ClusterID
	answer.Data = []Partition{}

	found := make(map[string]kmsg.MetadataResponseTopic, len(resp.Topics))
	for _, topic := range resp.Topics {
		if topic.Topic == nil || len(asked) == 0 && topic.IsInternal {
			continue
		}
		found[*topic.Topic] = topic
		if len(asked) == 0 {
			topics = append(topics, *topic.Topic)
		}
	}
	if len(asked) == 0 {
		slices.Sort(topics)
	}
	for _, name := range topics {
		topic, ok := found[name]
		if !ok {
			answer.missing(Problem{
				Code: CodeRequestFailed, Target: name,
				Message: fmt.Sprintf("the broker's answer leaves out the topic %q", name),
			})
			continue
		}
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			answer.missing(topicProblem(name, err))
			continue
		}
		answer.Data = append(answer.Data, partitionsOf(name, topic)...)
		for _, p := range topic.Partitions {
			answer.missing(partitionProblem(name, p)...)
		}
	}
	return answer, nil
}

func partitionsOf(name string, topic kmsg.MetadataResponseTopic) []Partition {
	rows := make([]Partition, 0, len(topic.Partitions))
	for _, p := range topic.Partitions {
		row := Partition{
			Topic:           name,
			Partition:       p.Partition,
			Leader:          known(p.Leader),
			LeaderEpoch:     known(p.LeaderEpoch),
			Replicas:        emptyIfNil(p.Replicas),
			ISR:             emptyIfNil(p.ISR),
			Offline:         p.Leader < 0,
			OfflineReplicas: emptyIfNil(p.OfflineReplicas),
		}
		if len(p.Replicas) > 0 {
			row.Preferred = known(p.Replicas[0])
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Partition) int { return cmp.Compare(a.Partition, b.Partition) })
	return rows
}

func topicProblem(name string, err error) Problem {
	switch err {
	case kerr.UnknownTopicOrPartition:
		return Problem{
			Code: CodeTopicNotFound, Target: name, Cause: err,
			Message: fmt.Sprintf("the topic %q does not exist on this cluster; check its name", name),
		}
	case kerr.InvalidTopicException:
		return Problem{
			Code: CodeTopicNotFound, Target: name, Cause: err,
			Message: fmt.Sprintf("the topic %q does not exist: a topic's name is 1 to 249 letters, digits, dots, underscores and dashes", name),
		}
	}
	return problemFrom(err, name, fmt.Sprintf("read the leaders of the topic %q", name), fmt.Sprintf("DESCRIBE on the topic %q", name))
}

// partitionProblem tells of a partition that the broker could not show. Having
// no leader, or a replica that is down, is an answer and not a problem.
func partitionProblem(topic string, p kmsg.MetadataResponseTopicPartition) []Problem {
	err := kerr.ErrorForCode(p.ErrorCode)
	if err == nil || err == kerr.LeaderNotAvailable || err == kerr.ReplicaNotAvailable {
		return nil
	}
	target := fmt.Sprintf("%s-%d", topic, p.Partition)
	return []Problem{problemFrom(err, target, "read the leader of "+target, fmt.Sprintf("DESCRIBE on the topic %q", topic))}
}

func emptyIfNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
