package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// LogRange is how much of a group's history [Inspector.OffsetsLog] returns. Its zero
// value asks for the newest 10,000 entries of every kind.
type LogRange struct {
	// Since leaves out what was written before it. Zero: nothing is too old.
	Since time.Time
	// From leaves out what lies before that offset, such as the End of a history
	// that was read before.
	From int64
	// Kinds are the kinds of entries wanted, nil for all. A group commits far
	// more often than it rebalances: without LogCommit the same budget of
	// entries reaches further back.
	Kinds []LogKind
	// Limit is how many entries to return, the newest. Not positive: 10,000.
	Limit int
}

const (
	defaultLogEntries = 10_000
	// historyBytes bounds the records whose decoded form a history holds.
	historyBytes = 8 << 20
)

// errRoom is that all of historyBytes are taken.
var errRoom = fmt.Errorf("%w: a history has room for 8 MiB of records", errBudget)

// OffsetsHistory is what one partition of __consumer_offsets tells of a group.
type OffsetsHistory struct {
	Group string `json:"group"`
	// Partition is that of __consumer_offsets which holds the group.
	Partition int32 `json:"partition"`
	// Start and End are the offsets at which the partition's log began and ended.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	// From is the offset from which on, up to End, Entries lacks nothing that was
	// asked for.
	From int64 `json:"from"`
	// Complete is whether From is as far back as was asked for, or as the log
	// goes. Where it is not, the Limit, the [LogBudget], want of room or an error
	// ended the reading.
	//
	// Kafka compacts the log: of what its older segments held, only the newest
	// record of each key is left. Generations in between are then missing, which
	// nothing in the log tells.
	Complete bool `json:"complete"`
	// Entries are in the order of the log, the oldest first.
	Entries []LogEntry `json:"entries"`
	// Records is how many records were read, of all groups, and Others how many
	// of them are about other groups or of kinds not wanted.
	Records int64 `json:"records"`
	Others  int64 `json:"others"`
	// Unknown are records of which it cannot be told which group they are about,
	// by type. They are in Records, and not in Others.
	Unknown []UnknownRecords `json:"unknown"`
}

// UnknownRecords are records of a type that is not known, as a newer Kafka may write
// them, or whose key does not decode.
type UnknownRecords struct {
	// Type is the number that their key begins with, nil for a key that is too
	// short for one.
	Type *int16 `json:"type"`
	// Known is whether that type is known, so that the rest of the key is what
	// does not decode.
	Known bool  `json:"known"`
	Count int64 `json:"count"`
	// Newest is the offset of the last of them.
	Newest int64 `json:"newest"`
}

// OffsetsLog returns the history of a group as its coordinators wrote it: of a
// classic group its generations with leaders, members and what they were assigned; of
// a consumer, share or streams group its epochs, members, targets and what each member
// holds; of all of them the commits, those in transactions with what became of them;
// and what was deleted. It decodes every type of record of Kafka 4.3; what it does not
// know it counts.
//
// The log of the group's one partition is read backwards from its end, as far as the
// range, [LogBudget] or 8 MiB of the group's records go. If one of the latter ends first,
// the history is shorter, with the warning [CodeLogTruncated]; if a request fails halfway,
// its problem is among the Errors and what was read up to then is returned.
//
// A group of which the whole log holds no record is [CodeGroupNotFound], among the
// Errors. So is, with another code, that the topic does not exist or may not be read. Where
// the brokers do not show it they are asked for groups as well, for where there is one
// there is that topic ([CodeOffsetsTopicConcealed]).
//
// It takes DESCRIBE and READ on the topic __consumer_offsets, and DESCRIBE on the
// topics that records of consumer and share groups name by ID: where it is missing,
// the ID stands for the name.
//
// It holds what it returns, at most 8 MiB of records before they are decoded, one answer
// to a fetch, and 40 bytes for each transaction that ended in what was read.
func (in *Inspector) OffsetsLog(ctx context.Context, group string, within LogRange) (Answer[*OffsetsHistory], error) {
	answer := newAnswer[*OffsetsHistory]()
	if _, invalid := uniqueNames("group", []string{group}); invalid != nil {
		return answer.fail(*invalid)
	}
	topic, metadata, err := in.offsetsTopicAndBrokers(ctx)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = metadata.ClusterID
	in.lookForGroups(ctx, topic, metadata.Brokers)
	partition := topic.partitionOf(group)
	if partition == nil {
		answer.missing(*topic.problem)
		return answer, nil
	}
	history, ids, err := in.readHistory(ctx, topic, group, *partition, within)
	if history == nil {
		answer.missing(in.historyProblem(err, *partition, history))
		return answer, nil
	}
	answer.Data = history
	switch {
	case errors.Is(err, errBudget):
		answer.warn(in.historyProblem(err, *partition, history))
	case err != nil:
		answer.missing(in.historyProblem(err, *partition, history))
	case len(history.Entries) == 0 && history.Complete && within.Since.IsZero() && within.From <= history.Start && len(within.Kinds) == 0:
		answer.missing(Problem{
			Code: CodeGroupNotFound, Target: group,
			Message: fmt.Sprintf("%s-%d holds no record of the group %q: it does not exist; check its name", offsetsTopicName, *partition, group),
		})
	}
	for _, u := range history.Unknown {
		answer.warn(unknownRecordsProblem(u, *partition))
	}
	if len(ids) > 0 {
		nameTopics(history.Entries, in.topicNames(ctx, ids))
	}
	return answer, nil
}

