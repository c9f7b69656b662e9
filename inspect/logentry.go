package inspect

import "time"

// LogKind says what a [LogEntry] tells.
type LogKind string

// The kinds of entries, with the types of the records that they come from
// (CoordinatorRecordType in Kafka's group-coordinator, as of 4.3).
const (
	// LogGeneration: the state of a classic group, written when a rebalance
	// completes, when the group becomes empty, and when a static member comes
	// back under another ID (2).
	LogGeneration LogKind = "generation"
	// LogCommit: an offset that was committed, or removed (0 and 1).
	LogCommit LogKind = "commit"
	// LogTransactionEnd: a transaction that held commits of the group was
	// committed or aborted (a control record).
	LogTransactionEnd LogKind = "transactionEnd"
	// LogEpoch: the group epoch of a consumer, share or streams group, which
	// goes up when members or topics change (3, 11, 17).
	LogEpoch LogKind = "epoch"
	// LogMember: a member joined, changed what it says of itself, or left (5,
	// 10, 19).
	LogMember LogKind = "member"
	// LogTargetEpoch: a target assignment was made for a group epoch (6, 12,
	// 20).
	LogTargetEpoch LogKind = "targetEpoch"
	// LogTarget: what a member should have (7, 13, 21).
	LogTarget LogKind = "target"
	// LogCurrent: what a member has, and how far it has come (8, 14, 22).
	LogCurrent LogKind = "current"
	// LogTopics: the topics that a consumer group subscribes to, as brokers
	// before 4.1 note them (4).
	LogTopics LogKind = "topics"
	// LogPattern: the topics that a pattern of a consumer group matches (16).
	LogPattern LogKind = "pattern"
	// LogShareState: the partitions of which a share group keeps state (15).
	LogShareState LogKind = "shareState"
	// LogTopology: the topology of a streams group (23).
	LogTopology LogKind = "topology"
)

// LogEntry is one record of __consumer_offsets that is about the group asked
// for. Of the fields after Unreadable those that its Kind names are set, and the
// others are nil and left out of JSON. None is set for a record that is Deleted
// or Unreadable, but Commit, which then holds what the key says.
type LogEntry struct {
	// Offset is that of the record in its partition.
	Offset int64 `json:"offset"`
	// Timestamp is the coordinator's time when it wrote the record; zero if it is none
	// from 1970 to 9999.
	Timestamp time.Time `json:"timestamp"`
	Kind      LogKind   `json:"kind"`
	// Type is the type of group that writes such records: "classic",
	// "consumer", "share" or "streams". Nil for commits and the ends of
	// transactions, which groups of several types have.
	Type *string `json:"type"`
	// Deleted is whether the record is a tombstone: what its key names is no
	// more. For a LogMember the member left; for a LogGeneration or LogEpoch the
	// group was deleted, or converted to another type.
	Deleted bool `json:"deleted"`
	// Member is the ID of the member that the record is about, nil if it is
	// about the group.
	Member *string `json:"member"`
	// Unreadable says why the record's value is not told, nil if it is.
	Unreadable *string `json:"unreadable"`

	Generation  *LoggedGeneration `json:"generation,omitempty"`  // LogGeneration
	Commit      *LoggedCommit     `json:"commit,omitempty"`      // LogCommit
	Transaction *Transaction      `json:"transaction,omitempty"` // LogTransactionEnd, and LogCommit in one
	// Epoch is the group epoch (LogEpoch), the one that a target is for
	// (LogTargetEpoch), or the topology's (LogTopology).
	Epoch      *int32            `json:"epoch,omitempty"`
	Details    *LoggedMember     `json:"details,omitempty"`    // LogMember
	Assignment *LoggedAssignment `json:"assignment,omitempty"` // LogTarget, LogCurrent
	Topics     *LoggedTopics     `json:"topics,omitempty"`     // LogTopics, LogPattern, LogTopology
	ShareState *LoggedShareState `json:"shareState,omitempty"` // LogShareState
}

// LoggedGeneration is the state of a classic group (GroupMetadataValue).
type LoggedGeneration struct {
	// Generation counts the rebalances that were completed.
	Generation int32 `json:"generation"`
	// ProtocolType is what the members are, such as "consumer".
	ProtocolType *string `json:"protocolType"`
	// Assignor is the protocol that the members agreed on, nil for a group
	// without members.
	Assignor *string `json:"assignor"`
	// Leader is the ID of the member that leads the group, nil for a group without
	// members. In an election of package member it only counts the votes.
	Leader *string `json:"leader"`
	// Elected is whom an election of package member elected. Nil, and left out in JSON,
	// for all other groups, for one without members, and where that does not decode.
	Elected *Elected `json:"elected,omitempty"`
	// Since is when the group came into the state that it was in when the
	// record was written, nil if not told (before version 2).
	Since *time.Time `json:"since"`
	// Members are sorted by ID.
	Members []LoggedMember `json:"members"`
	// Joined and Left are the IDs of members that the record of the group
	// before this one did not have, or had and this one has not. Nil where no
	// record before it was read. A static member that comes back has another ID,
	// and is in both.
	Joined []string `json:"joined"`
	Left   []string `json:"left"`
}

