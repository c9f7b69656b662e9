package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

// What brokers of Kafka 4.3 and before call the types and states of groups.
var (
	groupTypes  = []string{"classic", "consumer", "share", "streams"}
	groupStates = []string{"Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "NotReady", "Dead", "Unknown"}
)

func newGroupListCommand(s *session) *cobra.Command {
	var types, states []string
	var lag bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List the groups of all types",
		Long: `List all groups with their real type (classic, consumer, share, streams), state,
assignor, number of members and coordinator. --type and --state leave out the
others; --lag adds how many records each group is behind, with a plus where some of
its partitions are not known.

Brokers leave out the groups that may not be seen: that takes DESCRIBE on them, or
on the cluster. --lag also needs DESCRIBE on the topics that they consume.`,
		Example: `  groupctl -b localhost:9092 group list
  groupctl -b localhost:9092 group list --type consumer,share --state Empty
  groupctl -b localhost:9092 -o json group list --lag | jq -r '.data[] | select(.lag.records > 1000) | .group'`,
		Annotations: map[string]string{schemaAnnotation: "group-list"},
		Args:        noArguments,
	}
	command.Flags().StringSliceVar(&types, "type", nil, "only groups of these types: classic, consumer, share, streams")
	command.Flags().StringSliceVar(&states, "state", nil, "only groups in these states, such as Stable or Empty")
	command.Flags().BoolVar(&lag, "lag", false, "tell how far each group is behind")
	command.RunE = func(command *cobra.Command, _ []string) error {
		for _, t := range types {
			if !oneOf(&t, groupTypes) {
				return &usageError{fmt.Sprintf("there is no type of group %q; give some of %s", t, strings.Join(groupTypes, ", "))}
			}
		}
		for _, state := range states {
			if !oneOf(&state, groupStates) {
				return &usageError{fmt.Sprintf("groups are in no state %q; give some of %s", state, strings.Join(groupStates, ", "))}
			}
		}
		return answer(command, s, question[[]inspect.Group]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Group], error) {
				answer, err := in.DescribeGroups(ctx, inspect.GroupDetails{Lag: lag})
				answer.Data = slices.DeleteFunc(answer.Data, func(g inspect.Group) bool {
					return !oneOf(g.Type, types) || !oneOf(g.State, states)
				})
				return answer, err
			},
			hasData: func(rows []inspect.Group) bool { return len(rows) > 0 },
			table: func(t *table, groups []inspect.Group) {
				if len(groups) == 0 {
					s.say("no such group was found; those that may not be seen are left out")
				}
				groupListTable(t, groups, lag)
			},
		})
	}
	return command
}

// oneOf tells whether a value is among those wanted, whatever their case. Without any
// wanted, all are.
func oneOf(value *string, wanted []string) bool {
	if len(wanted) == 0 {
		return true
	}
	return value != nil && slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, *value) })
}

func groupListTable(t *table, groups []inspect.Group, lag bool) {
	head := []string{"GROUP", "TYPE", "STATE", "MEMBERS", "ASSIGNOR", "PROTOCOL", "COORDINATOR"}
	if lag {
		head = slices.Insert(head, 4, "LAG")
	}
	usual := !slices.ContainsFunc(groups, func(g inspect.Group) bool { return !usualProtocol(g) })
	row := func(cells []string) {
		if protocol := slices.Index(head, "PROTOCOL"); usual && !t.wide {
			cells = slices.Concat(cells[:protocol], cells[protocol+1:])
		}
		t.row(cells...)
	}
	row(head)
	for _, g := range groups {
		cells := []string{name(g.Group), nameOr(g.Type), nameOr(g.State), memberCount(g), nameOr(g.Assignor), nameOr(g.ProtocolType), number(g.Coordinator)}
		if lag {
			cells = slices.Insert(cells, 4, groupLag(g))
		}
		row(cells)
	}
}

// usualProtocol tells whether the protocol of a group says no more than its type.
func usualProtocol(g inspect.Group) bool {
	switch {
	case g.Type == nil || g.ProtocolType == nil:
		return true
	case *g.Type == "classic":
		return *g.ProtocolType == "consumer" || *g.ProtocolType == ""
	}
	return *g.ProtocolType == *g.Type
}

func memberCount(g inspect.Group) string {
	if g.Members == nil {
		return unknown
	}
	return strconv.Itoa(len(g.Members))
}

// groupLag shows a sum that is not of all partitions with a plus, and none that is of none.
func groupLag(g inspect.Group) string {
	switch {
	case g.Lag == nil:
		return unknown
	case len(g.Lag.Partitions) > 0 && !slices.ContainsFunc(g.Lag.Partitions, func(p inspect.PartitionLag) bool { return p.Lag != nil }):
		return unknown
	case g.Lag.Unknown > 0:
		return strconv.FormatInt(g.Lag.Records, 10) + "+"
	}
	return strconv.FormatInt(g.Lag.Records, 10)
}
