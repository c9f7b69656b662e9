package member

import (
	"cmp"
	"fmt"
)

// A Fence orders terms, for a store outside of Kafka that refuses what a former leader
// still writes: it keeps the highest fence that it has seen and refuses a write whose
// fence compares below. Where the store is a database, Number is what to keep in a
// column of 64 bits:
//
//	UPDATE job SET state = $1, fence = $2 WHERE id = $3 AND fence <= $2
//
// Each term begins with a round of its own, and the coordinator counts rounds: of two
// terms of one group the later one has the higher generation, whichever member leads.
// Under [Hooks] the generation is the number. That holds as long as the group is not
// deleted in between. An administrator can delete it; and the coordinator does by itself
// once no member is left and no committed offset is retained any more
// (offsets.retention.minutes), which for a group that commits nothing is at its next look
// (offsets.retention.check.interval.ms, ten minutes by default). Then generations begin
// again at 1. Where that can happen, add a number of your own that is raised with each
// deployment, or keep the store's fence with an id that is new for each group.
//
// In an [Election] the number is the time at which the term was given, in milliseconds
// since 1970 by the clock of the candidate that did, and in any case higher than all
// that the candidates had seen. So it goes on rising also when the group was deleted
// meanwhile, unless a clock was ahead by more than the time in which no candidate ran.
type Fence struct {
	Group  string `json:"group"`
	Member string `json:"member"` // the leader's id, unique to one run of a client
	Number int64  `json:"number"` // higher for each later term
}

// Compare returns -1 when f is of an earlier term than other, 0 when both are of the
// same, 1 when f is of a later one. Fences of two groups have no order: compare those
// of one group only. Two members never lead under the same number; a store that sees it
// has seen the group deleted in between.
func (f Fence) Compare(other Fence) int { return cmp.Compare(f.Number, other.Number) }

// String returns the fence in one line, for logs.
func (f Fence) String() string { return fmt.Sprintf("%s@%d by %s", f.Group, f.Number, f.Member) }
