package explain

import (
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// Source is where an observation comes from.
type Source string

const (
	// SourceLog: __consumer_offsets. Times are the coordinator's.
	SourceLog Source = "log"
	// SourcePoll: answers of the coordinator. Times are those of who asked.
	SourcePoll Source = "poll"
	// SourceMember: what a member said. Times are the member's.
	SourceMember Source = "member"
)

// Observation is one thing that was seen of a group. Exactly one of the pointers is
// set.
type Observation struct {
	At     time.Time
	Source Source

	// Look is the group as its coordinator shows it. SourcePoll.
	Look *watch.Group
	// Absent: the coordinator says that there is no such group. SourcePoll.
	Absent bool
	// Record is a generation, from the log: SourceLog.
	Record *watch.GroupRecord
	// Commit is an offset that was committed, between the look before and At where it is
	// from polls.
	Commit *Commit
	// Topic is how many partitions a topic has.
	Topic *TopicSize
	// Said is what a member said. SourceMember.
	Said *Said
}

// Commit is an offset that was committed.
type Commit struct {
	Topic     string
	Partition int32
	Offset    int64
}

// TopicSize is how many partitions a topic has.
type TopicSize struct {
	Topic      string
	Partitions int
}

// Limits are what the judgement is held to. Its zero value is ready.
type Limits struct {
	// Slow is how long a group may wait for its members until that is slow. 0 means 5
	// seconds: members hear of a rebalance by their heartbeats, every 3 seconds by
	// default.
	Slow time.Duration
	// SlowPlan is how long the leader may take to plan. 0 means 3 seconds.
	SlowPlan time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Slow <= 0 {
		l.Slow = 5 * time.Second
	}
	if l.SlowPlan <= 0 {
		l.SlowPlan = 3 * time.Second
	}
	return l
}
