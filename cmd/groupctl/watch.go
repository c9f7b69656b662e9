package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
)

// outputJSONLines is how to print what has no end: an object a line.
const outputJSONLines = "jsonl"

type watchFlags struct {
	lasts       time.Duration
	rate        float64
	stallAfter  time.Duration
	controllers string
}

func newWatchCommand(s *session) *cobra.Command {
	var flags watchFlags
	command := &cobra.Command{
		Use:   "watch [elections [TOPIC...] | groups [GROUP...]]",
		Short: "Show what changes, as it does: elections and rebalances, with causes",
		Long: `Show what is there, and then each change on a line of its own: another controller,
brokers that come and go, elections of partitions with their cause, replicas that
leave or join those in sync, groups whose coordinator moved or that rebalanced (who
joined and left, who leads, in elections of groupkit's who is elected, how many
partitions moved, how long they were not stable), and partitions that a group does not
get on with.

'watch elections' leaves out the groups, 'watch groups' all but the groups and their
coordinators. Names after them restrict it to those topics or groups; a group that
does not exist is waited for.

A new controller is told within two seconds, but where the host of the one before has
died: brokers then hold the question back for about ten seconds. With --controllers the
controllers themselves are asked, at the listener that they have for each other, and
brokers only while no controller answers.

A cause is shown where what was seen leaves no other. Changes are seen within about
two seconds, at no more than two requests a second to each broker. With -o jsonl each
event is one JSON object.

It ends when it is interrupted, or with --for; not with --timeout, which is how long it
waits for a first answer of any broker, and then fails. While brokers do not answer later
it says so and goes on.

Needs DESCRIBE on the topics, on each group, and on the cluster for the controller.
Generations and leaders of classic groups also take READ on __consumer_offsets;
without it they are shown as ?. Of groups that are there at first they are told with the
next rebalance.`,
		Example: `  groupctl -b localhost:9092 watch
  groupctl -b localhost:9092 watch groups orders billing
  groupctl -b localhost:9092 watch elections --controllers kafka-1:9093,kafka-2:9093,kafka-3:9093
  groupctl -b localhost:9092 -o jsonl watch elections --for 1h | jq -c 'select(.kind == "leader") | .leader'`,
		Annotations: map[string]string{schemaAnnotation: "watch"},
		Args:        cobra.ArbitraryArgs,
	}
	command.Flags().DurationVar(&flags.lasts, "for", 0, "how long to watch, such as 10m (default: until interrupted)")
	command.Flags().Float64Var(&flags.rate, "rate", 2, "how many requests a second to send to each broker at most")
	command.Flags().DurationVar(&flags.stallAfter, "stall-after", time.Minute, "how long a committed offset may stand still, with records left, until that is shown")
	command.Flags().StringVar(&flags.controllers, "controllers", "", "ask the controllers at these addresses, host:port,…, who leads them, and not brokers")
	command.RunE = func(command *cobra.Command, args []string) error {
		what, err := flags.watched(args)
		if err != nil {
			return err
		}
		if flags.controllers != "" {
			if what.Controllers, err = s.connectTo(flags.controllers); err != nil {
				return err
			}
			defer what.Controllers.Close()
		}
		return s.watch(command, what, flags.lasts)
	}
	return command
}

// watched reads the arguments.
func (f watchFlags) watched(args []string) (inspect.Watched, error) {
	what := inspect.Watched{Rate: f.rate, StallAfter: f.stallAfter}
	switch {
	case !(f.rate > 0) || math.IsInf(f.rate, 1) || f.stallAfter <= 0 || f.lasts < 0:
		return what, &usageError{"--rate and --stall-after have to be more than 0, and --for not less; see 'groupctl watch --help'"}
	case len(args) == 0:
	case args[0] == "elections":
		what.Elections, what.Topics = true, args[1:]
	case args[0] == "groups" && f.controllers != "":
		return what, &usageError{"'groupctl watch groups' does not watch the controller; leave out --controllers, or groups"}
	case args[0] == "groups":
		what.Groups, what.GroupNames = true, args[1:]
	default:
		return what, &usageError{fmt.Sprintf("'groupctl watch' has no %q; give elections or groups, and names after that, such as 'groupctl watch groups %s'", args[0], args[0])}
	}
	return what, nil
}

func (s *session) watch(command *cobra.Command, what inspect.Watched, lasts time.Duration) error {
	asLines, err := s.endless()
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(command.Context())
	defer cancel(nil)
	if lasts > 0 {
		time.AfterFunc(lasts, func() { cancel(nil) })
	}
	var shown atomic.Bool
	var why atomic.Pointer[string] // brokers cannot be looked at
	checked := make(chan struct{})
	check := time.AfterFunc(s.timeout, func() {
		defer close(checked)
		switch {
		case !anyAnswered(client):
			cancel(nobodyAnswered(client, s.timeout, why.Load()))
		case !shown.Load():
			fmt.Fprintln(s.stderr, "groupctl: the brokers answer, and there is nothing to show so far")
		}
	})
	defer func() {
		if !check.Stop() {
			<-checked
		}
	}()

	lines := eventLines{out: s.stdout}
	for event, err := range inspect.New(client).Watch(ctx, what) {
		if err != nil {
			return &usageError{err.Error()}
		}
		shown.Store(true)
		if e := event.Sight; e != nil && e.Lost && e.Part == "partitions" {
			why.Store(&e.Message)
		}
		if asLines {
			err = writeEventLine(s.stdout, schemaOf(command), event)
		} else {
			err = lines.write(event)
		}
		if err != nil {
			return fmt.Errorf("cannot write the event: %w", err)
		}
	}
	if command.Context().Err() != nil {
		return nil // interrupted, which is how it ends well
	}
	if cause := context.Cause(ctx); cause != context.Canceled {
		return cause
	}
	if !anyAnswered(client) {
		return nobodyAnswered(client, lasts, why.Load())
	}
	return nil
}

// anyAnswered says whether a broker told the client of the cluster's brokers, which is
// the first thing that it is asked.
func anyAnswered(client *kgo.Client) bool { return len(client.DiscoveredBrokers()) > 0 }

func nobodyAnswered(client *kgo.Client, within time.Duration, why *string) error {
	if why != nil {
		return errors.New(*why)
	}
	seeds, _ := client.OptValue(kgo.SeedBrokers).([]string)
	return fmt.Errorf("no broker answered at %s within %v; check the address, and that a Kafka broker listens there", strings.Join(seeds, ", "), within)
}

// endless tells whether a command that prints until it is interrupted is to print
// objects, one a line.
func (s *session) endless() (asLines bool, err error) {
	switch s.output {
	case outputTable:
		return false, nil
	case outputJSON:
		return false, &usageError{"what is watched has no end, so it is not one JSON object; give -o jsonl for one a line"}
	case outputJSONLines:
		s.output = outputTable // for check, which knows of the others alone
		return true, nil
	}
	return false, &usageError{fmt.Sprintf("the output %q is not known; give -o table or -o jsonl", s.output)}
}

// writeEventLine prints an event, which is an object with fields, with its schema before
// them.
func writeEventLine(w io.Writer, schema string, event any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(event); err != nil {
		return err
	}
	line := `{"schema":` + strconv.Quote(schema) + "," + strings.TrimPrefix(string(escapeUnprintable(encoded.Bytes())), "{")
	_, err := io.WriteString(w, line)
	return err
}
