package integration

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/groupkit/groupkit/integration/cluster"
)

// saramaConsumer is a member of the client of that name.
type saramaConsumer struct {
	end func()

	mu       sync.Mutex
	owned    map[int32]bool
	consumed map[string]int
}

func startSarama(t *testing.T, c *cluster.Cluster, group, topic string, protocols ...string) peer {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	config.Consumer.Group.Rebalance.GroupStrategies = nil // range by default
	for _, name := range protocols {
		strategy := map[string]func() sarama.BalanceStrategy{
			"range": sarama.NewBalanceStrategyRange, "roundrobin": sarama.NewBalanceStrategyRoundRobin,
			"sticky": sarama.NewBalanceStrategySticky, "cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
		}[name]
		config.Consumer.Group.Rebalance.GroupStrategies = append(config.Consumer.Group.Rebalance.GroupStrategies, strategy())
	}
	config.Consumer.MaxWaitTime = 50 * time.Millisecond // requests to the coordinator wait behind fetches
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 30 * time.Second // all of them leave by themselves
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	g, err := sarama.NewConsumerGroup(c.Seeds(), group, config)
	if err != nil {
		t.Fatal(err)
	}
	s := &saramaConsumer{owned: make(map[int32]bool), consumed: make(map[string]int)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, s); err != nil && ctx.Err() == nil {
				t.Logf("sarama joins again: %v", err)
				select {
				case <-ctx.Done():
				case <-time.After(config.Consumer.Group.Rebalance.Retry.Backoff):
				}
			}
		}
	}()
	s.end = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := g.Close(); err != nil {
			t.Errorf("sarama: %v", err)
		}
	})
	t.Cleanup(s.end)
	return s
}

// Setup, Cleanup and ConsumeClaim implement sarama.ConsumerGroupHandler.
func (s *saramaConsumer) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (s *saramaConsumer) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim lasts for as long as the member has the partition.
func (s *saramaConsumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	has := func(now bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.owned, claim.Partition()); now {
			s.owned[claim.Partition()] = true
		}
	}
	has(true)
	defer has(false)
	for message := range claim.Messages() {
		s.mu.Lock()
		s.consumed[string(message.Value)]++
		s.mu.Unlock()
		session.MarkMessage(message, "")
	}
	return nil
}

func (s *saramaConsumer) stop() { s.end() }

func (s *saramaConsumer) has() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.owned))
}

func (s *saramaConsumer) values() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.consumed)
}
