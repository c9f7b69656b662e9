package inspect

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// streamsGroups reads the groups of KIP-1071.
func streamsGroups(resp *kmsg.StreamsGroupDescribeResponse, node int32) []described {
	all := make([]described, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		d := described{name: g.Group, err: kerr.ErrorForCode(g.ErrorCode)}
		if d.err == nil {
			d.group = streamsGroup(g, node)
		}
		all = append(all, d)
	}
	return all
}

func streamsGroup(g kmsg.StreamsGroupDescribeResponseGroup, coordinator int32) *Group {
	groupType, protocolType := typeStreams, "streams"
	group := &Group{
		Group:        g.Group,
		Type:         &groupType,
		State:        nonEmpty(g.State),
		ProtocolType: &protocolType,
		Generation:   known(g.Epoch),
		Epoch:        known(g.Epoch),
		TargetEpoch:  known(g.AssignmentEpoch),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	if g.AssignorName != nil {
		group.Assignor = nonEmpty(*g.AssignorName)
	}
	sources := sourceTopics(g.Topology)
	for _, m := range g.Members {
		member := Member{
			ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost,
			Rack: nilIfEmpty(m.RackID), Leader: new(false), Epoch: known(m.MemberEpoch), Classic: new(m.IsClassic),
		}
		if sources != nil {
			member.Topics, member.Assigned = tasksAsPartitions(sources, m.Assignment.ActiveTasks)
			_, member.Target = tasksAsPartitions(sources, m.TargetAssignment.ActiveTasks)
			member.Owned = member.Assigned
		}
		group.Members = append(group.Members, member)
	}
	return group
}

// sourceTopics returns what each subtopology consumes, nil if the topology is
// not known (yet).
func sourceTopics(topology *kmsg.StreamsGroupDescribeResponseGroupTopology) map[string][]string {
	if topology == nil || topology.Subtopologies == nil {
		return nil
	}
	sources := make(map[string][]string, len(topology.Subtopologies))
	for _, sub := range topology.Subtopologies {
		topics := slices.Clone(sub.SourceTopics)
		for _, repartition := range sub.RepartitionSourceTopics {
			topics = append(topics, repartition.Topic)
		}
		sources[sub.SubtopologyID] = topics
	}
	return sources
}

// tasksAsPartitions translates tasks: the active task n of a subtopology
// consumes partition n of each of its source topics. All members of a streams
// group subscribe to all of them.
func tasksAsPartitions(sources map[string][]string, active []kmsg.TaskIDs) ([]string, []TopicPartitions) {
	var topics []string
	for _, of := range sources {
		topics = append(topics, of...)
	}
	assigned := topicPartitions{}
	for _, tasks := range active {
		for _, topic := range sources[tasks.SubtopologyID] {
			assigned.add(topic, tasks.Partitions...)
		}
	}
	return sortedTopics(topics), assigned.sorted()
}
