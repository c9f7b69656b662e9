package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newClusterControllerCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "controller",
		Short: "Show the active controller and the quorum behind it",
		Long: `Show the node that is the active controller, with the epoch of its election, and
how far the voters and the observers of the metadata quorum are.

The answer is the quorum's own (DescribeQuorum). The controller in a Metadata
response, which many tools show, is a random broker under KRaft.

Needs DESCRIBE on the cluster.`,
		Example: `  groupctl -b localhost:9092 cluster controller
  groupctl -b localhost:9092 -o json cluster controller | jq .data.node`,
		Annotations: map[string]string{schemaAnnotation: "cluster-controller"},
		Args:        noArguments,
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		return answer(command, s, question[inspect.Controller]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[inspect.Controller], error) {
				return in.Controller(ctx)
			},
			hasData: func(c inspect.Controller) bool { return c.Mode != nil },
			table:   controllerTables,
		})
	}
	return command
}

func controllerTables(t *table, c inspect.Controller) {
	t.row("CONTROLLER", "EPOCH", "MODE", "SOURCE")
	t.row(number(c.Node), number(c.Epoch), nameOr(c.Mode), nameOr(c.Source))
	if len(c.Voters)+len(c.Observers) == 0 {
		return
	}
	t.gap()
	t.row("NODE", "ROLE", "LOG-END", "LAG")
	for _, n := range c.Voters {
		role := "voter"
		if c.Node != nil && n.Node == *c.Node {
			role = "leader"
		}
		t.row(strconv.Itoa(int(n.Node)), role, number(n.LogEndOffset), number(n.Lag))
	}
	for _, n := range c.Observers {
		t.row(strconv.Itoa(int(n.Node)), "observer", number(n.LogEndOffset), number(n.Lag))
	}
}
