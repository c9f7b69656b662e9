package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/integration/cluster"
)

// recording is how long the groups of TestExplainFindsTheCause are recorded; all at the
// same time.
const recording = 30 * time.Second

// trouble is a group in which something goes wrong on purpose.
type trouble struct {
	t            *testing.T
	c            *cluster.Cluster
	group, topic string
	mu           sync.Mutex
	said         []explain.Observation
	planning     atomic.Int64 // how long a leader that ponders takes to plan
	everybody    []*worker
}

// worker is a plain kgo consumer that handles what it gets, and may be slow at it.
type worker struct {
	client *kgo.Client
	stop   context.CancelFunc
	done   chan struct{}
	busy   atomic.Int64 // how long it handles one batch
	frozen chan struct{}
	once   sync.Once // for leave
}

// start starts a member, with a short session and frequent commits.
func (g *trouble) start(name string, opts ...kgo.Opt) *worker {
	w := &worker{done: make(chan struct{}), frozen: make(chan struct{})}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(g.c.Seeds()...), kgo.ConsumerGroup(g.group), kgo.ConsumeTopics(g.topic), kgo.ClientID(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(5 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond), kgo.RebalanceTimeout(20 * time.Second),
		kgo.AutoCommitInterval(400 * time.Millisecond), kgo.MetadataMinAge(500 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.WithHooks(hears{g, name}),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &freezing{conn, w.frozen}, nil
		}),
	}, opts...)...)
	if err != nil {
		g.t.Error(err)
		return nil
	}
	w.client = client
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			polled, done := context.WithTimeout(ctx, 300*time.Millisecond)
			client.PollFetches(polled)
			done()
			if busy := time.Duration(w.busy.Load()); busy > 0 {
				select {
				case <-time.After(busy):
				case <-ctx.Done():
				}
			}
			client.AllowRebalance()
		}
	}()
	g.mu.Lock()
	g.everybody = append(g.everybody, w)
	g.mu.Unlock()
	return w
}

// leave stops a member as one should.
func (w *worker) leave() {
	w.stop()
	<-w.done
	select {
	case <-w.frozen:
		// Nothing of what it sends arrives.
		go w.client.Close()
	default:
		w.client.Close()
	}
}

// freeze cuts a member off.
func (w *worker) freeze() { close(w.frozen) }

// freezing is a connection that can be made to stand still.
type freezing struct {
	net.Conn
	frozen chan struct{}
}

func (f *freezing) Write(b []byte) (int, error) {
	select {
	case <-f.frozen:
		return 0, errors.New("cut off")
	default:
		return f.Conn.Write(b)
	}
}

// hears keeps what a member's client runs into.
type hears struct {
	g    *trouble
	name string
}

func (h hears) OnGroupManageError(err error) {
	h.g.mu.Lock()
	defer h.g.mu.Unlock()
	h.g.said = append(h.g.said, explain.Observation{At: time.Now(), Source: explain.SourceMember, Said: &explain.Said{
		ClientID: h.name, Kind: "lost", Error: err.Error(),
	}})
}

func (g *trouble) heard() ([]explain.Observation, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.said), nil
}

func (g *trouble) stopAll() {
	g.mu.Lock()
	everybody := slices.Clone(g.everybody) // what they say meanwhile takes the lock
	g.mu.Unlock()
	var all sync.WaitGroup
	for _, w := range everybody {
		all.Go(func() { w.once.Do(w.leave) })
	}
	all.Wait()
}

// awaitMembers waits until the coordinator shows a stable group of so many.
func (g *trouble) awaitMembers(n int) {
	admin := kadm.NewClient(newClient(g.t, g.c))
	eventually(g.t, fmt.Sprintf("group %s has %d members and is stable", g.group, n), func() (bool, string) {
		groups, err := admin.DescribeGroups(g.t.Context(), g.group)
		if err != nil {
			return false, err.Error()
		}
		assigned := 0
		for _, m := range groups[g.group].Members {
			if plan, ok := m.Assigned.AsConsumer(); ok {
				for _, topic := range plan.Topics {
					assigned += len(topic.Partitions)
				}
			}
		}
		if groups[g.group].State == "Stable" && len(groups[g.group].Members) == n && assigned == 6 {
			return true, ""
		}
		modern, err := admin.DescribeConsumerGroups(g.t.Context(), g.group)
		return err == nil && modern[g.group].State == "Stable" && len(modern[g.group].Members) == n, groups[g.group].State
	})
}

// pause lets the trouble take its time.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

