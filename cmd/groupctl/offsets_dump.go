package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

// logKinds are the kinds of entries that --kind takes.
var logKinds = []inspect.LogKind{
	inspect.LogGeneration, inspect.LogCommit, inspect.LogTransactionEnd, inspect.LogEpoch, inspect.LogMember,
	inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent, inspect.LogTopics, inspect.LogPattern,
	inspect.LogShareState, inspect.LogTopology,
}

func newOffsetsDumpCommand(s *session) *cobra.Command {
	var within inspect.LogRange
	var since string
	var kinds []string
	var records int64
	command := &cobra.Command{
		Use:   "dump GROUP",
		Short: "Show the history of a group from __consumer_offsets",
		Long: `Show what coordinators wrote of a group to __consumer_offsets, the oldest first:
the generations of a classic group with who led, joined and left, and of an election of
groupkit's with who was elected; the epochs, members, targets and current assignments of
a consumer, share or streams group; commits, those in transactions with what became of
them; and what was deleted. Every type of record of Kafka 4.3 is decoded; records that
are not known are counted.

The log is read backwards from its end: up to --limit entries, as far back as --since,
and through no more than --records records of all groups in that partition. Kafka
compacts the log, so of older times only the newest record of each key is left.

The kinds for --kind:
` + kindsInHelp() + `

Needs DESCRIBE and READ on the topic __consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 offsets dump orders
  groupctl -b localhost:9092 offsets dump orders --kind generation --since 2h
  groupctl -b localhost:9092 -o json offsets dump orders --kind generation | jq '.data.entries[].generation.leader'`,
		Annotations: map[string]string{schemaAnnotation: "offsets-dump"},
		Args: func(command *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{fmt.Sprintf("'%s' needs one group; see '%s --help'", command.CommandPath(), command.CommandPath())}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.IntVar(&within.Limit, "limit", 100, "how many entries to show, the newest; 0 for 10000")
	flags.StringVar(&since, "since", "", "leave out what is older: a duration such as 30m, or a time such as 2026-01-31T12:00:00Z")
	flags.Int64Var(&within.From, "from", 0, "leave out what lies before this offset")
	flags.StringSliceVar(&kinds, "kind", nil, "only entries of these kinds, such as generation,member")
	flags.Int64Var(&records, "records", 0, "how many records of all groups to read at most (default 500000)")
	command.RunE = func(command *cobra.Command, args []string) error {
		var err error
		now := time.Now()
		if within.Since, err = sinceFlag(since, now); err != nil {
			return err
		}
		if within.Since.After(now) {
			return notPast(since)
		}
		if within.Limit < 0 || within.From < 0 || records < 0 {
			return &usageError{"--limit, --from and --records cannot be negative"}
		}
		for _, kind := range kinds {
			if !slices.Contains(logKinds, inspect.LogKind(kind)) {
				return &usageError{fmt.Sprintf("there is no kind of entry %q; give some of %s", kind, kindNames())}
			}
			within.Kinds = append(within.Kinds, inspect.LogKind(kind))
		}
		return answer(command, s, question[*inspect.OffsetsHistory]{
			options: []inspect.Option{inspect.LogBudget(records, 0, s.timeout)},
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[*inspect.OffsetsHistory], error) {
				return in.OffsetsLog(ctx, args[0], within)
			},
			hasData: func(h *inspect.OffsetsHistory) bool { return h != nil && len(h.Entries) > 0 },
			table:   historyTable,
		})
	}
	return command
}

func kindsInHelp() string {
	var lines []string
	for some := range slices.Chunk(strings.Split(kindNames(), ", "), 6) {
		lines = append(lines, "  "+strings.Join(some, ", "))
	}
	return strings.Join(lines, "\n")
}

func kindNames() string {
	texts := make([]string, len(logKinds))
	for i, kind := range logKinds {
		texts[i] = string(kind)
	}
	return strings.Join(texts, ", ")
}

// sinceFlag reads a duration before now, or a time.
func sinceFlag(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &usageError{fmt.Sprintf("--since %q is neither a duration such as 30m nor a time such as 2026-01-31T12:00:00Z", text)}
	}
	return at, nil
}

