package member_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// fakeCluster starts an in-process cluster with one topic and returns its addresses.
func fakeCluster(t *testing.T, topic string, partitions int32) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

// eventually fails the test when cond stays false; it is no pause but a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// recorder keeps the events of one member.
type recorder struct {
	mu     sync.Mutex
	events []member.Event
}

func (r *recorder) add(e member.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) all(kind member.EventKind) []member.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []member.Event
	for _, e := range r.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// assigned returns what the member has, and whether it was ever told.
func (r *recorder) assigned() ([]assign.TopicPartitions, bool) {
	all := r.all(member.EventAssigned)
	if len(all) == 0 {
		return nil, false
	}
	return all[len(all)-1].Assigned, true
}

type testMember struct {
	*recorder
	hooks  *member.Hooks
	client *kgo.Client
	close  func()
}

func startMember(t *testing.T, seeds []string, topic string, cfg member.HooksConfig, opts ...kgo.Opt) *testMember {
	t.Helper()
	m := &testMember{recorder: &recorder{}}
	cfg.OnEvent = func(e member.Event) {
		t.Logf("%s gen %d %s %v %v", e.Member, e.Generation, e.Kind, e.Assigned, e.Err)
		m.add(e)
	}
	if cfg.Protocols == nil {
		cfg.Protocols = []member.Protocol{{Assignor: assign.Balanced{}}}
	}
	hooks, err := member.NewHooks(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(append(hooks.Opts(),
		kgo.SeedBrokers(seeds...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics(topic),
		kgo.HeartbeatInterval(50*time.Millisecond), kgo.SessionTimeout(6*time.Second), kgo.RebalanceTimeout(10*time.Second),
	), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := hooks.Attach(client); err != nil {
		t.Fatal(err)
	}
	m.hooks, m.client = hooks, client
	m.close = sync.OnceFunc(func() { hooks.Close(); client.Close() })
	t.Cleanup(m.close)
	return m
}

// settledOwners waits until the members together have each partition of the topic
// once and returns who has which.
func settledOwners(t *testing.T, partitions int, members ...*testMember) map[int32]int {
	t.Helper()
	var owners map[int32]int
	eventually(t, fmt.Sprintf("%d members have each of %d partitions once", len(members), partitions), func() bool {
		owners = make(map[int32]int)
		for i, m := range members {
			assigned, told := m.assigned()
			if !told {
				return false
			}
			for _, tp := range assigned {
				for _, p := range tp.Partitions {
					if _, twice := owners[p]; twice {
						return false
					}
					owners[p] = i
				}
			}
		}
		return len(owners) == partitions
	})
	return owners
}

func TestLeaderPlansForTheGroupAndTheNextOneTakesOver(t *testing.T) {
	seeds := fakeCluster(t, "t", 12)
	terms := make(chan string, 10)
	lead := func(name string) func(context.Context, member.Term) error {
		return func(ctx context.Context, term member.Term) error {
			terms <- name + " leads"
			<-ctx.Done()
			terms <- name + " stops"
			return nil
		}
	}
	a := startMember(t, seeds, "t", member.HooksConfig{Lead: lead("a"), Traits: member.Traits{Capacity: 2}})
	if got := <-terms; got != "a leads" {
		t.Fatalf("got %q", got)
	}
	b := startMember(t, seeds, "t", member.HooksConfig{Lead: lead("b")})
	eventually(t, "capacity 2 gets twice as much", func() bool {
		owners := settledOwners(t, 12, a, b)
		n := 0
		for _, m := range owners {
			if m == 0 {
				n++
			}
		}
		return n == 8
	})
	if !a.hooks.Leading() || b.hooks.Leading() {
		t.Error("the first joiner must lead, and it alone")
	}
	a.close()
	if got := <-terms; got != "a stops" {
		t.Fatalf("got %q", got)
	}
	if got := <-terms; got != "b leads" {
		t.Fatalf("got %q", got)
	}
	settledOwners(t, 12, b)
}

func TestAPanickingAssignorDoesNotStopTheGroup(t *testing.T) {
	seeds := fakeCluster(t, "t", 4)
	m := startMember(t, seeds, "t", member.HooksConfig{Protocols: []member.Protocol{{
		Assignor: assign.New("boom", func(assign.Group) (assign.Plan, error) { panic("boom") }),
	}}})
	settledOwners(t, 4, m)
	if fallbacks := m.all(member.EventFallback); len(fallbacks) == 0 {
		t.Error("no event tells of the fallback")
	} else {
		t.Log(fallbacks[0].Err)
	}
}

// garbage is a balancer whose member sends three bytes that nobody can decode.
type garbage struct{ kgo.GroupBalancer }

func (garbage) ProtocolName() string                                         { return "balanced" }
func (garbage) JoinGroupMetadata([]string, map[string][]int32, int32) []byte { return []byte{1, 2, 3} }

func TestAMemberWithGarbageIsIsolatedAndTheGroupGoesOn(t *testing.T) {
	seeds := fakeCluster(t, "t", 6)
	a := startMember(t, seeds, "t", member.HooksConfig{})
	eventually(t, "the first to join leads", a.hooks.Leading)
	b := startMember(t, seeds, "t", member.HooksConfig{})
	settledOwners(t, 6, a, b)
	bad, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.Balancers(garbage{kgo.CooperativeStickyBalancer()}))
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	eventually(t, "the member is isolated", func() bool { return len(a.all(member.EventIsolated)) > 0 })
	settledOwners(t, 6, a, b)
	b.close() // what b had is withheld for one round at most
	settledOwners(t, 6, a)
}
