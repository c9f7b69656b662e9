package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newGroupCoordinatorCommand(s *session) *cobra.Command {
	var create, transactional, share bool
	command := &cobra.Command{
		Use:   "coordinator GROUP...",
		Short: "Show which broker coordinates each group, and why",
		Long: `Show which broker coordinates each group: the hash of its name, the partition
of __consumer_offsets that this gives, that partition's leader, and the broker
that the cluster itself names. The two should agree.

With --transactional-id the names are transactional ids, whose topic is
__transaction_state. With --share they are partitions of share groups, as
GROUP:TOPIC:PARTITION with the topic's name or id, whose topic is
__share_group_state.

Every name has a coordinator, whether or not there is such a group. Where the topic
does not exist yet, only the hash can be shown; asking for the coordinator would
create it, so it is not asked for without --create-internal-topic.

Brokers answer with what the controller told them last. While there is none, which
'cluster controller' shows, a coordinator that dies stays the coordinator here.

Needs DESCRIBE on each group or transactional id, or CLUSTER_ACTION on the cluster
with --share, and DESCRIBE on the topic.`,
		Example: `  groupctl -b localhost:9092 group coordinator orders billing
  groupctl -b localhost:9092 group coordinator --transactional-id payments-writer-1
  groupctl -b localhost:9092 group coordinator --share jobs:orders:0
  groupctl -b localhost:9092 group coordinator -o json -- -a-name-with-a-dash`,
		Annotations: map[string]string{schemaAnnotation: "group-coordinator"},
		Args:        needArguments("group"),
	}
	flags := command.Flags()
	flags.BoolVar(&transactional, "transactional-id", false, "the names are transactional ids")
	flags.BoolVar(&share, "share", false, "the names are partitions of share groups: GROUP:TOPIC:PARTITION")
	flags.BoolVar(&create, "create-internal-topic", false, "let the brokers create the internal topic if it does not exist yet")
	command.RunE = func(command *cobra.Command, names []string) error {
		if transactional && share {
			return &usageError{"give --transactional-id or --share, not both"}
		}
		q := question[[]inspect.Coordinator]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Coordinator], error) {
				switch {
				case transactional:
					return in.TransactionCoordinators(ctx, names...)
				case share:
					return in.ShareCoordinators(ctx, names...)
				}
				return in.Coordinators(ctx, names...)
			},
			hasData: func(rows []inspect.Coordinator) bool { return len(rows) > 0 },
			table: func(t *table, rows []inspect.Coordinator) {
				what := "GROUP"
				switch {
				case transactional:
					what = "TRANSACTIONAL-ID"
				case share:
					what = "SHARE-KEY"
				}
				t.row(what, "HASH", "PARTITION", "OF", "LEADER", "EPOCH", "ISR", "COORDINATOR", "AGREES")
				for _, r := range rows {
					t.row(name(r.Name), strconv.Itoa(int(r.Hash)), number(r.Partition), number(r.PartitionCount),
						number(r.Leader), number(r.LeaderEpoch), numbers(r.ISR), number(r.Coordinator), yesNo(r.Agrees))
				}
			},
		}
		if create {
			q.options = append(q.options, inspect.CreateInternalTopics())
		}
		return answer(command, s, q)
	}
	return command
}
