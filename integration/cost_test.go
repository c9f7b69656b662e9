package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

const (
	costPartitions = 6
	costRecords    = 1_500_000 // some seconds a round
	costRounds     = 7
)

// BenchmarkRunBesideABareClient measures in one run what Run costs beside a poll loop on a
// bare kgo client: the same options, the same work on each record, a commit a second
// both. They take turns, in an order that rotates. "of-medians" is the ratio of the medians
// of all rounds, "median-ratio" the median of the ratios of each round. Beside records a
// second it tells the processor time of this process for each record, which other programs
// on the machine disturb less.
func BenchmarkRunBesideABareClient(b *testing.B) {
	c := cluster.Start(b, cluster.WithNodes(1))
	b.Run("throughput", func(b *testing.B) { benchmarkThroughput(b, c) })
	b.Run("rebalance", func(b *testing.B) { benchmarkRebalance(b, c) })
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
	return topic, client
}

// costOptions are those of both sides.
func costOptions(c *cluster.Cluster) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(c.Seeds()...), kgo.HeartbeatInterval(100 * time.Millisecond), kgo.DisableClientMetrics()}
}

// stopwatch measures from the first record to the last.
type stopwatch struct {
	n     atomic.Int64
	bytes atomic.Int64
	began atomic.Int64
	done  chan struct{}
}

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
	s.began.CompareAndSwap(0, time.Now().UnixNano())
	s.bytes.Add(bytes)
	if s.n.Add(records) == costRecords {
		close(s.done)
	}
}

func (s *stopwatch) wait(b *testing.B) (perSecond float64) {
	b.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		b.Fatalf("%d of %d records", s.n.Load(), costRecords)
	}
	return costRecords / time.Since(time.Unix(0, s.began.Load())).Seconds()
}

func benchmarkThroughput(b *testing.B, c *cluster.Cluster) {
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
	bare := func() float64 {
		client, err := kgo.NewClient(append(costOptions(c), kgo.ConsumerGroup(group("bare")), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())...)
		if err != nil {
			b.Fatal(err)
		}
		defer client.CloseAllowingRebalance()
		watch := &stopwatch{done: make(chan struct{})}
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
		perSecond := watch.wait(b)
		cancel()
		polling.Wait()
		return perSecond
	}
	run := func(handler func(*stopwatch) member.Handler) float64 {
		m, err := member.New(member.Config{Group: group("run"), Topics: []string{topic}, Client: costOptions(c)})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close(context.Background())
		watch := &stopwatch{done: make(chan struct{})}
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Run(ctx, handler(watch)); err != nil {
				b.Error(err)
			}
		})
		perSecond := watch.wait(b)
		cancel()
		running.Wait()
		return perSecond
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
	sides := []*costSide{
		{name: "bare", measure: bare},
		{name: "run", measure: func() float64 { return run(batches) }},
		{name: "each", measure: func() float64 { return run(singles) }},
	}
	bare() // the broker's page cache is warm from here on
	for round := range costRounds {
		for i := range sides {
			sides[(round+i)%len(sides)].round()
		}
	}
	for _, side := range sides {
		b.ReportMetric(median(side.rates), side.name+"/s")
		b.ReportMetric(median(side.micros), side.name+"-cpu-µs/record")
	}
	for _, side := range sides[1:] {
		ratios := side.ratios(sides[0])
		b.ReportMetric(median(side.rates)/median(sides[0].rates), side.name+"-of-medians")
		b.ReportMetric(median(ratios), side.name+"-median-ratio")
		b.Logf("%s/bare by round: %.3f", side.name, ratios)
	}
}

// A costSide is one way of consuming, and what its rounds came to.
type costSide struct {
	name          string
	measure       func() (perSecond float64)
	rates, micros []float64 // records a second; µs of processor time for each record
}

func (s *costSide) round() {
	runtime.GC() // what the one before left is not this one's
	before := processorTime()
	s.rates = append(s.rates, s.measure())
	s.micros = append(s.micros, float64((processorTime()-before).Microseconds())/costRecords)
}

func (s *costSide) ratios(to *costSide) []float64 {
	ratios := make([]float64, len(s.rates))
	for i := range ratios {
		ratios[i] = s.rates[i] / to.rates[i]
	}
	return ratios
}

// processorTime is what this process has used of it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchmarkRebalance measures how long a second member needs until it has its half, and
// how long the first needs until it has all again when the second closes.
func benchmarkRebalance(b *testing.B, c *cluster.Cluster) {
	const partitions, rounds = 8, 15
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
	measure := func(s side) float64 {
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
		return time.Since(began).Seconds()
	}
	measure(bare)
	measure(run)
	var ours, theirs []float64
	for range rounds {
		theirs, ours = append(theirs, measure(bare)), append(ours, measure(run))
	}
	b.ReportMetric(median(theirs)*1000, "bare-ms")
	b.ReportMetric(median(ours)*1000, "run-ms")
	b.ReportMetric(median(ours)/median(theirs), "run/bare")
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
