package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/predict"
)

const (
	elrFeature  = "eligible.leader.replicas.version"
	uncleanName = "unclean.leader.election.enable"
	// mostReplicas bounds what a partition costs. Kafka has no limit but the number of
	// brokers.
	mostReplicas = 1000
)

// Predict says what the steps would do to the cluster: who would lead each partition
// and by which rule, what would be offline, which groups would get another
// coordinator, and whether the controllers would keep their majority. It changes
// nothing.
//
//	in.Predict(ctx, predict.Crash(2, 3))
//	in.Predict(ctx, predict.Stop(2), predict.Return(2), predict.ElectPreferred())
//
// It is [Inspector.ElectionState] and [predict.Run], whose promises and limits are
// those of Predict. A step that names a broker or a rack that the cluster does not have
// gives no prediction, with [CodeNodeNotFound] among the Errors. One that brings down what
// is down, or back what is up, gives the warning [CodeNoEffect].
func (in *Inspector) Predict(ctx context.Context, steps ...predict.Step) (Answer[predict.Outcome], error) {
	return predicted(ctx, in, func(c predict.Cluster) (predict.Outcome, []predict.Idle, error) {
		outcome, err := predict.Run(c, steps...)
		return outcome, outcome.Idle, err
	})
}

// PredictRolling is [Inspector.Predict] for a rolling restart, by [predict.Roll]: each of
// the steps takes nodes down, and they are back before the next.
//
//	in.PredictRolling(ctx, predict.StopRacks("a"), predict.StopRacks("b"))
func (in *Inspector) PredictRolling(ctx context.Context, steps ...predict.Step) (Answer[predict.Rolling], error) {
	return predicted(ctx, in, func(c predict.Cluster) (predict.Rolling, []predict.Idle, error) {
		rolling, err := predict.Roll(c, steps...)
		return rolling, rolling.Idle, err
	})
}

// predicted runs a prediction on what the cluster tells.
func predicted[T any](ctx context.Context, in *Inspector, run func(predict.Cluster) (T, []predict.Idle, error)) (Answer[T], error) {
	answer := newAnswer[T]()
	state, err := in.ElectionState(ctx)
	answer.ClusterID, answer.ObservedAt, answer.Warnings, answer.Errors = state.ClusterID, state.ObservedAt, state.Warnings, state.Errors
	if err != nil {
		return answer, err
	}
	data, without, err := run(state.Data)
	if err != nil {
		answer.missing(Problem{Code: CodeNodeNotFound, Target: clusterTarget, Cause: err, Message: "cannot predict: " + err.Error()})
		return answer, nil
	}
	answer.Data = data
	for _, idle := range without {
		answer.warn(idleProblem(idle))
	}
	return answer, nil
}

func idleProblem(idle predict.Idle) Problem {
	p := Problem{Code: CodeNoEffect, Target: fmt.Sprintf("node %d", idle.Node)}
	p.Message = fmt.Sprintf("node %d is up: its return changes nothing", idle.Node)
	if idle.Down {
		p.Message = fmt.Sprintf("node %d is down already: its end changes nothing", idle.Node)
	}
	return p
}

