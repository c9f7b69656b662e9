package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// consumer is a member.Member in this process, and what it saw.
type consumer struct {
	*member.Member
	group string

	mu      sync.Mutex
	events  []member.Event
	handled map[string]int // record value → how often
	done    chan struct{}  // closed when Run returned
	failed  error          // what Run returned; to be read when done is closed
}

// startConsumer starts a member with a short session. More of its config is set by
// configure, which may be nil.
func startConsumer(t *testing.T, c *cluster.Cluster, group, topic string, configure func(*member.Config)) *consumer {
	t.Helper()
	k := &consumer{group: group, handled: make(map[string]int), done: make(chan struct{})}
	cfg := member.Config{
		Group:  group,
		Topics: []string{topic},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
			OnEvent: func(e member.Event) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.events = append(k.events, e)
			},
		},
		Client: []kgo.Opt{
			kgo.SeedBrokers(c.Seeds()...),
			kgo.SessionTimeout(6 * time.Second),
			kgo.HeartbeatInterval(200 * time.Millisecond),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		},
	}
	if configure != nil {
		configure(&cfg)
	}
	var err error
	if k.Member, err = member.New(cfg); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(k.done)
		k.failed = k.Run(context.Background(), func(_ context.Context, records []*kgo.Record) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			for _, r := range records {
				k.handled[string(r.Value)]++
			}
			return nil
		})
	}()
	t.Cleanup(func() { k.leave(t) })
	return k
}

// leave closes the member; it may be called repeatedly.
func (k *consumer) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.Close(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-k.done:
		if k.failed != nil {
			t.Errorf("a member of %s stopped: %v", k.group, k.failed)
		}
	case <-ctx.Done():
		t.Errorf("Run of a member of %s does not return", k.group)
	}
}

func (k *consumer) id() string {
	id, _ := k.Client().GroupMetadata()
	return id
}

func (k *consumer) all(kind member.EventKind) []member.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []member.Event
	for _, e := range k.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// distinct returns how many different records were handled.
func distinct(consumers ...*consumer) int {
	seen := make(map[string]bool)
	for _, k := range consumers {
		k.mu.Lock()
		for value := range k.handled {
			seen[value] = true
		}
		k.mu.Unlock()
	}
	return len(seen)
}

// leads waits until the consumer leads its group.
func (k *consumer) leads(t *testing.T) {
	t.Helper()
	eventually(t, "the member leads group "+k.group, func() (bool, string) {
		return k.Leading(), fmt.Sprint(k.all(member.EventElected))
	})
}
