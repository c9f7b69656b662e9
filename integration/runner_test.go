package integration

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// book notes what all members of a group handled, and when.
type book struct {
	// first, when set, is called for each record before it is noted, and what it
	// returns is what the handler does.
	first func(context.Context, *kgo.Record) error

	mu      sync.Mutex
	handled map[string]int // record value → how often
	calls   []handling
}

// handling is one record that was handled.
type handling struct {
	by        string
	partition int32
	at        time.Time
}

func newBook() *book {
	return &book{handled: make(map[string]int)}
}

func (b *book) distinct() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handled)
}

// complete waits until every one of n records was handled.
func (b *book) complete(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d records are handled", n), func() (bool, string) {
		return b.distinct() == n, fmt.Sprint(b.distinct())
	})
}

// twice lists the records that were handled more than once.
func (b *book) twice() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []string
	for _, value := range slices.Sorted(maps.Keys(b.handled)) {
		if b.handled[value] > 1 {
			found = append(found, value)
		}
	}
	return found
}

// A runner is a member that handles single records, taking its time for each.
type runner struct {
	*member.Member
	name string
	wire *wire

	mu     sync.Mutex
	events []member.Event
	done   chan struct{}
	failed error // what Run returned; to be read when done is closed
}

// startRunner starts one on the group and topic, and lets configure, which may be nil,
// set more.
func startRunner(t *testing.T, c *cluster.Cluster, group, topic string, b *book, configure func(*member.Config)) *runner {
	t.Helper()
	name := unique(t, "runner")
	return startHandler(t, c, group, topic, name, configure, func(ctx context.Context, record *kgo.Record) error {
		if b.first != nil {
			if err := b.first(ctx, record); err != nil {
				return err
			}
		}
		select {
		case <-time.After(2 * time.Millisecond): // work
		case <-ctx.Done():
		}
		at := time.Now() // when it still had its partition, if the look tells so
		if err := ctx.Err(); err != nil {
			return err
		}
		b.add(name, record, at)
		return nil
	})
}

func (b *book) add(by string, record *kgo.Record, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handled[string(record.Value)]++
	b.calls = append(b.calls, handling{by, record.Partition, at})
}

// startHandler starts a member that has each record handled by handle.
func startHandler(t *testing.T, c *cluster.Cluster, group, topic, name string, configure func(*member.Config), handle func(context.Context, *kgo.Record) error) *runner {
	t.Helper()
	r := &runner{name: name, wire: &wire{}, done: make(chan struct{})}
	cfg := member.Config{
		Group: group, Topics: []string{topic},
		HooksConfig: member.HooksConfig{OnEvent: func(e member.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		}},
		CommitInterval: 50 * time.Millisecond,
		Client: []kgo.Opt{
			kgo.SeedBrokers(c.Seeds()...), kgo.Dialer(r.wire.dial),
			kgo.SessionTimeout(session), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.RebalanceTimeout(20 * time.Second),
		},
	}
	if configure != nil {
		configure(&cfg)
	}
	var err error
	if r.Member, err = member.New(cfg); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		r.failed = r.Run(context.Background(), member.Each(handle))
	}()
	t.Cleanup(func() {
		r.close(t)
		if t.Failed() {
			for _, e := range r.told() {
				t.Logf("%s %s %s %s[%d] %v %v %s", e.Time.Format("05.000"), r.name[len(r.name)-4:], e.Kind, e.Topic, e.Partition, e.Assigned, e.Err, e.State)
			}
		}
	})
	return r
}

func (r *runner) close(t *testing.T) {
	t.Helper()
	r.wire.mend()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

func (r *runner) told() []member.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *runner) all(kind member.EventKind) []member.Event {
	var found []member.Event
	for _, e := range r.told() {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// startWriter writes records, one after the other, whose values are 0, 1, 2 and so on,
// until what it returns is called, which tells how many.
func startWriter(t *testing.T, c *cluster.Cluster, topic string) (stop func() int) {
	t.Helper()
	return startPacedWriter(t, c, topic, 0)
}

// startPacedWriter does so with a pause after each record.
func startPacedWriter(t *testing.T, c *cluster.Cluster, topic string, pause time.Duration) (stop func() int) {
	t.Helper()
	client := newClient(t, c, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	written := make(chan int, 1)
	go func() {
		n := 0
		defer func() { written <- n }()
		for ; ctx.Err() == nil; n++ {
			writing, written := context.WithTimeout(context.Background(), patience)
			err := client.ProduceSync(writing, kgo.StringRecord(fmt.Sprint(n))).FirstErr()
			written()
			if err != nil {
				t.Errorf("record %d cannot be written: %v", n, err)
				return
			}
			time.Sleep(pause)
		}
	}()
	return sync.OnceValue(func() int {
		cancel()
		return <-written
	})
}

// ended waits until Run has returned.
func (r *runner) ended(t *testing.T) {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
}

// own waits until the runners have so many partitions each.
func own(t *testing.T, want []int, runners ...*runner) {
	t.Helper()
	eventually(t, fmt.Sprintf("the members have %v partitions", want), func() (bool, string) {
		var have []int
		for _, r := range runners {
			have = append(have, r.Health().Owned)
		}
		return slices.Equal(have, want), fmt.Sprint(have)
	})
}

// committed returns the sum of a group's committed offsets.
func committed(t *testing.T, c *cluster.Cluster, group string) (sum int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	offsets, err := kadm.NewClient(newClient(t, c)).FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	return sum
}

// wire is the connections of one client, which can be cut: nothing arrives either way,
// and nobody is told, until it is mended.
type wire struct {
	mu  sync.Mutex
	cut chan struct{} // nil while it works; closed when it is mended
}

func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut == nil {
		w.cut = make(chan struct{})
	}
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut != nil {
		close(w.cut)
		w.cut = nil
	}
}

// wait returns when the wire works, or an error when the connection is closed first.
func (w *wire) wait(closed <-chan struct{}) error {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut == nil {
		return nil
	}
	select {
	case <-cut:
		return nil
	case <-closed:
		return net.ErrClosed
	}
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := w.wait(ctx.Done()); err != nil {
		return nil, context.Cause(ctx)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wired{Conn: conn, wire: w, closed: make(chan struct{})}, nil
}

type wired struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
}

func (c *wired) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if cut := c.wire.wait(c.closed); cut != nil {
		return 0, cut
	}
	return n, err
}

func (c *wired) Write(b []byte) (int, error) {
	if err := c.wire.wait(c.closed); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *wired) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
