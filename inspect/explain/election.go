package explain

import (
	"strings"

	"github.com/groupkit/groupkit/inspect/watch"
)

// electionProtocol begins the name of the protocol of elections of package member
// (member.Elect), which are groups without topics.
const electionProtocol = "groupkit-election"

// isElection says whether a group is an election.
func isElection(g watch.Group) bool {
	return g.Assignor != nil && strings.HasPrefix(*g.Assignor, electionProtocol)
}

// inElection says whether it is a candidate of an election that said something.
func (s Said) inElection() bool { return strings.HasPrefix(s.Protocol, electionProtocol) }

// adviceOnProtocols is what to change where clients were refused for their protocols: the
// group may be an election and they consumers, or the other way round.
func (h *history) adviceOnProtocols(candidates, consumers bool) string {
	election := false
	for _, o := range h.looks {
		election = isElection(*o.Look)
	}
	switch {
	case candidates && election:
		return "Give the other group of this name, or this election, another name: candidates were refused while a group of another kind had it (the name is the first argument of member.Elect)."
	case candidates:
		return "Give the election a name that no other group has (the first argument of member.Elect): a group of another kind has this one, and a group takes members of one kind only."
	case consumers && election:
		return "Give the consumers a group id of their own (group.id, kgo.ConsumerGroup), or the election another name: an election of that name (member.Elect) takes in no consumers."
	}
	return "Give all members at least one assignor in common (partition.assignment.strategy; kgo.Balancers; Protocols of package member), and the same protocol type. To change it, roll twice: first with both, then without the old one."
}
