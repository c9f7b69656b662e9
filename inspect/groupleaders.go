package inspect

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// logReaders is how many partitions of __consumer_offsets are read at a time.
const logReaders = 4

// readRecords is what came of reading one partition.
type readRecords struct {
	groups []string
	found  map[string]foundRecord
	err    error
}

// addLeaders fills in the leader and the generation of the classic groups, and
// warns of those for which it cannot.
func (in *Inspector) addLeaders(ctx context.Context, groups map[string]*Group, topic *offsetsTopic, answer *Answer[[]Group]) {
	byPartition := map[int32][]string{}
	for _, name := range sortedKeys(groups) {
		group := groups[name]
		if group.Type == nil || *group.Type != typeClassic || group.ProtocolType == nil {
			continue // without a protocol type, nobody ever joined
		}
		partition := topic.partitionOf(name)
		if partition == nil {
			answer.warn(leaderUnknown(*topic.problem, name))
			continue
		}
		byPartition[*partition] = append(byPartition[*partition], name)
	}

	partitions := sortedKeys(byPartition)
	if len(partitions) > 0 {
		// Describing takes long when a coordinator has just died, and then the
		// partition has another leader by now.
		if now, _, err := in.offsetsTopic(ctx); err == nil && now.count != nil {
			topic = now
		}
	}
	results := make([]readRecords, len(partitions))
	slots := make(chan struct{}, logReaders)
	var readers sync.WaitGroup
	for i, partition := range partitions {
		slots <- struct{}{}
		readers.Go(func() {
			defer func() { <-slots }()
			results[i] = in.readRecords(ctx, topic, partition, byPartition[partition])
		})
	}
	readers.Wait()

	for i, result := range results {
		for _, name := range result.groups {
			found, ok := result.found[name]
			switch {
			case !ok:
				answer.warn(leaderUnknown(in.logProblem(result.err, partitions[i]), name))
			case found.err != nil:
				answer.warn(leaderUnknown(Problem{
					Code: CodeRecordUnreadable, Cause: found.err,
					Message: fmt.Sprintf("its record in %s-%d does not decode: %v", offsetsTopicName, partitions[i], found.err),
				}, name))
			default:
				answer.warn(applyRecord(groups[name], found.record)...)
			}
		}
	}
}

func (in *Inspector) readRecords(ctx context.Context, topic *offsetsTopic, partition int32, groups []string) readRecords {
	ctx, cancel := context.WithTimeout(ctx, in.log.wait)
	defer cancel()
	result := readRecords{groups: groups}
	leader := topic.leaderOf(partition)
	for attempt := 0; ; attempt++ {
		if leader == nil {
			result.err = kerr.LeaderNotAvailable
			return result
		}
		reader := logReader{
			inspector: in, node: *leader, topicID: topic.id, partition: partition,
			budget: in.log, decoder: kgo.DefaultDecompressor(),
		}
		result.found, result.err = reader.newest(ctx, groups)
		if attempt > 0 || !errors.Is(result.err, kerr.NotLeaderForPartition) {
			return result
		}
		// The leader has changed since the topic was read.
		now, _, err := in.offsetsTopic(ctx)
		if err != nil {
			return result
		}
		topic, leader = now, now.leaderOf(partition)
	}
}

// applyRecord fills in what the record says, as far as the members described
// bear it out.
func applyRecord(group *Group, record groupRecord) []Problem {
	if record.tombstone {
		if len(group.Members) == 0 {
			return nil // an empty group that only has offsets left
		}
		return []Problem{leaderUnknown(Problem{
			Code:    CodeRecordNotFound,
			Message: "its record was deleted and no rebalance has completed since",
		}, group.Group)}
	}
	group.Generation = &record.generation
	if len(group.Members) == 0 || record.leader == nil {
		return nil
	}
	if !isMember(group, *record.leader) {
		return []Problem{{
			Code: CodeRecordStale, Target: group.Group,
			Message: fmt.Sprintf("the leader of the group %q is not known: that of generation %d is no longer a member", group.Group, record.generation),
		}}
	}
	group.Leader = record.leader
	if group.State != nil && *group.State != stateStable && *group.State != stateEmpty {
		return []Problem{{
			Code: CodeRebalancing, Target: group.Group,
			Message: fmt.Sprintf("the group %q is rebalancing: its leader and generation are those of the last rebalance that completed", group.Group),
		}}
	}
	return nil
}

func isMember(group *Group, id string) bool {
	for _, m := range group.Members {
		if m.ID == id {
			return true
		}
	}
	return false
}

// leaderUnknown tells of a group what is true of its partition or record.
func leaderUnknown(why Problem, group string) Problem {
	why.Target = group
	why.Message = fmt.Sprintf("the leader and the generation of the group %q are not known: %s", group, why.Message)
	return why
}

func (in *Inspector) logProblem(err error, partition int32) Problem {
	name := fmt.Sprintf("%s-%d", offsetsTopicName, partition)
	switch {
	case errors.Is(err, errLogStart):
		return Problem{
			Code: CodeRecordNotFound, Cause: err,
			Message: fmt.Sprintf("%s holds no record of a rebalance of it", name),
		}
	case errors.Is(err, errBudget):
		return Problem{
			Code: CodeRecordNotFound, Cause: err,
			Message: fmt.Sprintf("its record is not within the last %d records and %d bytes of %s", in.log.records, in.log.bytes, name),
		}
	case errors.Is(err, kerr.LeaderNotAvailable):
		return Problem{Code: CodeNoLeader, Cause: err, Message: name + " has no leader"}
	}
	return problemFrom(err, "", "read "+name, "READ on the topic "+offsetsTopicName)
}
