package main

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/zk"
)

func newClusterControllerCommand(s *session) *cobra.Command {
	var zookeeper string
	var watch bool
	command := &cobra.Command{
		Use:   "controller",
		Short: "Show the active controller and the quorum behind it",
		Long: `Show the node that is the active controller, with the epoch of its election, and
how far the voters and the observers of the metadata quorum are: how many records
they lag, and how long ago they had all of them, by the controller's clock.

The answer is the quorum's own (DescribeQuorum). The controller in a Metadata
response, which many tools show, is a random broker under KRaft.

Brokers that run with ZooKeeper (Kafka before 4.0) do not tell; --zookeeper reads it
there, from the node /controller, and says which of the two holds while a cluster
migrates to KRaft. With --watch it follows the elections, a line each, or with
-o jsonl a JSON object each, until it is interrupted.

With --zookeeper the TLS flags say how ZooKeeper is reached, and --user, without --sasl,
is who logs in there by its scheme digest.

Needs DESCRIBE on the cluster; with --zookeeper nothing.`,
		Example: `  groupctl -b localhost:9092 cluster controller
  groupctl -b localhost:9092 -o json cluster controller | jq .data.node
  groupctl cluster controller --zookeeper zk1:2181,zk2:2181/kafka --watch
  groupctl cluster controller --zookeeper zk1:2182 --tls --tls-ca ca.pem --tls-cert me.pem --tls-key me.key`,
		Annotations: map[string]string{schemaAnnotation: "cluster-controller"},
		Args:        noArguments,
	}
	flags := command.Flags()
	flags.StringVar(&zookeeper, "zookeeper", "", "ask ZooKeeper instead, as in zookeeper.connect: host:port with commas between, and the chroot after the last")
	flags.BoolVar(&watch, "watch", false, "with --zookeeper, go on and show each election")
	command.RunE = func(command *cobra.Command, _ []string) error {
		q := question[inspect.Controller]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[inspect.Controller], error) {
				return in.Controller(ctx)
			},
			hasData: func(c inspect.Controller) bool { return c.Mode != nil },
			table:   controllerTables,
		}
		switch {
		case zookeeper == "" && watch:
			return &usageError{"--watch is of use with --zookeeper only"}
		case zookeeper == "":
			return answer(command, s, q)
		case s.bootstrap != "":
			return &usageError{"give --bootstrap-server or --zookeeper, not both"}
		}
		asLines := false
		if watch {
			var err error
			if asLines, err = s.endless(); err != nil {
				return err
			}
		}
		if err := s.check(); err != nil {
			return err
		}
		options, err := s.zooKeeperOptions()
		if err != nil {
			return err
		}
		if watch {
			return s.watchZooKeeper(command.Context(), zookeeper, options, schemaOf(command)+"-watch", asLines)
		}
		ctx, cancel := context.WithTimeout(command.Context(), s.timeout)
		defer cancel()
		reply, err := zk.Controller(ctx, zookeeper, options...)
		return conclude(command, s, q, reply, err)
	}
	return command
}

func controllerTables(t *table, c inspect.Controller) {
	if c.ZooKeeper != nil {
		zooKeeperTables(t, c)
		return
	}
	t.row("CONTROLLER", "EPOCH", "MODE", "VOTERS", "HIGH-WATERMARK", "SOURCE")
	t.row(number(c.Node), number(c.Epoch), nameOr(c.Mode), voterKind(c.Dynamic), number(c.HighWatermark), nameOr(c.Source))
	if len(c.Voters)+len(c.Observers) == 0 {
		return
	}
	var now *time.Time // by the clock that the others' times are of
	for _, n := range c.Voters {
		if c.Node != nil && n.Node == *c.Node {
			now = n.LastCaughtUp
		}
	}
	t.gap()
	t.row("NODE", "ROLE", "LOG-END", "LAG", "CAUGHT-UP", "ENDPOINTS", "DIRECTORY")
	row := func(n inspect.QuorumNode, role string) {
		t.row(strconv.Itoa(int(n.Node)), role, number(n.LogEndOffset), number(n.Lag), age(n.LastCaughtUp, now), endpoints(n.Endpoints), nameOr(n.Directory))
	}
	for _, n := range c.Voters {
		role := "voter"
		if c.Node != nil && n.Node == *c.Node {
			role = "leader"
		}
		row(n, role)
	}
	for _, n := range c.Observers {
		row(n, "observer")
	}
}

func voterKind(dynamic *bool) string {
	switch {
	case dynamic == nil:
		return unknown
	case *dynamic:
		return "dynamic"
	}
	return "static"
}

// age is how long ago a time was at another of the same clock.
func age(at, now *time.Time) string {
	switch {
	case at == nil, now == nil:
		return unknown
	case !at.Before(*now):
		return "now"
	}
	return now.Sub(*at).Round(time.Millisecond).String() + " ago"
}

func endpoints(all []inspect.Endpoint) string {
	if len(all) == 0 {
		return unknown
	}
	var texts []string
	for _, e := range all {
		texts = append(texts, name(e.Listener)+"://"+printable(net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))))
	}
	return strings.Join(texts, ",")
}
