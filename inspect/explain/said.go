package explain

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/groupkit/groupkit/inspect/watch"
)

// Said is what a member, or a client that is none yet, said of itself. Its JSON is a
// line of [ReadSaid].
type Said struct {
	// Member is the member's ID, empty if it has none yet.
	Member string `json:"member,omitempty"`
	// Instance, ClientID and Host are what else names it.
	Instance string `json:"instance,omitempty"`
	ClientID string `json:"clientId,omitempty"`
	Host     string `json:"host,omitempty"`
	// Kind is what happened, as the kinds of events of package member: of these "joining",
	// "syncing", "elected", "planned", "assigned", "isolated", "fenced", "lost",
	// "leaderless", "led" and "closed" are understood, and "left".
	Kind string `json:"kind"`
	// Subject is the member that it is about, where that is another.
	Subject string `json:"subject,omitempty"`
	// Generation is the one that it is about, 0 if not known.
	Generation int32 `json:"generation,omitempty"`
	// Error is the error's text, empty for none. Kafka's names of errors in it, such as
	// UNKNOWN_MEMBER_ID, are understood.
	Error string `json:"error,omitempty"`
	// Protocol is the assignor's name, and Topics what the member subscribes to.
	Protocol string   `json:"protocol,omitempty"`
	Topics   []string `json:"topics,omitempty"`
	// State is the member's state after the event, where that changed it: "leaderless" once
	// the broker assigns its partitions (KIP-848).
	State string `json:"state,omitempty"`
	// SessionTimeout and RebalanceTimeout are what it joins with, 0 if not told.
	SessionTimeout   watch.Millis `json:"sessionTimeoutMs,omitempty"`
	RebalanceTimeout watch.Millis `json:"rebalanceTimeoutMs,omitempty"`
	// Causes are why a round happened, as its leader knows.
	Causes []SaidCause `json:"causes,omitempty"`
}

// SaidCause is one reason for a round, as member.Cause has it.
type SaidCause struct {
	Kind   string `json:"kind"`
	Member string `json:"member,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// String returns it in a few words.
func (c SaidCause) String() string {
	words := c.Kind
	if subject := cmp.Or(c.Member, c.Topic); subject != "" {
		words += fmt.Sprintf(" %q", subject)
	}
	if c.Detail != "" {
		words += ": " + c.Detail
	}
	return words
}

func isOfAnotherType(err error) bool {
	_, is := errors.AsType[*json.UnmarshalTypeError](err)
	return is
}

// saidKinds are what a message may be that says something of membership.
var saidKinds = map[string]bool{
	"joining": true, "syncing": true, "elected": true, "planned": true, "assigned": true, "isolated": true,
	"fenced": true, "lost": true, "leaderless": true, "led": true, "closed": true, "left": true,
}

// namesError says whether a text names one of Kafka's errors that tell of membership.
func namesError(text string) bool {
	for _, name := range []string{"INCONSISTENT_GROUP_PROTOCOL", "UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID", "UNRELEASED_INSTANCE_ID", "GROUP_ID_NOT_FOUND", "custom assignor"} {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// nameByID takes from the member's ID what it is called, where that is not told.
func (s *Said) nameByID() {
	if s.ClientID == "" && s.Instance == "" {
		s.ClientID = nameIn(s.Member)
	}
}

// nameIn is what the coordinator makes a classic member's ID of, beside a UUID: its
// instance, or else its client's ID (GroupMetadataManager.generateMemberId). It is empty
// where the ID is not such a one.
func nameIn(id string) string {
	const uuid = len("-00000000-0000-0000-0000-000000000000")
	if len(id) <= uuid {
		return ""
	}
	name, rest := id[:len(id)-uuid], id[len(id)-uuid:]
	for i, c := range rest {
		dash := i == 0 || i == 9 || i == 14 || i == 19 || i == 24
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return ""
		}
	}
	return name
}
