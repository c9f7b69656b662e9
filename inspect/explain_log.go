package inspect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
)

// explainedEntries is how many entries are read of what a group did, and as many of what
// it committed. A group of KIP-848 writes one for each member and epoch.
const explainedEntries = 50_000

// logged reads what the log tells of a group since some time, and the generation before
// that. now is the group as its coordinator shows it, nil if it does not.
func (in *Inspector) logged(ctx context.Context, group string, since time.Time, now *watch.Group) ([]explain.Observation, []Problem) {
	var problems []Problem
	warn := func(p Problem) {
		p.Target = group
		if !slices.ContainsFunc(problems, func(known Problem) bool { return known.Message == p.Message }) {
			problems = append(problems, p)
		}
	}
	read := func(what string, within LogRange) (entries []LogEntry, whole bool) {
		within.Limit = explainedEntries
		answer, _ := in.OffsetsLog(ctx, group, within) // its error is among the Errors
		h, told := answer.Data, false
		reaches := h != nil && len(h.Entries) > 0 && h.Entries[0].Timestamp.Before(since)
		for _, p := range append(answer.Errors, answer.Warnings...) {
			if told = told || p.Code == CodeLogTruncated; told && reaches {
				continue
			}
			p.Message = what + " before is not known, or not all of it: " + p.Message
			warn(p)
		}
		if h == nil {
			return nil, false
		}
		if cut := !h.Complete && len(h.Entries) >= within.Limit; cut && !told && !reaches {
			warn(Problem{
				Code:    CodeLogTruncated,
				Message: fmt.Sprintf("%s before %s is not known: only the newest %d entries of the log are read", what, h.Entries[0].Timestamp.UTC().Format(time.DateTime+"Z"), within.Limit),
			})
		}
		return h.Entries, h.Complete
	}
	entries, whole := read("what the group did", LogRange{Kinds: []LogKind{LogGeneration, LogEpoch, LogMember, LogTarget}})
	members := map[string]watch.Member{}
	if !whole {
		members = membersBefore(entries, now)
		if members == nil && slices.ContainsFunc(entries, func(e LogEntry) bool { return e.Kind == LogEpoch && e.Epoch != nil }) {
			warn(Problem{
				Code:    CodeLogTruncated,
				Message: "what the log tells of the group's epochs is left out: it was not read back to its beginning, and the coordinator does not show the group, so who was a member is not known",
			})
		}
	}
	all := generationsFrom(entries, members)
	first := 0
	for i, o := range all {
		if o.At.Before(since) {
			first = i
		}
	}
	all = slices.Clone(all[min(first, len(all)):])
	entries, _ = read("what the group committed", LogRange{Since: since, Kinds: []LogKind{LogCommit}})
	for _, entry := range entries {
		if c := entry.Commit; c != nil && c.Offset != nil {
			all = append(all, explain.Observation{
				At: entry.Timestamp, Source: explain.SourceLog,
				Commit: &explain.Commit{Topic: c.Topic, Partition: c.Partition, Offset: *c.Offset},
			})
		}
	}
	return all, problems
}

// membersBefore finds who was in a group of KIP-848 before the first of some entries of
// its log, which do not reach back to the beginning: those who are there now or went, and
// of whom the entries do not tell that they joined. It returns nil where that cannot be
// known, since nobody shows the group as it is.
func membersBefore(entries []LogEntry, now *watch.Group) map[string]watch.Member {
	if now == nil || now.Type == typeClassic {
		return nil
	}
	first := map[string]*LogEntry{}
	assigned := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		if e.Member == nil || e.Kind != LogMember && e.Kind != LogTarget {
			continue
		}
		if e.Kind == LogTarget {
			assigned[*e.Member] = true
		}
		if first[*e.Member] == nil {
			first[*e.Member] = e
		}
	}
	members := map[string]watch.Member{}
	for id, e := range first {
		// A target is written after the member, and a member's end after its beginning.
		if e.Kind == LogTarget || e.Deleted {
			members[id] = watch.Member{MemberRef: watch.MemberRef{ID: id}}
		}
	}
	for _, m := range now.Members {
		if known := members[m.ID]; first[m.ID] != nil && known.ID == "" {
			continue // it joined since
		}
		if assigned[m.ID] {
			m.Assigned = nil
		}
		m.Owned, m.Epoch = nil, nil
		members[m.ID] = m
	}
	return members
}

// generationsFrom makes a record of each generation of a classic group, and of each
// epoch of another, with the members that it had by then: members are those that it had
// before the first entry. Where they are nil, nothing is made of epochs.
func generationsFrom(entries []LogEntry, members map[string]watch.Member) []explain.Observation {
	var all []explain.Observation
	whole := members != nil
	if !whole {
		members = map[string]watch.Member{}
	}
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
			whole = true
			add(e.Timestamp, watch.GroupRecord{Tombstone: true})
		case e.Kind == LogEpoch && e.Epoch != nil && whole:
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
