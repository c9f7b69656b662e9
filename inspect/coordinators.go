package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Coordinator says which broker coordinates a group, found in two ways that
// should agree: computed from the group's name, and asked of the brokers.
type Coordinator struct {
	Group string `json:"group"`
	// Hash is [Hash] of the name.
	Hash int32 `json:"hash"`
	// Partition is [OffsetsPartition], nil if the number of partitions is not
	// known.
	Partition *int32 `json:"partition"`
	// PartitionCount is how many partitions __consumer_offsets has, as read
	// from the cluster.
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
	// coordinatorBatch is how many names go into one FindCoordinator request.
	coordinatorBatch = 1000
	// creationPoll is how often a topic that is being created is looked at.
	creationPoll = 200 * time.Millisecond
	// spreading is how long an election gets to spread before the second look.
	spreading = 200 * time.Millisecond
)

// Coordinators returns the coordinator of each group named, in their order. Any
// name has one, whether or not such a group exists. Names may be many thousand:
// they are asked for in batches (FindCoordinator v4, KIP-699), and one by one
// only of brokers before 3.0.
//
// The partitions of __consumer_offsets are read first. Where that topic does not
// exist, FindCoordinator would create it: it is then not sent, unless
// [CreateOffsetsTopic] was given, and the rows hold the hash alone, with
// [CodeOffsetsTopicAbsent]. The same goes for a topic that is hidden because
// DESCRIBE on it is missing, with [CodeNotAuthorized]: it may not exist either.
//
// Where both ways give a broker and not the same, the brokers are asked once
// more after a moment, for an election may have been spreading. A difference that stays is
// shown as it is, with the warning [CodeCoordinatorMismatch]; servers that are
// not Kafka may place groups otherwise, and Redpanda does.
//
// It takes DESCRIBE on each group, and on the topic __consumer_offsets. The rule
// is that of GroupCoordinatorService.partitionFor.
func (in *Inspector) Coordinators(ctx context.Context, groups ...string) (Answer[[]Coordinator], error) {
	answer := newAnswer[[]Coordinator]()
	groups, invalid := uniqueNames("group", groups)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	topic, clusterID, err := in.offsetsTopic(ctx)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = clusterID

	var named map[string]coordinatorOrProblem
	switch {
	case !topic.mayBeAbsent():
		named = in.findCoordinators(ctx, groups)
	case in.createOffsetsTopic:
		topic, named = in.awaitCoordinators(ctx, topic, groups)
	}
	rows := coordinatorRows(groups, topic, named)
	if anyDisagrees(rows) && pause(ctx, spreading) {
		if again, _, err := in.offsetsTopic(ctx); err == nil && !again.mayBeAbsent() {
			named = in.findCoordinators(ctx, groups)
			topic = again
			rows = coordinatorRows(groups, topic, named)
		}
	}
	answer.Data = rows
	if topic.problem != nil {
		p := *topic.problem
		switch {
		case named == nil && topic.hidden:
			p.Message += "; without it the brokers are not asked for a coordinator, because that could create the topic; get that ACL, or allow the topic to be created (CreateOffsetsTopic, --create-offsets-topic)"
			answer.missing(p)
		case named == nil:
			p.Message += "; to see who would coordinate, allow it to be created (CreateOffsetsTopic, --create-offsets-topic)"
			answer.missing(p)
		case !topic.absent:
			answer.missing(p)
		default:
			// The brokers name coordinators without that topic: all that is
			// missing is why.
			answer.warn(p)
		}
	}
	for _, row := range rows {
		if p := named[row.Group].problem; p != nil {
			answer.missing(*p)
		}
		if row.Partition != nil && row.Leader == nil {
			target := fmt.Sprintf("%s-%d", offsetsTopicName, *row.Partition)
			answer.missing(Problem{
				Code: CodeNoLeader, Target: row.Group,
				Message: fmt.Sprintf("the group %q cannot work at present: %s has no leader, so nobody coordinates it", row.Group, target),
			})
		}
		if row.Agrees != nil && !*row.Agrees {
			answer.warn(Problem{
				Code: CodeCoordinatorMismatch, Target: row.Group,
				Message: fmt.Sprintf("the brokers name broker %d as coordinator of %q, and %s-%d is led by broker %d: an election is spreading, or these servers do not place groups as Kafka does",
					*row.Coordinator, row.Group, offsetsTopicName, *row.Partition, *row.Leader),
			})
		}
	}
	return answer, nil
}

