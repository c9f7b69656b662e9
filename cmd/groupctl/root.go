package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
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
	security  securityFlags
	exit      int

	running   bool // a command has begun: its flags and arguments make sense
	flagError bool // the flags were not parsed to the end
}

const (
	outputTable = "table"
	outputWide  = "wide" // a table with all columns, and nothing shortened
	outputJSON  = "json"

	// defaultTimeout leaves time to print within ten seconds.
	defaultTimeout = 8 * time.Second

	bootstrapVariable = "GROUPCTL_BOOTSTRAP_SERVER"
)

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, env environment) int {
	s := &session{environment: env}
	help := &watchedWriter{out: s.stdout}
	root := newRootCommand(s)
	root.SetOut(help)
	strict(s, root)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil && help.err != nil {
		err = fmt.Errorf("cannot write: %w", help.err)
	}
	if err == nil {
		return s.exit
	}
	usage, ok := errors.AsType[*usageError](err)
	if !ok && !s.running && help.err == nil {
		usage, ok = &usageError{fmt.Sprintf("%v; see '%s --help'", err, command.CommandPath())}, true
	}
	if ok {
		asJSON := s.output == outputJSON
		if s.flagError {
			asJSON = wantsJSON(command, args)
		}
		return s.reportUsage(command, usage, asJSON)
	}
	fmt.Fprintf(s.stderr, "groupctl: %s\n", printable(err.Error()))
	return exitFailed
}

// watchedWriter remembers that it could not write, for those who write through
// cobra, which forgets it.
type watchedWriter struct {
	out io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.err = cmp.Or(w.err, err)
	return n, err
}

// strict holds the commands that cobra adds to the rules of the others, and notes
// when a command begins: errors before that are about the command line.
func strict(s *session, root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "help":
			command.Run, command.RunE = nil, helpOn
		case "completion":
			command.Args, command.RunE = cobra.ArbitraryArgs, needCommand
			for _, shell := range command.Commands() {
				shell.Args = noArguments
			}
		}
	}
	var note func(*cobra.Command)
	note = func(command *cobra.Command) {
		if begin := command.RunE; begin != nil {
			command.RunE = func(command *cobra.Command, args []string) error {
				s.running = true
				return begin(command, args)
			}
		}
		for _, child := range command.Commands() {
			note(child)
		}
	}
	note(root)
	out, show := root.OutOrStdout(), root.HelpFunc()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		var text bytes.Buffer
		command.SetOut(&text)
		show(command, args)
		command.SetOut(out)
		_, _ = text.WriteTo(out) // run looks at the error
	})
}

// helpOn shows the help of the command named.
func helpOn(command *cobra.Command, args []string) error {
	about, rest, err := command.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return &usageError{fmt.Sprintf("there is no command %q; see '%s --help'", strings.Join(args, " "), command.Root().Name())}
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

func newRootCommand(s *session) *cobra.Command {
	root := newParentCommand("groupctl", "Show who decides in a Kafka cluster, why it moved, and who is next")
	root.Long = `groupctl shows who decides in a Kafka cluster, why it moved, and who is next:

  cluster, topic  the controller and its quorum, the brokers, who leads which partition
  group, offsets  who coordinates and who leads a group, its members, lag and history;
                  'group explain' says why it keeps rebalancing
  watch           elections and rebalances as they happen, with their causes
  impact, elect   what happens if brokers go down, and elections by hand
  plan            which member would get what, in a live group or on paper
  demo            a group at work, step by step, in this process or on a cluster

It only looks, but for 'elect' with --execute, 'group coordinator' with
--create-internal-topic, and 'demo' with --brokers, which removes what it makes.

Data goes to stdout, everything else to stderr. Exit codes: 0 found, or done; 1 Kafka
or this machine failed; 2 wrong usage; 3 nothing asked for exists; 5 a part is missing.
Times are UTC.

In tables, - is for what is not known or does not apply. They leave out columns in which
there is nothing, and shorten the ids of members and long lists of partitions; -o wide
shows all, and -o json is for programs.

It connects in plaintext, with TLS (--tls) and with SASL (--sasl). Instead of flags,
--config takes the file that Kafka's own tools take by --command-config. A password
comes from a file or the environment, never from the command line.

'groupctl completion bash' (or zsh, fish, powershell) prints what lets a shell complete
commands, flags, and the names of groups and topics.`
	root.Example = `  groupctl -b localhost:9092 group describe orders
  groupctl -b localhost:9092 -o json cluster controller
  groupctl -b broker:9093 --tls-ca ca.pem --tls --sasl scram-sha-512 --user ops --password-file secret topic leaders
  groupctl --config client.properties cluster brokers`
	root.Version = versionLine(debug.ReadBuildInfo())
	root.Flags().Bool("version", false, "print the version, the commit that it was built from, and the version of Go")
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetErr(s.stderr)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		s.flagError = true
		return flagError(command, err)
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&s.bootstrap, "bootstrap-server", "b", "", "brokers to start from, as host:port with commas between (default: the environment variable "+bootstrapVariable+")")
	flags.StringVarP(&s.output, "output", "o", outputTable, "how to print: table, wide (all columns, nothing shortened) or json; what is watched: table or jsonl")
	flags.DurationVar(&s.timeout, "timeout", defaultTimeout, "how long to try, such as 8s")
	s.security.addTo(root)

	root.AddCommand(
		newDemoCommand(s),
		newParentCommand("group", "Show consumer groups",
			newGroupCoordinatorCommand(s),
			newGroupDescribeCommand(s),
			newGroupListCommand(s),
			newGroupExplainCommand(s),
		),
		newParentCommand("cluster", "Show the cluster itself",
			newClusterBrokersCommand(s),
			newClusterControllerCommand(s),
		),
		newParentCommand("topic", "Show topics",
			newTopicLeadersCommand(s),
		),
		newParentCommand("offsets", "Show what __consumer_offsets holds",
			newOffsetsDumpCommand(s),
		),
		newImpactCommand(s),
		newElectCommand(s),
		newWatchCommand(s),
		newPlanCommand(s),
	)
	addCompletions(s, root)
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
		RunE:  needCommand,
	}
	parent.SuggestionsMinimumDistance = 2
	for _, child := range children {
		parent.AddCommand(child)
	}
	var examples []string
	for _, child := range children {
		example, _, _ := strings.Cut(child.Example, "\n")
		examples = append(examples, example)
	}
	parent.Example = strings.Join(examples, "\n")
	return parent
}

// needCommand refuses a command line that ends at a command that only holds others.
func needCommand(command *cobra.Command, args []string) error {
	help := fmt.Sprintf("see '%s --help'", command.CommandPath())
	if len(args) == 0 {
		return &usageError{fmt.Sprintf("'%s' needs a command; %s", command.CommandPath(), help)}
	}
	message := fmt.Sprintf("'%s' has no command %q; %s", command.CommandPath(), args[0], help)
	if near := command.SuggestionsFor(args[0]); len(near) > 0 {
		message = fmt.Sprintf("'%s' has no command %q; did you mean %s?", command.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return &usageError{message}
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