// ElectionState reads all on which elections depend, for [predict.Run]: brokers, also
// those that are down, the quorum, every partition, the internal ones too, with the
// configuration of its topic, and the names of all groups. Whoever predicts several
// things reads once.
//
// It takes DESCRIBE on the cluster for the quorum, on each topic, and on each group;
// and DESCRIBE_CONFIGS on each topic, without which min.insync.replicas is taken for
// 1 and unclean election for not allowed, with a warning. Topics and groups that may
// not be seen are silently left out by the brokers. Where the quorum is not told, its
// majority is taken for granted.
//
// Partitions that are being reassigned get the warning [CodeReassigning]: what the end
// of that changes is not predicted.
//
// In ZooKeeper mode there is no quorum, which is an error with [CodeUnsupported], and the
// controller is left out of predictions. Leaders of partitions are predicted there too: such
// brokers elect them by the same rules, without eligible leaders
// (PartitionLeaderElectionAlgorithms).
//
// Three things the metadata does not tell. Whether a broker that is down stopped
// cleanly: it is taken to have crashed. Whether a voter is up: it counts as down when it
// has not fetched for 10 s. A broker that is fenced is down, and yet its node may vote, as
// while it starts: such a voter is watched for up to 2 s, and is up if it fetches. And what is the configuration of the
// controller: that of the broker which answers is taken, so the two should not differ.
//
// The error is set if the partitions cannot be read.
func (in *Inspector) ElectionState(ctx context.Context) (Answer[predict.Cluster], error) {
	answer := newAnswer[predict.Cluster]()
	metadata, err := in.metadata(ctx, []string{offsetsTopicName})
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = metadata.ClusterID

	// The parts are read next to each other. Each writes what is its own.
	var (
		parts      sync.WaitGroup
		table      *partitionTable
		tableErr   error
		configs    topicConfigs
		quorum     *quorumPartition
		quorumErr  error
		fenced     []kmsg.DescribeClusterResponseBroker
		fencedErr  error
		elr        bool
		featureErr error
		groups     listing
		moving     []string
		movingErr  error
	)
	reading, cancel := step(ctx, 0.9)
	defer cancel()
	parts.Go(func() {
		if table, tableErr = in.partitions(reading, racksOf(metadata.Brokers), nil); tableErr == nil {
			configs = in.topicConfigs(reading, topicsOf(table.rows), minISRName, uncleanName)
		}
	})
	parts.Go(func() { quorum, quorumErr = in.describeQuorum(reading, metadata.Brokers) })
	parts.Go(func() { fenced, fencedErr = in.fencedBrokers(reading) })
	parts.Go(func() { elr, featureErr = in.hasFeature(reading, elrFeature) })
	if !in.skipGroups {
		parts.Go(func() { groups = in.listGroups(reading, metadata.Brokers, nil) })
	}
	parts.Go(func() { moving, movingErr = in.reassigned(reading) })
	parts.Wait()

	if tableErr != nil {
		return answer.fail(problemFrom(tableErr, clusterTarget, "read the partitions", "DESCRIBE on the topics"))
	}
	answer.missing(table.errors...)
	answer.warn(table.warnings...)
	answer.warn(configs.problems("so predictions take min.insync.replicas for 1 and unclean election for not allowed there")...)
	if quorumErr != nil {
		p := in.quorumProblem(ctx, quorumErr)
		if p.Code == CodeUnsupported {
			p.Message += "; predictions tell of the partitions and coordinators, and leave the controller out"
		} else {
			p.Message += "; predictions take the majority of the controllers for granted"
		}
		answer.missing(p)
	}
	if fencedErr != nil {
		answer.warn(problemFrom(fencedErr, clusterTarget, "find out the brokers that are down by DescribeCluster", "DESCRIBE on the cluster"))
	}
	if featureErr != nil {
		answer.warn(problemFrom(featureErr, clusterTarget, "find out whether eligible leader replicas (KIP-966) are on; predictions take them to be if a partition has any", "none"))
	}
	for _, p := range groups.problems {
		if p.Code == CodeUnreachable || p.Code == CodeTimeout {
			p.Message += "; predictions take it for up, as the controller does so far"
		}
		answer.missing(p)
	}
	switch {
	case movingErr != nil:
		answer.warn(problemFrom(movingErr, clusterTarget, "find out whether partitions are being reassigned", "DESCRIBE on the cluster"))
	case len(moving) > 0:
		answer.warn(Problem{
			Code: CodeReassigning, Target: clusterTarget,
			Message: fmt.Sprintf("partitions are being reassigned: %s; predictions take their replicas as they are at present", fewOf(moving)),
		})
	}

	c := &answer.Data
	c.Brokers = brokersFrom(metadata.Brokers, fenced, table.rows)
	up := make(map[int32]bool, len(metadata.Brokers))
	for _, b := range metadata.Brokers {
		up[b.NodeID] = true
	}
	c.Partitions = make([]predict.Partition, 0, len(table.rows))
	for _, row := range table.rows {
		if len(row.Replicas) > mostReplicas || len(row.ISR) > mostReplicas || len(row.ELR) > mostReplicas {
			target := fmt.Sprintf("%s-%d", row.Topic, row.Partition)
			answer.missing(Problem{Code: CodeRequestFailed, Target: target, Message: fmt.Sprintf("the broker tells of more than %d replicas of %s, so it is left out of predictions", mostReplicas, target)})
			continue
		}
		c.Partitions = append(c.Partitions, electionRow(row, configs, up))
		elr = elr || featureErr != nil && len(row.ELR)+len(row.LastKnownELR) > 0
	}
	c.ELR = elr
	if quorum != nil {
		c.Controller = known(quorum.LeaderID)
		c.Voters = in.voters(reading, metadata.Brokers, quorum, c.Brokers)
		c.Observers = observersFrom(quorum, c.Brokers)
	}
	offsets := offsetsTopicFrom(metadata)
	in.tellConcealed(ctx, offsets, groups.groups)
	found, lost := placeGroups(sortedKeys(groups.groups), offsets, c.Partitions)
	c.Groups = found
	if lost != nil {
		answer.missing(*lost)
	}
	return answer, nil
}

