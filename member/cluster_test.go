package member_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// fakeCluster starts an in-process cluster with the topic "t".
func fakeCluster(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, "t"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// eventually fails the test when cond stays false; it is no pause but a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute) // the machine may be busy
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

func (r *recorder) copied() []member.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// checkStates holds the events of any member to the table of states.
func (r *recorder) checkStates(t *testing.T) {
	t.Helper()
	state := member.StateJoining
	for i, e := range r.copied() {
		if e.From != state || e.State != e.From && !slices.Contains(member.Moves[e.From], e.State) {
			t.Errorf("event %d, %s, takes the member from %s to %s; it was %s", i, e.Kind, e.From, e.State, state)
		}
		state = e.State
	}
	if state != member.StateClosed {
		t.Errorf("a closed member is %s", state)
	}
}

// kinds lists the kinds of all events, in order.
func (r *recorder) kinds() []member.EventKind {
	var kinds []member.EventKind
	for _, e := range r.copied() {
		kinds = append(kinds, e.Kind)
	}
	return kinds
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

// newMember makes hooks and a client, and does not bring them together yet.
func newMember(t *testing.T, cluster *kfake.Cluster, cfg member.HooksConfig, opts ...kgo.Opt) *testMember {
	t.Helper()
	m := &testMember{recorder: &recorder{}}
	onEvent := cfg.OnEvent
	cfg.OnEvent = func(e member.Event) {
		m.add(e)
		if onEvent != nil {
			onEvent(e)
		}
	}
	if cfg.Protocols == nil {
		cfg.Protocols = []member.Protocol{{Assignor: assign.Balanced{}}}
	}
	hooks, err := member.NewHooks(cfg)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(append(hooks.Opts(),
		kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.HeartbeatInterval(50*time.Millisecond), kgo.SessionTimeout(6*time.Second), kgo.RebalanceTimeout(10*time.Second),
	), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	m.hooks, m.client = hooks, client
	m.close = sync.OnceFunc(func() { hooks.Close(); client.CloseAllowingRebalance() })
	t.Cleanup(func() {
		m.close()
		m.checkStates(t)
		if t.Failed() {
			for _, e := range m.copied() {
				t.Logf("%s %s gen %d %s (%s) %v %v", e.Time.Format("05.000"), e.Member, e.Generation, e.Kind, e.State, e.Assigned, e.Err)
			}
		}
	})
	return m
}

func startMember(t *testing.T, cluster *kfake.Cluster, cfg member.HooksConfig, opts ...kgo.Opt) *testMember {
	t.Helper()
	m := newMember(t, cluster, cfg, opts...)
	if err := m.hooks.Attach(m.client); err != nil {
		t.Fatal(err)
	}
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
