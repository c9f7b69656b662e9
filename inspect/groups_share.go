package inspect

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeShare describes the groups of KIP-932.
func (in *Inspector) describeShare(ctx context.Context, groups []string, to outcome) {
	batches(groups, describeBatch, func(batch []string) {
		left := newRemainder(batch)
		req := kmsg.NewPtrShareGroupDescribeRequest()
		req.GroupIDs = batch
		for _, shard := range in.client.RequestSharded(ctx, req) {
			resp, ok := shard.Resp.(*kmsg.ShareGroupDescribeResponse)
			if shard.Err != nil || !ok {
				sent, _ := shard.Req.(*kmsg.ShareGroupDescribeRequest)
				left.failed(sent.GroupIDs, shard.Err, to)
				continue
			}
			for _, g := range resp.Groups {
				if !left.take(g.GroupID) {
					continue
				}
				err := kerr.ErrorForCode(g.ErrorCode)
				switch {
				case errors.Is(err, kerr.GroupIDNotFound):
					to.gone(g.GroupID)
				case err != nil:
					to.failed(g.GroupID, err)
				default:
					to.found(shareGroup(g, shard.Meta.NodeID))
				}
			}
		}
		left.omitted(to)
	})
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
			Topics:   sortedTopics(m.SubscribedTopicNames),
			Assigned: assigned.sorted(),
		})
	}
	return group
}
