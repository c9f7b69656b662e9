package inspect

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// watchedDescription is what came of describing one group for a look.
type watchedDescription struct {
	name  string
	group watch.Group
	err   error
}

func watchedGroups(resp kmsg.Response) []watchedDescription {
	var all []watchedDescription
	switch resp := resp.(type) {
	case *kmsg.DescribeGroupsResponse:
		for _, g := range resp.Groups {
			d := watchedDescription{name: g.Group, err: kerr.ErrorForCode(g.ErrorCode)}
			if d.err == nil && g.State == stateDead {
				d.err = kerr.GroupIDNotFound // before KIP-1043
			}
			if d.err == nil {
				d.group = watchedClassic(g)
			}
			all = append(all, d)
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, g := range resp.Groups {
			d := watchedDescription{name: g.Group, err: kerr.ErrorForCode(g.ErrorCode)}
			if d.err == nil {
				d.group = watchedConsumer(g)
			}
			all = append(all, d)
		}
	default:
		for _, g := range readDescriptions(resp, -1) {
			d := watchedDescription{name: g.name, err: g.err}
			if g.err == nil {
				d.group = watchedOther(g.group)
			}
			all = append(all, d)
		}
	}
	for i := range all {
		slices.SortFunc(all[i].group.Members, func(a, b watch.Member) int { return cmp.Compare(a.ID, b.ID) })
	}
	return all
}

func watchedClassic(g kmsg.DescribeGroupsResponseGroup) watch.Group {
	group := watch.Group{
		Group: g.Group, Type: typeClassic, State: g.State, ProtocolType: g.ProtocolType, Assignor: nonEmpty(g.Protocol),
		Members: make([]watch.Member, 0, len(g.Members)),
	}
	var verdict verdictReader
	for _, m := range g.Members {
		member := watch.Member{MemberRef: watch.MemberRef{ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost}}
		switch {
		case g.State != stateStable:
		case isElection(g.ProtocolType):
			_ = verdict.read(m.MemberAssignment) // who cannot read it tells nothing
		default:
			decodeWatched(&member, g.ProtocolType, g.Protocol, m.ProtocolMetadata, m.MemberAssignment)
		}
		group.Members = append(group.Members, member)
	}
	group.Elected = verdict.elected()
	return group
}

// decodeWatched reads what a member of a classic group sent and was given, as
// [readMember] does, and a little more.
func decodeWatched(member *watch.Member, protocolType, assignor string, metadata, assignment []byte) {
	told, err := readMember(protocolType, assignor, metadata, assignment)
	if err != nil {
		member.Unreadable = err.Error()
	}
	member.Topics = told.topics
	member.Assigned = watchedPartitions(told.assigned)
	if told.topics != nil {
		if subscription, err := memberbytes.Subscription(metadata); err == nil && subscription.Version >= 2 {
			member.JoinedWith = known(subscription.Generation)
		}
	}
	if told.assigned != nil && len(assignment) > 0 {
		given, err := memberbytes.Assignment(assignment)
		member.UserData = err == nil && len(given.UserData) > 0
	}
}

// loggedMember takes a member of a classic group as the log tells of it.
func loggedMember(m LoggedMember, protocolType string) watch.Member {
	member := watch.Member{
		MemberRef: watch.MemberRef{ID: m.ID, Instance: m.Instance, ClientID: m.ClientID, Host: m.Host},
		Topics:    m.Topics, Assigned: watchedPartitions(m.Assigned),
		SessionTimeout: millis(m.SessionTimeout), RebalanceTimeout: millis(m.RebalanceTimeout),
	}
	if m.Topics == nil && protocolType == protocolConsumer {
		member.Unreadable = "its subscription does not decode"
	}
	return member
}

func millis(n *int32) watch.Millis {
	if n == nil {
		return 0
	}
	return watch.Millis(time.Duration(*n) * time.Millisecond)
}

func watchedPartitions(all []TopicPartitions) []watch.TopicPartitions {
	if all == nil {
		return nil
	}
	same := make([]watch.TopicPartitions, 0, len(all))
	for _, tp := range all {
		same = append(same, watch.TopicPartitions(tp))
	}
	return same
}

// watchedConsumer reads a group of KIP-848. What a member is to have in the end is
// what it was assigned; what it has is what it owns.
func watchedConsumer(g kmsg.ConsumerGroupDescribeResponseGroup) watch.Group {
	group := watch.Group{
		Group: g.Group, Type: typeConsumer, State: g.State, ProtocolType: "consumer", Assignor: nonEmpty(g.AssignorName),
		Generation: known(g.Epoch), Members: make([]watch.Member, 0, len(g.Members)),
	}
	for _, m := range g.Members {
		member := watch.Member{
			MemberRef: watch.MemberRef{ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost},
			Topics:    sortedTopics(m.SubscribedTopics),
			Assigned:  watchedPartitions(assignedFrom(m.TargetAssignment)),
			Owned:     watchedPartitions(assignedFrom(m.Assignment)),
			Epoch:     known(m.MemberEpoch),
		}
		if m.SubscribedTopicRegex != nil && *m.SubscribedTopicRegex != "" {
			member.Topics = nil
		}
		if m.MemberType >= 0 {
			classic := m.MemberType == 0
			member.Classic = &classic
		}
		group.Members = append(group.Members, member)
	}
	return group
}

// watchedOther takes a group of another type as [Inspector.Groups] reads it.
func watchedOther(g *Group) watch.Group {
	group := watch.Group{Group: g.Group, Assignor: g.Assignor, Generation: g.Generation, Members: make([]watch.Member, 0, len(g.Members))}
	for from, to := range map[*string]*string{g.Type: &group.Type, g.State: &group.State, g.ProtocolType: &group.ProtocolType} {
		if from != nil {
			*to = *from
		}
	}
	for _, m := range g.Members {
		group.Members = append(group.Members, watch.Member{
			MemberRef: watch.MemberRef{ID: m.ID, Instance: m.Instance, ClientID: m.ClientID, Host: m.Host},
			Topics:    m.Topics, Assigned: watchedPartitions(m.Assigned),
		})
	}
	return group
}
