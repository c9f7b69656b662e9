package member

import (
	"log/slog"
	"time"

	"github.com/groupkit/groupkit/assign"
)

// An EventKind names what happened to a member.
type EventKind string

// The kinds of events, in the order in which a round brings them.
const (
	// EventJoining: the member sends JoinGroup, when it first joins twice (KIP-394).
	EventJoining EventKind = "joining"
	// EventSyncing: the member joined, does not lead the round, and sends SyncGroup.
	EventSyncing EventKind = "syncing"
	// EventElected: the coordinator named this member the leader of the round.
	EventElected EventKind = "elected"
	// EventIsolated: Subject sent metadata that cannot be read, told in Err,
	// and is given nothing.
	EventIsolated EventKind = "isolated"
	// EventVetoed: OnPlan vetoed the proposed plan; what is owned stays.
	EventVetoed EventKind = "vetoed"
	// EventFallback: an assignor or hook failed, as Err tells: what is owned
	// stays for this round, or, where Weights failed, all weigh the same.
	EventFallback EventKind = "fallback"
	// EventPlanned: the leader sends Plan, of which Stats tells the cost.
	EventPlanned EventKind = "planned"
	// EventAssigned: SyncGroup was answered; Assigned is what this member has
	// from now on. Of a leader's plan it means that the group adopted it.
	EventAssigned EventKind = "assigned"
	// EventLeading: a term of this member begins.
	EventLeading EventKind = "leading"
	// EventLeadFailed: Lead returned while its term is on, nil or another error than
	// ErrTermDone, or panicked, as Err tells, and is called again as Reason tells.
	EventLeadFailed EventKind = "lead-failed"
	// EventLeadDone: Lead returned ErrTermDone, which Err is or wraps, and does not run
	// again in this term.
	EventLeadDone EventKind = "lead-done"
	// EventLoadUnknown: Weights failed, as Err tells, when ReplanOnLoad asked it for the
	// load; it is asked again when the next look is due.
	EventLoadUnknown EventKind = "load-unknown"
	// EventResigned: the term ended; Err tells why. Lead may still be running.
	EventResigned EventKind = "resigned"
	// EventLeadReturned: nothing of the term that ended runs any more.
	EventLeadReturned EventKind = "lead-returned"
	// EventLeaderless: the broker assigns partitions in this group, because a
	// member that speaks KIP-848 joined it, and no member leads.
	EventLeaderless EventKind = "leaderless"
	// EventLed: the group has a leader again, after EventLeaderless, and it is
	// another member.
	EventLed EventKind = "led"
	// EventLost: the member is out of the group for the reason in Err, with
	// all its partitions, or was not let in, and joins again.
	EventLost EventKind = "lost"
	// EventUnattached: the client is in its group, and Hooks.Attach was not called by 3 s
	// after the first balance. Err tells what does not work without it. Told once.
	EventUnattached EventKind = "unattached"
	// EventClosed: Hooks or the client were closed, or a Member, of which it is the last
	// event.
	EventClosed EventKind = "closed"
)

// The kinds of events of a [Member] beside those of its Hooks. Topic and Partition name
// the partition that it is about.
const (
	// EventWaiting: the member cannot even ask the group to take it in, as Err tells: no
	// broker can be reached, or a topic does not exist. It is looked for once in each
	// heartbeat interval until the group has taken the member in, and told again when
	// it changes.
	EventWaiting EventKind = "waiting"
	// EventRevoked: the partitions in Assigned were drained, committed and given up.
	EventRevoked EventKind = "revoked"
	// EventAbandoned: a handler did not return in time when its partition was given
	// up or the member closed, see Config.DrainTimeout. Its Records records from Offset
	// on, which it has not told by Progress, are not committed and may be handled by another member at the same time.
	EventAbandoned EventKind = "abandoned"
	// EventHandlerFailed: the handler returned Err for Records records from Offset
	// on, the Attempt-th time, for none where it had told all of them by Progress;
	// or their dead letters were not acknowledged.
	EventHandlerFailed EventKind = "handler-failed"
	// EventSkipped: OnFailure chose Skip for Records records from Offset on.
	EventSkipped EventKind = "skipped"
	// EventDeadLettered: OnFailure chose DeadLetter for Records records from Offset
	// on, and the brokers acknowledged them.
	EventDeadLettered EventKind = "dead-lettered"
	// EventPartitionStopped: OnFailure chose StopPartition, for the *Failure in Err:
	// for Records records from Offset on.
	EventPartitionStopped EventKind = "partition-stopped"
	// EventStalled: records wait and the handler makes no progress, see
	// Config.StallTimeout: Records records from Offset on are not handled of those that
	// it was called with, or, where it was not, that one poll brought. Or it cannot even be called, which only is told: an
	// abandoned handler of the partition has not returned, the handlers of others take
	// all of Config.Concurrency and make no progress either, or dead letters have not
	// been acknowledged for as long.
	EventStalled EventKind = "stalled"
	// EventRecovered: it does again, or nothing waits any more.
	EventRecovered EventKind = "recovered"
	// EventFenced: the coordinator has not acknowledged the member in time, or
	// refuses it, as Err tells. The contexts of all handlers have ended.
	EventFenced EventKind = "fenced"
	// EventAcknowledged: it acknowledges the member again, and handlers go on.
	EventAcknowledged EventKind = "acknowledged"
	// EventCommitFailed: offsets could not be committed, for the Attempt-th time in
	// a row; it is tried again.
	EventCommitFailed EventKind = "commit-failed"
	// EventFetchFailed: records could not be fetched. kgo tries again where that may
	// help. Without Topic, and in KIP-848 only: heartbeats have failed for long.
	EventFetchFailed EventKind = "fetch-failed"
	// EventRecreated: Topic was deleted and created again, see Config.OnRecreated.
	EventRecreated EventKind = "recreated"
)

// An Event is something that happened to a member. Fields that do not belong to the
// kind, and those whose value is not known, are zero.
type Event struct {
	Kind       EventKind
	Time       time.Time
	Group      string
	Member     string // this member's id
	Generation int32  // 0 when not known
	Protocol   string

	// From and State are the member's states before and after the event. They
	// differ where the event is a change of state.
	From, State State

	// Reason tells in words why it happened, where that is known and is no error.
	Reason string

	Topics   []string                 // EventJoining: what it subscribes to; not told in KIP-848
	Subject  string                   // EventIsolated: the other member's id
	Plan     *assign.Plan             // EventPlanned
	Stats    *assign.Stats            // EventPlanned
	Causes   []Cause                  // EventPlanned: why the round happened
	Took     time.Duration            // EventPlanned: how long planning took
	Assigned []assign.TopicPartitions // EventAssigned, EventRevoked
	Leader   bool                     // EventAssigned: this member leads
	LeaderID string                   // EventAssigned: who leads, where it is this member or announces itself; of an Election who is named, in any case
	Err      error

	// Of the events of a Member.
	Topic     string
	Partition int32
	Offset    int64
	Records   int
	Attempt   int
}

// listened tells whether anybody hears of an event of this level.
func (h *Hooks) listened(level slog.Level) bool {
	return h.cfg.OnEvent != nil || h.cfg.Logger.Enabled(h.ctx, level)
}
