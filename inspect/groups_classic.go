package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeBatch is how many groups go into one request to each coordinator.
const describeBatch = 500

const (
	stateDead   = "Dead"
	stateEmpty  = "Empty"
	stateStable = "Stable"
)

var errAnotherKind = errors.New("the answer is of another kind")

func (in *Inspector) describeClassic(ctx context.Context, groups []string, to outcome) {
	batches(groups, describeBatch, func(batch []string) {
		left := newRemainder(batch)
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = batch
		for _, shard := range in.client.RequestSharded(ctx, req) {
			resp, ok := shard.Resp.(*kmsg.DescribeGroupsResponse)
			if shard.Err != nil || !ok {
				sent, _ := shard.Req.(*kmsg.DescribeGroupsRequest)
				left.failed(sent.Groups, shard.Err, to)
				continue
			}
			for _, g := range resp.Groups {
				if !left.take(g.Group) {
					continue
				}
				err := kerr.ErrorForCode(g.ErrorCode)
				switch {
				// Since v6 (KIP-1043) a group that does not exist, or is of
				// another type, is an error; before, its state is Dead.
				case errors.Is(err, kerr.GroupIDNotFound), err == nil && g.State == stateDead:
					to.gone(g.Group)
				case err != nil:
					to.failed(g.Group, err)
				default:
					to.found(classicGroup(g, shard.Meta.NodeID, to.warn))
				}
			}
		}
		left.omitted(to)
	})
}

func classicGroup(g kmsg.DescribeGroupsResponseGroup, coordinator int32, warn func(Problem)) *Group {
	groupType := typeClassic
	group := &Group{
		Group:        g.Group,
		Type:         &groupType,
		State:        nonEmpty(g.State),
		ProtocolType: nonEmpty(g.ProtocolType),
		Assignor:     nonEmpty(g.Protocol),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	for _, m := range g.Members {
		member := Member{ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost}
		// Coordinators send what members sent only while the group is stable.
		if g.State == stateStable {
			if err := decodeMember(&member, g.ProtocolType, m.ProtocolMetadata, m.MemberAssignment); err != nil {
				warn(Problem{
					Code: CodeMemberUnreadable, Target: g.Group, Cause: err,
					Message: fmt.Sprintf("the member %q of the group %q sent what does not decode: %v", m.MemberID, g.Group, err),
				})
			}
		}
		group.Members = append(group.Members, member)
	}
	return group
}

// remainder holds the groups of a request that no answer has come for.
type remainder map[string]bool

func newRemainder(groups []string) remainder {
	left := make(remainder, len(groups))
	for _, group := range groups {
		left[group] = true
	}
	return left
}

// take says whether the group was asked for and is answered for the first time.
func (r remainder) take(group string) bool {
	ok := r[group]
	delete(r, group)
	return ok
}

func (r remainder) failed(groups []string, err error, to outcome) {
	if err == nil {
		err = errAnotherKind
	}
	for _, group := range groups {
		if r.take(group) {
			to.failed(group, err)
		}
	}
}

func (r remainder) omitted(to outcome) {
	for _, group := range sortedKeys(r) {
		to.failed(group, errors.New("the broker's answer leaves it out"))
	}
}
