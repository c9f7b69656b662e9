package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition says who leads one partition of a topic, and who could.
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
	// Racks are the racks of Replicas, in their order. An element is nil where
	// the broker has none, or is down, so that its rack is not told.
	Racks []*string `json:"racks"`
	// ISR are the replicas that are in sync, in the broker's order.
	ISR []int32 `json:"isr"`
	// ELR are the eligible leader replicas (KIP-966): those that left the ISR
	// while it was below min.insync.replicas, and have all that was ever
	// acknowledged. They may be elected when the ISR is empty. Nil if the
	// brokers do not tell; empty where the cluster has the feature turned off.
	ELR []int32 `json:"elr"`
	// LastKnownELR are the replicas that were eligible last, kept when ISR and
	// ELR are both empty; a single one is elected once it is back. Nil and
	// empty as for ELR.
	LastKnownELR []int32 `json:"lastKnownElr"`
	// Offline is whether the partition has no leader, so that nobody can
	// produce to it or consume from it.
	Offline bool `json:"offline"`
	// OfflineReplicas are the replicas whose broker is down, or whose disk
	// failed.
	OfflineReplicas []int32 `json:"offlineReplicas"`
	// UnderReplicated is whether fewer replicas are in sync than there are.
	UnderReplicated bool `json:"underReplicated"`
	// MinISR is the topic's min.insync.replicas, as the broker asked has it in
	// force; nil if that could not be read.
	MinISR *int32 `json:"minIsr"`
	// UnderMinISR is whether so few replicas are in sync that the leader
	// refuses records produced with acks=all. As brokers do, MinISR is taken
	// for no more than there are replicas. Nil if MinISR is.
	UnderMinISR *bool `json:"underMinIsr"`
}

