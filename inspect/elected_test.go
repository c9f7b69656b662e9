package inspect

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

// electionMember is a member of an election as DescribeGroups tells it.
func electionMember(id string, candidacy, verdict []byte) kmsg.DescribeGroupsResponseGroupMember {
	m := kmsg.NewDescribeGroupsResponseGroupMember()
	m.MemberID, m.ProtocolMetadata, m.MemberAssignment = id, candidacy, verdict
	return m
}

// The leader of the group is the first member to join, and counts the votes: who is
// elected is in what all were given.
func TestWhoIsElectedIsReadFromWhatMembersWereGiven(t *testing.T) {
	candidate := memberbytes.Candidacy{Candidate: true, Priority: 2, TakesOver: true, Payload: []byte("10.0.0.7:80")}.Encode()
	told := memberbytes.Verdict{Ballot: memberbytes.Ballot{Number: 7, Leader: "b"}, Yields: true, Priority: 2, Payload: []byte("10.0.0.7:80")}.Encode()
	other := memberbytes.Verdict{Ballot: memberbytes.Ballot{Number: 7, Leader: "a"}}.Encode()
	nobody := memberbytes.Verdict{Ballot: memberbytes.Ballot{Number: 7}}.Encode()
	binary := memberbytes.Verdict{Ballot: memberbytes.Ballot{Number: 7, Leader: "b"}, Payload: []byte{0xff}}.Encode()
	for name, c := range map[string]struct {
		state   string
		given   [][]byte // to members a, b, …
		elected string   // "-" where it is not known
		codes   []Code
		says    string
	}{
		"somebody":                 {stateStable, [][]byte{told, told}, "b", nil, ""},
		"nobody":                   {stateStable, [][]byte{nobody, nobody}, "", nil, ""},
		"a payload that is binary": {stateStable, [][]byte{binary}, "b", nil, ""},
		"one was told nothing":     {stateStable, [][]byte{told, nil}, "b", []Code{CodeMemberUnreadable}, "told this member nothing"},
		"one was given garbage":    {stateStable, [][]byte{{1, 2, 3}, told}, "b", []Code{CodeMemberUnreadable}, "no JSON object"},
		"two may lead":             {stateStable, [][]byte{told, other}, "-", []Code{CodeElectionUnclear}, "different things"},
		"all garbage":              {stateStable, [][]byte{{1}}, "-", []Code{CodeMemberUnreadable, CodeElectionUnclear}, "no JSON object"},
		"in a round":               {"PreparingRebalance", [][]byte{nil}, "-", []Code{CodeRebalancing}, "ask again"},
		"empty":                    {stateEmpty, nil, "-", nil, ""},
	} {
		described := kmsg.NewDescribeGroupsResponseGroup()
		described.Group, described.State = "e", c.state
		described.ProtocolType, described.Protocol = memberbytes.ElectionProtocolType, memberbytes.ElectionProtocol
		for i, given := range c.given {
			described.Members = append(described.Members, electionMember(string(rune('a'+i)), candidate, given))
		}
		group, problems := classicGroup(described, 1)
		var codes []Code
		for _, p := range problems {
			codes = append(codes, p.Code)
		}
		if !slices.Equal(codes, c.codes) || c.says != "" && !strings.Contains(problems[0].Message, c.says) {
			t.Errorf("%s: %+v", name, problems)
		}
		watched := watchedClassic(described)
		for _, e := range []*Elected{group.Elected, watched.Elected} {
			switch {
			case c.elected == "-" && e == nil, c.elected == "" && e != nil && e.Member == nil && e.Ballot == 7:
			case e == nil || orEmpty(e.Member) != c.elected || e.Ballot != 7 || c.elected == "-":
				t.Errorf("%s: %+v", name, e)
			}
		}
		for i, m := range group.Members {
			known := m.Candidacy != nil && *m.Candidacy.PayloadText == "10.0.0.7:80" && m.Candidacy.Priority == 2
			if known != (c.state == stateStable) || m.Topics != nil || m.Assigned != nil || watched.Members[i].Assigned != nil || watched.Members[i].Unreadable != "" {
				t.Errorf("%s: %+v, %+v", name, m, watched.Members[i])
			}
		}

		// The log has the same, and the leader of the group beside it.
		value := kmsg.NewGroupMetadataValue()
		value.Version, value.ProtocolType, value.Generation = 3, memberbytes.ElectionProtocolType, 4
		value.Protocol, value.Leader = kmsg.StringPtr(memberbytes.ElectionProtocol), kmsg.StringPtr("a")
		for i, given := range c.given {
			m := kmsg.NewGroupMetadataValueMember()
			m.MemberID, m.Subscription, m.Assignment = string(rune('a'+i)), candidate, given
			value.Members = append(value.Members, m)
		}
		logged, err := decodeGeneration(value.AppendTo(nil))
		if err != nil || orEmpty(logged.Leader) != "a" || (logged.Elected == nil) != (c.elected == "-") || logged.Elected != nil && orEmpty(logged.Elected.Member) != c.elected {
			t.Errorf("%s: %v: %+v", name, err, logged)
		}
	}

	group, _ := classicGroup(kmsg.DescribeGroupsResponseGroup{
		Group: "e", State: stateStable, ProtocolType: memberbytes.ElectionProtocolType,
		Members: []kmsg.DescribeGroupsResponseGroupMember{electionMember("a", candidate, told), electionMember("b", candidate, told)},
	}, 1)
	if problems := applyRecord(group, groupRecord{generation: 3, leader: new("a"), since: -1}); len(problems) > 0 || orEmpty(group.Leader) != "a" {
		t.Errorf("%+v: %+v", problems, group)
	}
	if e := group.Elected; !e.HandsOver || e.Priority != 2 || orEmpty(e.PayloadText) != "10.0.0.7:80" || string(e.Payload) != "10.0.0.7:80" {
		t.Errorf("%+v", e)
	}
}

// A consumer group whose members happen to send an election's JSON has nobody elected.
func TestOnlyElectionsElect(t *testing.T) {
	told := memberbytes.Verdict{Ballot: memberbytes.Ballot{Number: 7, Leader: "b"}}.Encode()
	for _, protocolType := range []string{protocolConsumer, protocolConnect, "groupkit", ""} {
		described := kmsg.NewDescribeGroupsResponseGroup()
		described.Group, described.State, described.ProtocolType = "g", stateStable, protocolType
		described.Members = append(described.Members, electionMember("b", memberbytes.Candidacy{}.Encode(), told))
		if group, _ := classicGroup(described, 1); group.Elected != nil || group.Members[0].Candidacy != nil {
			t.Errorf("%q: %+v", protocolType, group)
		}
		if group := watchedClassic(described); group.Elected != nil {
			t.Errorf("%q: %+v", protocolType, group)
		}
	}
}
