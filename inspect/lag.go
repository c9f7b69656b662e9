package inspect

import "fmt"

// GroupLag is how far a group is behind in the partitions that its members subscribe
// to or are assigned, and those that it committed in.
//
// Lag counts offsets. Not each of them need be a record to consume: the ends of
// transactions have one too, and compaction leaves gaps.
type GroupLag struct {
	// Records is the sum of the partitions' Lag, as far as it is known.
	Records int64 `json:"records"`
	// StableRecords is the sum of their StableLag.
	StableRecords int64 `json:"stableRecords"`
	// Uncommitted is in how many partitions the group has committed nothing.
	// Where it begins there is up to auto.offset.reset in each member, so it has
	// no lag that can be told.
	Uncommitted int `json:"uncommitted"`
	// Unknown is of how many partitions the lag is not known for another reason.
	Unknown int `json:"unknown"`
	// Lost is how many records the group missed, as the sum of the partitions'.
	Lost int64 `json:"lost"`
	// Partitions are sorted by topic and partition.
	Partitions []PartitionLag `json:"partitions"`
}

// PartitionLag is how far a group is behind in one partition. Offsets that are not
// known are nil.
type PartitionLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Member is the ID of the member that the partition is assigned to, nil if it
	// is assigned to none, or in a share group.
	Member *string `json:"member"`
	// Committed is the offset of the next record to consume, as the group last
	// committed it; nil if it committed none, or if it is not known. Of a share
	// group it is where its share of the partition begins: all before that is
	// done with.
	Committed *int64 `json:"committed"`
	// Uncommitted is whether the group is known to have committed nothing here.
	Uncommitted bool `json:"uncommitted"`
	// Start is where the log begins: the earliest offset that still can be read.
	Start *int64 `json:"start"`
	// Stable is the last stable offset, up to which members that read committed
	// records only can get. It is behind End while a transaction is open.
	Stable *int64 `json:"stable"`
	// End is the high watermark, up to which members that also read records of
	// open transactions can get: Kafka's default.
	End *int64 `json:"end"`
	// Lag is End less Committed, or less Start where that is later, for what lies
	// before Start is not there to be consumed. It is never negative. Nil if
	// nothing was committed or one of them is not known.
	//
	// Of a share group it is what the broker says, which leaves out records that
	// were already delivered, or End less Committed on brokers that do not say
	// (before 4.2).
	Lag *int64 `json:"lag"`
	// StableLag is the same up to Stable: what is left for members that read
	// committed records only.
	StableLag *int64 `json:"stableLag"`
	// Lost is how many records between Committed and Start were deleted before
	// the group consumed them; 0 if none or if not known.
	Lost int64 `json:"lost"`
}

// partitionID names a partition.
type partitionID struct {
	topic     string
	partition int32
}

// logEnds are where a partition's log begins and ends; what is not known is negative.
type logEnds struct{ start, stable, end int64 }

// committedOffset is what a group committed in a partition.
type committedOffset struct {
	offset int64
	// lag is what the broker says, of a share group. Negative if it does not.
	lag int64
	// err is why the broker did not tell it.
	err error
}

// measure computes a row. committed is nil if the group committed nothing.
func measure(row *PartitionLag, committed *committedOffset, ends logEnds) {
	row.Start, row.Stable, row.End = known(ends.start), known(ends.stable), known(ends.end)
	if committed == nil || committed.err != nil || committed.offset < 0 {
		return
	}
	at := committed.offset
	row.Committed = known(at)
	if row.Start != nil {
		row.Lost = max(*row.Start-at, 0)
		at = max(at, *row.Start)
	}
	switch {
	case committed.lag >= 0:
		row.Lag = known(committed.lag)
	case row.Start != nil && row.End != nil:
		row.Lag = known(max(*row.End-at, 0))
	}
	if row.Start != nil && row.Stable != nil && committed.lag < 0 {
		row.StableLag = known(max(*row.Stable-at, 0))
	}
}

// add counts a row. failed says that the group's offset there is not known.
func (l *GroupLag) add(row PartitionLag, failed bool) {
	row.Uncommitted = row.Lag == nil && row.Committed == nil && !failed
	l.Partitions = append(l.Partitions, row)
	l.Lost += row.Lost
	if row.StableLag != nil {
		l.StableRecords += *row.StableLag
	}
	switch {
	case row.Lag != nil:
		l.Records += *row.Lag
	case row.Uncommitted:
		l.Uncommitted++
	default:
		l.Unknown++
	}
}

// lagWarnings tell of offsets that do not lie in the log, once for each group.
func lagWarnings(group string, lag *GroupLag) []Problem {
	var warnings []Problem
	lost, beyond := 0, 0
	var lostIn, beyondIn *PartitionLag
	for i := range lag.Partitions {
		row := &lag.Partitions[i]
		switch {
		case row.Committed == nil:
		case row.Lost > 0:
			if lost++; lostIn == nil || row.Lost > lostIn.Lost {
				lostIn = row
			}
		case row.End != nil && *row.Committed > *row.End:
			if beyond++; beyondIn == nil {
				beyondIn = row
			}
		}
	}
	if lostIn != nil {
		warnings = append(warnings, Problem{
			Code: CodeCommittedBeforeStart, Target: group,
			Message: fmt.Sprintf("the group %q committed offsets in %d partitions whose records were deleted since: most in %s-%d, where it committed %d and the log begins at %d; its members go on from where auto.offset.reset sends them",
				group, lost, lostIn.Topic, lostIn.Partition, *lostIn.Committed, *lostIn.Start),
		})
	}
	if beyondIn != nil {
		warnings = append(warnings, Problem{
			Code: CodeCommittedBeyondEnd, Target: group,
			Message: fmt.Sprintf("the group %q committed offsets beyond the end of the log in %d partitions, such as %d in %s-%d, which ends at %d: the topic was made anew, or records were lost in an unclean election",
				group, beyond, *beyondIn.Committed, beyondIn.Topic, beyondIn.Partition, *beyondIn.End),
		})
	}
	return warnings
}
