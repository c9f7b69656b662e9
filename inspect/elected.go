package inspect

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

// Elected is whom an election of package member (member.Elect) elected, as its members
// were told when the last round of their group completed. That is another thing than the
// leader of the group, in the sense of Kafka's protocol, who only counts the votes there.
type Elected = watch.Elected

// Candidacy is what a member of an election said of itself when it joined the last round
// that completed.
type Candidacy struct {
	// Candidate is whether it wants to lead; one that has resigned does not.
	Candidate bool `json:"candidate"`
	// Priority is the member's: the highest is elected.
	Priority int32 `json:"priority"`
	// TakesOver is whether it wants to lead in place of a leader of lower priority.
	TakesOver bool `json:"takesOver"`
	// Payload is what it would tell all as the leader, 1 KiB at most; nil if nothing.
	// PayloadText is the payload where that is text, nil where it is not UTF-8.
	Payload     []byte  `json:"payload"`
	PayloadText *string `json:"payloadText"`
}

// isElection says whether a group is an election of package member.
func isElection(protocolType string) bool { return protocolType == memberbytes.ElectionProtocolType }

// readCandidacy reads what a member of an election sent.
func readCandidacy(raw []byte) (*Candidacy, error) {
	c, err := memberbytes.ParseCandidacy(raw)
	if err != nil {
		return nil, err
	}
	return &Candidacy{
		Candidate: c.Candidate, Priority: c.Priority, TakesOver: c.TakesOver,
		Payload: c.Payload, PayloadText: asText(c.Payload),
	}, nil
}

// verdictReader reads what the members of an election were given: the same, by one of
// them.
type verdictReader struct {
	raw     []byte // what was read first
	verdict memberbytes.Verdict
	differ  bool
}

// read takes what one member was given. The error says why that tells nothing.
func (r *verdictReader) read(raw []byte) error {
	if len(raw) > 0 && bytes.Equal(raw, r.raw) {
		return nil
	}
	verdict, err := memberbytes.ParseVerdict(raw)
	switch {
	case err != nil:
		return err
	case r.raw != nil:
		r.differ = true
	default:
		r.raw, r.verdict = raw, verdict
	}
	return nil
}

// elected returns what all members were told, nil if they were told nothing that can be
// read, or not the same.
func (r *verdictReader) elected() *Elected {
	if r.raw == nil || r.differ {
		return nil
	}
	v := r.verdict
	return &Elected{
		Member: nonEmpty(v.Leader), Ballot: v.Number, HandsOver: v.Yields,
		Priority: v.Priority, Payload: v.Payload, PayloadText: asText(v.Payload),
	}
}

// asText returns bytes as text, nil for none and for what is not UTF-8.
func asText(raw []byte) *string {
	if len(raw) == 0 || !utf8.Valid(raw) {
		return nil
	}
	return new(string(raw))
}

// problem tells why it is not known who is elected, nil where it is.
func (r *verdictReader) problem(group string, stable bool) *Problem {
	switch {
	case !stable:
		return &Problem{
			Code: CodeRebalancing, Target: group,
			Message: fmt.Sprintf("the election %q is in a round: who leads it is told when that has completed; ask again", group),
		}
	case r.differ:
		return &Problem{
			Code: CodeElectionUnclear, Target: group,
			Message: fmt.Sprintf("who is elected in %q is not known: its members were told different things, so two of them may lead; run the same version in all members, and look at what else writes to this group", group),
		}
	case r.raw == nil:
		return &Problem{
			Code: CodeElectionUnclear, Target: group,
			Message: fmt.Sprintf("who is elected in %q is not known: no member was told anything that can be read; run the same version in all members", group),
		}
	}
	return nil
}
