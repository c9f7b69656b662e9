package watch

import (
	"fmt"
	"strconv"
	"time"
)

// Kind says what an [Event] is about, and which of its details is set.
type Kind string

const (
	// KindSnapshot: a part of the cluster was seen for the first time.
	KindSnapshot Kind = "snapshot"
	// KindBroker: a broker came up or went away.
	KindBroker Kind = "broker"
	// KindController: another node is the controller, or there is none.
	KindController Kind = "controller"
	// KindLeader: a partition had an election.
	KindLeader Kind = "leader"
	// KindTopic: a topic was created or deleted, or got more partitions.
	KindTopic Kind = "topic"
	// KindISR: replicas of a partition left or joined those in sync, or were moved.
	KindISR Kind = "isr"
	// KindCoordinator: another broker coordinates a group.
	KindCoordinator Kind = "coordinator"
	// KindGroup: a group appeared, vanished, changed its type, or began to rebalance.
	KindGroup Kind = "group"
	// KindGeneration: a rebalance of a group completed.
	KindGeneration Kind = "generation"
	// KindLag: a group does not get on with a partition, or does again.
	KindLag Kind = "lag"
	// KindSight: something could not be looked at, or can be again.
	KindSight Kind = "sight"
)

// Event is one change. Exactly one of the pointers is set, the one that Kind names.
type Event struct {
	Kind Kind `json:"kind"`
	// At is when the change was seen. Package inspect gives times in UTC.
	At time.Time `json:"at"`
	// After is when the state before it was last seen: the change lies between After
	// and At. Zero, and left out in JSON, where nothing was seen before.
	After time.Time `json:"after,omitzero"`

	Snapshot    *Snapshot          `json:"snapshot,omitempty"`
	Broker      *BrokerChange      `json:"broker,omitempty"`
	Controller  *ControllerChange  `json:"controller,omitempty"`
	Leader      *LeaderChange      `json:"leader,omitempty"`
	Topic       *TopicChange       `json:"topic,omitempty"`
	ISR         *ISRChange         `json:"isr,omitempty"`
	Coordinator *CoordinatorChange `json:"coordinator,omitempty"`
	Group       *GroupChange       `json:"group,omitempty"`
	Generation  *GenerationChange  `json:"generation,omitempty"`
	Lag         *LagChange         `json:"lag,omitempty"`
	Sight       *SightChange       `json:"sight,omitempty"`
}

// Snapshot is what was there at the first look at one part of the cluster. The
// slices of the other parts are nil.
type Snapshot struct {
	// Brokers and Partitions come together: the live brokers, and the partitions
	// watched, by topic and number.
	Brokers    []int32     `json:"brokers,omitempty"`
	Partitions []Partition `json:"partitions,omitempty"`
	// Controller is the active controller.
	Controller *Controller `json:"controller,omitempty"`
	// Groups are those of one coordinator, by name. Of one that has none there is no
	// snapshot.
	Groups []Group `json:"groups,omitempty"`
	// Absent are groups that are watched by name and do not exist.
	Absent []string `json:"absent,omitempty"`
	// AbsentTopics are topics that are watched by name and do not exist, or may not be
	// seen. They come with Brokers and Partitions.
	AbsentTopics []string `json:"absentTopics,omitempty"`
}

// BrokerChange is a broker that is among the live ones, or is no longer. One that is up
// before and after, at another address, was replaced or moved between two looks.
type BrokerChange struct {
	Node int32 `json:"node"`
	Up   bool  `json:"up"`
	// Address is the one that clients are told, and WasAt the one before where it differs;
	// empty if not told.
	Address string `json:"address,omitempty"`
	WasAt   string `json:"wasAt,omitempty"`
}

// ControllerChange is an election of the quorum.
type ControllerChange struct {
	// From and To are nodes, nil for none or not known.
	From *int32 `json:"from"`
	To   *int32 `json:"to"`
	// FromEpoch and ToEpoch count the elections.
	FromEpoch *int32 `json:"fromEpoch"`
	ToEpoch   *int32 `json:"toEpoch"`
	// Unseen is how many epochs lie between the two. An epoch need not have had a
	// controller: a candidate that was not elected takes one too.
	Unseen int32 `json:"unseen"`
}

