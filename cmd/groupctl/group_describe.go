package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newGroupDescribeCommand(s *session) *cobra.Command {
	var partitions bool
	command := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show groups with their leader, members and lag",
		Long: `Show each group by its real type (classic, consumer, share, streams): its state,
assignor, generation and since when it lasts, its coordinator, how many records it
is behind, and its members with what they are assigned. The leader and the generation
of a classic group are read from __consumer_offsets. For the other types the
generation is the group's epoch, and no member leads; where members have yet to come
to their target, those that hold up the others are shown.

The lag of a partition counts from what the group committed, or from where the log
begins if that is later, to the high watermark. Where nothing was committed there is
no lag to tell: where a consumer begins is up to its auto.offset.reset. UNKNOWN counts
the partitions whose lag could not be found out, and a plus behind a sum says that
there are some. --partitions shows each partition, with what was committed (none, or -
where that is not known) and where its log begins and ends; STABLE is how far members
get that read committed records only.

Needs DESCRIBE on each group and on the topics that it consumes; for the leader and
the generation of classic groups also DESCRIBE and READ on the topic
__consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 group describe orders
  groupctl -b localhost:9092 group describe orders --partitions
  groupctl -b localhost:9092 -o json group describe orders | jq -r '.data[].leader'`,
		Annotations: map[string]string{schemaAnnotation: "group-describe"},
		Args:        needArguments("group"),
	}
	command.Flags().BoolVar(&partitions, "partitions", false, "show each partition and not each topic (JSON always has them)")
	command.RunE = func(command *cobra.Command, groups []string) error {
		return answer(command, s, question[[]inspect.Group]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Group], error) {
				return in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, groups...)
			},
			hasData: func(rows []inspect.Group) bool { return len(rows) > 0 },
			table:   func(t *table, groups []inspect.Group) { groupTables(t, groups, partitions) },
		})
	}
	return command
}

func groupTables(t *table, groups []inspect.Group, partitions bool) {
	t.row("GROUP", "TYPE", "STATE", "ASSIGNOR", "GENERATION", "SINCE", "COORDINATOR", "OFFSETS-PARTITION", "MEMBERS", "LEADER", "LAG")
	for _, g := range groups {
		t.row(name(g.Group), nameOr(g.Type), nameOr(g.State), nameOr(g.Assignor), number(g.Generation), moment(g.Since),
			number(g.Coordinator), number(g.OffsetsPartition), memberCount(g), nameOr(g.Leader), groupLag(g))
	}
	memberTable(t, groups)
	row := groupRows(t, len(groups) > 1)
	holdUpTable(t, row, groups)
	if partitions {
		partitionLagTable(t, row, groups)
	} else {
		topicLagTable(t, row, groups)
	}
}

// groupRows prints rows that begin with a group, which is left out where it is the same
// in all.
func groupRows(t *table, many bool) func(group string, cells ...string) {
	return func(group string, cells ...string) {
		if many {
			cells = append([]string{group}, cells...)
		}
		t.row(cells...)
	}
}

