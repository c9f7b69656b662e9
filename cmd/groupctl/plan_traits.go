package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	groupmember "github.com/groupkit/groupkit/member"
)

// traits reads what inspect does not show of members: their racks, and for members of
// package member their capacity, labels and whether they drain. Without it, planning goes
// on.
func (r *groupReader) traits(ctx context.Context, g *liveGroup) error {
	members := make(map[string]*assign.Member, len(g.problem.Members))
	for i := range g.problem.Members {
		members[g.problem.Members[i].ID] = &g.problem.Members[i]
	}
	if g.seen.Type != nil && *g.seen.Type == "consumer" {
		return r.consumerTraits(ctx, g.seen.Group, members)
	}
	return r.classicTraits(ctx, g.seen.Group, members)
}

func (r *groupReader) consumerTraits(ctx context.Context, group string, members map[string]*assign.Member) error {
	resp, err := request[*kmsg.ConsumerGroupDescribeResponse](ctx, r.client, func() kmsg.Request {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{group}
		return req
	})
	if err != nil {
		return err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return err
		}
		for _, m := range g.Members {
			if member := members[m.MemberID]; member != nil && m.RackID != nil {
				member.Rack = *m.RackID
			}
		}
	}
	return nil
}

func (r *groupReader) classicTraits(ctx context.Context, group string, members map[string]*assign.Member) error {
	resp, err := request[*kmsg.DescribeGroupsResponse](ctx, r.client, func() kmsg.Request {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{group}
		return req
	})
	if err != nil {
		return err
	}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return err
		}
		for _, m := range g.Members {
			metadata := kmsg.NewConsumerMemberMetadata()
			member := members[m.MemberID]
			if member == nil || member.Topics == nil || metadata.ReadFrom(m.ProtocolMetadata) != nil {
				continue // inspect has warned of it
			}
			if metadata.Rack != nil {
				member.Rack = *metadata.Rack
			}
			groupmember.ParseTraits(metadata.UserData).Apply(member)
		}
	}
	return nil
}
