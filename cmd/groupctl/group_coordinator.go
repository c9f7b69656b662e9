package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newGroupCoordinatorCommand(s *session) *cobra.Command {
	var create bool
	command := &cobra.Command{
		Use:   "coordinator GROUP...",
		Short: "Show which broker coordinates each group, and why",
		Long: `Show which broker coordinates each group: the hash of its name, the partition
of __consumer_offsets that this gives, that partition's leader, and the broker
that the cluster itself names. The two should agree.

Every name has a coordinator, whether or not such a group exists. Where
__consumer_offsets does not exist yet, only the hash can be shown; asking for the
coordinator would create that topic, so it is not asked for without
--create-offsets-topic.

Needs DESCRIBE on each group and on the topic __consumer_offsets.`,
		Example: `  groupctl -b localhost:9092 group coordinator orders billing
  groupctl -b localhost:9092 group coordinator -o json -- -a-name-with-a-dash`,
		Annotations: map[string]string{schemaAnnotation: "group-coordinator"},
		Args:        needArguments("group"),
	}
	command.Flags().BoolVar(&create, "create-offsets-topic", false, "let the brokers create __consumer_offsets if it does not exist yet")
	command.RunE = func(command *cobra.Command, groups []string) error {
		q := question[[]inspect.Coordinator]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Coordinator], error) {
				return in.Coordinators(ctx, groups...)
			},
			hasData: func(rows []inspect.Coordinator) bool { return len(rows) > 0 },
			table: func(t *table, rows []inspect.Coordinator) {
				t.row("GROUP", "HASH", "PARTITION", "OF", "LEADER", "EPOCH", "ISR", "COORDINATOR", "AGREES")
				for _, r := range rows {
					t.row(name(r.Group), strconv.Itoa(int(r.Hash)), number(r.Partition), number(r.PartitionCount),
						number(r.Leader), number(r.LeaderEpoch), numbers(r.ISR), number(r.Coordinator), yesNo(r.Agrees))
				}
			},
		}
		if create {
			q.options = append(q.options, inspect.CreateOffsetsTopic())
		}
		return answer(command, s, q)
	}
	return command
}
