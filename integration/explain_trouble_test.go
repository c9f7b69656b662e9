package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// trouble is a group in which something goes wrong on purpose.
type trouble struct {
	t            *testing.T
	c            *cluster.Cluster
	group, topic string
	logs         string       // the folder of the logs of its members' processes
	quiet        atomic.Bool  // nothing comes that its members could handle
	planning     atomic.Int64 // how long a leader that ponders takes to plan
	givingUp     atomic.Int64 // how long a member that takes long to give up partitions does, once
	mu           sync.Mutex
	everybody    []*worker
}

// worker is a member's process: a kgo consumer that handles what it gets, and may be slow
// at it, with hooks of package member or without.
type worker struct {
	client *kgo.Client
	hooks  *member.Hooks // nil without
	stop   context.CancelFunc
	done   chan struct{}
	busy   atomic.Int64 // how long it handles one batch
	began  atomic.Int64 // how many batches it began to handle while it was busy
	frozen chan struct{}
	once   sync.Once // for leave
}

// newTrouble makes a group; GROUPKIT_LOGS names a folder that keeps what its members log.
func newTrouble(t *testing.T, c *cluster.Cluster) *trouble {
	g := &trouble{t: t, c: c, group: unique(t, "group"), topic: newTopic(t, c, 6), logs: t.TempDir()}
	if kept := os.Getenv("GROUPKIT_LOGS"); kept != "" {
		g.logs = filepath.Join(kept, g.group)
		if err := os.MkdirAll(g.logs, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(g.stopAll)
	return g
}

// log makes the log of one process, a JSON object a line.
func (g *trouble) log() *slog.Logger {
	file, err := os.CreateTemp(g.logs, "*.jsonl")
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { file.Close() })
	return slog.New(slog.NewJSONHandler(file, nil))
}

func (g *trouble) logTo(path string) *slog.Logger {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { file.Close() })
	return slog.New(slog.NewJSONHandler(file, nil))
}

// start starts a member with hooks of package member, which log what happens to it.
func (g *trouble) start(name string, opts ...kgo.Opt) *worker {
	return g.startWith(name, member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.CooperativeSticky()}}}, opts...)
}

func (g *trouble) startWith(name string, cfg member.HooksConfig, opts ...kgo.Opt) *worker {
	cfg.Logger = g.log()
	hooks, err := member.NewHooks(cfg)
	if err != nil {
		g.t.Error(err)
		return nil
	}
	return g.run(name, hooks, append(hooks.Opts(), opts...))
}

// startPlain starts a member that is a kgo client and no more, whose user logs why it is
// out of the group.
func (g *trouble) startPlain(name string, opts ...kgo.Opt) *worker {
	return g.run(name, nil, append([]kgo.Opt{kgo.WithHooks(hears{g.log(), g.group, name})}, opts...))
}

// run runs a member, with a short session and frequent commits.
func (g *trouble) run(name string, hooks *member.Hooks, opts []kgo.Opt) *worker {
	w := &worker{hooks: hooks, done: make(chan struct{}), frozen: make(chan struct{})}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(g.c.Seeds()...), kgo.ConsumerGroup(g.group), kgo.ConsumeTopics(g.topic), kgo.ClientID(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(5 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond), kgo.RebalanceTimeout(20 * time.Second),
		kgo.AutoCommitInterval(400 * time.Millisecond), kgo.MetadataMinAge(500 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &freezing{conn, w.frozen}, nil
		}),
	}, opts...)...)
	if err == nil && hooks != nil {
		err = hooks.Attach(client)
	}
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
				w.began.Add(1)
				pauseFor(ctx, busy)
			}
			client.AllowRebalance()
		}
	}()
	g.mu.Lock()
	g.everybody = append(g.everybody, w)
	g.mu.Unlock()
	return w
}

// keepBusy has a member handle each batch for so long, and returns when it has just begun
// with one.
func (w *worker) keepBusy(ctx context.Context, each time.Duration) {
	w.busy.Store(int64(each))
	for before := w.began.Load(); w.began.Load() == before && ctx.Err() == nil; {
		pauseFor(ctx, 50*time.Millisecond)
	}
}

// leave stops a member as one should.
func (w *worker) leave() {
	w.stop()
	<-w.done
	if w.hooks != nil {
		w.hooks.Close()
	}
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

// hears has a process without hooks log what its client runs into.
type hears struct {
	logger      *slog.Logger
	group, name string
}

func (h hears) OnGroupManageError(err error) {
	h.logger.Warn("lost", "group", h.group, "clientId", h.name, "err", err)
}

// files are the logs of all processes.
func (g *trouble) files() []string {
	files, err := filepath.Glob(filepath.Join(g.logs, "*.jsonl"))
	if err != nil {
		g.t.Error(err)
	}
	return files
}

// heard reads what members logged.
func (g *trouble) heard(_ context.Context, since time.Time) (all []explain.Observation, err error) {
	for _, path := range g.files() {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		heard, err := explain.ReadSaid(file, g.group, since)
		file.Close()
		if err != nil || heard.Skipped > 0 {
			return nil, fmt.Errorf("%s: %d lines skipped: %w", path, heard.Skipped, err)
		}
		all = append(all, heard.Said...)
	}
	return all, nil
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
	in := 0
	eventually(g.t, fmt.Sprintf("group %s has %d members and remains stable", g.group, n), func() (bool, string) {
		stable, why := g.hasMembers(admin, n)
		if in++; !stable {
			in = 0
		}
		if in < 2 {
			// What follows on the first round is over a second later.
			pauseFor(g.t.Context(), time.Second)
		}
		return in >= 2, why
	})
}

func (g *trouble) hasMembers(admin *kadm.Client, n int) (bool, string) {
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
}

// pause lets the trouble take its time.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func steady(g *trouble, names ...string) {
	for _, name := range names {
		g.start(name)
	}
	g.awaitMembers(len(names))
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
			if g.quiet.Load() {
				break
			}
			client.Produce(ctx, kgo.StringRecord(fmt.Sprint(n)), nil)
		}
		pauseFor(ctx, 100*time.Millisecond)
	}
}

// startPondering starts a member that takes [trouble.planning] to plan when it leads, and
// whose session outlasts that.
func (g *trouble) startPondering(name string) {
	g.startWith(name, member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: ponderous{assign.Range(), &g.planning}}}, PlanTimeout: 15 * time.Second,
	}, kgo.SessionTimeout(20*time.Second))
}

type ponderous struct {
	assign.Assignor
	takes *atomic.Int64
}

func (p ponderous) Assign(group assign.Group) (assign.Plan, error) {
	time.Sleep(time.Duration(p.takes.Load()))
	return p.Assignor.Assign(group)
}

// babbling is a member that says three bytes of itself that nobody can decode.
type babbling struct{ kgo.GroupBalancer }

func (babbling) JoinGroupMetadata([]string, map[string][]int32, int32) []byte { return []byte{1, 2, 3} }