// brokersFrom lists all brokers that anything tells of, by ID.
func brokersFrom(up []kmsg.MetadataResponseBroker, fenced []kmsg.DescribeClusterResponseBroker, rows []Partition) []predict.Broker {
	all := map[int32]predict.Broker{}
	for _, row := range rows {
		for _, id := range row.Replicas {
			all[id] = predict.Broker{ID: id, Fenced: true, Down: true}
		}
	}
	rack := func(name *string) string {
		if name == nil {
			return ""
		}
		return *name
	}
	for _, b := range fenced {
		all[b.NodeID] = predict.Broker{ID: b.NodeID, Rack: rack(b.Rack), Fenced: true, Down: true}
	}
	for _, b := range up {
		all[b.NodeID] = predict.Broker{ID: b.NodeID, Rack: rack(b.Rack)}
	}
	brokers := make([]predict.Broker, 0, len(all))
	for _, id := range sortedKeys(all) {
		brokers = append(brokers, all[id])
	}
	return brokers
}

func electionRow(row Partition, configs topicConfigs, up map[int32]bool) predict.Partition {
	p := predict.Partition{
		Topic: row.Topic, Partition: row.Partition, Replicas: row.Replicas, Leader: predict.NoLeader,
		ISR: row.ISR, ELR: row.ELR, LastKnownELR: row.LastKnownELR,
	}
	if row.Leader != nil {
		p.Leader = *row.Leader
	}
	if least, ok := configs.number(row.Topic, minISRName); ok {
		p.MinISR = int(least)
	}
	unclean, _ := configs.value(row.Topic, uncleanName)
	p.Unclean = unclean == "true"
	for _, id := range row.OfflineReplicas {
		// Of a broker that is up, it is the disk that failed.
		if up[id] {
			p.FailedReplicas = append(p.FailedReplicas, id)
		}
	}
	return p
}

// placeGroups finds the partition of __consumer_offsets of each group, and says which
// could not be placed. How many partitions there are is not counted from those that were
// read: some may be missing, and all groups would be placed wrongly.
func placeGroups(names []string, topic *offsetsTopic, rows []predict.Partition) ([]predict.Group, *Problem) {
	if topic.count == nil && len(names) > 0 {
		return nil, &Problem{
			Code: topic.problem.Code, Target: offsetsTopicName, Cause: topic.problem.Cause,
			Message: fmt.Sprintf("cannot predict the coordinators of %d groups: %s", len(names), topic.problem.Message),
		}
	}
	read := map[int32]bool{}
	for _, row := range rows {
		if row.Topic == offsetsTopicName {
			read[row.Partition] = true
		}
	}
	var placed []predict.Group
	var lost []string
	for _, name := range names {
		if partition := OffsetsPartition(name, *topic.count); read[partition] {
			placed = append(placed, predict.Group{Name: name, Partition: partition})
		} else {
			lost = append(lost, name)
		}
	}
	if len(lost) == 0 {
		return placed, nil
	}
	return placed, &Problem{
		Code: CodeRequestFailed, Target: offsetsTopicName,
		Message: fmt.Sprintf("cannot predict the coordinators of %d groups, %s: their partitions of %s were not read", len(lost), fewOf(lost), offsetsTopicName),
	}
}

var errNoFeatures = errors.New("the broker's answer to ApiVersions has no features")

// hasFeature says whether a feature of the cluster (KIP-584) is at 1 or more.
func (in *Inspector) hasFeature(ctx context.Context, name string) (bool, error) {
	resp, err := anyBroker[*kmsg.ApiVersionsResponse](ctx, in, versionsRequest)
	if err != nil {
		return false, err
	}
	if resp.ErrorCode != 0 || resp.FinalizedFeaturesEpoch < 0 {
		return false, errNoFeatures
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == name {
			return f.MaxVersionLevel > 0, nil
		}
	}
	return false, nil
}

// reassigned names the partitions of which replicas are being added or removed. None,
// where the brokers do not know of that (before Kafka 2.4).
func (in *Inspector) reassigned(ctx context.Context) ([]string, error) {
	resp, err := anyBroker[*kmsg.ListPartitionReassignmentsResponse](ctx, in, func() kmsg.Request {
		req := kmsg.NewPtrListPartitionReassignmentsRequest()
		req.TimeoutMillis = int32(longestStep.Milliseconds())
		return req
	})
	if in.lacksRequest(ctx, (&kmsg.ListPartitionReassignmentsRequest{}).Key(), err) {
		return nil, nil
	}
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, err
	}
	var partitions []string
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			partitions = append(partitions, fmt.Sprintf("%s-%d", topic.Topic, p.Partition))
		}
	}
	slices.Sort(partitions)
	return partitions, nil
}

// topicsOf returns the topics of rows that are sorted by topic.
func topicsOf(rows []Partition) []string {
	var topics []string
	for i, row := range rows {
		if i == 0 || row.Topic != rows[i-1].Topic {
			topics = append(topics, row.Topic)
		}
	}
	return topics
}
