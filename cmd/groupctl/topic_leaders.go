package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
)

// codeMinISRUnknown: it was asked which partitions are below their min.insync.replicas,
// and that could not be read of all.
const codeMinISRUnknown inspect.Code = "MIN_ISR_UNKNOWN"

// leaderFilter is which partitions to show; the zero value shows all.
type leaderFilter struct {
	notPreferred, underReplicated, underMinISR, offline bool
}

func newTopicLeadersCommand(s *session) *cobra.Command {
	var filter leaderFilter
	command := &cobra.Command{
		Use:   "leaders [TOPIC...]",
		Short: "Show which broker leads each partition",
		Long: `Show for each partition the broker that leads it, the broker that a preferred
election would put there, the replicas in the order in which an election tries
them, those that are in sync, and those that are eligible beside them (ELR). Where none
is in sync or eligible, LAST-ELR are those that were last: such a replica leads as
soon as it is back, if it is the only one.

STATE is the worst that is true of a partition: offline (no leader),
under-min-isr (too few in sync for producers with acks=all), under-replicated;
and not-preferred if it is led, but not by its first replica.

Without a topic, all topics are shown but the internal ones; name an internal
topic to see it. With one of the flags below only such partitions are shown, of
internal topics too; with several, those for which any of them is true. To find
none is a success: the exit code is 0. Asking never creates a topic.

Brokers answer with what the controller told them last. While there is none, which
'cluster controller' shows, a leader that dies stays the leader here.

Needs DESCRIBE on each topic, and DESCRIBE_CONFIGS on it for min.insync.replicas.`,
		Example: `  groupctl -b localhost:9092 topic leaders
  groupctl -b localhost:9092 topic leaders orders __consumer_offsets
  groupctl -b localhost:9092 topic leaders --offline --under-min-isr`,
		Annotations: map[string]string{schemaAnnotation: "topic-leaders"},
		Args:        cobra.ArbitraryArgs,
	}
	flags := command.Flags()
	flags.BoolVar(&filter.notPreferred, "not-preferred", false, "show partitions that another broker leads than their first replica")
	flags.BoolVar(&filter.underReplicated, "under-replicated", false, "show partitions of which a replica is not in sync")
	flags.BoolVar(&filter.underMinISR, "under-min-isr", false, "show partitions with fewer replicas in sync than min.insync.replicas")
	flags.BoolVar(&filter.offline, "offline", false, "show partitions without a leader")
	command.RunE = func(command *cobra.Command, topics []string) error {
		found := false
		q := question[[]inspect.Partition]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[[]inspect.Partition], error) {
				answer, err := in.Partitions(ctx, topics...)
				found = len(answer.Data) > 0
				if err == nil {
					filter.apply(&answer)
				}
				return answer, err
			},
			hasData: func([]inspect.Partition) bool { return found },
			table: func(t *table, rows []inspect.Partition) {
				if len(rows) == 0 {
					s.say("no such partition was found")
				}
				leadersTable(t, rows)
			},
		}
		if filter != (leaderFilter{}) {
			q.options = append(q.options, inspect.InternalTopics())
		}
		return answer(command, s, q)
	}
	return command
}

// apply keeps the partitions to show. Where it cannot be judged whether a partition is
// to be shown, a part of the answer is missing.
func (f leaderFilter) apply(answer *inspect.Answer[[]inspect.Partition]) {
	if f == (leaderFilter{}) {
		return
	}
	unknown := 0
	answer.Data = slices.DeleteFunc(answer.Data, func(p inspect.Partition) bool {
		if f.underMinISR && p.UnderMinISR == nil {
			unknown++
		}
		return !f.shows(p)
	})
	if unknown > 0 {
		answer.Errors = append(answer.Errors, inspect.Problem{
			Code: codeMinISRUnknown, Target: "cluster",
			Message: fmt.Sprintf("whether %d partitions are below their min.insync.replicas is not known, so they are left out; the warnings say why", unknown),
		})
	}
}

func (f leaderFilter) shows(p inspect.Partition) bool {
	return f.notPreferred && p.NotPreferred() ||
		f.underReplicated && p.UnderReplicated ||
		f.underMinISR && p.UnderMinISR != nil && *p.UnderMinISR ||
		f.offline && p.Offline
}

func leadersTable(t *table, rows []inspect.Partition) {
	t.leaveOut(unknown, "ELR", "LAST-ELR", "OFFLINE-REPLICAS")
	t.row("TOPIC", "PARTITION", "LEADER", "EPOCH", "PREFERRED", "REPLICAS", "ISR", "ELR", "LAST-ELR", "MIN-ISR", "OFFLINE-REPLICAS", "STATE")
	for _, p := range rows {
		t.row(name(p.Topic), strconv.Itoa(int(p.Partition)), number(p.Leader), number(p.LeaderEpoch), number(p.Preferred),
			numbers(p.Replicas), numbers(p.ISR), numbers(p.ELR), numbers(p.LastKnownELR), number(p.MinISR), numbers(p.OfflineReplicas), leaderState(p))
	}
}

func leaderState(p inspect.Partition) string {
	state := ""
	switch {
	case p.Offline:
		return "offline"
	case p.UnderMinISR != nil && *p.UnderMinISR:
		state = "under-min-isr"
	case p.UnderReplicated:
		state = "under-replicated"
	}
	switch {
	case !p.NotPreferred() && state == "":
		return "ok"
	case !p.NotPreferred():
		return state
	case state == "":
		return "not-preferred"
	}
	return state + ",not-preferred"
}
