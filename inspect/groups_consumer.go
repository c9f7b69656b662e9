package inspect

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerGroups reads the groups of KIP-848.
func consumerGroups(resp *kmsg.ConsumerGroupDescribeResponse, node int32) []described {
	all := make([]described, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		d := described{name: g.Group, err: kerr.ErrorForCode(g.ErrorCode)}
		if d.err == nil {
			d.group, d.warnings = consumerGroup(g, node)
		}
		all = append(all, d)
	}
	return all
}

func consumerGroup(g kmsg.ConsumerGroupDescribeResponseGroup, coordinator int32) (*Group, []Problem) {
	groupType, protocolType := typeConsumer, "consumer"
	group := &Group{
		Group:        g.Group,
		Type:         &groupType,
		State:        nonEmpty(g.State),
		ProtocolType: &protocolType,
		Assignor:     nonEmpty(g.AssignorName),
		Generation:   known(g.Epoch),
		Epoch:        known(g.Epoch),
		TargetEpoch:  known(g.AssignmentEpoch),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	var warnings []Problem
	for _, m := range g.Members {
		member := Member{
			ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost,
			Rack: nilIfEmpty(m.RackID), Leader: new(false), Epoch: known(m.MemberEpoch),
			Assigned: assignedFrom(m.Assignment), Target: assignedFrom(m.TargetAssignment),
		}
		member.Owned = member.Assigned
		if m.MemberType >= 0 { // told since v1
			member.Classic = new(m.MemberType == 0)
		}
		if pattern := m.SubscribedTopicRegex; pattern != nil && *pattern != "" {
			warnings = append(warnings, Problem{
				Code: CodeSubscribedByPattern, Target: g.Group,
				Message: fmt.Sprintf("the member %q of the group %q subscribes by the pattern %q, which the broker resolves without telling the topics", m.MemberID, g.Group, *pattern),
			})
		} else {
			member.Topics = sortedTopics(m.SubscribedTopics)
		}
		group.Members = append(group.Members, member)
	}
	return group, warnings
}

func assignedFrom(a kmsg.Assignment) []TopicPartitions {
	assigned := make(topicPartitions, len(a.TopicPartitions))
	for _, tp := range a.TopicPartitions {
		name := tp.Topic
		if name == "" {
			name = topicID(tp.TopicID) // Kafka tells both
		}
		assigned.add(name, tp.Partitions...)
	}
	return assigned.sorted()
}
