package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

func newClusterBrokersCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "brokers",
		Short: "Show the brokers, and how much each leads",
		Long: `Show each broker: whether it is up, its address and rack, how many partitions it
leads, how many it would lead after a preferred election of all, and how many
replicas it holds. Internal topics count. SKEW is how far LEADS is from an even
share among the brokers that are up: +50% is half as many again.

Brokers answer with what the controller told them last. While there is none, which
'cluster controller' shows, a broker that dies stays up here.

Needs DESCRIBE on each topic; topics that may not be seen do not count.`,
		Example: `  groupctl -b localhost:9092 cluster brokers
  groupctl -b localhost:9092 -o json cluster brokers | jq '.data[] | select(.up | not).id'`,
		Annotations: map[string]string{schemaAnnotation: "cluster-brokers"},
		Args:        noArguments,
	}
	command.RunE = func(command *cobra.Command, _ []string) error {
		return answer(command, s, question[[]inspect.Broker]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Broker], error) {
				return in.Brokers(ctx)
			},
			hasData: func(rows []inspect.Broker) bool { return len(rows) > 0 },
			table: func(t *table, rows []inspect.Broker) {
				t.row("BROKER", "UP", "ADDRESS", "RACK", "LEADS", "PREFERRED", "REPLICAS", "SKEW")
				for _, b := range rows {
					t.row(strconv.Itoa(int(b.ID)), yesNo(&b.Up), brokerAddress(b), nameOr(b.Rack), count(b.Leads), count(b.Preferred), count(b.Replicas), percent(b.Skew))
				}
			},
		})
	}
	return command
}

func brokerAddress(b inspect.Broker) string {
	if b.Host == nil || b.Port == nil {
		return unknown
	}
	return printable(net.JoinHostPort(*b.Host, strconv.Itoa(int(*b.Port))))
}

func count(n *int) string {
	if n == nil {
		return unknown
	}
	return strconv.Itoa(*n)
}

func percent(share *float64) string {
	if share == nil {
		return unknown
	}
	rounded := math.Round(100 * *share)
	if rounded == 0 {
		return "0%"
	}
	return fmt.Sprintf("%+.0f%%", rounded)
}
