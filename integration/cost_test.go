package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

const (
	costPartitions = 6
	costRecords    = 300_000 // under a second a round on a machine that is idle
	costBlocks     = 50
	costTime       = 4 * time.Minute // after which no further block is begun
)

// BenchmarkRunBesideABareClient measures in one run what Run costs beside a poll loop on a
// bare kgo client: the same options, the same work on each record, a commit a second
// both. They take turns in blocks, see costSides. Beside records a second it tells the
// processor time of this process for each record, which other programs on the machine
// disturb less. It prints the table of docs/reliability.md.
func BenchmarkRunBesideABareClient(b *testing.B) {
	c := cluster.Start(b, cluster.WithNodes(1))
	var table strings.Builder
	table.WriteString("\n| | bare client | Run | ratio | 95 % interval | blocks |\n|---|---|---|---|---|---|\n")
	b.Run("throughput", func(b *testing.B) { benchmarkThroughput(b, c, &table) })
	b.Run("rebalance", func(b *testing.B) { benchmarkRebalance(b, c, &table) })
	fmt.Fprintln(os.Stderr, table.String())
}

func costTopic(b *testing.B, c *cluster.Cluster, partitions int32) (topic string, client *kgo.Client) {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	topic = fmt.Sprintf("cost-%d", time.Now().UnixNano())
	if _, err := kadm.NewClient(client).CreateTopic(b.Context(), partitions, 1, nil, topic); err != nil {
		b.Fatal(err)
	}
	known(b, c, topic)
	return topic, client
}

// costOptions are those of both sides.
func costOptions(c *cluster.Cluster, hooks ...kgo.Hook) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(c.Seeds()...), kgo.HeartbeatInterval(100 * time.Millisecond), kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.DisableClientMetrics(), kgo.WithHooks(hooks...),
	}
}

// fetched counts the bytes that a client fetches.
type fetched struct{ bytes atomic.Int64 }

// OnBrokerRead implements kgo.HookBrokerRead.
func (f *fetched) OnBrokerRead(_ kgo.BrokerMetadata, key int16, bytes int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Fetch) {
		f.bytes.Add(int64(bytes))
	}
}

// stopwatch measures from the first record to the last.
type stopwatch struct {
	fetched      fetched
	n, bytes     atomic.Int64
	first        sync.Once
	began, ended time.Time
	spent        time.Duration // processor time before the first record, then of all
	done         chan struct{}
}

func newStopwatch() *stopwatch { return &stopwatch{done: make(chan struct{})} }

func (s *stopwatch) work(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	var bytes int64
	for _, r := range records {
		bytes += int64(len(r.Value))
	}
	s.count(int64(len(records)), bytes)
}

func (s *stopwatch) count(records, bytes int64) {
	s.first.Do(func() { s.began, s.spent = time.Now(), processorTime() })
	s.bytes.Add(bytes)
	if s.n.Add(records) == costRecords {
		s.ended, s.spent = time.Now(), processorTime()-s.spent
		close(s.done)
	}
}

// wait returns what each record took.
func (s *stopwatch) wait(b *testing.B) (took costSample) {
	b.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		b.Fatalf("%d of %d records", s.n.Load(), costRecords)
	}
	return costSample{s.ended.Sub(s.began).Seconds() / costRecords, s.spent.Seconds() / costRecords, float64(s.fetched.bytes.Load()) / costRecords}
}