func notPast(since string) error {
	return &usageError{fmt.Sprintf("--since %q is not in the past; give a duration such as 30m or a time such as 2026-01-31T12:00:00Z", since)}
}

func historyTable(t *table, h *inspect.OffsetsHistory) {
	t.row("PARTITION", "LOG-START", "LOG-END", "FROM", "COMPLETE", "RECORDS-READ", "OF-OTHERS", "UNKNOWN")
	unknownRecords := int64(0)
	for _, u := range h.Unknown {
		unknownRecords += u.Count
	}
	t.row(strconv.Itoa(int(h.Partition)), strconv.FormatInt(h.Start, 10), strconv.FormatInt(h.End, 10), strconv.FormatInt(h.From, 10),
		yesNo(&h.Complete), strconv.FormatInt(h.Records, 10), strconv.FormatInt(h.Others, 10), strconv.FormatInt(unknownRecords, 10))
	if len(h.Entries) == 0 {
		return
	}
	say := historyWords{member: name}
	if !t.wide {
		say.member = shortIDs(membersIn(h.Entries))
	}
	t.gap()
	t.row("OFFSET", "TIME", "KIND", "WHAT")
	for i := range h.Entries {
		e := &h.Entries[i]
		t.row(strconv.FormatInt(e.Offset, 10), e.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"), string(e.Kind), say.entry(e))
	}
}

// membersIn are the ids of members that entries name.
func membersIn(entries []inspect.LogEntry) []string {
	var ids []string
	for i := range entries {
		e := &entries[i]
		if e.Member != nil {
			ids = append(ids, *e.Member)
		}
		if g := e.Generation; g != nil {
			ids = append(append(ids, g.Joined...), g.Left...)
			if g.Leader != nil {
				ids = append(ids, *g.Leader)
			}
			if g.Elected != nil && g.Elected.Member != nil {
				ids = append(ids, *g.Elected.Member)
			}
		}
		if e.Commit != nil {
			ids = append(ids, e.Commit.Metadata) // kgo's commits tell the member there
		}
	}
	return ids
}

// historyWords tells of entries in words, with the members as it is told to show them.
type historyWords struct{ member func(id string) string }

func (w historyWords) members(ids []string) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = w.member(id)
	}
	return strings.Join(texts, ",")
}

func (w historyWords) entry(e *inspect.LogEntry) string {
	about := ""
	if e.Member != nil {
		about = w.member(*e.Member) + " "
	}
	switch {
	case e.Unreadable != nil:
		return about + "unreadable: " + printable(*e.Unreadable)
	case e.Kind == inspect.LogCommit:
		return w.commit(e)
	case e.Kind == inspect.LogMember && e.Deleted:
		return about + "left"
	case e.Kind == inspect.LogEpoch && e.Deleted, e.Kind == inspect.LogGeneration && e.Deleted:
		return "deleted, or of another type from here on"
	case e.Deleted:
		return about + "removed"
	case e.Generation != nil:
		return w.generation(e.Generation)
	case e.Kind == inspect.LogTransactionEnd:
		return fmt.Sprintf("%s, of producer %d", e.Transaction.Outcome, e.Transaction.ProducerID)
	case e.Details != nil:
		return about + memberText(e.Details)
	case e.Assignment != nil:
		return about + assignmentText(e.Assignment)
	case e.Topics != nil:
		text := names(e.Topics.Topics)
		if e.Topics.Pattern != nil {
			text = name(*e.Topics.Pattern) + " matches " + text
		}
		if e.Epoch != nil {
			text = fmt.Sprintf("epoch %d reads %s", *e.Epoch, text)
		}
		return text
	case e.ShareState != nil:
		return shareStateText(e.ShareState)
	case e.Epoch != nil:
		return strconv.Itoa(int(*e.Epoch))
	}
	return unknown
}