// Cause is why a partition has another leader.
type Cause string

const (
	// CauseBrokerGone: the leader before was lost to the cluster, killed, fenced or
	// shutting down, and a replica in sync took over, or none could.
	CauseBrokerGone Cause = "broker-gone"
	// CauseBrokerBack: there was no leader, and a replica that may lead came back.
	CauseBrokerBack Cause = "broker-back"
	// CausePreferred: a preferred election, asked for or by the controller's own
	// balancing, gave the partition back to its first replica.
	CausePreferred Cause = "preferred-election"
	// CauseReassignment: the replicas were moved.
	CauseReassignment Cause = "reassignment"
	// CauseUnclean: the new leader was not in sync, and records may be lost.
	CauseUnclean Cause = "unclean-election"
	// CauseUnknown: what was seen does not tell.
	CauseUnknown Cause = "unknown"
)

// LeaderChange is an election of one partition.
type LeaderChange struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// From and To are brokers, nil for no leader. They are the same where the epoch
	// says that there was an election and the same broker leads.
	From *int32 `json:"from"`
	To   *int32 `json:"to"`
	// FromEpoch and ToEpoch are the leader epochs, nil if not told.
	FromEpoch *int32 `json:"fromEpoch"`
	ToEpoch   *int32 `json:"toEpoch"`
	// Unseen is how many elections lie between the two that were not seen.
	Unseen int32 `json:"unseen"`
	// Cause is that of the last election, and Evidence what was seen of it.
	Cause    Cause    `json:"cause"`
	Evidence []string `json:"evidence"`
}

// TopicChange is a topic that came or went, or that has more partitions. Where topics may
// not be seen any more, they are gone to whoever looks.
type TopicChange struct {
	Topic string `json:"topic"`
	// From and To are how many partitions it had and has; From is nil for a topic that was
	// created, To for one that was deleted.
	From *int `json:"from"`
	To   *int `json:"to"`
	// Anew: the topic was deleted and another one of its name was created between two
	// looks. From is of the one before, of which all is gone.
	Anew bool `json:"anew"`
	// Partitions are those that are new, by number, as they were when they were first
	// seen.
	Partitions []Partition `json:"partitions"`
}

// ISRChange is a change of the replicas in sync, or of the replicas.
type ISRChange struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Left      []int32 `json:"left"`
	Joined    []int32 `json:"joined"`
	// ISR are those in sync afterwards, of Replicas.
	ISR      []int32 `json:"isr"`
	Replicas []int32 `json:"replicas"`
	// WereReplicas are the replicas before, where these are others, or in another order;
	// then Left and Joined may both be empty.
	WereReplicas []int32 `json:"wereReplicas,omitempty"`
}

// CoordinatorChange is a group whose partition of __consumer_offsets has another
// leader.
type CoordinatorChange struct {
	Group     string `json:"group"`
	Partition int32  `json:"partition"`
	// From and To are brokers, nil for none.
	From *int32 `json:"from"`
	To   *int32 `json:"to"`
	// Cause and Evidence are those of the election of that partition.
	Cause    Cause    `json:"cause"`
	Evidence []string `json:"evidence"`
}

// GroupChange is a group that changed without completing a rebalance.
type GroupChange struct {
	Group string `json:"group"`
	// From and To are states; From is nil for a group that appeared, To for one that
	// vanished.
	From *string `json:"from"`
	To   *string `json:"to"`
	// FromType and ToType are types; where they differ the group was converted.
	FromType *string `json:"fromType"`
	ToType   *string `json:"toType"`
	// Members are how many it has, nil if not known.
	Members *int `json:"members"`
	// Joined are the members of a group that appeared, where no event of
	// [KindGeneration] follows that tells of them.
	Joined []MemberRef `json:"joined,omitempty"`
}

// MemberRef names a member so that a person knows it.
type MemberRef struct {
	ID       string  `json:"id"`
	Instance *string `json:"instance"`
	ClientID string  `json:"clientId"`
	Host     string  `json:"host"`
}

