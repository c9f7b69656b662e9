package inspect

import (
	"cmp"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	stateDead   = "Dead"
	stateEmpty  = "Empty"
	stateStable = "Stable"
)

func classicGroups(resp *kmsg.DescribeGroupsResponse, node int32) []described {
	all := make([]described, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		d := described{name: g.Group, err: kerr.ErrorForCode(g.ErrorCode)}
		switch {
		case d.err == nil && g.State == stateDead:
			// Before v6 (KIP-1043) this is how a broker says that there is no
			// such group, or that it is of another type.
			d.err = kerr.GroupIDNotFound
		case d.err == nil:
			d.group, d.warnings = classicGroup(g, node)
		}
		all = append(all, d)
	}
	return all
}

func classicGroup(g kmsg.DescribeGroupsResponseGroup, coordinator int32) (*Group, []Problem) {
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
	var warnings []Problem
	var verdict verdictReader
	for _, m := range g.Members {
		member := Member{ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost}
		// Coordinators send what members sent only while the group is stable.
		if g.State == stateStable {
			told, err := readMember(g.ProtocolType, g.Protocol, m.ProtocolMetadata, m.MemberAssignment)
			member.Topics, member.Owned, member.Assigned = told.topics, told.owned, told.assigned
			member.Rack, member.Traits, member.Candidacy = told.rack, told.traits, told.candidacy
			if isElection(g.ProtocolType) {
				// Who cannot be understood is given nothing.
				err = cmp.Or(err, verdict.read(m.MemberAssignment))
			}
			if err != nil {
				warnings = append(warnings, Problem{
					Code: CodeMemberUnreadable, Target: g.Group, Cause: err,
					Message: fmt.Sprintf("the member %q of the group %q sent, or was given, what does not decode: %v", m.MemberID, g.Group, err),
				})
			}
		}
		group.Members = append(group.Members, member)
	}
	if isElection(g.ProtocolType) && len(g.Members) > 0 {
		group.Elected = verdict.elected()
		if p := verdict.problem(g.Group, g.State == stateStable); p != nil {
			warnings = append(warnings, *p)
		}
	}
	return group, warnings
}
