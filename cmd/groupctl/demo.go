package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/cmd/groupctl/internal/demo"
)

func newDemoCommand(s *session) *cobra.Command {
	var brokers []string
	command := &cobra.Command{
		Use:   "demo",
		Short: "Show a consumer group at work: elections, plans, a killed leader",
		Long: `Show a consumer group at work, step by step: who coordinates it, who leads it,
what the leader plans and what its hook changes, who has what, what happens when
the leader dies, and what a second group gets.

Without --brokers it starts three brokers in this process (kfake) and takes a few
seconds; the environment variable ` + bootstrapVariable + ` is not heeded.
With --brokers it plays on a real cluster, in a topic and two groups of its own,
which it removes at the end, and takes less than half a minute: a dead member is
noticed later there. On a cluster that has had no consumer yet, the brokers create
__consumer_offsets for it, as for any consumer, and that topic stays.

It exits with 0 only if every step was seen to happen. On a terminal it is
coloured, unless NO_COLOR is set.

On a real cluster it needs CREATE, DELETE, READ, WRITE and DESCRIBE on topics, and
READ, DELETE and DESCRIBE on groups, whose names begin with groupctl-demo-.`,
		Example: `  groupctl demo
  groupctl demo --brokers localhost:9092`,
		Args: noArguments,
	}
	command.Flags().StringSliceVar(&brokers, "brokers", nil, "play on a real cluster, found at these host:port with commas between; -b does the same")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if s.output != outputTable {
			return &usageError{"'groupctl demo' is for people and has no other form; leave out --output"}
		}
		if s.timeout <= 0 {
			return &usageError{fmt.Sprintf("the timeout %v is not positive; give something like --timeout 8s", s.timeout)}
		}
		if s.security != (securityFlags{}) {
			return &usageError{"'groupctl demo' connects in plaintext only; leave out --config and the flags for TLS and SASL"}
		}
		given := command.Flags().Changed("brokers")
		if command.Flags().Changed("bootstrap-server") {
			if given {
				return &usageError{"give the brokers by --brokers or by --bootstrap-server, not by both"}
			}
			brokers, given = strings.Split(s.bootstrap, ","), true
		}
		seeds, err := addresses(brokers)
		if err != nil {
			return err
		}
		if given && len(seeds) == 0 {
			return &usageError{"no broker was named; give --brokers host:port, or leave it out"}
		}
		return s.demo(command.Context(), seeds)
	}
	return command
}

func (s *session) demo(ctx context.Context, brokers []string) error {
	// A reader that goes away, such as head, must not keep the demo from
	// removing what it made on a real cluster.
	signal.Ignore(syscall.SIGPIPE)
	seen, err := demo.Run(ctx, demo.Options{
		Brokers: brokers,
		Reach:   s.timeout,
		Out:     s.stdout,
		Colour:  isTerminal(s.stdout) && s.getenv("NO_COLOR") == "" && s.getenv("TERM") != "dumb",
	})
	if !seen {
		s.exit = exitFailed
	}
	return err
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
