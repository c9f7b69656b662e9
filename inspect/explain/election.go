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
	case candidates:
		return doRenameElection
	case consumers && election:
		return doRenameConsumers
	}
	return doAgree
}