// NotPreferred is whether another broker leads than the one that a preferred
// election would choose, or none does.
func (p Partition) NotPreferred() bool {
	return p.Preferred != nil && (p.Leader == nil || *p.Leader != *p.Preferred)
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
// It takes DESCRIBE on each topic, and DESCRIBE_CONFIGS on it for MinISR. A
// topic that is named and may not be seen is left out with [CodeNotAuthorized];
// when none is named, the broker silently leaves out what may not be seen. Where
// only its configuration may not be read, MinISR and UnderMinISR are nil, with
// one warning for all such topics.
//
// The partitions come by DescribeTopicPartitions (KIP-966), 2,000 at a time, so
// that 100,000 of them are never held twice. Brokers that do not know it (before
// Kafka 3.7, with ZooKeeper, or not Kafka) are asked by Metadata, all at once:
// ELR and LastKnownELR are then nil, with the warning [CodeUnsupported]. If a page
// fails, the rows before it stay, and an error names the topics that are missing.
//
// The leaders are those that the answering broker knows of, as the controller told it
// last. While there is no controller, as [Inspector.Controller] tells, they stay as they
// were, also where the leader died. The order of election is that of
// PartitionChangeBuilder in Kafka.
func (in *Inspector) Partitions(ctx context.Context, topics ...string) (Answer[[]Partition], error) {
	answer := newAnswer[[]Partition]()
	topics, invalid := uniqueNames("topic", topics)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	brokers, err := in.metadata(ctx, []string{})
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = brokers.ClusterID
	found, err := in.partitions(ctx, racksOf(brokers.Brokers), topics)
	if err != nil {
		return answer.fail(problemFrom(err, clusterTarget, "read the partitions", "DESCRIBE on the topics"))
	}
	if len(topics) == 0 && !in.internalTopics {
		found.leaveOutInternal()
	}
	answer.missing(found.errors...)
	answer.warn(found.warnings...)
	if !in.skipMinISR {
		answer.warn(in.addMinISR(ctx, found.rows)...)
	}
	answer.Data = found.rows
	return answer, nil
}

// partitionTable gathers partitions as the answers come in.
type partitionTable struct {
	rows     []Partition
	errors   []Problem
	warnings []Problem

	racks    map[int32]*string
	wanted   map[string]int // the place of each topic named; nil for all topics
	answered map[string]bool
	internal map[string]bool
}

// partitions reads the topics named, or all, internal ones too. It does not read
// their configuration. The error is set only if nothing was read.
func (in *Inspector) partitions(ctx context.Context, racks map[int32]*string, topics []string) (*partitionTable, error) {
	table := &partitionTable{rows: []Partition{}, racks: racks, answered: map[string]bool{}, internal: map[string]bool{}}
	if len(topics) > 0 {
		table.wanted = make(map[string]int, len(topics))
		for place, topic := range topics {
			table.wanted[topic] = place
		}
	}
	err := in.pagesOfPartitions(ctx, table, topics)
	if in.lacksRequest(ctx, (&kmsg.DescribeTopicPartitionsRequest{}).Key(), err) {
		table.warnings = append(table.warnings, Problem{
			Code: CodeUnsupported, Target: clusterTarget, Cause: err,
			Message: "the brokers do not tell eligible leader replicas: they, or some of them, do not know DescribeTopicPartitions, as brokers before Kafka 3.7 and those with ZooKeeper do not",
		})
		err = in.metadataOfPartitions(ctx, table, topics)
	}
	if err != nil && len(table.answered) == 0 {
		return nil, err
	}
	table.finish(topics, err)
	return table, nil
}

// racksOf returns the racks of the brokers that are up.
func racksOf(brokers []kmsg.MetadataResponseBroker) map[int32]*string {
	racks := make(map[int32]*string, len(brokers))
	for _, broker := range brokers {
		racks[broker.NodeID] = broker.Rack
	}
	return racks
}

// topic notes the answer for a topic, and says whether its partitions are wanted.
// A topic may come in several parts.
func (t *partitionTable) topic(name *string, code int16, internal bool) bool {
	if name == nil {
		return false
	}
	if _, ok := t.wanted[*name]; !ok && t.wanted != nil {
		return false
	}
	first := !t.answered[*name]
	t.answered[*name] = true
	if internal {
		t.internal[*name] = true
	}
	err := kerr.ErrorForCode(code)
	if err != nil && first {
		t.errors = append(t.errors, topicProblem(*name, err))
	}
	return err == nil
}

func (t *partitionTable) add(row Partition, code int16) {
	row.Racks = make([]*string, len(row.Replicas))
	for i, replica := range row.Replicas {
		row.Racks[i] = t.racks[replica]
	}
	row.Replicas = emptyIfNil(row.Replicas)
	row.ISR = emptyIfNil(row.ISR)
	row.OfflineReplicas = emptyIfNil(row.OfflineReplicas)
	row.Offline = row.Leader == nil
	row.UnderReplicated = len(row.ISR) < len(row.Replicas)
	if len(row.Replicas) > 0 {
		row.Preferred = known(row.Replicas[0])
	}
	t.rows = append(t.rows, row)
	t.errors = append(t.errors, partitionProblem(row, code)...)
}

// finish sorts the rows, and tells of the topics that no answer had. err is why
// the last answer failed, nil if it did not.
func (t *partitionTable) finish(topics []string, err error) {
	slices.SortFunc(t.rows, func(a, b Partition) int {
		byTopic := cmp.Compare(a.Topic, b.Topic)
		if t.wanted != nil {
			byTopic = cmp.Compare(t.wanted[a.Topic], t.wanted[b.Topic])
		}
		return cmp.Or(byTopic, cmp.Compare(a.Partition, b.Partition))
	})
	t.rows = slices.CompactFunc(t.rows, func(a, b Partition) bool {
		return a.Topic == b.Topic && a.Partition == b.Partition
	})
	if err != nil && len(topics) == 0 {
		t.errors = append(t.errors, problemFrom(err, clusterTarget, "read all of the partitions", "DESCRIBE on the topics"))
	}
	for _, topic := range topics {
		switch {
		case t.answered[topic]:
		case err != nil:
			t.errors = append(t.errors, topicProblem(topic, err))
		default:
			t.errors = append(t.errors, Problem{
				Code: CodeRequestFailed, Target: topic,
				Message: fmt.Sprintf("the broker's answer leaves out the topic %q", topic),
			})
		}
	}
}

func (t *partitionTable) leaveOutInternal() {
	t.rows = slices.DeleteFunc(t.rows, func(row Partition) bool { return t.internal[row.Topic] })
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
func partitionProblem(row Partition, code int16) []Problem {
	err := kerr.ErrorForCode(code)
	if err == nil || err == kerr.LeaderNotAvailable || err == kerr.ReplicaNotAvailable {
		return nil
	}
	target := fmt.Sprintf("%s-%d", row.Topic, row.Partition)
	return []Problem{problemFrom(err, target, "read the leader of "+target, fmt.Sprintf("DESCRIBE on the topic %q", row.Topic))}
}

func emptyIfNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
