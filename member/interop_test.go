package member_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// plainMember is a member of kgo's own, with what it has.
type plainMember struct {
	client *kgo.Client
	close  func()

	mu  sync.Mutex
	has map[int32]bool
}

func startPlain(t *testing.T, cluster *kfake.Cluster, balancer kgo.GroupBalancer) *plainMember {
	t.Helper()
	p := &plainMember{has: make(map[int32]bool)}
	change := func(now bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, partition := range topics["t"] {
				if p.has[partition] == now {
					t.Errorf("partition %d is given or taken twice", partition)
				}
				p.has[partition] = now
			}
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.Balancers(balancer), kgo.HeartbeatInterval(50*time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
	if err != nil {
		t.Fatal(err)
	}
	p.client, p.close = client, sync.OnceFunc(client.Close)
	t.Cleanup(p.close)
	return p
}

func (p *plainMember) assigned() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var has []int32
	for partition, now := range p.has {
		if now {
			has = append(has, partition)
		}
	}
	return slices.Sorted(slices.Values(has))
}

func (m *testMember) partitions() []int32 {
	assigned, _ := m.assigned()
	for _, tp := range assigned {
		return tp.Partitions
	}
	return nil
}

func TestMembersOfOtherClientsShareAGroup(t *testing.T) {
	for name, c := range map[string]struct {
		ours   member.Protocol
		theirs kgo.GroupBalancer
	}{
		"range":                     {member.Protocol{Assignor: assign.Range()}, kgo.RangeBalancer()},
		"roundrobin":                {member.Protocol{Assignor: assign.RoundRobin()}, kgo.RoundRobinBalancer()},
		"sticky":                    {member.Protocol{Assignor: assign.Sticky()}, kgo.StickyBalancer()},
		"cooperative-sticky":        {member.Protocol{Assignor: assign.CooperativeSticky()}, kgo.CooperativeStickyBalancer()},
		"balanced under its name":   {member.Protocol{Assignor: assign.Balanced{}, Name: "cooperative-sticky"}, kgo.CooperativeStickyBalancer()},
		"balanced in sticky's name": {member.Protocol{Assignor: assign.Balanced{}, Name: "sticky"}, kgo.StickyBalancer()},
	} {
		for _, weLead := range []bool{true, false} {
			who := map[bool]string{true: "we lead", false: "they lead"}[weLead]
			t.Run(name+", "+who, func(t *testing.T) {
				t.Parallel()
				cluster := fakeCluster(t, 6)
				cfg := member.HooksConfig{Protocols: []member.Protocol{c.ours}, Traits: member.Traits{Labels: map[string]string{"a": "b"}}}
				var ours *testMember
				var theirs *plainMember
				if weLead {
					ours = startMember(t, cluster, cfg)
					settledOwners(t, 6, ours)
					theirs = startPlain(t, cluster, c.theirs)
				} else {
					theirs = startPlain(t, cluster, c.theirs)
					eventually(t, "they have all", func() bool { return len(theirs.assigned()) == 6 })
					ours = startMember(t, cluster, cfg)
				}
				eventually(t, "both have half", func() bool {
					all := make(map[int32]bool)
					for _, p := range append(theirs.assigned(), ours.partitions()...) {
						all[p] = true
					}
					return len(all) == 6 && len(theirs.assigned()) == 3 && len(ours.partitions()) == 3
				})
				if ours.hooks.Leading() != weLead {
					t.Errorf("leading: %v", ours.hooks.Leading())
				}
				if fallbacks := append(ours.all(member.EventFallback), ours.all(member.EventIsolated)...); len(fallbacks) > 0 {
					t.Errorf("got %+v", fallbacks)
				}
				if weLead {
					ours.close()
					eventually(t, "they have all", func() bool { return len(theirs.assigned()) == 6 })
				} else {
					theirs.close()
					settledOwners(t, 6, ours)
				}
			})
		}
	}
}

// Eager members give up everything before a round. What they had they tell all the
// same, also in ways that Balanced would not have chosen by itself.
func TestEagerMembersGetBackWhatTheyHad(t *testing.T) {
	for name, protocol := range map[string]member.Protocol{
		"a name of its own": {Assignor: assign.Balanced{}, Eager: true},
		"sticky":            {Assignor: assign.Balanced{}, Name: "sticky"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster(t, 6)
			cfg := member.HooksConfig{Protocols: []member.Protocol{protocol}}
			follower := cfg
			cfg.OnPlan = func(_ context.Context, r member.Round) (assign.Plan, error) {
				if len(r.Problem.Members) == 2 && len(r.Previous.Members()) == 1 {
					plan := assign.NewPlan(r.Problem) // even partitions for one, odd ones for the other
					for p := range int32(6) {
						plan.Give(r.Problem.Members[p%2].ID, "t", p)
					}
					return plan, nil
				}
				return r.Proposed, nil
			}
			a := startMember(t, cluster, cfg)
			eventually(t, "a leads", a.hooks.Leading)
			b := startMember(t, cluster, follower)
			before := settledOwners(t, 6, a, b)
			if len(a.partitions()) != 3 || a.partitions()[1]-a.partitions()[0] != 2 {
				t.Fatalf("a has %v", a.partitions())
			}
			for range 3 {
				rounds := len(b.all(member.EventAssigned))
				a.client.ForceRebalance()
				eventually(t, "another round", func() bool { return len(b.all(member.EventAssigned)) > rounds })
				if now := settledOwners(t, 6, a, b); !maps.Equal(now, before) {
					t.Errorf("now %v, before %v", now, before)
				}
			}
		})
	}
}

func TestATransactionalClientMayHaveHooks(t *testing.T) {
	cluster := fakeCluster(t, 4)
	hooks, err := member.NewHooks(member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}})
	if err != nil {
		t.Fatal(err)
	}
	session, err := kgo.NewGroupTransactSession(append(hooks.Opts(), kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.TransactionalID("x"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	defer hooks.Close()
	if err := hooks.Attach(session.Client()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the member leads", hooks.Leading)
}
