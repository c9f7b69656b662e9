package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newTopicLeadersCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "leaders [TOPIC...]",
		Short: "Show which broker leads each partition",
		Long: `Show for each partition the broker that leads it, the broker that a preferred
election would put there, the replicas in the order in which an election tries
them, and those that are in sync.

Without a topic, all topics are shown but the internal ones; name an internal
topic to see it. Asking never creates a topic.

Needs DESCRIBE on each topic.`,
		Example: `  groupctl -b localhost:9092 topic leaders
  groupctl -b localhost:9092 topic leaders orders __consumer_offsets`,
		Annotations: map[string]string{schemaAnnotation: "topic-leaders"},
		Args:        cobra.ArbitraryArgs,
	}
	command.RunE = func(command *cobra.Command, topics []string) error {
		return answer(command, s, question[[]inspect.Partition]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Partition], error) {
				return in.Partitions(ctx, topics...)
			},
			hasData: func(rows []inspect.Partition) bool { return len(rows) > 0 },
			table: func(t *table, rows []inspect.Partition) {
				t.row("TOPIC", "PARTITION", "LEADER", "EPOCH", "PREFERRED", "REPLICAS", "ISR", "OFFLINE", "OFFLINE-REPLICAS")
				for _, r := range rows {
					t.row(name(r.Topic), strconv.Itoa(int(r.Partition)), number(r.Leader), number(r.LeaderEpoch), number(r.Preferred),
						numbers(r.Replicas), numbers(r.ISR), yesNo(&r.Offline), numbers(r.OfflineReplicas))
				}
			},
		})
	}
	return command
}
