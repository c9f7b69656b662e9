package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// logReaders is how many partitions of __consumer_offsets are read at a time.
const logReaders = 4

// readRecords is what came of reading one partition.
type readRecords struct {
	groups []string
	found  foundRecords
	err    error
}

// addLeaders fills in what the log tells of groups: of the classic ones the leader and
// the generation; of all of them since when; with a warning where it cannot. It returns
// what members of consumer groups were told to give up, by group and member.
func (in *Inspector) addLeaders(ctx context.Context, groups map[string]*Group, topic *offsetsTopic, answer *Answer[[]Group]) map[string]map[string][]TopicPartitions {
	byPartition := map[int32][]string{}
	for _, name := range sortedKeys(groups) {
		group := groups[name]
		if group.Type == nil || isClassic(group) && group.ProtocolType == nil {
			continue // without a protocol type, nobody ever joined
		}
		partition := topic.partitionOf(name)
		if partition == nil {
			unknown := sinceUnknown
			if isClassic(group) {
				unknown = leaderUnknown
			}
			answer.warn(unknown(*topic.problem, name))
			continue
		}
		byPartition[*partition] = append(byPartition[*partition], name)
	}

	partitions := sortedKeys(byPartition)
	if len(partitions) == 0 {
		return nil
	}
	// Describing takes long when a coordinator has just died, and then the
	// partition has another leader by now.
	if now := in.offsetsTopicOf(ctx, groups[byPartition[partitions[0]][0]].Coordinator); now != nil {
		topic = now
	}
	results := make([]readRecords, len(partitions))
	inflater, err := newInflater()
	if err != nil {
		for i, partition := range partitions {
			results[i] = readRecords{groups: byPartition[partition], err: err}
		}
	} else {
		slots := make(chan struct{}, logReaders)
		var readers sync.WaitGroup
		for i, partition := range partitions {
			slots <- struct{}{}
			readers.Go(func() {
				defer func() { <-slots }()
				wanted := make(map[string]*Group, len(byPartition[partition]))
				for _, name := range byPartition[partition] {
					wanted[name] = groups[name]
				}
				results[i] = in.readRecords(ctx, topic, partition, wanted, inflater)
				results[i].groups = byPartition[partition]
			})
		}
		readers.Wait()
	}

	ids := map[[16]byte]bool{}
	revoking := map[string]map[string][]TopicPartitions{}
	for i, result := range results {
		for _, name := range result.groups {
			answer.warn(in.applyFound(groups[name], result, partitions[i])...)
			if of := result.found.revoking[name]; of != nil {
				revoking[name] = of
			}
		}
		maps.Copy(ids, result.found.ids)
	}
	if len(ids) > 0 {
		names := in.topicNames(ctx, ids)
		for _, of := range revoking {
			for _, list := range of {
				renameTopics(list, names)
			}
		}
	}
	return revoking
}

func isClassic(group *Group) bool { return group.Type != nil && *group.Type == typeClassic }

// applyFound fills in what was found of one group.
func (in *Inspector) applyFound(group *Group, result readRecords, partition int32) []Problem {
	found, ok := result.found.records[group.Group]
	if !isClassic(group) {
		told := ok && found.err == nil && !found.record.tombstone
		if told && group.Members == nil { // its coordinator does not describe it
			group.Generation, group.Epoch = known(found.record.generation), known(found.record.generation)
		}
		if told && group.Generation != nil && found.record.generation == *group.Generation {
			group.Since = timeOf(found.record.since)
		}
		if !ok && result.err != nil && !errors.Is(result.err, errLogStart) {
			return []Problem{sinceUnknown(in.logProblem(result.err, partition), group.Group)}
		}
		return nil
	}
	switch {
	case !ok:
		return []Problem{leaderUnknown(in.logProblem(result.err, partition), group.Group)}
	case found.err != nil:
		return []Problem{leaderUnknown(Problem{
			Code: CodeRecordUnreadable, Cause: found.err,
			Message: fmt.Sprintf("its record in %s-%d does not decode: %v", offsetsTopicName, partition, found.err),
		}, group.Group)}
	}
	return applyRecord(group, found.record)
}

// offsetsTopicOf asks a broker that has just answered for a group, and so is not
// one that hangs. It returns nil if it does not tell.
func (in *Inspector) offsetsTopicOf(ctx context.Context, node *int32) *offsetsTopic {
	if node == nil {
		return nil
	}
	ctx, cancel := step(ctx, 1.0/3)
	defer cancel()
	resp, err := oneBroker[*kmsg.MetadataResponse](ctx, in, *node, metadataRequest([]string{offsetsTopicName}))
	if err != nil {
		return nil
	}
	topic := offsetsTopicFrom(resp)
	if topic.count == nil {
		return nil
	}
	return topic
}

func (in *Inspector) readRecords(ctx context.Context, topic *offsetsTopic, partition int32, groups map[string]*Group, inflater kgo.Decompressor) readRecords {
	ctx, cancel := context.WithTimeout(ctx, in.log.wait)
	defer cancel()
	var result readRecords
	leader := topic.leaderOf(partition)
	for attempt := 0; ; attempt++ {
		if leader == nil {
			result.err = kerr.LeaderNotAvailable
			return result
		}
		reader := logReader{
			inspector: in, node: *leader, topicID: topic.id, partition: partition,
			budget: in.log, inflater: inflater,
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
	group.Generation = known(record.generation)
	group.Since = timeOf(record.since)
	if len(group.Members) == 0 {
		return nil
	}
	stable := group.State == nil || *group.State == stateStable || *group.State == stateEmpty
	switch {
	case record.leader == nil && stable:
		return []Problem{{
			Code: CodeRecordStale, Target: group.Group,
			Message: fmt.Sprintf("the leader of the group %q is not known: its newest record names none, although it has members; ask again", group.Group),
		}}
	case record.leader == nil:
		return []Problem{{
			Code: CodeRebalancing, Target: group.Group,
			Message: fmt.Sprintf("the group %q is rebalancing: it has no leader that is recorded yet; ask again when the rebalance has completed", group.Group),
		}}
	case !isMember(group, *record.leader):
		return []Problem{{
			Code: CodeRecordStale, Target: group.Group,
			Message: fmt.Sprintf("the leader of the group %q is not known: the one that its newest record names is no longer a member; ask again when the next rebalance has completed", group.Group),
		}}
	}
	group.Leader = record.leader
	if !stable {
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

// sinceUnknown tells of a group whose coordinator tells the rest.
func sinceUnknown(why Problem, group string) Problem {
	why.Target = group
	why.Message = fmt.Sprintf("since when the group %q is as it is, and what its members have been told to give up, is not known: %s", group, why.Message)
	return why
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
	case errors.Is(err, kgo.ErrMaxDecompress):
		return Problem{
			Code: CodeRecordUnreadable, Cause: err,
			Message: fmt.Sprintf("a batch in %s decompresses to more than %d MiB, and is not read", name, inflatedBytes>>20),
		}
	case errors.Is(err, kerr.LeaderNotAvailable):
		return Problem{Code: CodeNoLeader, Cause: err, Message: name + " has no leader"}
	}
	return problemFrom(err, "", "read "+name, "READ on the topic "+offsetsTopicName)
}
