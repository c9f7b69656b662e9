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
	var down, back []int32
	var racks []string
	var crash, clean, oneByOne bool
	command := &cobra.Command{
		Use:   "impact",
		Short: "Predict what happens if brokers go down or come back",
		Long: `Predict what happens if brokers go down or come back: which partitions get
another leader and by which rule, which go offline, which fall below
min.insync.replicas so that producers with acks=all are refused, which groups get
another coordinator, and whether the controllers keep their majority. Nothing is
changed.

By default the brokers crash, all at once. With --clean they are stopped, as by
SIGTERM, and hand over before they end; with --one-by-one each goes when the
cluster is at rest after the one before, in the order given. --brokers-back says
who returns after that, or from being down at present.

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
  groupctl -b localhost:9092 impact --racks-down zone-a -o json | jq .data.offline`,
		Annotations: map[string]string{schemaAnnotation: "impact"},
		Args:        noArguments,
	}
	flags := command.Flags()
	flags.Int32SliceVar(&down, "brokers-down", nil, "brokers that go down, by id; a broker that is also a controller is lost as both")
	flags.StringSliceVar(&racks, "racks-down", nil, "racks that go down with all of their brokers")
	flags.Int32SliceVar(&back, "brokers-back", nil, "brokers that come back after that")
	flags.BoolVar(&crash, "crash", false, "the brokers end without notice (this is the default)")
	flags.BoolVar(&clean, "clean", false, "the brokers are stopped cleanly")
	flags.BoolVar(&oneByOne, "one-by-one", false, "the brokers go, and come, one after another")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if len(down)+len(racks)+len(back) == 0 {
			return &usageError{"'groupctl impact' needs to know what happens; give --brokers-down, --racks-down or --brokers-back"}
		}
		if crash && clean {
			return &usageError{"brokers either crash or stop; give one of --crash and --clean"}
		}
		steps := impactSteps(down, racks, back, clean, oneByOne)
		return answer(command, s, question[predict.Outcome]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[predict.Outcome], error) {
				return in.Predict(ctx, steps...)
			},
			hasData: func(o predict.Outcome) bool { return o.Partitions != nil },
			table:   impactTables,
		})
	}
	return command
}

func impactSteps(down []int32, racks []string, back []int32, clean, oneByOne bool) []predict.Step {
	goDown, racksDown := predict.Crash, predict.CrashRacks
	if clean {
		goDown, racksDown = predict.Stop, predict.StopRacks
	}
	var steps []predict.Step
	if oneByOne {
		for _, broker := range down {
			steps = append(steps, goDown(broker))
		}
		for _, rack := range racks {
			steps = append(steps, racksDown(rack))
		}
		for _, broker := range back {
			steps = append(steps, predict.Return(broker))
		}
		return steps
	}
	if len(down)+len(racks) > 0 {
		steps = append(steps, predict.Both(goDown(down...), racksDown(racks...)))
	}
	if len(back) > 0 {
		steps = append(steps, predict.Return(back...))
	}
	return steps
}

func impactTables(t *table, o predict.Outcome) {
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
