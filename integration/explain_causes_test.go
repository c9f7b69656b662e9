package integration

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/member"
)

type causeCase struct {
	name string
	// set starts the members that are there before; bring makes the trouble.
	set   func(*trouble)
	bring func(context.Context, *trouble)
	// cause is the first verdict of all that can be known together, and of each source
	// alone, but for those of which found says otherwise.
	cause explain.Cause
	found map[source]explain.Cause
	// also are causes that there are besides, so that either may come first.
	also []explain.Cause
	// says is in the first verdict.
	says string
	// lasts is how long it is recorded, 0 for [recording].
	lasts time.Duration
	// byDefault has it judged by the default limits, in place of those for a busy machine.
	byDefault bool
}

// busyMachine are limits that members do not exceed by themselves on a machine that has no
// time to spare.
var busyMachine = explain.Limits{Slow: 8 * time.Second, SlowPlan: 5 * time.Second}

func protocols(assignors ...assign.Assignor) member.HooksConfig {
	var cfg member.HooksConfig
	for _, a := range assignors {
		cfg.Protocols = append(cfg.Protocols, member.Protocol{Assignor: a})
	}
	return cfg
}

func causes() []causeCase {
	three := func(g *trouble) { steady(g, "a", "b", "c") }
	slowOne := func(g *trouble) {
		g.start("a")
		g.start("b")
		g.start("slow", kgo.BlockRebalanceOnPoll())
		g.awaitMembers(3)
	}
	flap := func(ctx context.Context, g *trouble) {
		for ctx.Err() == nil {
			w := g.start("flapper")
			pauseFor(ctx, 3*time.Second)
			w.once.Do(w.leave)
			pauseFor(ctx, 2*time.Second)
		}
	}
	return []causeCase{
		{
			name: "a healthy group that is busy", set: three, bring: func(context.Context, *trouble) {},
			cause: explain.Fine, says: "did not rebalance",
		},
		{
			name: "a group that is scaled", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.start("d")
				pauseFor(ctx, 10*time.Second)
				g.everybody[0].once.Do(g.everybody[0].leave)
			},
			cause: explain.Fine, says: "not back when the record ends",
		},
		{
			// Members commit only what they handle.
			name: "a member that leaves when there was nothing to handle for long", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 5*time.Second)
				g.quiet.Store(true)
				pauseFor(ctx, 12*time.Second)
				g.everybody[0].once.Do(g.everybody[0].leave)
			},
			cause: explain.Fine, says: "1 member went",
		},
		{
			name: "a member that leaves again and again", set: three, bring: flap,
			cause: explain.LeavesRepeatedly, says: `"flapper"`,
		},
		{
			name: "a member that is slow to rejoin",
			set:  slowOne,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.everybody[2].keepBusy(ctx, 14*time.Second)
				g.start("d")
			},
			cause: explain.SlowToRejoin, found: map[source]explain.Cause{fromLog: explain.Fine}, says: "slow-",
		},
		{
			name: "a member that is dropped at the rebalance timeout",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "slow"} {
					g.start(name, kgo.RebalanceTimeout(12*time.Second), kgo.BlockRebalanceOnPoll())
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[2].keepBusy(ctx, 20*time.Second)
				g.start("d", kgo.RebalanceTimeout(12*time.Second))
			},
			byDefault: true,
			cause:     explain.SlowToRejoin, found: map[source]explain.Cause{fromLog: explain.Fine}, says: "slow-",
		},
		{
			name: "a rolling restart without static membership", set: three,
			bring: func(ctx context.Context, g *trouble) {
				for i, name := range []string{"a", "b", "c"} {
					pauseFor(ctx, 3*time.Second)
					g.everybody[i].once.Do(g.everybody[i].leave)
					pauseFor(ctx, 2*time.Second)
					g.start(name)
				}
			},
			cause: explain.RollingRestart, says: "3 members",
		},
		{
			name: "a session that expires",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, kgo.SessionTimeout(10*time.Second))
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 8*time.Second)
				g.everybody[1].freeze()
			},
			cause: explain.SessionExpired, says: `"b`,
		},
		{
			name: "a static member that is away for too long",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, kgo.InstanceID("instance-"+name))
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 4*time.Second)
				g.everybody[1].once.Do(g.everybody[1].leave)
				pauseFor(ctx, 14*time.Second)
				g.start("b", kgo.InstanceID("instance-b"))
			},
			cause: explain.SessionExpired, says: `"instance-b"`,
		},
		{
			// Kafka writes a record of the same generation, with the time at which the group
			// became stable.
			name: "a static member that restarts in time",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, kgo.InstanceID("instance-"+name), kgo.SessionTimeout(15*time.Second))
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 8*time.Second)
				// A leader of package member asks for a round when it is back.
				i := slices.IndexFunc(g.everybody, func(w *worker) bool { return !w.hooks.Leading() })
				w := g.everybody[i]
				w.once.Do(w.leave)
				name := []string{"a", "b", "c"}[i]
				g.start(name, kgo.InstanceID("instance-"+name), kgo.SessionTimeout(15*time.Second))
			},
			cause: explain.Fine, found: map[source]explain.Cause{fromEvents: explain.Fine}, says: "did not rebalance",
		},
		{
			name: "a member whose protocols do not match", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.startWith("stranger", protocols(assign.Range()))
			},
			cause: explain.ProtocolMismatch, found: map[source]explain.Cause{fromPolls: explain.Fine, fromLog: explain.Fine}, says: "stranger",
		},
		{
			name: "a subscription that changes", set: three,
			bring: func(ctx context.Context, g *trouble) {
				other := newTopic(g.t, g.c, 2)
				pauseFor(ctx, 4*time.Second)
				g.everybody[0].client.AddConsumeTopics(other)
			},
			cause: explain.SubscriptionChanged, says: "subscribes to",
		},
		{
			name: "partitions that are added", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 5*time.Second)
				if _, err := kadm.NewClient(newClient(g.t, g.c)).UpdatePartitions(ctx, 9, g.topic); err != nil {
					g.t.Error(err)
				}
			},
			cause: explain.PartitionsChanged, says: "another number of partitions",
		},
		{
			name: "metadata that a plain leader cannot decode", set: func(g *trouble) {
				g.startPlain("a")
				g.startPlain("b")
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.startPlain("garbled", kgo.Balancers(babbling{kgo.CooperativeStickyBalancer()}))
			},
			cause: explain.UnreadableMetadata, found: map[source]explain.Cause{fromLog: explain.Fine, fromEvents: explain.Fine}, says: "garbled",
		},
		{
			name: "metadata that a leader of package member isolates", set: func(g *trouble) { steady(g, "a", "b") },
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.startPlain("garbled", kgo.Balancers(babbling{kgo.CooperativeStickyBalancer()}))
			},
			cause: explain.UnreadableMetadata, says: "garbled",
		},
		{
			name: "a group between types",
			set: func(g *trouble) {
				g.start("classic")
				g.awaitMembers(1)
				g.startPlain("modern", kgo.ServerSideBalancer())
			},
			bring: func(context.Context, *trouble) {},
			cause: explain.BetweenTypes, says: "between types",
		},
		{
			name: "a member of KIP-848 that is busy for long between polls",
			set: func(g *trouble) {
				g.startPlain("a", kgo.ServerSideBalancer())
				g.startPlain("slow", kgo.ServerSideBalancer(), kgo.BlockRebalanceOnPoll())
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[1].keepBusy(ctx, 20*time.Second)
				g.startPlain("d", kgo.ServerSideBalancer())
			},
			cause: explain.SlowToRejoin, found: map[source]explain.Cause{fromLog: explain.Fine, fromEvents: explain.Fine}, says: `the client "slow"`,
		},
		{
			name: "a member of KIP-848 that takes long when partitions are revoked",
			set: func(g *trouble) {
				g.startPlain("a", kgo.ServerSideBalancer())
				g.awaitMembers(1) // so that who comes next gives nothing up
				g.startPlain("slow", kgo.ServerSideBalancer(), kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
					pauseFor(ctx, time.Duration(g.givingUp.Swap(0)))
				}))
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.givingUp.Store(int64(15 * time.Second))
				g.startPlain("d", kgo.ServerSideBalancer())
			},
			cause: explain.SlowToRejoin, found: map[source]explain.Cause{fromLog: explain.Fine, fromEvents: explain.Fine}, says: `the client "slow"`,
		},
		{
			name: "a group of KIP-848 that is scaled",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.startPlain(name, kgo.ServerSideBalancer())
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 2*time.Second)
				for _, name := range []string{"d", "e", "f"} {
					g.startPlain(name, kgo.ServerSideBalancer())
				}
				pauseFor(ctx, 14*time.Second)
				g.everybody[0].once.Do(g.everybody[0].leave)
			},
			cause: explain.Fine, found: map[source]explain.Cause{fromEvents: explain.Fine}, says: "not back when the record ends",
		},
		{
			name: "a leader that is slow to plan",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.startPondering(name)
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.planning.Store(int64(7 * time.Second)) // from 10 on it looks as if none came
				g.startPondering("d")
			},
			byDefault: true,
			cause:     explain.SlowPlan, says: "to plan",
		},
		{
			name: "members that do not prefer the same assignor",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b"} {
					g.startWith(name, protocols(assign.Range(), assign.RoundRobin()))
				}
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 2*time.Second)
				for _, name := range []string{"c", "d", "e"} {
					g.startWith(name, protocols(assign.RoundRobin(), assign.Range()))
				}
				pauseFor(ctx, 12*time.Second)
				for _, w := range g.everybody[2:] {
					w.once.Do(w.leave)
				}
			},
			cause: explain.ProtocolMismatch, says: "do not prefer the same",
		},
		{
			name: "two causes at once",
			set:  slowOne,
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[2].busy.Store(int64(7 * time.Second))
				flap(ctx, g)
			},
			byDefault: true,
			lasts:     50 * time.Second, // two of the short lives, each of which waits for the slow one
			cause:     explain.LeavesRepeatedly, says: `"flapper"`,
			also: []explain.Cause{explain.SlowToRejoin},
		},
	}
}