// memberTable leaves out the columns in which no member has anything.
func memberTable(t *table, groups []inspect.Group) {
	var all []inspect.Member
	var rows [][]string
	for _, g := range groups {
		for _, m := range g.Members {
			all = append(all, m)
			rows = append(rows, []string{
				name(g.Group), name(m.ID), yesNo(m.Leader), nameOr(m.Instance), name(m.ClientID), name(m.Host), nameOr(m.Rack), number(m.Epoch),
				traits(m.Traits), number(m.Lag), names(m.Topics), assignment(m.Assigned), assignment(m.Target),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	any := func(has func(inspect.Member) bool) bool { return slices.ContainsFunc(all, has) }
	shown := map[string]bool{
		"GROUP":    len(groups) > 1,
		"LEADS":    any(func(m inspect.Member) bool { return m.Leader != nil && *m.Leader }),
		"INSTANCE": any(func(m inspect.Member) bool { return m.Instance != nil }),
		"RACK":     any(func(m inspect.Member) bool { return m.Rack != nil }),
		"EPOCH":    any(func(m inspect.Member) bool { return m.Epoch != nil }),
		"TRAITS":   any(func(m inspect.Member) bool { return m.Traits != nil }),
		"TARGET":   any(func(m inspect.Member) bool { return m.Target != nil && assignment(m.Target) != assignment(m.Assigned) }),
	}
	head := []string{"GROUP", "MEMBER", "LEADS", "INSTANCE", "CLIENT", "HOST", "RACK", "EPOCH", "TRAITS", "LAG", "TOPICS", "ASSIGNED", "TARGET"}
	t.gap()
	for _, cells := range append([][]string{head}, rows...) {
		var kept []string
		for i, cell := range cells {
			if optional, ok := shown[head[i]]; !ok || optional {
				kept = append(kept, cell)
			}
		}
		t.row(kept...)
	}
}

// traits shows what a member of package member tells about itself.
func traits(tr *inspect.Traits) string {
	if tr == nil {
		return unknown
	}
	text := fmt.Sprintf("capacity=%g", max(tr.Capacity, 0))
	if tr.Capacity == 0 {
		text = "capacity=1"
	}
	if tr.MaxPartitions > 0 {
		text += fmt.Sprintf(",maxPartitions=%d", tr.MaxPartitions)
	}
	if tr.MaxWeight > 0 {
		text += fmt.Sprintf(",maxWeight=%g", tr.MaxWeight)
	}
	for _, label := range sortedKeys(tr.Labels) {
		text += "," + name(label) + "=" + name(tr.Labels[label])
	}
	if tr.Draining {
		text += ",draining"
	}
	return text
}

func holdUpTable(t *table, row func(string, ...string), groups []inspect.Group) {
	first := true
	for _, g := range groups {
		for _, h := range g.HeldUpBy {
			if first {
				t.gap()
				row("GROUP", "HELD-UP-BY", "EPOCH", "OF", "TO-GIVE-UP", "WAITING")
				first = false
			}
			row(name(g.Group), name(h.Member), number(h.Epoch), number(g.TargetEpoch), assignment(h.Revoke), names(h.Waiting))
		}
	}
}

// topicLagTable sums up the partitions of each topic.
func topicLagTable(t *table, row func(string, ...string), groups []inspect.Group) {
	first := true
	for _, g := range groups {
		if g.Lag == nil {
			continue
		}
		for rows := g.Lag.Partitions; len(rows) > 0; {
			n := 1
			for n < len(rows) && rows[n].Topic == rows[0].Topic {
				n++
			}
			var lag, most, lost int64
			uncommitted, unknownLag := 0, 0
			for _, p := range rows[:n] {
				lost += p.Lost
				switch {
				case p.Lag != nil:
					lag += *p.Lag
					most = max(most, *p.Lag)
				case p.Uncommitted:
					uncommitted++
				default:
					unknownLag++
				}
			}
			if first {
				t.gap()
				row("GROUP", "TOPIC", "PARTITIONS", "LAG", "MOST", "UNCOMMITTED", "UNKNOWN", "LOST")
				first = false
			}
			row(name(g.Group), name(rows[0].Topic), strconv.Itoa(n), strconv.FormatInt(lag, 10), strconv.FormatInt(most, 10),
				strconv.Itoa(uncommitted), strconv.Itoa(unknownLag), strconv.FormatInt(lost, 10))
			rows = rows[n:]
		}
	}
}

func partitionLagTable(t *table, row func(string, ...string), groups []inspect.Group) {
	first := true
	for _, g := range groups {
		if g.Lag == nil {
			continue
		}
		for _, p := range g.Lag.Partitions {
			if first {
				t.gap()
				row("GROUP", "TOPIC", "PARTITION", "COMMITTED", "START", "STABLE", "END", "LAG", "LOST", "MEMBER")
				first = false
			}
			row(name(g.Group), name(p.Topic), strconv.Itoa(int(p.Partition)), committed(p), number(p.Start), number(p.Stable), number(p.End),
				number(p.Lag), strconv.FormatInt(p.Lost, 10), nameOr(p.Member))
		}
	}
}

func committed(p inspect.PartitionLag) string {
	if p.Uncommitted {
		return "none"
	}
	return number(p.Committed)
}

// moment shows a time in UTC, to the second.
func moment(at *time.Time) string {
	if at == nil {
		return unknown
	}
	return at.UTC().Format(time.RFC3339)
}
