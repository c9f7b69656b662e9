package explain

import (
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// Cause is what a verdict says.
type Cause string

const (
	// LeavesRepeatedly: one member goes and comes back again and again.
	LeavesRepeatedly Cause = "leaves-repeatedly"
	// SlowToRejoin: the group waits long for members to join again.
	SlowToRejoin Cause = "slow-to-rejoin"
	// SlowPlan: the group waits long for its leader's plan.
	SlowPlan Cause = "slow-plan"
	// RollingRestart: members are restarted one after the other, without static
	// membership.
	RollingRestart Cause = "rolling-restart"
	// SessionExpired: the coordinator heard nothing of members for their session
	// timeout.
	SessionExpired Cause = "session-expired"
	// DuplicateInstance: two processes use one instance id.
	DuplicateInstance Cause = "duplicate-instance"
	// ProtocolMismatch: a member is refused, or the group changes between assignors,
	// because members have no protocol in common.
	ProtocolMismatch Cause = "protocol-mismatch"
	// SubscriptionChanged: members subscribed to other topics.
	SubscriptionChanged Cause = "subscription-changed"
	// PartitionsChanged: topics have another number of partitions.
	PartitionsChanged Cause = "partitions-changed"
	// UnreadableMetadata: the leader cannot read what a member says of itself, so that
	// its plan fails.
	UnreadableMetadata Cause = "unreadable-metadata"
	// BetweenTypes: members of the classic protocol and of KIP-848 are mixed, or one
	// sort is refused.
	BetweenTypes Cause = "between-types"
	// Unexplained: rebalances for which no cause was seen.
	Unexplained Cause = "unexplained"
	// Empty: the group has no members, or does not exist.
	Empty Cause = "empty"
	// Fine: nothing is wrong.
	Fine Cause = "fine"
)

// Sureness is how sure a verdict is.
type Sureness string

const (
	// Certain: the observations leave no other cause.
	Certain Sureness = "certain"
	// Likely: another cause would take a coincidence.
	Likely Sureness = "likely"
	// Possible: other causes are about as likely.
	Possible Sureness = "possible"
)

func (s Sureness) rank() int {
	switch s {
	case Certain:
		return 0
	case Likely:
		return 1
	}
	return 2
}

// Diagnosis is what was made of the observations of one group.
type Diagnosis struct {
	Group string `json:"group"`
	// From and To are the first and the last observation.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Sources are what the observations came from.
	Sources []Source `json:"sources"`
	// Rebalances are how many were seen to complete, and Unseen how many more did
	// according to the generations.
	Rebalances int `json:"rebalances"`
	Unseen     int `json:"unseen"`
	// Accounts say what accounts for how many of the Rebalances, and for how many nothing
	// does. Each rebalance counts once, so that they add up to Rebalances; there are none
	// where there was no rebalance. They come in the order of Verdicts, then those with
	// which nothing is wrong, and last those that nothing accounts for.
	Accounts []Account `json:"accounts"`
	// NotStable is how long the coordinator was seen to wait in all, as far as it was
	// asked.
	NotStable watch.Millis `json:"notStableMs"`
	// State and Members are those of the last look, empty and nil if there was none.
	State   string `json:"state"`
	Members *int   `json:"members"`
	// Verdicts are most likely first; there is at least one.
	Verdicts []Verdict `json:"verdicts"`
	// Unknown says what could not be seen, and what it would take.
	Unknown []string `json:"unknown"`
}

// Account is the part of the rebalances that one thing accounts for.
type Account struct {
	// Cause is that of the verdict; [Fine] for those in which members came and went, or
	// asked for it; [Unexplained] for those of which no cause was seen.
	Cause Cause `json:"cause"`
	// Verdict is the index of the verdict among [Diagnosis.Verdicts], nil for those that
	// are [Fine] beside verdicts that are not.
	Verdict *int `json:"verdict"`
	// Rebalances are how many, and At when they completed: the first ten and the last ten,
	// where there are more than twenty.
	Rebalances int         `json:"rebalances"`
	At         []time.Time `json:"at"`
}

// Verdict is one cause, with its evidence.
type Verdict struct {
	Cause Cause    `json:"cause"`
	Sure  Sureness `json:"sure"`
	// Members are who it is about.
	Members []watch.MemberRef `json:"members"`
	// Says is one sentence that says what is the matter.
	Says string `json:"says"`
	// Do is what to change.
	Do string `json:"do"`
	// Evidence is what was seen, in the order of time.
	Evidence []Evidence `json:"evidence"`
	// Explains is how many of the rebalances it accounts for: it is why they began. No
	// other verdict counts the same.
	Explains int `json:"explains"`
	// Prolongs is how many of the rebalances it made long, whatever they began for. It is 0
	// but of [SlowToRejoin] and [SlowPlan].
	Prolongs int `json:"prolongs"`
}

// Evidence is one thing that was seen.
type Evidence struct {
	At     time.Time `json:"at"`
	Source Source    `json:"source"`
	Text   string    `json:"text"`
}

// mostEvidence is how many pieces a verdict quotes.
const mostEvidence = 8