// readHistory reads from the partition's leader, and from a new one if that is not it
// any more. It returns nil if nothing at all could be read.
func (in *Inspector) readHistory(ctx context.Context, topic *offsetsTopic, group string, partition int32, within LogRange) (*OffsetsHistory, map[[16]byte]bool, error) {
	inflater, err := newInflater()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := step(ctx, 0.9) // some is left to name topics
	defer cancel()
	for attempt := 0; ; attempt++ {
		leader := topic.leaderOf(partition)
		if leader == nil {
			return nil, nil, kerr.LeaderNotAvailable
		}
		collector := newHistoryCollector(group, partition, within)
		reader := logReader{
			inspector: in, node: *leader, topicID: topic.id, partition: partition,
			budget: in.log, inflater: inflater,
		}
		once, stop := context.WithTimeout(ctx, in.log.wait)
		err := collector.collect(once, &reader)
		if err != nil && errors.Is(once.Err(), context.DeadlineExceeded) && ctx.Err() == nil && collector.result.Records > 0 {
			err = errBudget // brokers answer, and the time of the budget is over
		}
		stop()
		if !errors.Is(err, kerr.NotLeaderForPartition) || attempt > 0 {
			return collector.history(), collector.ids, err
		}
		now, _, metadataErr := in.offsetsTopic(ctx)
		if metadataErr != nil {
			return collector.history(), collector.ids, err
		}
		topic = now
	}
}

func (in *Inspector) historyProblem(err error, partition int32, history *OffsetsHistory) Problem {
	if errors.Is(err, errRoom) {
		return Problem{
			Code: CodeLogTruncated, Target: fmt.Sprintf("%s-%d", offsetsTopicName, partition), Cause: err,
			Message: fmt.Sprintf("the history begins at offset %d of %s-%d: there is room for 8 MiB of the group's records, and what lies before has none; ask for a shorter time or fewer kinds",
				history.From, offsetsTopicName, partition),
		}
	}
	if errors.Is(err, errBudget) {
		return Problem{
			Code: CodeLogTruncated, Target: fmt.Sprintf("%s-%d", offsetsTopicName, partition), Cause: err,
			Message: fmt.Sprintf("the history begins at offset %d of %s-%d, after %d records were read: what lies before is not within the budget; allow more, or ask for a shorter time or fewer kinds",
				history.From, offsetsTopicName, partition, history.Records),
		}
	}
	p := in.logProblem(err, partition)
	p.Target = fmt.Sprintf("%s-%d", offsetsTopicName, partition)
	return p
}

func unknownRecordsProblem(u UnknownRecords, partition int32) Problem {
	target := fmt.Sprintf("%s-%d", offsetsTopicName, partition)
	p := Problem{Code: CodeRecordUnreadable, Target: target}
	switch {
	case u.Type == nil:
		p.Message = fmt.Sprintf("%d records of %s have no type, the last of them at offset %d: they may be about the group, and are not shown", u.Count, target, u.Newest)
	case u.Known:
		p.Message = fmt.Sprintf("%d records of %s, of type %d, have keys that do not decode, the last of them at offset %d: they may be about the group, and are not shown", u.Count, target, *u.Type, u.Newest)
	default:
		p.Message = fmt.Sprintf("%d records of %s are of type %d, which this program does not know, the last of them at offset %d: they may be about the group, and are not shown; look for a newer program", u.Count, target, *u.Type, u.Newest)
	}
	return p
}

// nameTopics puts names in place of IDs.
func nameTopics(entries []LogEntry, names map[string]string) {
	for i := range entries {
		if a := entries[i].Assignment; a != nil && a.Tasks == nil {
			renameTopics(a.Assigned, names)
			renameTopics(a.Revoking, names)
		}
	}
}
