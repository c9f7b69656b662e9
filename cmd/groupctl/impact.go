package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
)

func newImpactCommand(s *session) *cobra.Command {
	var h happening
	var crash bool
	command := &cobra.Command{
		Use:   "impact",
		Short: "Predict what happens if brokers go down or come back",
		Long: `Predict what happens if brokers go down or come back: which partitions get
another leader and by which rule, which go offline, which fall below
min.insync.replicas so that producers with acks=all are refused, which groups get
another coordinator, and whether the controllers keep their majority. Nothing is
changed.

By default the brokers crash, all at once. With --clean they are stopped, as by
SIGTERM, and hand over before they end. --brokers-back and --racks-back say who
returns after that, or from being down at present.

With --one-by-one each goes when the cluster is at rest after the one before:
brokers in the order given, then racks, each with all of its brokers at once; and
they return in the same way. Who went stays down until then. In a rolling restart
each is back before the next goes, so ask for each broker or rack by itself.

  REASON             THE NEW LEADER IS
  in-sync            the first of the replicas, in their order, that is in sync
  elr                with nobody in sync, the first that is eligible (KIP-966)
  last-known-leader  with nobody eligible, who led last
  unclean            the first that is up, as the topic allows it: records are lost
  no-leader          nobody: the partition is offline
  no-quorum          nobody: without a majority of controllers nothing is elected

Where brokers go or come at once, the order in which the controller notices may
decide; OR names the other leaders that are possible (-1 for none).

The rules are those of KRaft in Kafka 4.3. Internal topics are included. Needs
DESCRIBE on the cluster, the topics and the groups, and DESCRIBE_CONFIGS on the
topics.`,
		Example: `  groupctl -b localhost:9092 impact --brokers-down 2,3
  groupctl -b localhost:9092 impact --brokers-down 1,2,3 --clean --one-by-one
  groupctl -b localhost:9092 impact --racks-down zone-a --clean --racks-back zone-a
  groupctl -b localhost:9092 impact --racks-down zone-a -o json | jq .data.offline`,
		Annotations: map[string]string{schemaAnnotation: "impact"},
		Args:        noArguments,
	}
	flags := command.Flags()
	flags.Int32SliceVar(&h.down, "brokers-down", nil, "nodes that go down, by id; a broker that is also a controller is lost as both")
	flags.StringSliceVar(&h.racksDown, "racks-down", nil, "racks that go down with all of their brokers")
	flags.Int32SliceVar(&h.back, "brokers-back", nil, "nodes that come back after that, by id")
	flags.StringSliceVar(&h.racksBack, "racks-back", nil, "racks that come back after that, with all of their brokers")
	flags.BoolVar(&crash, "crash", false, "the brokers end without notice (this is the default)")
	flags.BoolVar(&h.clean, "clean", false, "the brokers are stopped cleanly")
	flags.BoolVar(&h.oneByOne, "one-by-one", false, "the brokers go, and come, one after another")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if len(h.down)+len(h.racksDown)+len(h.back)+len(h.racksBack) == 0 {
			return &usageError{"'groupctl impact' needs to know what happens; give --brokers-down, --racks-down, --brokers-back or --racks-back"}
		}
		if crash && h.clean {
			return &usageError{"brokers either crash or stop; give one of --crash and --clean"}
		}
		steps := h.steps()
		return answer(command, s, question[*predict.Outcome]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[*predict.Outcome], error) {
				reply, err := in.Predict(ctx, steps...)
				return orNull(reply), err
			},
			hasData: func(o *predict.Outcome) bool { return o != nil },
			table:   impactTables,
		})
	}
	return command
}

// happening is what the flags say that happens.
type happening struct {
	down, back           []int32
	racksDown, racksBack []string
	clean, oneByOne      bool
}

