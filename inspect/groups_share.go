package inspect

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareGroups reads the groups of KIP-932.
func shareGroups(resp *kmsg.ShareGroupDescribeResponse, node int32) []described {
	all := make([]described, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		d := described{name: g.GroupID, err: kerr.ErrorForCode(g.ErrorCode)}
		if d.err == nil {
			d.group = shareGroup(g, node)
		}
		all = append(all, d)
	}
	return all
}

func shareGroup(g kmsg.ShareGroupDescribeResponseGroup, coordinator int32) *Group {
	groupType, protocolType := typeShare, "share"
	group := &Group{
		Group:        g.GroupID,
		Type:         &groupType,
		State:        nonEmpty(g.GroupState),
		ProtocolType: &protocolType,
		Assignor:     nonEmpty(g.Assignor),
		Generation:   known(g.GroupEpoch),
		Epoch:        known(g.GroupEpoch),
		TargetEpoch:  known(g.AssignmentEpoch),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	for _, m := range g.Members {
		assigned := make(topicPartitions, len(m.Assignment.TopicPartitions))
		for _, tp := range m.Assignment.TopicPartitions {
			assigned.add(tp.Topic, tp.Partitions...)
		}
		group.Members = append(group.Members, Member{
			ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost,
			Rack: nilIfEmpty(m.RackID), Leader: new(false), Epoch: known(m.MemberEpoch),
			Topics:   sortedTopics(m.SubscribedTopicNames),
			Assigned: assigned.sorted(),
		})
	}
	return group
}
