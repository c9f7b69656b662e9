package together

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

const partitions = 6

// claims are what a member has, as its client told last.
type claims struct {
	mu  sync.Mutex
	has []int32
}

func (c *claims) set(has []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.has = slices.Clone(has)
}

func (c *claims) get() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.has)
}

// Setup, Cleanup and ConsumeClaim implement sarama.ConsumerGroupHandler.
func (c *claims) Setup(s sarama.ConsumerGroupSession) error { c.set(s.Claims()["t"]); return nil }
func (c *claims) Cleanup(sarama.ConsumerGroupSession) error { c.set(nil); return nil }
func (c *claims) ConsumeClaim(s sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

func startSarama(t *testing.T, cluster *kfake.Cluster, strategy sarama.BalanceStrategy) *claims {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	config.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	group, err := sarama.NewConsumerGroup(cluster.ListenAddrs(), "g", config)
	if err != nil {
		t.Fatal(err)
	}
	c := &claims{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{"t"}, c); err != nil && ctx.Err() == nil {
				t.Errorf("sarama: %v", err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := group.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func startOurs(t *testing.T, cluster *kfake.Cluster, name string) (*claims, *member.Hooks) {
	t.Helper()
	c := &claims{}
	hooks, err := member.NewHooks(member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}, Name: name}},
		OnEvent: func(e member.Event) {
			switch e.Kind {
			case member.EventAssigned:
				c.set(nil)
				for _, tp := range e.Assigned {
					c.set(tp.Partitions)
				}
			case member.EventIsolated, member.EventFallback:
				t.Errorf("%s of %s: %v", e.Kind, e.Subject, e.Err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(hooks.Opts(), kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.HeartbeatInterval(100*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hooks.Close(); client.Close() })
	if err := hooks.Attach(client); err != nil {
		t.Fatal(err)
	}
	return c, hooks
}

func eventually(t *testing.T, what string, cond func() bool, seen func() string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s; last seen: %s", what, seen())
		}
	}
}

// TestMembersOfSaramaAndOursShareAGroup has both lead, under each name that both know.
func TestMembersOfSaramaAndOursShareAGroup(t *testing.T) {
	for name, strategy := range map[string]func() sarama.BalanceStrategy{
		"range":      sarama.NewBalanceStrategyRange,
		"roundrobin": sarama.NewBalanceStrategyRoundRobin,
		"sticky":     sarama.NewBalanceStrategySticky,
	} {
		for _, weLead := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/led by us %v", name, weLead), func(t *testing.T) {
				cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(cluster.Close)
				var ours, theirs *claims
				var hooks *member.Hooks
				if weLead {
					ours, hooks = startOurs(t, cluster, name)
					eventually(t, "we lead", hooks.Leading, func() string { return string(hooks.State()) })
					theirs = startSarama(t, cluster, strategy())
				} else {
					theirs = startSarama(t, cluster, strategy())
					eventually(t, "sarama has all", func() bool { return len(theirs.get()) == partitions }, func() string { return fmt.Sprint(theirs.get()) })
					ours, hooks = startOurs(t, cluster, name)
				}
				eventually(t, "each has half", func() bool {
					all := append(ours.get(), theirs.get()...)
					slices.Sort(all)
					return len(ours.get()) == partitions/2 && len(all) == partitions && len(slices.Compact(all)) == partitions
				}, func() string { return fmt.Sprint(ours.get(), theirs.get()) })
				if hooks.Leading() != weLead {
					t.Errorf("leading %v", hooks.Leading())
				}
			})
		}
	}
}
