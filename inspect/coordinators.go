package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Coordinator says which broker coordinates a group, a transactional id, or a partition
// of a share group, found in two ways that should agree: computed from its name, and
// asked of the brokers.
type Coordinator struct {
	// Kind is what is coordinated: "group", "transaction" or "share".
	Kind string `json:"kind"`
	// Name is the group, the transactional id, or the key of a share group's
	// partition as [ShareKey] writes it.
	Name string `json:"name"`
	// Topic is the internal topic that the coordinators keep their state in.
	Topic string `json:"topic"`
	// Hash is [Hash] of the name.
	Hash int32 `json:"hash"`
	// Partition is [OffsetsPartition] of the name, in Topic; nil if the number of
	// partitions is not known.
	Partition *int32 `json:"partition"`
	// PartitionCount is how many partitions Topic has, as read from the cluster.
	PartitionCount *int32 `json:"partitionCount"`
	// Leader is the broker that leads Partition, nil if none does or it is not
	// known.
	Leader *int32 `json:"leader"`
	// LeaderEpoch counts the elections of Partition, nil if not told.
	LeaderEpoch *int32 `json:"leaderEpoch"`
	// ISR are the replicas of Partition that are in sync: those that can take
	// over. Nil if not known.
	ISR []int32 `json:"isr"`
	// Coordinator is the broker that FindCoordinator names, nil if it named
	// none.
	Coordinator *int32 `json:"coordinator"`
	// Agrees is whether Leader is Coordinator, nil if either is not known.
	Agrees *bool `json:"agrees"`
}

const (
	// creationPoll is how often a topic that is being created is looked at.
	creationPoll = 200 * time.Millisecond
	// spreading is how long an election gets to spread before the second look.
	spreading = 200 * time.Millisecond
)

// Coordinators returns the coordinator of each group named, in their order. Any
// name has one, whether or not such a group exists. Names may be many thousand:
// they are asked for in about as many requests as there are brokers
// (FindCoordinator v4, KIP-699), and one by one only of brokers before 3.0.
//
// The partitions of __consumer_offsets are read first. Where that topic does not
// exist, FindCoordinator would create it: it is then not sent, unless
// [CreateInternalTopics] was given, and the rows hold the hash alone, with
// [CodeOffsetsTopicAbsent]. The same goes for a topic that is hidden because
// DESCRIBE on it is missing, with [CodeNotAuthorized]: it may not exist either. Where
// brokers show no such topic and list groups, the code is [CodeOffsetsTopicConcealed].
//
// Where both ways give a broker and not the same, the brokers are asked once
// more after a moment, for an election may have been spreading. A difference that stays is
// shown as it is, with the warning [CodeCoordinatorMismatch]; servers that are
// not Kafka may place groups otherwise, and Redpanda does.
//
// Both are what the controller told the brokers last: while there is none, as
// [Inspector.Controller] tells, a coordinator that died stays the coordinator.
//
// It takes DESCRIBE on each group, and on the topic __consumer_offsets. The rule
// is that of GroupCoordinatorService.partitionFor.
func (in *Inspector) Coordinators(ctx context.Context, groups ...string) (Answer[[]Coordinator], error) {
	return in.coordinators(ctx, ofGroups, groups)
}

// TransactionCoordinators does for transactional ids what [Inspector.Coordinators] does
// for groups; their topic is __transaction_state. Where that does not exist, it is not
// created without [CreateInternalTopics], and the answer says [CodeStateTopicAbsent].
//
// It takes DESCRIBE on each transactional id, and on the topic. The rule is that of
// TransactionStateManager.partitionFor.
func (in *Inspector) TransactionCoordinators(ctx context.Context, ids ...string) (Answer[[]Coordinator], error) {
	return in.coordinators(ctx, ofTransactions, ids)
}

// ShareCoordinators does the same for the partitions of share groups (KIP-932), whose
// topic is __share_group_state. Each key is GROUP:TOPIC:PARTITION, where the topic is
// given by its name, which is looked up, or by its id, as Kafka writes it; rows have the
// id. Where a name looks like an id, the name counts.
//
// A key of another form is an error of the code [CodeInvalidName]; one whose topic does
// not exist is left out, with [CodeTopicNotFound]. It takes CLUSTER_ACTION on the
// cluster, as the request is one of brokers among each other, DESCRIBE on the topic
// __share_group_state, and on each topic that is named. The rule is that of
// ShareCoordinatorService.partitionFor.
func (in *Inspector) ShareCoordinators(ctx context.Context, keys ...string) (Answer[[]Coordinator], error) {
	return in.shareCoordinators(ctx, keys)
}

