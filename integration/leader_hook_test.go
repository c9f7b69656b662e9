package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// firstTakesAll gives every partition to the member whose id sorts first, which no
// assignor of any client does.
var firstTakesAll = assign.New("first-takes-all", func(g assign.Group) (assign.Plan, error) {
	plan := assign.NewPlan(g)
	first := plan.Assignment.Members()[0]
	for _, topic := range g.Topics {
		for p := range topic.Partitions {
			plan.Give(first, topic.Name, p)
		}
	}
	return plan, nil
})

func TestACustomAssignorDecidesWhatTheBrokersReport(t *testing.T) {
	for name, protocol := range map[string]member.Protocol{
		"cooperative": {Assignor: firstTakesAll},
		"eager":       {Assignor: firstTakesAll, Eager: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, 5), unique(t, "group")
			configure := func(cfg *member.Config) { cfg.Protocols = []member.Protocol{protocol} }
			for range 3 {
				startConsumer(t, c, group, topic, configure)
			}
			owned := settled(t, c, group, topic, 3, 5)
			for n, id := range owned.Members() {
				if want := map[bool]int{true: 5, false: 0}[n == 0]; owned.Count(id) != want {
					t.Errorf("member %d by id has %d partitions, want %d: %v", n, owned.Count(id), want, owned)
				}
			}
			admin := kadm.NewClient(newClient(t, c))
			groups, err := admin.DescribeGroups(t.Context(), group)
			if err != nil {
				t.Fatal(err)
			}
			if got := groups[group].Protocol; got != "first-takes-all" {
				t.Errorf("the brokers report protocol %q", got)
			}
		})
	}
}

func TestThePlanThatOnPlanChangedIsWhatMembersGet(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 6), unique(t, "group")
	// Partition 5 belongs to the member with the label, whatever the assignor says.
	configure := func(cfg *member.Config) {
		cfg.OnPlan = func(_ context.Context, round member.Round) (assign.Plan, error) {
			plan := round.Proposed
			for _, m := range round.Problem.Members {
				if m.Labels["canary"] == "yes" {
					plan.Move(topic, 5, m.ID)
				}
			}
			return plan, nil
		}
	}
	startConsumer(t, c, group, topic, configure)
	startConsumer(t, c, group, topic, configure)
	canary := startConsumer(t, c, group, topic, func(cfg *member.Config) {
		configure(cfg)
		cfg.Traits.Labels = map[string]string{"canary": "yes"}
	})
	eventually(t, "partition 5 is the canary's", func() (bool, string) {
		owned := settled(t, c, group, topic, 3, 6)
		owner := owned.Owners()[topic][5]
		return owner == canary.id(), owner
	})
}

func TestAVetoLeavesAssignmentsUntouched(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 6), unique(t, "group")
	var veto atomic.Bool
	configure := func(cfg *member.Config) {
		cfg.OnPlan = func(_ context.Context, round member.Round) (assign.Plan, error) {
			if veto.Load() {
				return assign.Plan{}, member.ErrVeto
			}
			return round.Proposed, nil
		}
	}
	first := startConsumer(t, c, group, topic, configure)
	first.leads(t)
	startConsumer(t, c, group, topic, configure)
	before := settled(t, c, group, topic, 2, 6)

	veto.Store(true)
	late := startConsumer(t, c, group, topic, configure)
	after := settled(t, c, group, topic, 3, 6)
	if moves := assign.Diff(before, after); len(moves) > 0 {
		t.Errorf("partitions moved in spite of the veto: %v", moves)
	}
	if n := after.Count(late.id()); n != 0 {
		t.Errorf("the late member got %d partitions in spite of the veto", n)
	}
	vetoed := first.all(member.EventVetoed)
	if len(vetoed) == 0 || !errors.Is(vetoed[0].Err, member.ErrVeto) {
		t.Errorf("no event tells of the veto: %v", vetoed)
	}
}

func TestAPlanThatBreaksTheRulesIsNotSent(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	leader := startConsumer(t, c, group, topic, func(cfg *member.Config) {
		cfg.OnPlan = func(_ context.Context, round member.Round) (assign.Plan, error) {
			return assign.NewPlan(round.Problem), nil // gives nothing to anybody
		}
	})
	settled(t, c, group, topic, 1, 4)
	fallbacks := leader.all(member.EventFallback)
	if len(fallbacks) == 0 || !errors.Is(fallbacks[0].Err, assign.ErrInvalidPlan) {
		t.Fatalf("no event tells what was wrong with the plan: %v", fallbacks)
	}
	t.Log(fallbacks[0].Err)
}

// TestLeadRunsAgainUntilItIsDoneForItsTerm has a Lead that returns nil at first and is done
// at its second run, in one member and then in the one that leads after it.
func TestLeadRunsAgainUntilItIsDoneForItsTerm(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 2), unique(t, "group")
	var busy atomic.Int32
	configure := func(cfg *member.Config) {
		runs := 0
		cfg.Lead = func(context.Context, member.Term) error {
			defer busy.Add(-1)
			if busy.Add(1) > 1 {
				t.Error("two run at the same time")
			}
			if runs++; runs == 1 {
				return nil
			}
			return fmt.Errorf("run %d: %w", runs, member.ErrTermDone)
		}
	}
	first := startConsumer(t, c, group, topic, configure)
	done := func(k *consumer) {
		t.Helper()
		eventually(t, "the work of the term is done", func() (bool, string) {
			return len(k.all(member.EventLeadDone)) > 0, fmt.Sprint(k.all(member.EventLeadFailed))
		})
		failed, done := k.all(member.EventLeadFailed), k.all(member.EventLeadDone)
		if len(failed) != 1 || !k.Leading() {
			t.Fatalf("it was called again %d times, want once; leading %v", len(failed), k.Leading())
		}
		if waited := done[0].Time.Sub(failed[0].Time); waited < time.Second {
			t.Errorf("it was called again after %s", waited)
		}
	}
	done(first)
	next := startConsumer(t, c, group, topic, configure)
	settled(t, c, group, topic, 2, 2)
	if n := len(first.all(member.EventLeadDone)); n != 1 || !first.Leading() || len(next.all(member.EventLeading)) > 0 {
		t.Errorf("after a round the work was done %d times; the first leads: %v", n, first.Leading())
	}
	first.leave(t)
	next.leads(t)
	done(next)
}
