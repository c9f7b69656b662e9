package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
)

// lossFlag is the explicit word that an unclean election takes.
const lossFlag = "records-may-be-lost"

func newElectCommand(s *session) *cobra.Command {
	return newParentCommand("elect", "Elect partition leaders: shows what would happen, and acts if told to",
		newElectPreferredCommand(s),
		newElectUncleanCommand(s),
	)
}

func newElectPreferredCommand(s *session) *cobra.Command {
	var execute bool
	command := &cobra.Command{
		Use:   "preferred [TOPIC[:PARTITION,...]...]",
		Short: "Give partitions back to their first replica",
		Long: `Show which partitions would get their first replica back as leader, where that is
in sync and up. With --execute, do it, and show who leads then.

  EXPECTED, RESULT                THE PARTITION
  ELECTED                         gets the leader that is shown
  ELECTION_NOT_NEEDED             is led by its first replica already
  PREFERRED_LEADER_NOT_AVAILABLE  stays as it is: the first replica is down or
                                  not in sync

RESULT is the controller's answer, which is not asked for what needs no election;
UNKNOWN where it was asked and told nothing. -o json has the same words.

Without a topic, all partitions are meant, internal ones too, and those that need
no election are left out. Nothing is lost by this election.

The exit code is 5 if the election of some partitions is refused, such as for a
first replica that is down. Needs DESCRIBE on the cluster and the topics,
DESCRIBE_CONFIGS on the topics, and with --execute ALTER on the cluster.`,
		Example: `  groupctl -b localhost:9092 elect preferred
  groupctl -b localhost:9092 elect preferred orders:0,3 payments --execute`,
		Annotations: map[string]string{schemaAnnotation: "elect-preferred"},
		Args:        cobra.ArbitraryArgs,
	}
	command.Flags().BoolVar(&execute, "execute", false, "hold the election, instead of showing what it would do")
	command.RunE = func(command *cobra.Command, args []string) error {
		return elect(command, s, act.Preferred(), execute, args)
	}
	return command
}

func newElectUncleanCommand(s *session) *cobra.Command {
	var execute, loss bool
	command := &cobra.Command{
		Use:   "unclean [TOPIC[:PARTITION,...]...]",
		Short: "Give a leader to partitions that have none, in sync or not",
		Long: `Show which leader partitions without one would get, in sync or not. With --execute
and --records-may-be-lost, do it, and show who leads then.

  EXPECTED, RESULT                THE PARTITION
  ELECTED                         gets the leader that is shown
  ELECTION_NOT_NEEDED             has a leader
  ELIGIBLE_LEADERS_NOT_AVAILABLE  stays without: all of its replicas are down

RESULT is the controller's answer, which is not asked for what needs no election;
UNKNOWN where it was asked and told nothing. -o json has the same words.

Every record that the new leader does not have is lost for good. Where a replica
that is in sync or eligible can come back, bring its broker back instead:
'topic leaders --offline' shows ISR and ELR.

Without a topic, all partitions without a leader are meant. Needs DESCRIBE on the
cluster and the topics, DESCRIBE_CONFIGS on the topics, and with --execute ALTER on the
cluster.`,
		Example: `  groupctl -b localhost:9092 elect unclean
  groupctl -b localhost:9092 elect unclean orders:3 --execute --records-may-be-lost`,
		Annotations: map[string]string{schemaAnnotation: "elect-unclean"},
		Args:        cobra.ArbitraryArgs,
	}
	command.Flags().BoolVar(&execute, "execute", false, "hold the election, instead of showing what it would do")
	command.Flags().BoolVar(&loss, lossFlag, false, "accept that records are lost")
	command.RunE = func(command *cobra.Command, args []string) error {
		if execute && !loss {
			return &usageError{"an unclean election loses the records that the new leader does not have; if that is accepted, give --" + lossFlag + " as well"}
		}
		consent := act.Consent("")
		if loss {
			consent = act.RecordsMayBeLost
		}
		return elect(command, s, act.Unclean(consent), execute, args)
	}
	return command
}

func elect(command *cobra.Command, s *session, kind act.Kind, execute bool, args []string) error {
	partitions, err := parsePartitions(args)
	if err != nil {
		return err
	}
	shown := false
	err = answer(command, s, question[[]act.Election]{
		askClient: func(ctx context.Context, client *kgo.Client) (inspect.Answer[[]act.Election], error) {
			if execute {
				return act.New(client).Elect(ctx, kind, partitions...)
			}
			return act.New(client).Preview(ctx, kind, partitions...)
		},
		hasData: func(rows []act.Election) bool { return len(rows) > 0 },
		table: func(t *table, rows []act.Election) {
			if len(rows) == 0 {
				s.say(fmt.Sprintf("no partition needs the %v election", kind))
				return
			}
			electTable(t, rows, execute)
			shown = true
		},
	})
	if err == nil && shown && !execute {
		how := "--execute holds the election"
		if kind.String() == "unclean" {
			how = "--execute --" + lossFlag + " holds the election"
		}
		s.say("nothing was changed; " + how)
	}
	return err
}

func electTable(t *table, rows []act.Election, executed bool) {
	head := []string{"TOPIC", "PARTITION", "FROM", "WOULD-LEAD", "REASON", "EXPECTED"}
	if executed {
		head[3], head[5] = "LEADS", "RESULT"
	}
	t.row(head...)
	for _, r := range rows {
		to, reason := r.Predicted, string(r.Reason)
		if executed && (r.Done || r.Result == act.ResultUnknown) {
			to = r.To
		}
		if reason == "" {
			reason = unknown
		}
		t.row(name(r.Topic), strconv.Itoa(int(r.Partition)), number(r.From), number(to), reason, string(r.Result))
	}
}

// parsePartitions reads T, which is all partitions of a topic, and T:0,3. A topic's
// name has no colon.
func parsePartitions(args []string) ([]predict.TopicPartition, error) {
	var all []predict.TopicPartition
	for _, arg := range args {
		topic, list, some := strings.Cut(arg, ":")
		if topic == "" {
			return nil, &usageError{fmt.Sprintf("%q names no topic; give TOPIC or TOPIC:PARTITION,...", arg)}
		}
		if !some {
			all = append(all, predict.TopicPartition{Topic: topic, Partition: predict.AllPartitions})
			continue
		}
		for text := range strings.SplitSeq(list, ",") {
			number, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return nil, &usageError{fmt.Sprintf("%q in %q is not the number of a partition; give TOPIC:0,3", text, arg)}
			}
			all = append(all, predict.TopicPartition{Topic: topic, Partition: int32(number)})
		}
	}
	return all, nil
}
