package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeConsumer describes the groups of KIP-848.
func (in *Inspector) describeConsumer(ctx context.Context, groups []string, to outcome) {
	batches(groups, describeBatch, func(batch []string) {
		left := newRemainder(batch)
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = batch
		for _, shard := range in.client.RequestSharded(ctx, req) {
			resp, ok := shard.Resp.(*kmsg.ConsumerGroupDescribeResponse)
			if shard.Err != nil || !ok {
				sent, _ := shard.Req.(*kmsg.ConsumerGroupDescribeRequest)
				left.failed(sent.Groups, shard.Err, to)
				continue
			}
			for _, g := range resp.Groups {
				if !left.take(g.Group) {
					continue
				}
				err := kerr.ErrorForCode(g.ErrorCode)
				switch {
				case errors.Is(err, kerr.GroupIDNotFound):
					to.gone(g.Group)
				case err != nil:
					to.failed(g.Group, err)
				default:
					to.found(consumerGroup(g, shard.Meta.NodeID, to.warn))
				}
			}
		}
		left.omitted(to)
	})
}

func consumerGroup(g kmsg.ConsumerGroupDescribeResponseGroup, coordinator int32, warn func(Problem)) *Group {
	groupType, protocolType := typeConsumer, "consumer"
	group := &Group{
		Group:        g.Group,
		Type:         &groupType,
		State:        nonEmpty(g.State),
		ProtocolType: &protocolType,
		Assignor:     nonEmpty(g.AssignorName),
		Generation:   known(g.Epoch),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	for _, m := range g.Members {
		member := Member{
			ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost,
			Assigned: assignedFrom(m.Assignment),
		}
		if pattern := m.SubscribedTopicRegex; pattern != nil && *pattern != "" {
			warn(Problem{
				Code: CodeSubscribedByPattern, Target: g.Group,
				Message: fmt.Sprintf("the member %q of the group %q subscribes by the pattern %q, which the broker resolves without telling the topics", m.MemberID, g.Group, *pattern),
			})
		} else {
			member.Topics = sortedTopics(m.SubscribedTopics)
		}
		group.Members = append(group.Members, member)
	}
	return group
}

func assignedFrom(a kmsg.Assignment) []TopicPartitions {
	assigned := make(topicPartitions, len(a.TopicPartitions))
	for _, tp := range a.TopicPartitions {
		assigned.add(tp.Topic, tp.Partitions...)
	}
	return assigned.sorted()
}