// Source is where something is known from.
type Source string

const (
	// SourceLog: from __consumer_offsets.
	SourceLog Source = "log"
	// SourcePoll: from what the coordinator answers.
	SourcePoll Source = "poll"
)

// GenerationChange is a rebalance that completed, or several of which the last one
// did.
type GenerationChange struct {
	Group string `json:"group"`
	// From and To are generations, group epochs where the broker assigns. Nil if not
	// known: of a classic group only the log tells, which needs READ on
	// __consumer_offsets. They are the same where a static member was replaced.
	From *int32 `json:"from"`
	To   *int32 `json:"to"`
	// Unseen is how many generations lie between the two, nil if not known.
	Unseen *int32 `json:"unseen"`
	// Joined and Left are members that are new and that are gone. A static member
	// that was replaced is in both.
	Joined []MemberRef `json:"joined"`
	Left   []MemberRef `json:"left"`
	// Members are how many there are.
	Members int `json:"members"`
	// FromLeader and ToLeader are the ids of the members that led the group, in the sense
	// of Kafka's protocol, nil if not known. In an election of package member they only
	// count the votes.
	FromLeader *string `json:"fromLeader"`
	ToLeader   *string `json:"toLeader"`
	// FromElected and ToElected are whom an election of package member elected before and
	// after. Nil, and left out in JSON, for other groups and where that is not known.
	FromElected *Elected `json:"fromElected,omitempty"`
	ToElected   *Elected `json:"toElected,omitempty"`
	// Assignor is what decided, nil if not known.
	Assignor *string `json:"assignor"`
	// Moved is how many partitions have another owner, nil if not known.
	Moved *int `json:"moved"`
	// NotStable is how long the group was not stable. The log tells of a static member
	// that was replaced without a rebalance, and then it is zero.
	NotStable Span `json:"notStable"`
	// Source says who told of it.
	Source Source `json:"source"`
}

// Span is a time that is known within bounds, since looks lie apart.
type Span struct {
	AtLeast Millis `json:"atLeastMs"`
	AtMost  Millis `json:"atMostMs"`
}

// Millis is a duration that is a whole number of milliseconds in JSON.
type Millis time.Duration

// Duration returns it as what it is.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

// String returns it as a duration, rounded to milliseconds.
func (m Millis) String() string { return m.Duration().Round(time.Millisecond).String() }

// MarshalJSON implements [encoding/json.Marshaler].
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, m.Duration().Milliseconds(), 10), nil
}

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (m *Millis) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return fmt.Errorf("a duration in JSON is a number of milliseconds, and not %s: %w", raw, err)
	}
	*m = Millis(time.Duration(n) * time.Millisecond)
	return nil
}

// LagChange is a partition that a group does not get on with, although it has an
// owner that is told to, or does again.
type LagChange struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Stalled is true when it stalled and false when commits go on.
	Stalled bool `json:"stalled"`
	// Committed is the offset committed, and End the end of the log.
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	Lag       int64 `json:"lag"`
	// For is how long the committed offset has not moved.
	For Millis `json:"forMs"`
	// Owner is the member that has the partition, nil if none or not known.
	Owner *MemberRef `json:"owner"`
}

// SightChange tells that a part could not be looked at, or can be again. What
// changed meanwhile is told by the events that follow, with After at the time of
// the last look.
type SightChange struct {
	// Part is what was looked at: "partitions", "elr" (the eligible leader replicas of
	// partitions out of sync, which tell causes), "controller", "controllers" (at their own
	// listeners), "groups", "offsets", "log", or one topic or group: "topic
	// NAME", "group NAME".
	Part string `json:"part"`
	// Node is the broker that was asked, nil where any would do.
	Node *int32 `json:"node"`
	// Lost is true when looking failed, and false when it works again.
	Lost bool `json:"lost"`
	// For is how long it did not work, when it works again.
	For Millis `json:"forMs,omitempty"`
	// Code and Message say why it failed, as in package inspect.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}
