package inspect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
)

// Explaining says what [Inspector.Explain] looks at. Its zero value is ready.
type Explaining struct {
	// For is how long to record what the group's coordinator answers. 0 means five
	// seconds, which tells how the group is; a minute or more shows what goes on in it.
	For time.Duration
	// Since is how far back the log is read. 0 means an hour.
	Since time.Duration
	// Said returns what members said, as [explain.ReadSaid] reads it, and is called once
	// when the recording is over. Nil: nothing is known of it.
	Said func() ([]explain.Observation, error)
	// NoLog leaves __consumer_offsets alone.
	NoLog bool
	// Limits are what is judged by.
	Limits explain.Limits
}

const (
	defaultRecording = 5 * time.Second
	defaultLookback  = time.Hour
)

// Explain answers why a group keeps rebalancing: verdicts with their evidence, most
// likely first, each with what to change. See package explain for how it judges.
//
// What the group did is read from its partition of __consumer_offsets: its generations
// with their members, and its commits. Beside that its coordinator is asked twice a
// second for [Explaining.For], which also shows how long it waits for its members, and
// rebalances that do not complete and so are in no log. Where the log may not be read,
// that is all there is, with the warning that says so; give it a minute or more then.
// Times of the log are the coordinator's, and are compared with this machine's, to
// within about two seconds.
//
// A group that does not exist is [CodeGroupNotFound] among the Errors, with a diagnosis
// that says so. It takes DESCRIBE on the group and its topics; for the log DESCRIBE and
// READ on the topic __consumer_offsets. It takes [Explaining.For], and as long as the
// log takes; it sends about five requests a second.
func (in *Inspector) Explain(ctx context.Context, group string, how Explaining) (Answer[explain.Diagnosis], error) {
	answer := newAnswer[explain.Diagnosis]()
	if _, invalid := uniqueNames("group", []string{group}); invalid != nil {
		return answer.fail(*invalid)
	}
	if how.For <= 0 {
		how.For = defaultRecording
	}
	if how.Since <= 0 {
		how.Since = defaultLookback
	}
	began := time.Now()
	topic, clusterID, err := in.offsetsTopic(ctx)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = clusterID
	recorder := &recorder{Inspector: in, group: group}
	recorder.run(ctx, how.For)
	observed := recorder.seen
	if how.Said != nil {
		said, err := how.Said()
		if err != nil {
			answer.missing(Problem{Code: CodeRequestFailed, Target: group, Message: fmt.Sprintf("cannot read what members said: %v", err), Cause: err})
		}
		observed = append(observed, said...)
	}
	if recorder.problem != nil {
		answer.missing(*recorder.problem)
	}
	if !how.NoLog && !topic.absent {
		logged, problems := in.logged(ctx, group, began.Add(-how.Since))
		observed = append(observed, logged...)
		answer.warn(problems...)
	}
	if recorder.absent && len(recorder.seen) == 1 {
		answer.missing(Problem{
			Code: CodeGroupNotFound, Target: group,
			Message: fmt.Sprintf("the group %q does not exist on this cluster; check its name, and that a member has joined it or an offset was committed to it", group),
		})
	}
	answer.Data = explain.Diagnose(group, observed, how.Limits)
	return answer, nil
}

// logged reads what the log tells of a group since some time, and the generation before
// that.
func (in *Inspector) logged(ctx context.Context, group string, since time.Time) ([]explain.Observation, []Problem) {
	var problems []Problem
	read := func(within LogRange) []LogEntry {
		answer, _ := in.OffsetsLog(ctx, group, within) // its error is among the Errors
		for _, p := range append(answer.Errors, answer.Warnings...) {
			p.Target, p.Message = group, "what the group did before is not known, or not all of it: "+p.Message
			if !slices.ContainsFunc(problems, func(known Problem) bool { return known.Message == p.Message }) {
				problems = append(problems, p)
			}
		}
		if answer.Data == nil {
			return nil
		}
		return answer.Data.Entries
	}
	all := generationsFrom(read(LogRange{Kinds: []LogKind{LogGeneration, LogEpoch, LogMember, LogTarget}}))
	first := 0
	for i, o := range all {
		if o.At.Before(since) {
			first = i
		}
	}
	all = slices.Clone(all[min(first, len(all)):])
	for _, entry := range read(LogRange{Since: since, Kinds: []LogKind{LogCommit}}) {
		if c := entry.Commit; c != nil && c.Offset != nil {
			all = append(all, explain.Observation{
				At: entry.Timestamp, Source: explain.SourceLog,
				Commit: &explain.Commit{Topic: c.Topic, Partition: c.Partition, Offset: *c.Offset},
			})
		}
	}
	return all, problems
}

// generationsFrom makes a record of each generation of a classic group, and of each
// epoch of another, with the members that it had by then.
func generationsFrom(entries []LogEntry) []explain.Observation {
	var all []explain.Observation
	members := map[string]watch.Member{}
	add := func(at time.Time, record watch.GroupRecord) {
		record.Written = at
		all = append(all, explain.Observation{At: at, Source: explain.SourceLog, Record: &record})
	}
	for _, e := range entries {
		switch {
		case e.Unreadable != nil:
		case e.Kind == LogGeneration && e.Deleted:
			add(e.Timestamp, watch.GroupRecord{Tombstone: true})
		case e.Kind == LogGeneration:
			g := e.Generation
			record := watch.GroupRecord{Generation: g.Generation, Leader: g.Leader, Protocol: g.Assignor}
			if g.Since != nil {
				record.Entered = *g.Since
			}
			for _, m := range g.Members {
				record.Members = append(record.Members, loggedMember(m, orEmpty(g.ProtocolType)))
			}
			add(e.Timestamp, record)
		case e.Kind == LogMember && e.Deleted && e.Member != nil:
			delete(members, *e.Member)
		case e.Kind == LogMember && e.Details != nil:
			m := loggedMember(*e.Details, "")
			classic := e.Details.Classic
			m.Classic, m.Assigned = &classic, members[m.ID].Assigned
			members[m.ID] = m
		case e.Kind == LogTarget && e.Member != nil && e.Assignment != nil:
			if m, known := members[*e.Member]; known {
				m.Assigned = watchedPartitions(e.Assignment.Assigned)
				members[m.ID] = m
				// The targets of an epoch follow on its record.
				if n := len(all); n > 0 && all[n-1].Record.Written.Equal(e.Timestamp) {
					setMember(all[n-1].Record, m)
				}
			}
		case e.Kind == LogEpoch && e.Deleted:
			clear(members)
			add(e.Timestamp, watch.GroupRecord{Tombstone: true})
		case e.Kind == LogEpoch && e.Epoch != nil:
			record := watch.GroupRecord{Generation: *e.Epoch}
			for _, id := range sortedKeys(members) {
				record.Members = append(record.Members, members[id])
			}
			add(e.Timestamp, record)
		}
	}
	return all
}

func setMember(record *watch.GroupRecord, m watch.Member) {
	for i := range record.Members {
		if record.Members[i].ID == m.ID {
			record.Members[i] = m
		}
	}
}
