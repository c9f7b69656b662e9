package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newGroupDescribeCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show groups with their leader, generation and members",
		Long: `Show each group by its real type (classic, consumer, share, streams): its state,
assignor, coordinator and members, and for a classic group the member that leads
it and its generation, which are read from __consumer_offsets.

For the other types the generation is the group's epoch, and no member leads.

Needs DESCRIBE on each group; for the leader and the generation of classic groups
also DESCRIBE and READ on the topic __consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 group describe orders
  groupctl -b localhost:9092 -o json group describe orders | jq -r '.data[].leader'`,
		Annotations: map[string]string{schemaAnnotation: "group-describe"},
		Args:        needArguments("group"),
	}
	command.RunE = func(command *cobra.Command, groups []string) error {
		return answer(command, s, question[[]inspect.Group]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Group], error) {
				return in.Groups(ctx, groups...)
			},
			hasData: func(rows []inspect.Group) bool { return len(rows) > 0 },
			table:   groupTables,
		})
	}
	return command
}

func groupTables(t *table, groups []inspect.Group) {
	t.row("GROUP", "TYPE", "STATE", "PROTOCOL", "ASSIGNOR", "GENERATION", "COORDINATOR", "OFFSETS-PARTITION", "MEMBERS", "LEADER")
	withMembers := false
	for _, g := range groups {
		members := unknown
		if g.Members != nil {
			members = strconv.Itoa(len(g.Members))
		}
		t.row(name(g.Group), nameOr(g.Type), nameOr(g.State), nameOr(g.ProtocolType), nameOr(g.Assignor), number(g.Generation),
			number(g.Coordinator), number(g.OffsetsPartition), members, nameOr(g.Leader))
		withMembers = withMembers || len(g.Members) > 0
	}
	if !withMembers {
		return
	}
	t.gap()
	t.row("GROUP", "MEMBER", "INSTANCE", "CLIENT", "HOST", "TOPICS", "ASSIGNED")
	for _, g := range groups {
		for _, m := range g.Members {
			t.row(name(g.Group), name(m.ID), nameOr(m.Instance), name(m.ClientID), name(m.Host), names(m.Topics), assignment(m.Assigned))
		}
	}
}
