package member_test

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func TestLeaderPlansForTheGroupAndTheNextOneTakesOver(t *testing.T) {
	cluster := fakeCluster(t, 12)
	terms := make(chan string, 10)
	lead := func(name string) func(context.Context, member.Term) error {
		return func(ctx context.Context, term member.Term) error {
			terms <- name + " leads"
			<-ctx.Done()
			terms <- name + " stops"
			return nil
		}
	}
	a := startMember(t, cluster, member.HooksConfig{Lead: lead("a"), Traits: member.Traits{Capacity: 2}})
	if got := <-terms; got != "a leads" {
		t.Fatalf("got %q", got)
	}
	b := startMember(t, cluster, member.HooksConfig{Lead: lead("b")})
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
	cluster := fakeCluster(t, 4)
	m := startMember(t, cluster, member.HooksConfig{Protocols: []member.Protocol{{
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
	cluster := fakeCluster(t, 6)
	a := startMember(t, cluster, member.HooksConfig{})
	eventually(t, "the first to join leads", a.hooks.Leading)
	b := startMember(t, cluster, member.HooksConfig{})
	settledOwners(t, 6, a, b)
	bad, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
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
