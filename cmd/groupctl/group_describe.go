package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
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

Of an election of groupkit's (member.Elect) it shows who is ELECTED, the BALLOT, which
numbers the term, and the PAYLOAD that tells where the elected is, as all members were
told. Kafka's leader of such a group only counts the votes: it is shown by -o wide alone,
under COUNTS. In JSON it is .leader, and the elected is .elected.member.

Members are shown by the beginning of their ids, with their client where the id does not
begin with it, and with what they subscribed to where that is not what they are assigned;
-o wide and -o json have all of it. SINCE is in UTC.

The lag of a partition counts from what the group committed, or from where the log
begins if that is later, to the high watermark. Where nothing was committed there is
no lag to tell: where a consumer begins is up to its auto.offset.reset. UNCOMMITTED
counts such partitions, UNKNOWN those whose lag could not be found out, LOST the records
that the log lost before the group read them; each is shown where it is not 0. A plus
behind a sum says that some partitions are unknown.

--partitions shows each partition, with what was committed (none, or - where that is not
known) and where its log begins and ends; STABLE is how far members get that read
committed records only.

Needs DESCRIBE on each group and on the topics that it consumes; for the leader and
the generation of classic groups also DESCRIBE and READ on the topic
__consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 group describe orders
  groupctl -b localhost:9092 group describe orders --partitions
  groupctl -b localhost:9092 -o wide group describe orders
  groupctl -b localhost:9092 -o json group describe orders | jq -r '.data[].leader'
  groupctl -b localhost:9092 -o json group describe billing-reports | jq -r '.data[].elected.payloadText'`,
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
	who := name
	if !t.wide {
		who = shortIDs(memberIDs(groups))
	}
	t.leaveOut(unknown, "ASSIGNOR", "LEADER", "ELECTED", "BALLOT", "PAYLOAD")
	head := []string{"GROUP", "TYPE", "STATE", "MEMBERS", "LAG", "GENERATION", "SINCE", "ASSIGNOR", "COORDINATOR"}
	if t.wide {
		head = append(head, "OFFSETS-PARTITION")
	}
	t.row(append(head, "LEADER", "ELECTED", "BALLOT", "PAYLOAD")...)
	for _, g := range groups {
		cells := []string{name(g.Group), nameOr(g.Type), nameOr(g.State), memberCount(g), groupLag(g),
			number(g.Generation), t.moment(g.Since), nameOr(g.Assignor), number(g.Coordinator)}
		if t.wide {
			cells = append(cells, number(g.OffsetsPartition))
		}
		t.row(append(append(cells, groupLeader(t, g, who)), electedCells(t, g, who)...)...)
	}
	memberTable(t, groups, who)
	row := groupRows(t, len(groups) > 1)
	holdUpTable(t, row, groups, who)
	if partitions {
		partitionLagTable(t, row, groups, who)
	} else {
		topicLagTable(t, row, groups)
	}
}

// groupLeader is the leader where the table of members does not tell it.
func groupLeader(t *table, g inspect.Group, who func(string) string) string {
	if g.Leader == nil || isElection(g) || !t.wide && slices.ContainsFunc(g.Members, func(m inspect.Member) bool { return m.ID == *g.Leader }) {
		return unknown
	}
	return who(*g.Leader)
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

func holdUpTable(t *table, row func(string, ...string), groups []inspect.Group, who func(string) string) {
	first := true
	for _, g := range groups {
		for _, h := range g.HeldUpBy {
			if first {
				t.gap()
				row("GROUP", "HELD-UP-BY", "EPOCH", "OF", "WAITING", "TO-GIVE-UP")
				first = false
			}
			waiting := make([]string, len(h.Waiting))
			for i, id := range h.Waiting {
				waiting[i] = who(id)
			}
			row(name(g.Group), who(h.Member), number(h.Epoch), number(g.TargetEpoch), cmp.Or(strings.Join(waiting, ","), unknown), assignment(h.Revoke))
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
				t.leaveOut("0", "UNCOMMITTED", "UNKNOWN", "LOST")
				row("GROUP", "TOPIC", "PARTITIONS", "LAG", "MOST", "UNCOMMITTED", "UNKNOWN", "LOST")
				first = false
			}
			sum, largest := strconv.FormatInt(lag, 10), strconv.FormatInt(most, 10)
			if uncommitted+unknownLag == n {
				sum, largest = unknown, unknown
			}
			row(name(g.Group), name(rows[0].Topic), strconv.Itoa(n), sum, largest, strconv.Itoa(uncommitted), strconv.Itoa(unknownLag), strconv.FormatInt(lost, 10))
			rows = rows[n:]
		}
	}
}

func partitionLagTable(t *table, row func(string, ...string), groups []inspect.Group, who func(string) string) {
	first := true
	for _, g := range groups {
		if g.Lag == nil {
			continue
		}
		for _, p := range g.Lag.Partitions {
			if first {
				t.gap()
				t.leaveOut("0", "LOST")
				row("GROUP", "TOPIC", "PARTITION", "LAG", "COMMITTED", "START", "STABLE", "END", "LOST", "MEMBER")
				first = false
			}
			owner := unknown
			if p.Member != nil {
				owner = who(*p.Member)
			}
			row(name(g.Group), name(p.Topic), strconv.Itoa(int(p.Partition)), number(p.Lag), committed(p), number(p.Start), number(p.Stable), number(p.End),
				strconv.FormatInt(p.Lost, 10), owner)
		}
	}
}

func committed(p inspect.PartitionLag) string {
	if p.Uncommitted {
		return "none"
	}
	return number(p.Committed)
}

// moment shows a time of the last 24 hours without its day, unless the table is wide.
func (t *table) moment(at *time.Time) string {
	if at != nil && !t.wide {
		if ago := time.Since(*at); ago < 24*time.Hour && ago > -time.Minute {
			return clock(*at, "")
		}
	}
	return moment(at)
}

// moment shows a time in UTC, to the second.
func moment(at *time.Time) string {
	if at == nil {
		return unknown
	}
	return at.UTC().Format(time.RFC3339)
}
