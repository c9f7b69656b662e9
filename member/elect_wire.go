package member

import (
	"encoding/json"
	"errors"
	"fmt"
)

// What the members of an election send each other through the coordinator: JSON, so
// that whoever looks at the group with any tool can read it. Fields that a reader does
// not know are passed over; that is how later versions add to it.
const (
	// electionProtocolType keeps consumers out of the group: a coordinator lets
	// nobody join with another one, and turns no such group into one of KIP-848.
	electionProtocolType = "groupkit-election"
	electionProtocol     = "groupkit-election-v1"

	// maxPayload bounds what a candidate tells of itself, in bytes. The coordinator
	// keeps the group in one record, a megabyte by default, with every candidate's
	// payload and, for each, the leader's.
	maxPayload = 1 << 10
	// maxElectionBytes bounds what is read of one member, in bytes.
	maxElectionBytes = 16 << 10
	// maxMemberID bounds the ids that are kept, in bytes. Brokers make ids of the
	// client id, a dash and 36 bytes.
	maxMemberID = 1 << 10
)

// A ballot is what the leader of the group told in a round: who leads the election.
// Members keep the newest one and bring it to the next round, so that the memory of the
// group is that of its members.
type ballot struct {
	// Number names the term, 0 before the first. It is higher for each later one.
	Number int64 `json:"number"`
	// Leader is the member id of who has the term, "" for nobody.
	Leader string `json:"leader,omitempty"`
	// Clean says that whoever last did something in a term said itself that it was over.
	Clean bool `json:"clean,omitempty"`
}

// candidacy is what a member of the election tells in JoinGroup.
type candidacy struct {
	Candidate bool   `json:"candidate"` // it wants to lead
	Priority  int32  `json:"priority"`
	TakesOver bool   `json:"takesOver"` // also from a leader of lower priority
	Payload   []byte `json:"payload,omitempty"`

	// Last is the newest ballot that it has seen. Where it names the member itself,
	// Holds tells whether the term may still be on.
	Last  ballot `json:"last"`
	Holds bool   `json:"holds"`
	// Idle says that nothing was done in the term of Last, which was the member's: it
	// was over before it began, perhaps while it waited for TakeoverDelay.
	Idle bool `json:"idle,omitempty"`
}

// verdict is what each member gets in SyncGroup, the same for all.
type verdict struct {
	ballot
	// Yields asks the leader to end its term: it is no candidate, or another one of
	// higher priority takes over. Nobody else is named before it has said that it did.
	Yields   bool   `json:"yields,omitempty"`
	Priority int32  `json:"priority,omitempty"` // the leader's
	Payload  []byte `json:"payload,omitempty"`  // the leader's
}

func (c candidacy) encode() []byte { return encodeElection(c) }
func (v verdict) encode() []byte   { return encodeElection(v) }

func encodeElection(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, flags, valid strings and bytes
	}
	return data
}

// decodeCandidacy reads what another member sent. An error says that it cannot be
// understood.
func decodeCandidacy(data []byte) (candidacy, error) {
	var c candidacy
	if err := decodeElection(data, &c); err != nil {
		return candidacy{}, fmt.Errorf("the member's candidacy, %d bytes, cannot be read: %w", len(data), err)
	}
	if err := errors.Join(checkBallot(c.Last), checkPayload(c.Payload)); err != nil {
		return candidacy{}, fmt.Errorf("the member's candidacy makes no sense: %w", err)
	}
	return c, nil
}

// decodeVerdict reads what the leader of the group sent.
func decodeVerdict(data []byte) (verdict, error) {
	var v verdict
	if len(data) == 0 {
		return verdict{}, errors.New("the group's leader told this member nothing, for it cannot read what this member sends; run the same version in all members")
	}
	if err := decodeElection(data, &v); err != nil {
		return verdict{}, fmt.Errorf("what the group's leader sent, %d bytes, cannot be read: %w", len(data), err)
	}
	if err := errors.Join(checkBallot(v.ballot), checkPayload(v.Payload)); err != nil {
		return verdict{}, fmt.Errorf("what the group's leader sent makes no sense: %w", err)
	}
	return v, nil
}

func decodeElection(data []byte, into any) error {
	if len(data) > maxElectionBytes {
		return fmt.Errorf("it is larger than %d bytes", maxElectionBytes)
	}
	return json.Unmarshal(data, into)
}

func checkBallot(b ballot) error {
	switch {
	case b.Number < 0:
		return fmt.Errorf("a term has the number %d", b.Number)
	case len(b.Leader) > maxMemberID:
		return fmt.Errorf("the leader's id takes %d bytes and may take %d", len(b.Leader), maxMemberID)
	}
	return nil
}

func checkPayload(payload []byte) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("the payload takes %d bytes and may take %d", len(payload), maxPayload)
	}
	return nil
}