func benchmarkThroughput(b *testing.B, c *cluster.Cluster, table *strings.Builder) {
	topic, client := costTopic(b, c, costPartitions)
	random := rand.NewChaCha8([32]byte{})
	for range costRecords {
		value := make([]byte, 1024) // that does not compress
		_, _ = random.Read(value)   // never fails
		client.Produce(b.Context(), &kgo.Record{Topic: topic, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	group := func(side string) string { return fmt.Sprintf("%s-%d", side, time.Now().UnixNano()) }
	bare := func() costSample {
		watch := newStopwatch()
		client, err := kgo.NewClient(append(costOptions(c, &watch.fetched), kgo.ConsumerGroup(group("bare")), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())...)
		if err != nil {
			b.Fatal(err)
		}
		defer client.CloseAllowingRebalance()
		ctx, cancel := context.WithCancel(b.Context())
		var polling sync.WaitGroup
		polling.Go(func() {
			committed := time.Now()
			for ctx.Err() == nil {
				fetches := client.PollFetches(ctx)
				fetches.EachPartition(func(p kgo.FetchTopicPartition) { watch.work(p.Records) })
				if time.Since(committed) >= time.Second {
					if err := client.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
						b.Error(err)
					}
					committed = time.Now()
				}
				client.AllowRebalance()
			}
		})
		took := watch.wait(b)
		cancel()
		polling.Wait()
		return took
	}
	run := func(handler func(*stopwatch) member.Handler) costSample {
		watch := newStopwatch()
		m, err := member.New(member.Config{Group: group("run"), Topics: []string{topic}, Client: costOptions(c, &watch.fetched)})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(context.Background())
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Run(ctx, handler(watch)); err != nil {
				b.Error(err)
			}
		})
		took := watch.wait(b)
		cancel()
		running.Wait()
		return took
	}
	batches := func(watch *stopwatch) member.Handler {
		return func(_ context.Context, records []*kgo.Record) error {
			watch.work(records)
			return nil
		}
	}
	singles := func(watch *stopwatch) member.Handler {
		// Counted by partition, of which one record is handled at a time, and told
		// every thousand records: a counter that all share costs more than Each.
		var counts [costPartitions]struct {
			n, bytes int64
			_        [112]byte // another's cache line
		}
		return member.Each(func(_ context.Context, record *kgo.Record) error {
			count := &counts[record.Partition]
			count.bytes += int64(len(record.Value))
			if count.n++; count.n%1000 == 0 {
				watch.count(1000, count.bytes)
				count.bytes = 0
			}
			return nil
		})
	}
	sides := costSides{
		{name: "bare", measure: bare},
		{name: "run", measure: func() costSample { return run(batches) }},
		{name: "each", measure: func() costSample { return run(singles) }},
	}
	bare() // the broker's page cache is warm from here on
	for began := time.Now(); sides[0].blocks() < costBlocks && time.Since(began) < costTime; {
		sides.block(runtime.GC) // what the one before left is not this one's
	}
	perSecond := func(seconds float64) string { return fmt.Sprintf("%.0f", 1/seconds) }
	micros := func(seconds float64) string { return fmt.Sprintf("%.3f µs", seconds*1e6) }
	for _, side := range sides[1:] {
		what := map[string]string{"run": "batches", "each": "`Each`"}[side.name]
		throughput := sides[0].compare(side, func(s costSample) float64 { return s.seconds })
		processor := sides[0].compare(side, func(s costSample) float64 { return s.processor })
		bytes := sides[0].compare(side, func(s costSample) float64 { return s.fetched })
		b.ReportMetric(1/throughput.ratio, side.name+"-throughput-ratio")
		b.ReportMetric(processor.ratio, side.name+"-cpu-ratio")
		throughput.invert().row(table, "records a second, "+what, perSecond)
		processor.row(table, "processor time for a record, "+what, micros)
		bytes.row(table, "bytes fetched for a record, "+what, func(bytes float64) string { return fmt.Sprintf("%.1f", bytes) })
	}
}

// benchmarkRebalance measures how long a second member needs until it has its half, and
// how long the first needs until it has all again when the second closes.
func benchmarkRebalance(b *testing.B, c *cluster.Cluster, table *strings.Builder) {
	const partitions, blocks = 8, 40
	topic, _ := costTopic(b, c, partitions)
	type side struct {
		start func(group string, has *atomic.Int32) (stop func())
	}
	bare := side{func(group string, has *atomic.Int32) func() {
		count := func(sign int32) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
				for _, numbers := range parts {
					has.Add(sign * int32(len(numbers)))
				}
			}
		}
		client, err := kgo.NewClient(append(costOptions(c), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.OnPartitionsAssigned(count(1)), kgo.OnPartitionsRevoked(count(-1)))...)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var polling sync.WaitGroup
		polling.Go(func() {
			for ctx.Err() == nil {
				client.PollFetches(ctx)
			}
		})
		return func() { cancel(); polling.Wait(); client.Close() }
	}}
	run := side{func(group string, has *atomic.Int32) func() {
		cfg := member.Config{Group: group, Topics: []string{topic}, Client: costOptions(c)}
		cfg.OnEvent = func(e member.Event) {
			if e.Kind == member.EventAssigned {
				n := 0
				for _, tp := range e.Assigned {
					n += len(tp.Partitions)
				}
				has.Store(int32(n))
			}
		}
		m, err := member.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = m.Run(context.Background(), func(context.Context, []*kgo.Record) error { return nil })
		}()
		return func() { _ = m.Close(context.Background()); <-done }
	}}
	until := func(has *atomic.Int32, want int32) {
		for began := time.Now(); has.Load() != want; time.Sleep(200 * time.Microsecond) {
			if time.Since(began) > patience {
				b.Fatalf("%d partitions, want %d", has.Load(), want)
			}
		}
	}
	measure := func(s side) costSample {
		group := fmt.Sprintf("rebalance-%d", time.Now().UnixNano())
		var first, second atomic.Int32
		stop := s.start(group, &first)
		defer stop()
		until(&first, partitions)
		began := time.Now()
		stopSecond := s.start(group, &second)
		until(&second, partitions/2)
		until(&first, partitions/2)
		stopSecond()
		until(&first, partitions)
		return costSample{seconds: time.Since(began).Seconds()}
	}
	sides := costSides{
		{name: "bare", measure: func() costSample { return measure(bare) }},
		{name: "run", measure: func() costSample { return measure(run) }},
	}
	measure(bare)
	measure(run)
	for range blocks {
		sides.block(func() {})
	}
	result := sides[0].compare(sides[1], func(s costSample) float64 { return s.seconds })
	b.ReportMetric(result.ratio, "run/bare")
	result.row(table, "rebalance time", func(seconds float64) string { return fmt.Sprintf("%.0f ms", seconds*1000) })
}
