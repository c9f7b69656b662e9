package inspect_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestAnswersOfRandomBytes has all brokers flip, cut and make up bytes of answers whose
// frames are sound, for each kind that inspect decodes. Nothing panics, and each function
// ends in time and in bounded memory.
func TestAnswersOfRandomBytes(t *testing.T) {
	t.Parallel()
	byTurns(t)
	fake := newFake(t, kfake.SeedTopics(3, "orders"), kfake.SeedTopics(50, offsetsTopic), kfake.SeedTopics(2, "__transaction_state"), kfake.SeedTopics(2, "__share_group_state"))
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	joinGroup(t, fake, "classic", 1)
	joinGroup(t, fake, "modern", 1, kgo.ServerSideBalancer())
	commit(t, fake, "empty", "orders", 0, 0, 0)
	writeLog(t, fake, "classic", kafkatest.GroupRecord("classic", "a", 1), commitRecord("classic", 1))
	functions := map[string]func(context.Context, *inspect.Inspector){
		"DescribeGroups": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true})
		},
		"DescribeGroups of one that is absent": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, "nobody")
		},
		"ElectionState": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.Predict(ctx, predict.Crash(1), predict.Return(1), predict.ElectPreferred())
		},
		"Controller": func(ctx context.Context, in *inspect.Inspector) { _, _ = in.Controller(ctx) },
		"Brokers":    func(ctx context.Context, in *inspect.Inspector) { _, _ = in.Brokers(ctx) },
		"Partitions": func(ctx context.Context, in *inspect.Inspector) { _, _ = in.Partitions(ctx) },
		"OffsetsLog": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.OffsetsLog(ctx, "classic", inspect.LogRange{})
		},
		"Coordinators": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.Coordinators(ctx, "classic", "nobody")
			_, _ = in.TransactionCoordinators(ctx, "payments")
			_, _ = in.ShareCoordinators(ctx, "group:orders:1")
		},
		"Explain": func(ctx context.Context, in *inspect.Inspector) {
			_, _ = in.Explain(ctx, "classic", inspect.Explaining{For: time.Millisecond})
		},
		"Watch": func(ctx context.Context, in *inspect.Inspector) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			for range in.Watch(ctx, inspect.Watched{Rate: 50}) {
			}
		},
	}
	keys := []kmsg.Key{
		kmsg.Metadata, kmsg.FindCoordinator, kmsg.ListGroups, kmsg.DescribeGroups, kmsg.ConsumerGroupDescribe, kmsg.OffsetFetch,
		kmsg.ListOffsets, kmsg.Fetch, kmsg.DescribeTopicPartitions, kmsg.DescribeConfigs, kmsg.DescribeCluster, kmsg.DescribeQuorum,
		kmsg.ListPartitionReassignments, kmsg.ApiVersions,
	}
	const each = 6 // times as many functions
	met := map[kmsg.Key]*kafkatest.Misbehaving{}
	var trying sync.WaitGroup
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	slots := make(chan struct{}, 16)
	once := func(m *kafkatest.Misbehaving, name string, n int, allowed time.Duration) {
		random := rand.New(rand.NewPCG(uint64(m.Key), uint64(n)))
		var mu sync.Mutex
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			return m.DialRandom(ctx, network, address, rand.New(rand.NewPCG(random.Uint64(), 0)))
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(dial), kgo.RequestRetries(1))
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), allowed)
		defer cancel()
		began := time.Now()
		functions[name](ctx, inspect.New(client, inspect.LogBudget(10_000, 1<<20, time.Second)))
		if took := time.Since(began); took > allowed+30*time.Second {
			t.Errorf("%s with %s of random bytes took %v", name, m.Key.Name(), took)
		}
	}
	for _, key := range keys {
		m := &kafkatest.Misbehaving{Key: key, Fault: kafkatest.RandomBytes}
		m.Begin()
		met[key] = m
		for name := range functions {
			for n := range each {
				slots <- struct{}{}
				trying.Go(func() {
					defer func() { <-slots }()
					once(m, name, n, 3*time.Second)
				})
			}
		}
	}
	trying.Wait()
	for _, key := range keys { // that a busy machine did not come to in time
		for name := range functions {
			if met[key].Hits() == 0 {
				once(met[key], name, each, 20*time.Second)
			}
		}
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 1<<30 {
		t.Errorf("it took %d MiB", grown>>20)
	}
	told := ""
	for _, key := range keys {
		told += fmt.Sprintf(" %s %d", key.Name(), met[key].Hits())
		if met[key].Hits() == 0 {
			t.Errorf("no answer of kind %s was changed", key.Name())
		}
	}
	t.Log("answers changed:" + told)
}
