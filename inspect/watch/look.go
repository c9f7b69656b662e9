package watch

import (
	"slices"
	"time"
)

// PartitionsLook is one answer about brokers and partitions, all of one moment.
type PartitionsLook struct {
	At time.Time
	// Brokers are the live ones.
	Brokers []int32
	// Addresses are where clients reach them, host:port; those that are not told are left
	// out.
	Addresses map[int32]string
	// Partitions are those of the topics that were asked for.
	Partitions []Partition
	// Unanswered are topics that the answer says nothing of, for an error of their
	// own: what is known of them stays.
	Unanswered []string
}

// Partition is one partition as a look shows it.
type Partition struct {
	Topic string `json:"topic"`
	// TopicID tells a topic from another that had its name before; zero if not told.
	TopicID   [16]byte `json:"-"`
	Partition int32    `json:"partition"`
	// Leader is the broker that leads, nil if none does.
	Leader *int32 `json:"leader"`
	// LeaderEpoch counts the elections, nil if not told.
	LeaderEpoch *int32  `json:"leaderEpoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	// ELR are replicas that are not in sync and may lead nevertheless (KIP-966), nil
	// if not known.
	ELR []int32 `json:"elr,omitempty"`
	// LastKnownELR are those that were in sync last, nil if not known.
	LastKnownELR []int32 `json:"lastKnownElr,omitempty"`
	// Offline are replicas whose broker or disk is down.
	Offline []int32 `json:"offline,omitempty"`
}

type partitionKey struct {
	topic     string
	partition int32
}

// Degraded says that not all replicas are in sync: what else may lead matters then.
func (p Partition) Degraded() bool { return len(p.ISR) < len(p.Replicas) }

// ControllerLook is one answer about the controller.
type ControllerLook struct {
	At time.Time
	Controller
}

// Controller is the active controller.
type Controller struct {
	// Node is nil if there is none.
	Node *int32 `json:"node"`
	// Epoch counts the elections.
	Epoch int32 `json:"epoch"`
}

// GroupsLook is what one coordinator says of its groups.
type GroupsLook struct {
	At time.Time
	// Answered is when the answer was there, At if zero.
	Answered time.Time
	// Node is the coordinator that answered.
	Node int32
	// Groups are those that it described.
	Groups []Group
	// Absent are groups that were asked for and do not exist.
	Absent []string
	// Forgotten are those of Absent that are not asked for any more, unless they appear
	// again.
	Forgotten []string
	// Appeared are those of Groups that were not there at an earlier list of groups. A
	// group that is seen for the first time and is not among them is part of a snapshot.
	Appeared []string
}

// Group is one group as a look shows it.
type Group struct {
	Group string `json:"group"`
	// Type is "classic", "consumer", "share" or "streams".
	Type         string  `json:"type"`
	State        string  `json:"state"`
	ProtocolType string  `json:"protocolType,omitempty"`
	Assignor     *string `json:"assignor"`
	// Generation is the group epoch where the broker assigns, and what the log told
	// last of a classic group; nil if not known.
	Generation *int32 `json:"generation"`
	// Leader is what the log told last, nil if not known.
	Leader *string `json:"leader"`
	// Elected is whom an election of package member elected. Nil, and left out in JSON, for
	// other groups and where that is not known, as during a rebalance.
	Elected *Elected `json:"elected,omitempty"`
	// OffsetsPartition is the partition of __consumer_offsets that holds the group,
	// nil if not known.
	OffsetsPartition *int32   `json:"offsetsPartition"`
	Members          []Member `json:"members"`
}

// Settled says that no rebalance is under way.
func (g Group) Settled() bool { return g.State == "Stable" || g.State == "Empty" }

// Member is one member of a group as a look shows it.
type Member struct {
	MemberRef
	// Topics are the topics subscribed to, sorted, nil if not told, as between two
	// generations of a classic group.
	Topics []string `json:"topics"`
	// Assigned is what it may consume, sorted, nil if not told.
	Assigned []TopicPartitions `json:"assigned"`
	// Owned is what it still has, where it differs from Assigned; nil if not told.
	Owned []TopicPartitions `json:"owned,omitempty"`
	// JoinedWith is the generation that a classic member had when it joined the
	// present one, nil if it does not tell or had none.
	JoinedWith *int32 `json:"joinedWith,omitempty"`
	// Epoch is the group epoch that a KIP-848 member has reached.
	Epoch *int32 `json:"epoch,omitempty"`
	// Classic is whether a member of a consumer group speaks the classic protocol,
	// nil if not told.
	Classic *bool `json:"classic,omitempty"`
	// Unreadable says why the member's subscription does not decode, empty if it
	// does or is not told.
	Unreadable string `json:"unreadable,omitempty"`
	// SessionTimeout and RebalanceTimeout are what a classic member asked for, 0 if not
	// known: the log alone tells.
	SessionTimeout   Millis `json:"sessionTimeoutMs,omitempty"`
	RebalanceTimeout Millis `json:"rebalanceTimeoutMs,omitempty"`
	// UserData is whether the leader gave the member more than partitions.
	UserData bool `json:"userData,omitempty"`
}

// TopicPartitions are partitions of one topic, sorted.
type TopicPartitions struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// RecordsLook is what was read of __consumer_offsets: the records of classic groups
// in their order.
type RecordsLook struct {
	At time.Time
	// Answered is when the answer was there, At if zero.
	Answered time.Time
	Records  []GroupRecord
	// Begun are partitions that are read from now on.
	Begun []int32
	// Partitions are those that were read to their ends, as these were at At or later.
	Partitions []int32
	// Gaps are those of which a part was left out, because more was written than may
	// be read, or the log cannot be read any more.
	Gaps []int32
}

// GroupRecord is one record of a classic group in __consumer_offsets.
type GroupRecord struct {
	Group string
	// Written is the record's own time: when the leader's plan came.
	Written time.Time
	// Entered is when the coordinator entered the state that it was in when it wrote:
	// for a rebalance, when all had joined. Zero if not told.
	Entered    time.Time
	Generation int32
	Leader     *string
	Elected    *Elected
	Protocol   *string
	Members    []Member
	// Tombstone: the group was deleted or converted; the fields above are empty.
	Tombstone bool
}

// OffsetsLook is how far a group is with the partitions that its members own.
type OffsetsLook struct {
	At      time.Time
	Group   string
	Offsets []Offset
}

// Offset is how far a group is with one partition.
type Offset struct {
	Topic     string
	Partition int32
	// Committed is -1 if nothing is committed.
	Committed int64
	End       int64
}

// FailedLook is a look that failed.
type FailedLook struct {
	// Began is when the look was begun, At if zero, and At when it failed.
	Began, At time.Time
	// Part and Node are as in [SightChange].
	Part string
	Node *int32
	// Of tells looks apart that a part takes several of: it can be looked at when all of
	// them succeed. It is not told.
	Of            string
	Code, Message string
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func without(all, these []int32) []int32 {
	left := []int32{}
	for _, n := range all {
		if !slices.Contains(these, n) {
			left = append(left, n)
		}
	}
	return left
}
