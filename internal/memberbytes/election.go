package memberbytes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// What the members of an election (member.Elect) send each other through the coordinator:
// JSON, so that whoever looks at the group with any tool can read it. Fields that a reader
// does not know are passed over; that is how later versions add to it.
const (
	// ElectionProtocolType keeps consumers out of the group: a coordinator lets
	// nobody join with another one, and turns no such group into one of KIP-848.
	ElectionProtocolType = "groupkit-election"
	// ElectionProtocol is the name of the one protocol that its members offer.
	ElectionProtocol = "groupkit-election-v1"

	// MaxElectionPayload bounds what a candidate tells of itself, in bytes. The coordinator
	// keeps the group in one record, a megabyte by default, with every candidate's
	// payload and, for each, the leader's.
	MaxElectionPayload = 1 << 10
	// MaxElectionMemberID bounds the ids that are kept, in bytes. Brokers make ids of the
	// client id, a dash and 36 bytes.
	MaxElectionMemberID = 1 << 10
	// maxElection bounds what is read of one member, in bytes.
	maxElection = 16 << 10
)

// ErrUntold is the error of a verdict of no bytes.
var ErrUntold = errors.New("the group's leader told this member nothing, for it cannot read what this member sends; run the same version in all members")

// A Ballot is what the leader of the group told in a round: who leads the election.
// Members keep the newest one and bring it to the next round, so that the memory of the
// group is that of its members.
type Ballot struct {
	// Number names the term, 0 before the first. It is higher for each later one.
	Number int64 `json:"number"`
	// Leader is the member id of who has the term, "" for nobody.
	Leader string `json:"leader,omitempty"`
	// Clean says that whoever last did something in a term said itself that it was over.
	Clean bool `json:"clean,omitempty"`
}

// Candidacy is what a member of the election tells in JoinGroup.
type Candidacy struct {
	Candidate bool   `json:"candidate"` // it wants to lead
	Priority  int32  `json:"priority"`
	TakesOver bool   `json:"takesOver"` // also from a leader of lower priority
	Payload   []byte `json:"payload,omitempty"`

	// Last is the newest ballot that it has seen. Where it names the member itself,
	// Holds tells whether the term may still be on.
	Last  Ballot `json:"last"`
	Holds bool   `json:"holds"`
	// Idle says that nothing was done in the term of Last, which was the member's: it
	// was over before it began, perhaps while it waited for TakeoverDelay.
	Idle bool `json:"idle,omitempty"`
}

// Verdict is what each member gets in SyncGroup, the same for all.
type Verdict struct {
	Ballot
	// Yields asks the leader to end its term: it is no candidate, or another one of
	// higher priority takes over. Nobody else is named before it has said that it did.
	Yields   bool   `json:"yields,omitempty"`
	Priority int32  `json:"priority,omitempty"` // the leader's
	Payload  []byte `json:"payload,omitempty"`  // the leader's
}

// Encode returns what to send in JoinGroup.
func (c Candidacy) Encode() []byte { return encodeElection(c) }

// Encode returns what to send in SyncGroup.
func (v Verdict) Encode() []byte { return encodeElection(v) }

func encodeElection(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, flags, valid strings and bytes
	}
	return data
}

// ParseCandidacy reads what another member sent. An error says that it cannot be
// understood.
func ParseCandidacy(data []byte) (Candidacy, error) {
	var c Candidacy
	if err := parseElection(data, &c); err != nil {
		return Candidacy{}, fmt.Errorf("the member's candidacy, %d bytes, cannot be read: %w", len(data), err)
	}
	if err := errors.Join(c.Last.check(), CheckElectionPayload(c.Payload)); err != nil {
		return Candidacy{}, fmt.Errorf("the member's candidacy makes no sense: %w", err)
	}
	return c, nil
}

// ParseVerdict reads what the leader of the group sent, [ErrUntold] if that is nothing.
func ParseVerdict(data []byte) (Verdict, error) {
	var v Verdict
	if len(data) == 0 {
		return Verdict{}, ErrUntold
	}
	if err := parseElection(data, &v); err != nil {
		return Verdict{}, fmt.Errorf("what the group's leader sent, %d bytes, cannot be read: %w", len(data), err)
	}
	if err := errors.Join(v.check(), CheckElectionPayload(v.Payload)); err != nil {
		return Verdict{}, fmt.Errorf("what the group's leader sent makes no sense: %w", err)
	}
	return v, nil
}

func parseElection(data []byte, into any) error {
	if len(data) > maxElection {
		return fmt.Errorf("it is larger than %d bytes", maxElection)
	}
	// encoding/json takes null for any struct, and leaves it as it was.
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return errors.New("it is no JSON object")
	}
	return json.Unmarshal(data, into)
}

func (b Ballot) check() error {
	switch {
	case b.Number < 0:
		return fmt.Errorf("a term has the number %d", b.Number)
	case b.Number == 0 && b.Leader != "":
		return errors.New("a term has a leader and no number")
	case len(b.Leader) > MaxElectionMemberID:
		return fmt.Errorf("the leader's id takes %d bytes and may take %d", len(b.Leader), MaxElectionMemberID)
	}
	return nil
}

// CheckElectionPayload tells what is too much for a candidate to tell of itself.
func CheckElectionPayload(payload []byte) error {
	if len(payload) > MaxElectionPayload {
		return fmt.Errorf("the payload takes %d bytes and may take %d", len(payload), MaxElectionPayload)
	}
	return nil
}