type causeCase struct {
	name string
	// set starts the members that are there before; bring makes the trouble.
	set   func(*trouble)
	bring func(context.Context, *trouble)
	// withLog and recorded are the first verdict with READ on __consumer_offsets and
	// without.
	withLog, recorded explain.Cause
	// also are causes that there are besides, so that either may come first.
	also []explain.Cause
	// says is in the first verdict.
	says string
}

func steady(g *trouble, names ...string) {
	for _, name := range names {
		g.start(name)
	}
	g.awaitMembers(len(names))
}

// TestExplainFindsTheCause brings about, in a group each and all at the same time, what
// makes groups rebalance, and has each explained twice: from the log, and from what the
// coordinator answers alone. GROUPKIT_CAUSE names a part of them, and GROUPKIT_EXPLAINED a
// folder for what groupctl prints of each.
func TestExplainFindsTheCause(t *testing.T) {
	c := cluster.Shared(t)
	only, shown := os.Getenv("GROUPKIT_CAUSE"), os.Getenv("GROUPKIT_EXPLAINED")
	var ctl groupctl
	if shown != "" {
		ctl = buildGroupctl(t, c)
	}
	for _, test := range causes() {
		if only != "" && !strings.Contains(test.name, only) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &trouble{t: t, c: c, group: unique(t, "group"), topic: newTopic(t, c, 6)}
			t.Cleanup(g.stopAll)
			ctx, cancel := context.WithCancel(t.Context())
			var working sync.WaitGroup
			defer working.Wait()
			defer cancel()
			working.Go(func() { g.produce(ctx) })
			test.set(g)
			working.Go(func() { test.bring(ctx, g) })

			in := inspect.New(newClient(t, c))
			results := make([]inspect.Answer[explain.Diagnosis], 2)
			var asking sync.WaitGroup
			for i := range results {
				asking.Go(func() {
					var err error
					results[i], err = in.Explain(t.Context(), g.group, inspect.Explaining{
						For: recording, Since: time.Millisecond, Said: g.heard, NoLog: i == 1,
						// Between what a busy machine makes of a quick rebalance, and the slow ones.
						Limits: explain.Limits{Slow: 4 * time.Second},
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			if shown != "" {
				asking.Go(func() { g.show(ctl, filepath.Join(shown, strings.ReplaceAll(test.name, " ", "-")+".txt")) })
			}
			asking.Wait()
			for i, want := range []explain.Cause{test.withLog, test.recorded} {
				d := results[i].Data
				told, _ := json.MarshalIndent(d, "", " ")
				from := "the log and polls"
				if i == 1 {
					from = "polls alone"
				}
				if len(test.also) > 0 {
					// Either may come first. Of a group that hardly ever gets stable, polls show
					// few rebalances, so that one of the causes is enough.
					found := 0
					for _, v := range d.Verdicts {
						switch {
						case v.Cause == want, slices.Contains(test.also, v.Cause):
							found++
						case v.Sure != explain.Possible:
							t.Errorf("from %s, a verdict too many: %s: %s", from, v.Cause, told)
						}
					}
					if found == 0 || i == 0 && found <= len(test.also) {
						t.Errorf("from %s, want %s and %v: %s", from, want, test.also, told)
					}
					continue
				}
				// For whom a group waits does not always show in polls.
				mustSay := i == 0 || want != explain.SlowToRejoin
				if len(d.Verdicts) == 0 || d.Verdicts[0].Cause != want || mustSay && !strings.Contains(d.Verdicts[0].Says, test.says) {
					t.Errorf("from %s, want %s with %q: %s", from, want, test.says, told)
					continue
				}
				v := d.Verdicts[0]
				if v.Do == "" || len(v.Evidence) == 0 {
					t.Errorf("from %s, the verdict has no evidence or says nothing to do: %s", from, told)
				}
				for _, v := range d.Verdicts[1:] {
					if v.Sure != explain.Possible {
						t.Errorf("from %s, a verdict too many: %s: %s", from, v.Cause, told)
					}
				}
			}
		})
	}
}

// show writes down what groupctl prints of the group, for the documentation.
func (g *trouble) show(ctl groupctl, file string) {
	events := filepath.Join(g.t.TempDir(), "members.jsonl")
	if err := os.WriteFile(events, nil, 0o644); err != nil {
		g.t.Error(err)
	}
	command := exec.CommandContext(g.t.Context(), ctl.path, "-b", strings.Join(g.c.Seeds(), ","), "group", "explain", g.group,
		"--for", (recording - time.Second).String(), "--since", "1s", "--events", events)
	time.AfterFunc(recording-3*time.Second, func() {
		said, _ := g.heard()
		var lines bytes.Buffer
		for _, o := range said {
			_ = json.NewEncoder(&lines).Encode(struct {
				Time time.Time `json:"time"`
				explain.Said
			}{o.At, *o.Said})
		}
		_ = os.WriteFile(events, lines.Bytes(), 0o644)
	})
	printed, err := command.CombinedOutput()
	if err != nil {
		g.t.Errorf("%v: %s", err, printed)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(printed), g.group, "orders"), g.topic, "orders")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		g.t.Error(err)
	}
}

// produce keeps the members busy.
func (g *trouble) produce(ctx context.Context) {
	client, err := kgo.NewClient(kgo.SeedBrokers(g.c.Seeds()...), kgo.DefaultProduceTopic(g.topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		g.t.Error(err)
		return
	}
	defer client.Close()
	for ctx.Err() == nil {
		for n := range 12 {
			client.Produce(ctx, kgo.StringRecord(fmt.Sprint(n)), nil)
		}
		pauseFor(ctx, 100*time.Millisecond)
	}
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
			withLog: explain.Fine, recorded: explain.Fine, says: "did not rebalance",
		},
		{
			name: "a group that is scaled", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.start("d")
				pauseFor(ctx, 10*time.Second)
				g.everybody[0].once.Do(g.everybody[0].leave)
			},
			withLog: explain.Fine, recorded: explain.Fine, says: "joined or went for good",
		},
		{
			name: "a member that leaves again and again", set: three, bring: flap,
			withLog: explain.LeavesRepeatedly, recorded: explain.LeavesRepeatedly, says: `"flapper"`,
		},
		{
			name: "a member that is slow to rejoin",
			set:  slowOne,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.everybody[2].busy.Store(int64(6 * time.Second))
				pauseFor(ctx, 11*time.Second)
				g.start("d")
			},
			withLog: explain.SlowToRejoin, recorded: explain.SlowToRejoin, says: "slow-",
		},
		{
			name: "a member that is dropped at the rebalance timeout",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "slow"} {
					g.start(name, kgo.RebalanceTimeout(9*time.Second), kgo.BlockRebalanceOnPoll())
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[2].busy.Store(int64(20 * time.Second))
				pauseFor(ctx, 2*time.Second)
				g.start("d", kgo.RebalanceTimeout(9*time.Second))
			},
			withLog: explain.SlowToRejoin, recorded: explain.SlowToRejoin, says: "slow-",
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
			withLog: explain.RollingRestart, recorded: explain.RollingRestart, says: "3 members",
		},
		{
			name: "a session that expires", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 8*time.Second)
				g.everybody[1].freeze()
			},
			withLog: explain.SessionExpired, recorded: explain.SessionExpired, says: `"b`,
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
				pauseFor(ctx, 8*time.Second)
				g.start("b", kgo.InstanceID("instance-b"))
			},
			withLog: explain.SessionExpired, recorded: explain.SessionExpired, says: `"instance-b"`,
		},
		{
			// Kafka writes a record of the same generation, with the time at which the group
			// became stable.
			name: "a static member that restarts in time",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, kgo.InstanceID("instance-"+name))
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 8*time.Second)
				g.everybody[1].once.Do(g.everybody[1].leave)
				g.start("b", kgo.InstanceID("instance-b"))
			},
			withLog: explain.Fine, recorded: explain.Fine, says: "did not rebalance",
		},
		{
			name: "a member whose protocols do not match", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.start("stranger", kgo.Balancers(kgo.RangeBalancer()))
			},
			withLog: explain.ProtocolMismatch, recorded: explain.ProtocolMismatch, says: "stranger",
		},
		{
			name: "a subscription that changes", set: three,
			bring: func(ctx context.Context, g *trouble) {
				other := newTopic(g.t, g.c, 2)
				pauseFor(ctx, 4*time.Second)
				g.everybody[0].client.AddConsumeTopics(other)
			},
			withLog: explain.SubscriptionChanged, recorded: explain.SubscriptionChanged, says: "subscribes to",
		},
		{
			name: "partitions that are added", set: three,
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 5*time.Second)
				if _, err := kadm.NewClient(newClient(g.t, g.c)).UpdatePartitions(ctx, 9, g.topic); err != nil {
					g.t.Error(err)
				}
			},
			withLog: explain.PartitionsChanged, recorded: explain.PartitionsChanged, says: "another number of partitions",
		},
		{
			name: "metadata that a plain leader cannot decode", set: func(g *trouble) { steady(g, "a", "b") },
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.start("garbled", kgo.Balancers(babbling{kgo.CooperativeStickyBalancer()}))
			},
			withLog: explain.UnreadableMetadata, recorded: explain.UnreadableMetadata, says: "garbled",
		},
		{
			name: "a group between types",
			set: func(g *trouble) {
				g.start("classic")
				g.awaitMembers(1)
				g.start("modern", kgo.ServerSideBalancer())
			},
			bring:   func(context.Context, *trouble) {},
			withLog: explain.BetweenTypes, recorded: explain.BetweenTypes, says: "between types",
		},
		{
			name: "a member of KIP-848 that is busy for long between polls",
			set: func(g *trouble) {
				g.start("a", kgo.ServerSideBalancer())
				g.start("slow", kgo.ServerSideBalancer(), kgo.BlockRebalanceOnPoll())
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[1].busy.Store(int64(20 * time.Second))
				pauseFor(ctx, 2*time.Second)
				g.start("d", kgo.ServerSideBalancer())
			},
			withLog: explain.SlowToRejoin, recorded: explain.SlowToRejoin, says: `the client "slow"`,
		},
		{
			name: "a member of KIP-848 that takes long when partitions are revoked",
			set: func(g *trouble) {
				g.start("a", kgo.ServerSideBalancer())
				g.awaitMembers(1) // so that who comes next gives nothing up
				var once sync.Once
				g.start("slow", kgo.ServerSideBalancer(), kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
					once.Do(func() { pauseFor(ctx, 15*time.Second) })
				}))
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.start("d", kgo.ServerSideBalancer())
			},
			withLog: explain.SlowToRejoin, recorded: explain.SlowToRejoin, says: `the client "slow"`,
		},
		{
			name: "a group of KIP-848 that is scaled",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, kgo.ServerSideBalancer())
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 2*time.Second)
				for _, name := range []string{"d", "e", "f"} {
					g.start(name, kgo.ServerSideBalancer())
				}
				pauseFor(ctx, 14*time.Second)
				g.everybody[0].once.Do(g.everybody[0].leave)
			},
			withLog: explain.Fine, recorded: explain.Fine, says: "joined or went for good",
		},
		{
			name: "a leader that is slow to plan",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b", "c"} {
					g.start(name, g.pondering()...)
				}
				g.awaitMembers(3)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 3*time.Second)
				g.planning.Store(int64(6 * time.Second))
				g.start("d", g.pondering()...)
			},
			withLog: explain.SlowPlan, recorded: explain.SlowPlan, says: "to plan",
		},
		{
			name: "members that do not prefer the same assignor",
			set: func(g *trouble) {
				for _, name := range []string{"a", "b"} {
					g.start(name, kgo.Balancers(kgo.RangeBalancer(), kgo.RoundRobinBalancer()))
				}
				g.awaitMembers(2)
			},
			bring: func(ctx context.Context, g *trouble) {
				pauseFor(ctx, 2*time.Second)
				for _, name := range []string{"c", "d", "e"} {
					g.start(name, kgo.Balancers(kgo.RoundRobinBalancer(), kgo.RangeBalancer()))
				}
				pauseFor(ctx, 12*time.Second)
				for _, w := range g.everybody[2:] {
					w.once.Do(w.leave)
				}
			},
			withLog: explain.ProtocolMismatch, recorded: explain.ProtocolMismatch, says: "do not prefer the same",
		},
		{
			name: "two causes at once",
			set:  slowOne,
			bring: func(ctx context.Context, g *trouble) {
				g.everybody[2].busy.Store(int64(7 * time.Second))
				flap(ctx, g)
			},
			withLog: explain.LeavesRepeatedly, recorded: explain.LeavesRepeatedly, says: `"flapper"`,
			also: []explain.Cause{explain.SlowToRejoin},
		},
	}
}

// pondering are the options of a member that takes [trouble.planning] to plan when it
// leads, and whose session outlasts that.
func (g *trouble) pondering() []kgo.Opt {
	return []kgo.Opt{kgo.Balancers(ponderous{kgo.RangeBalancer(), &g.planning}), kgo.SessionTimeout(20 * time.Second)}
}

type ponderous struct {
	kgo.GroupBalancer
	takes *atomic.Int64
}

func (p ponderous) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	time.Sleep(time.Duration(p.takes.Load()))
	return p.GroupBalancer.MemberBalancer(members)
}

// babbling is a member that says three bytes of itself that nobody can decode.
type babbling struct{ kgo.GroupBalancer }

func (babbling) JoinGroupMetadata([]string, map[string][]int32, int32) []byte { return []byte{1, 2, 3} }