func (h happening) steps() []predict.Step {
	goDown, racksDown := predict.Crash, predict.CrashRacks
	if h.clean {
		goDown, racksDown = predict.Stop, predict.StopRacks
	}
	var steps []predict.Step
	if h.oneByOne {
		for _, broker := range h.down {
			steps = append(steps, goDown(broker))
		}
		for _, rack := range h.racksDown {
			steps = append(steps, racksDown(rack))
		}
		for _, broker := range h.back {
			steps = append(steps, predict.Return(broker))
		}
		for _, rack := range h.racksBack {
			steps = append(steps, predict.ReturnRacks(rack))
		}
		return steps
	}
	if len(h.down)+len(h.racksDown) > 0 {
		steps = append(steps, predict.Both(goDown(h.down...), racksDown(h.racksDown...)))
	}
	if len(h.back)+len(h.racksBack) > 0 {
		steps = append(steps, predict.Both(predict.Return(h.back...), predict.ReturnRacks(h.racksBack...)))
	}
	return steps
}

// orNull is an answer whose data are null in JSON, and not an object of nulls, where
// nothing could be predicted.
func orNull(reply inspect.Answer[predict.Outcome]) inspect.Answer[*predict.Outcome] {
	pointed := inspect.Answer[*predict.Outcome]{
		ClusterID: reply.ClusterID, ObservedAt: reply.ObservedAt, Warnings: reply.Warnings, Errors: reply.Errors,
	}
	if reply.Data.Partitions != nil {
		pointed.Data = &reply.Data
	}
	return pointed
}

func impactTables(t *table, o *predict.Outcome) {
	newlyOffline, newlyBelow := 0, 0
	for _, p := range o.Offline {
		if !p.Already {
			newlyOffline++
		}
	}
	for _, p := range o.UnderMinISR {
		if !p.Already {
			newlyBelow++
		}
	}
	t.row("LEADERS-CHANGE", "OFFLINE", "UNDER-MIN-ISR", "COORDINATORS-CHANGE", "CONTROLLER", "THEN", "QUORUM")
	t.row(strconv.Itoa(len(o.Partitions)), andNew(len(o.Offline), newlyOffline), andNew(len(o.UnderMinISR), newlyBelow),
		strconv.Itoa(len(o.Coordinators)), number(o.Controller.From), numbers(o.Controller.Candidates), quorum(o.Controller.Quorum))
	if len(o.Partitions) > 0 {
		t.gap()
		t.row("TOPIC", "PARTITION", "FROM", "TO", "REASON", "OR")
		for _, p := range o.Partitions {
			t.row(name(p.Topic), strconv.Itoa(int(p.Partition)), number(p.From), number(p.To), string(p.Reason), numbers(p.Alternatives))
		}
	}
	if len(o.Coordinators) > 0 {
		t.gap()
		t.row("GROUP", "PARTITION", "FROM", "TO", "OR")
		for _, c := range o.Coordinators {
			t.row(name(c.Group), strconv.Itoa(int(c.Partition)), number(c.From), number(c.To), numbers(c.Alternatives))
		}
	}
	if len(o.UnderMinISR) > 0 {
		t.gap()
		t.row("UNDER-MIN-ISR", "PARTITION", "IN-SYNC", "MIN-ISR", "ALREADY")
		for _, p := range o.UnderMinISR {
			t.row(name(p.Topic), strconv.Itoa(int(p.Partition)), strconv.Itoa(p.InSync), strconv.Itoa(p.MinISR), yesNo(&p.Already))
		}
	}
	if len(o.Offline) > 0 {
		t.gap()
		t.row("OFFLINE", "PARTITION", "ALREADY")
		for _, p := range o.Offline {
			t.row(name(p.Topic), strconv.Itoa(int(p.Partition)), yesNo(&p.Already))
		}
	}
}

func andNew(all, fresh int) string {
	if all == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d new)", all, fresh)
}

func quorum(q predict.Quorum) string {
	switch {
	case q.Kept == nil:
		return unknown
	case *q.Kept:
		return fmt.Sprintf("kept: %d of %d up, %d needed", len(q.Up), len(q.Voters), *q.Majority)
	}
	return fmt.Sprintf("LOST: %d of %d up, %d needed", len(q.Up), len(q.Voters), *q.Majority)
}
