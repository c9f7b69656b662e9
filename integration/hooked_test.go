package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// hooked is a kgo client with hooks, and a poll loop of the test's.
type hooked struct {
	hooks  *member.Hooks
	client *kgo.Client
	close  func() // may be called repeatedly

	mu      sync.Mutex
	events  []member.Event
	handled map[string]int // record value → how often
}

func startHooked(t *testing.T, c *cluster.Cluster, group string, topics []string, cfg member.HooksConfig, opts ...kgo.Opt) *hooked {
	t.Helper()
	k := &hooked{handled: make(map[string]int)}
	cfg.OnEvent = func(e member.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}
	if cfg.Protocols == nil {
		cfg.Protocols = []member.Protocol{{Assignor: assign.Balanced{}}}
	}
	var err error
	if k.hooks, err = member.NewHooks(cfg); err != nil {
		t.Fatal(err)
	}
	k.client, err = kgo.NewClient(append(append(k.hooks.Opts(),
		kgo.SeedBrokers(c.Seeds()...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics...),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(200*time.Millisecond),
	), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.hooks.Attach(k.client); err != nil {
		k.client.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for ctx.Err() == nil {
			k.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.handled[string(r.Value)]++
			})
		}
	}()
	k.close = sync.OnceFunc(func() {
		k.hooks.Close()
		cancel()
		<-polled
		k.client.Close()
	})
	t.Cleanup(func() {
		k.close()
		if t.Failed() {
			for _, e := range k.all("") {
				t.Logf("%s %s gen %d %s (%s) %s %v %v", e.Time.Format("05.000"), e.Member, e.Generation, e.Kind, e.State, e.Reason, e.Assigned, e.Err)
			}
		}
	})
	return k
}

func (k *hooked) id() string {
	id, _ := k.client.GroupMetadata()
	return id
}

// all returns the events of a kind, or all where that is empty.
func (k *hooked) all(kind member.EventKind) []member.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []member.Event
	for _, e := range k.events {
		if kind == "" || e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// last returns the last event of a kind, a zero one where there is none.
func (k *hooked) last(kind member.EventKind) member.Event {
	all := k.all(kind)
	if len(all) == 0 {
		return member.Event{}
	}
	return all[len(all)-1]
}

// has returns what the member was assigned of a topic.
func (k *hooked) has(topic string) []int32 {
	for _, tp := range k.last(member.EventAssigned).Assigned {
		if tp.Topic == topic {
			return tp.Partitions
		}
	}
	return nil
}

func (k *hooked) leads(t *testing.T) {
	t.Helper()
	eventually(t, "the member leads, and has told so", func() (bool, string) {
		told := k.last(member.EventLeading).Time.After(k.last(member.EventResigned).Time)
		return told && k.hooks.Leading(), string(k.hooks.State())
	})
}

// share waits until the members together have each partition of the topic once, and each
// member some.
func share(t *testing.T, topic string, partitions int, members ...*hooked) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d members have each of %d partitions once", len(members), partitions), func() (bool, string) {
		var all []int32
		some := true
		for _, k := range members {
			all = append(all, k.has(topic)...)
			some = some && len(k.has(topic)) > 0
		}
		slices.Sort(all)
		return some && len(all) == partitions && len(slices.Compact(slices.Clone(all))) == partitions, fmt.Sprint(all)
	})
}

// waitingLead is work that hands out its term and waits for its end.
func waitingLead(ch chan<- member.Term) func(context.Context, member.Term) error {
	return func(ctx context.Context, term member.Term) error {
		ch <- term
		<-ctx.Done()
		return nil
	}
}