func coordinatorRows(groups []string, topic *offsetsTopic, named map[string]coordinatorOrProblem) []Coordinator {
	rows := make([]Coordinator, 0, len(groups))
	for _, group := range groups {
		row := Coordinator{
			Group:          group,
			Hash:           Hash(group),
			Partition:      topic.partitionOf(group),
			PartitionCount: topic.count,
			Coordinator:    named[group].node,
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

// coordinatorOrProblem is one name's answer of FindCoordinator.
type coordinatorOrProblem struct {
	node    *int32
	problem *Problem
}

// findCoordinators asks the brokers, past the client's cache. The answer has
// every group.
func (in *Inspector) findCoordinators(ctx context.Context, groups []string) map[string]coordinatorOrProblem {
	found := make(map[string]coordinatorOrProblem, len(groups))
	failed := func(group string, err error) {
		if err == nil {
			err = errAnotherKind
		}
		p := problemFrom(err, group, fmt.Sprintf("find the coordinator of %q", group), fmt.Sprintf("DESCRIBE on the group %q", group))
		found[group] = coordinatorOrProblem{problem: &p}
	}
	batches(groups, coordinatorBatch, func(batch []string) {
		shards, err := attempts(ctx, func(ctx context.Context) ([]kgo.ResponseShard, error) {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType = 0
			req.CoordinatorKeys = slices.Clone(batch)
			shards := in.client.RequestSharded(ctx, req)
			if len(shards) == 1 {
				return shards, shards[0].Err
			}
			return shards, nil
		})
		for _, shard := range shards {
			resp, ok := shard.Resp.(*kmsg.FindCoordinatorResponse)
			if shard.Err != nil || !ok {
				// The client may have split the batch into requests of one key.
				sent, _ := shard.Req.(*kmsg.FindCoordinatorRequest)
				for _, group := range keysOf(sent) {
					failed(group, shard.Err)
				}
				continue
			}
			for _, c := range resp.Coordinators {
				if err := kerr.ErrorForCode(c.ErrorCode); err != nil {
					failed(c.Key, err)
				} else if c.NodeID < 0 {
					failed(c.Key, kerr.CoordinatorNotAvailable)
				} else {
					found[c.Key] = coordinatorOrProblem{node: known(c.NodeID)}
				}
			}
		}
		for _, group := range batch {
			if _, ok := found[group]; !ok {
				failed(group, cmp.Or(err, errLeftOut))
			}
		}
	})
	return found
}

func keysOf(req *kmsg.FindCoordinatorRequest) []string {
	switch {
	case req == nil:
		return nil
	case len(req.CoordinatorKeys) > 0:
		return req.CoordinatorKeys
	}
	return []string{req.CoordinatorKey}
}

// awaitCoordinators makes the brokers create the offsets topic, and waits until
// each group has a coordinator or the time is over.
func (in *Inspector) awaitCoordinators(ctx context.Context, topic *offsetsTopic, groups []string) (*offsetsTopic, map[string]coordinatorOrProblem) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	for {
		named := in.findCoordinators(ctx, groups)
		if now, _, err := in.offsetsTopic(ctx); err == nil {
			topic = now
		}
		pending := false
		for _, c := range named {
			if c.problem != nil && (errors.Is(c.problem.Cause, kerr.CoordinatorNotAvailable) || errors.Is(c.problem.Cause, kerr.CoordinatorLoadInProgress)) {
				pending = true
			}
		}
		if !pending || !pause(ctx, creationPoll) {
			return topic, named
		}
	}
}