// LoggedMember is a member as the log tells of it.
type LoggedMember struct {
	ID       string  `json:"id"`
	Instance *string `json:"instance"`
	Rack     *string `json:"rack"`
	ClientID string  `json:"clientId"`
	Host     string  `json:"host"`
	// SessionTimeout and RebalanceTimeout are in milliseconds, nil if not told.
	SessionTimeout   *int32 `json:"sessionTimeout"`
	RebalanceTimeout *int32 `json:"rebalanceTimeout"`
	// Topics are the topics subscribed to, sorted; nil if not told.
	Topics []string `json:"topics"`
	// Pattern is the regular expression subscribed to, nil if there is none.
	Pattern *string `json:"pattern"`
	// Owned is what the member of a classic group said that it owned when it
	// joined, nil if it did not say.
	Owned []TopicPartitions `json:"owned"`
	// Assigned is what the leader of a classic group gave it, nil if not told.
	Assigned []TopicPartitions `json:"assigned"`
	// Assignor is the broker's assignor that a member of a consumer group asks
	// for, nil if it leaves that to the broker.
	Assignor *string `json:"assignor"`
	// Classic is whether a member of a consumer group speaks the classic
	// protocol (an online migration).
	Classic bool `json:"classic"`
	// Traits are what a member of package member tells about itself.
	Traits *Traits `json:"traits"`
	// ProcessID and Tags are told by the members of streams groups.
	ProcessID *string           `json:"processId,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// Traits are what members of package member (of this module) tell their leader
// about themselves; see member.Traits there.
type Traits struct {
	// Capacity is how much load the member takes in relation to others; 0 means
	// 1.
	Capacity float64 `json:"capacity"`
	// MaxPartitions and MaxWeight are the most that it takes; 0 means any.
	MaxPartitions int32             `json:"maxPartitions,omitempty"`
	MaxWeight     float64           `json:"maxWeight,omitempty"`
	Labels        map[string]string `json:"labels"`
	// Draining is whether the member asks for no more partitions.
	Draining bool `json:"draining"`
}

// LoggedCommit is an offset that was committed.
type LoggedCommit struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Offset is that of the next record to consume, nil if the commit was
	// removed.
	Offset *int64 `json:"offset"`
	// LeaderEpoch is that of the last record consumed, nil if not told.
	LeaderEpoch *int32 `json:"leaderEpoch"`
	// Metadata is what the committer added.
	Metadata string `json:"metadata"`
	// CommittedAt is the coordinator's time, nil if the commit was removed.
	CommittedAt *time.Time `json:"committedAt"`
}

// Transaction is the producer whose transaction a commit belongs to, and what
// became of it.
type Transaction struct {
	ProducerID    int64 `json:"producerId"`
	ProducerEpoch int16 `json:"producerEpoch"`
	// Outcome is "committed" or "aborted", or "open" if up to the end of what
	// was read it was neither: the commit does not count yet.
	Outcome string `json:"outcome"`
}

// What may become of a transaction.
const (
	transactionOpen      = "open"
	transactionCommitted = "committed"
	transactionAborted   = "aborted"
)

// LoggedAssignment is what a member of a consumer, share or streams group has, or
// should have.
type LoggedAssignment struct {
	// Epoch and PreviousEpoch are the member's own (LogCurrent only).
	Epoch         *int32 `json:"epoch"`
	PreviousEpoch *int32 `json:"previousEpoch"`
	// State is how far the member has come (LogCurrent only): "Stable";
	// "Unrevoked", it still has to give something up; "Unreleased", it waits for
	// what others have to give up; "Unknown".
	State *string `json:"state"`
	// Assigned are the partitions, nil for a streams group. A topic that exists
	// no more, or may not be seen, is named by its ID.
	Assigned []TopicPartitions `json:"assigned"`
	// Revoking is what the member was told to give up, and has not yet
	// (LogCurrent of consumer groups).
	Revoking []TopicPartitions `json:"revoking"`
	// Tasks are those of a streams group, nil for other types.
	Tasks *LoggedTasks `json:"tasks,omitempty"`
}

// LoggedTasks are the tasks of a member of a streams group. Their Topic is the ID
// of the subtopology.
type LoggedTasks struct {
	Active   []TopicPartitions `json:"active"`
	Standby  []TopicPartitions `json:"standby"`
	Warmup   []TopicPartitions `json:"warmup"`
	Revoking []TopicPartitions `json:"revoking"` // active ones
}

// LoggedTopics are topics that a group subscribes to, sorted.
type LoggedTopics struct {
	// Pattern is the regular expression that they match (LogPattern).
	Pattern *string  `json:"pattern"`
	Topics  []string `json:"topics"`
}

// LoggedShareState is of which partitions a share group keeps state.
type LoggedShareState struct {
	Initializing []TopicPartitions `json:"initializing"`
	Initialized  []TopicPartitions `json:"initialized"`
	// Deleting are topics.
	Deleting []string `json:"deleting"`
}