func (in *Inspector) coordinators(ctx context.Context, kind coordinatorKind, names []string) (Answer[[]Coordinator], error) {
	answer := newAnswer[[]Coordinator]()
	names, invalid := uniqueNames(kind.what, names)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	topic, clusterID, err := in.stateTopic(ctx, kind)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = clusterID

	var named map[string]coordinatorOrProblem
	switch {
	case !topic.mayBeAbsent():
		named = in.findCoordinatorsOf(ctx, kind, names)
	case in.createInternalTopics:
		topic, named = in.awaitCoordinators(ctx, topic, names)
	case topic.absent && kind.topic == offsetsTopicName:
		if again, metadata, err := in.offsetsTopicAndBrokers(ctx); err == nil {
			in.lookForGroups(ctx, again, metadata.Brokers)
			topic = again
		}
		if !topic.mayBeAbsent() { // created since
			named = in.findCoordinatorsOf(ctx, kind, names)
		}
	}
	rows := coordinatorRows(names, topic, named)
	if anyDisagrees(rows) && pause(ctx, spreading) {
		if again, _, err := in.stateTopic(ctx, kind); err == nil && !again.mayBeAbsent() {
			named = in.findCoordinatorsOf(ctx, kind, names)
			topic = again
			rows = coordinatorRows(names, topic, named)
		}
	}
	answer.Data = rows
	if topic.problem != nil {
		p := *topic.problem
		switch {
		case named == nil && topic.hidden:
			p.Message += "; without it the brokers are not asked for a coordinator, because that could create the topic; get that ACL, or allow the topic to be created (CreateInternalTopics, --create-internal-topic)"
			answer.missing(p)
		case named == nil && kind.topic == ofShares.topic && !in.knows(ctx, (&kmsg.ShareGroupDescribeRequest{}).Key()):
			p.Code, p.Message = CodeUnsupported, "the brokers have no share groups (KIP-932, since Kafka 4.0), so nobody coordinates them"
			answer.missing(p)
		case named == nil && topic.concealed:
			p.Message += "; the brokers are not asked for a coordinator, because that could create the topic; get that ACL, or allow the topic to be created (CreateInternalTopics, --create-internal-topic)"
			answer.missing(p)
		case named == nil:
			p.Message += "; to see who would coordinate, allow it to be created (CreateInternalTopics, --create-internal-topic)"
			answer.missing(p)
		case !topic.absent:
			answer.missing(p)
		default:
			// The brokers name coordinators without that topic: all that is
			// missing is why.
			answer.warn(p)
		}
	}
	answer.missing(findProblems(kind, names, named)...)
	for _, row := range rows {
		if row.Partition != nil && row.Leader == nil {
			answer.missing(Problem{
				Code: CodeNoLeader, Target: row.Name,
				Message: fmt.Sprintf("%s %q cannot work at present: %s-%d has no leader, so nobody coordinates it", kind.the, row.Name, kind.topic, *row.Partition),
			})
		}
		if row.Agrees != nil && !*row.Agrees {
			answer.warn(Problem{
				Code: CodeCoordinatorMismatch, Target: row.Name,
				Message: fmt.Sprintf("the brokers name broker %d as coordinator of %q, and %s-%d is led by broker %d: an election is spreading, or these servers do not place %ss as Kafka does",
					*row.Coordinator, row.Name, kind.topic, *row.Partition, *row.Leader, kind.what),
			})
		}
	}
	return answer, nil
}

// findProblems are those of FindCoordinator, in the order of the names; one for all where
// it is for want of an ACL on the cluster.
func findProblems(kind coordinatorKind, names []string, named map[string]coordinatorOrProblem) []Problem {
	var problems []Problem
	for _, name := range names {
		p := named[name].problem
		if p == nil {
			continue
		}
		if errors.Is(p.Cause, kerr.ClusterAuthorizationFailed) {
			one := problemFrom(kerr.ClusterAuthorizationFailed, clusterTarget, fmt.Sprintf("find the coordinators of %ss", kind.what), kind.acl(""))
			return []Problem{one}
		}
		problems = append(problems, *p)
	}
	return problems
}

func coordinatorRows(names []string, topic *stateTopic, named map[string]coordinatorOrProblem) []Coordinator {
	rows := make([]Coordinator, 0, len(names))
	for _, name := range names {
		row := Coordinator{
			Kind:           topic.kind.name,
			Name:           name,
			Topic:          topic.kind.topic,
			Hash:           Hash(name),
			Partition:      topic.partitionOf(name),
			PartitionCount: topic.count,
			Coordinator:    named[name].node,
		}
		if row.Partition != nil {
			if p, ok := topic.partitions[*row.Partition]; ok {
				row.Leader = known(p.Leader)
				row.LeaderEpoch = known(p.LeaderEpoch)
				row.ISR = emptyIfNil(p.ISR)
			}
		}
		if row.Leader != nil && row.Coordinator != nil {
			agrees := *row.Leader == *row.Coordinator
			row.Agrees = &agrees
		}
		rows = append(rows, row)
	}
	return rows
}

func anyDisagrees(rows []Coordinator) bool {
	for _, row := range rows {
		if row.Agrees != nil && !*row.Agrees {
			return true
		}
	}
	return false
}