func (w historyWords) commit(e *inspect.LogEntry) string {
	c := e.Commit
	text := fmt.Sprintf("%s-%d at %s", name(c.Topic), c.Partition, number(c.Offset))
	if e.Deleted {
		text = fmt.Sprintf("%s-%d removed", name(c.Topic), c.Partition)
	}
	if c.Metadata != "" {
		text += " (" + w.member(c.Metadata) + ")"
	}
	if e.Transaction != nil {
		text += fmt.Sprintf(", in a transaction of producer %d: %s", e.Transaction.ProducerID, e.Transaction.Outcome)
	}
	return text
}

func (w historyWords) generation(g *inspect.LoggedGeneration) string {
	text := fmt.Sprintf("%d, %d members", g.Generation, len(g.Members))
	switch len(g.Members) {
	case 0:
		text = fmt.Sprintf("%d, no members", g.Generation)
	case 1:
		text = fmt.Sprintf("%d, 1 member", g.Generation)
	}
	switch {
	case g.Elected != nil:
		text += ", " + electedText(g.Elected, w.member)
		if g.Leader != nil {
			text += ", votes counted by " + w.member(*g.Leader)
		}
	case g.Leader != nil:
		text += ", led by " + w.member(*g.Leader)
	}
	if g.Assignor != nil && g.Elected == nil {
		text += " with " + name(*g.Assignor)
	}
	if len(g.Joined) > 0 {
		text += "; joined: " + w.members(g.Joined)
	}
	if len(g.Left) > 0 {
		text += "; left: " + w.members(g.Left)
	}
	return text
}

// shareStateText tells of which partitions the share coordinators keep how far the group is.
func shareStateText(s *inspect.LoggedShareState) string {
	var parts []string
	if len(s.Initialized) > 0 {
		parts = append(parts, "kept of "+assignment(s.Initialized))
	}
	if len(s.Initializing) > 0 {
		parts = append(parts, "beginning with "+assignment(s.Initializing))
	}
	if len(s.Deleting) > 0 {
		parts = append(parts, "ending of "+names(s.Deleting))
	}
	if len(parts) == 0 {
		return "kept of nothing"
	}
	return strings.Join(parts, ", ")
}

func memberText(m *inspect.LoggedMember) string {
	text := fmt.Sprintf("is %s at %s", name(m.ClientID), name(m.Host))
	if m.Instance != nil {
		text += ", instance " + name(*m.Instance)
	}
	if m.Rack != nil {
		text += ", in " + name(*m.Rack)
	}
	if m.Topics != nil {
		text += ", reads " + names(m.Topics)
	}
	if m.Pattern != nil {
		text += ", reads what matches " + name(*m.Pattern)
	}
	if m.Classic {
		text += ", speaks the classic protocol"
	}
	return text
}

func assignmentText(a *inspect.LoggedAssignment) string {
	text := assignment(a.Assigned)
	if a.Tasks != nil {
		text = "active " + assignment(a.Tasks.Active)
		if len(a.Tasks.Standby) > 0 {
			text += ", standby " + assignment(a.Tasks.Standby)
		}
		if len(a.Tasks.Warmup) > 0 {
			text += ", warmup " + assignment(a.Tasks.Warmup)
		}
		if len(a.Tasks.Revoking) > 0 {
			text += ", to give up " + assignment(a.Tasks.Revoking)
		}
	}
	if len(a.Revoking) > 0 {
		text += ", to give up " + assignment(a.Revoking)
	}
	if a.Epoch != nil {
		text = fmt.Sprintf("at epoch %d, %s: %s", *a.Epoch, strings.ToLower(*a.State), text)
	}
	return text
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
