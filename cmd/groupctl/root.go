package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// environment is what a run sees of the world, and all that tests replace.
type environment struct {
	stdout, stderr io.Writer
	getenv         func(string) string
}

// session is one run: the environment and the flags that every command has.
type session struct {
	environment
	bootstrap string
	output    string
	timeout   time.Duration
	exit      int
}

const (
	outputTable = "table"
	outputJSON  = "json"

	// defaultTimeout leaves time to print within ten seconds.
	defaultTimeout = 8 * time.Second

	bootstrapVariable = "GROUPCTL_BOOTSTRAP_SERVER"
)

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, env environment) int {
	s := &session{environment: env}
	root := newRootCommand(s)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return s.exit
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		return s.reportUsage(command, usage, wantsJSON(args))
	}
	fmt.Fprintf(s.stderr, "groupctl: %v\n", err)
	return exitFailed
}

func newRootCommand(s *session) *cobra.Command {
	root := newParentCommand("groupctl", "Show who decides in a Kafka cluster")
	root.Long = `groupctl shows who decides in a Kafka cluster: which broker coordinates a
group, which member leads it, which node is the controller, and which brokers
lead which partitions.

Data goes to stdout, everything else to stderr. Exit codes: 0 found; 1 Kafka or
this machine failed; 2 wrong usage; 3 nothing asked for exists; 5 a part is
missing.`
	root.Example = `  groupctl -b localhost:9092 group describe orders
  groupctl -b localhost:9092 -o json cluster controller`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetOut(s.stdout)
	root.SetErr(s.stderr)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		hint := ""
		if strings.HasPrefix(err.Error(), "unknown ") {
			hint = "; put -- before a name that begins with a dash"
		}
		return &usageError{fmt.Sprintf("%v%s; see '%s --help'", err, hint, command.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&s.bootstrap, "bootstrap-server", "b", "", "brokers to start from, as host:port with commas between (default: the environment variable "+bootstrapVariable+")")
	flags.StringVarP(&s.output, "output", "o", outputTable, "how to print: table or json")
	flags.DurationVar(&s.timeout, "timeout", defaultTimeout, "how long to try, such as 8s")

	root.AddCommand(
		newDemoCommand(s),
		newParentCommand("group", "Show consumer groups",
			newGroupCoordinatorCommand(s),
			newGroupDescribeCommand(s),
		),
		newParentCommand("cluster", "Show the cluster itself",
			newClusterControllerCommand(s),
		),
		newParentCommand("topic", "Show topics",
			newTopicLeadersCommand(s),
		),
		newPlanCommand(s),
	)
	return root
}

// newParentCommand makes a command that only holds others. Cobra would print
// help and succeed when such a command is called alone or with a name that it
// does not know.
func newParentCommand(use, short string, children ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			help := fmt.Sprintf("see '%s --help'", command.CommandPath())
			if len(args) == 0 {
				return &usageError{fmt.Sprintf("'%s' needs a command; %s", command.CommandPath(), help)}
			}
			message := fmt.Sprintf("'%s' has no command %q; %s", command.CommandPath(), args[0], help)
			if near := command.SuggestionsFor(args[0]); len(near) > 0 {
				message = fmt.Sprintf("'%s' has no command %q; did you mean %s?", command.CommandPath(), args[0], strings.Join(near, " or "))
			}
			return &usageError{message}
		},
	}
	parent.SuggestionsMinimumDistance = 2
	for _, child := range children {
		parent.AddCommand(child)
	}
	if len(children) > 0 {
		parent.Example = children[0].Example
	}
	return parent
}

// needArguments refuses a command line that names nothing.
func needArguments(what string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{fmt.Sprintf("'%s' needs at least one %s; see '%s --help'", command.CommandPath(), what, command.CommandPath())}
		}
		return nil
	}
}

// noArguments refuses a command line that names anything.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Sprintf("'%s' takes no arguments, and %q was given; see '%s --help'", command.CommandPath(), args[0], command.CommandPath())}
	}
	return nil
}
