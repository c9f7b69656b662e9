package main

import (
	"context"

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
they return in the same way. Who went stays down until then.

With --rolling, for a rolling restart, each is back and has caught up before the
next goes. Then a table tells of each round what it is like while those are down,
and the changes are those that are left when all are back.

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
  groupctl -b localhost:9092 impact --racks-down zone-a,zone-b,zone-c --clean --rolling
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
	flags.BoolVar(&h.rolling, "rolling", false, "each broker, or rack, is back before the next goes")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if len(h.down)+len(h.racksDown)+len(h.back)+len(h.racksBack) == 0 {
			return &usageError{"'groupctl impact' needs to know what happens; give --brokers-down, --racks-down, --brokers-back or --racks-back"}
		}
		if crash && h.clean {
			return &usageError{"brokers either crash or stop; give one of --crash and --clean"}
		}
		if h.rolling && (h.oneByOne || len(h.back)+len(h.racksBack) > 0) {
			return &usageError{"with --rolling each is back before the next goes; leave out --one-by-one, --brokers-back and --racks-back"}
		}
		steps := h.steps()
		return answer(command, s, question[*predict.Rolling]{
			ask: func(ctx context.Context, in *inspect.Inspector) (inspect.Answer[*predict.Rolling], error) {
				if h.rolling {
					reply, err := in.PredictRolling(ctx, steps...)
					return orNull(reply, reply.Data), err
				}
				reply, err := in.Predict(ctx, steps...)
				return orNull(reply, predict.Rolling{Outcome: reply.Data}), err
			},
			hasData: func(r *predict.Rolling) bool { return r != nil },
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
	rolling              bool
}

func (h happening) steps() []predict.Step {
	goDown, racksDown := predict.Crash, predict.CrashRacks
	if h.clean {
		goDown, racksDown = predict.Stop, predict.StopRacks
	}
	var steps []predict.Step
	if h.oneByOne || h.rolling {
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
func orNull[T any](reply inspect.Answer[T], data predict.Rolling) inspect.Answer[*predict.Rolling] {
	pointed := inspect.Answer[*predict.Rolling]{
		ClusterID: reply.ClusterID, ObservedAt: reply.ObservedAt, Warnings: reply.Warnings, Errors: reply.Errors,
	}
	if data.Partitions != nil {
		pointed.Data = &data
	}
	return pointed
}
