package member

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// leader plays the client of a member that is elected in each round, and needs no
// cluster for it.
type leader struct {
	t          *testing.T
	hooks      *Hooks
	balancer   *balancer
	generation int32
	events     []Event
}

func newLeader(t *testing.T, cfg HooksConfig) *leader {
	t.Helper()
	l := &leader{t: t}
	if cfg.Protocols == nil {
		cfg.Protocols = []Protocol{{Assignor: assign.Balanced{}}}
	}
	cfg.OnEvent = func(e Event) {
		if e.Kind != EventUnattached { // which there is no client for, and a timer tells
			l.events = append(l.events, e)
		}
	}
	hooks, err := NewHooks(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.hooks = hooks
	l.balancer = &balancer{hooks: hooks, protocol: cfg.Protocols[0], first: true}
	return l
}

// TestAnAssignorThatUsesItsListsAgainGivesNoPartitionTwice: what a member owns is not what
// the assignor makes of the lists that it returned before.
func TestAnAssignorThatUsesItsListsAgainGivesNoPartitionTwice(t *testing.T) {
	me, you := []int32{0, 1}, []int32{2, 3}
	l := newLeader(t, HooksConfig{Protocols: []Protocol{{Assignor: assign.New("again", func(assign.Group) (assign.Plan, error) {
		return assign.Plan{Assignment: assign.Assignment{"me": {{Topic: "t", Partitions: me}}, "you": {{Topic: "t", Partitions: you}}}}, nil
	})}}})
	l.round(4, joined("me", l.says()), joined("you", l.says()))
	me[0], me[1], you[0], you[1] = 2, 3, 0, 1
	if got := l.round(4, joined("me", l.says(0, 1)), joined("you", l.says(2, 3))); len(got["me"])+len(got["you"]) > 0 {
		t.Errorf("nothing is withheld of partitions that move: %v", got)
	}
}

// says is the metadata of a member that subscribes to topic "t".
func (l *leader) says(owned ...int32) []byte {
	var tps []assign.TopicPartitions
	if len(owned) > 0 {
		tps = []assign.TopicPartitions{{Topic: "t", Partitions: owned}}
	}
	return encodeSubscription(l.balancer.protocol, []string{"t"}, tps, l.generation, nil)
}

var garbled = []byte{1, 2, 3}

// round plays a round of topic "t" up to the answer to SyncGroup and returns what each
// member is given.
func (l *leader) round(partitions int32, members ...*kmsg.JoinGroupResponseMember) map[string][]int32 {
	l.t.Helper()
	given := l.plan(partitions, members...)
	l.sync(given["me"])
	return given
}

func (l *leader) plan(partitions int32, members ...*kmsg.JoinGroupResponseMember) map[string][]int32 {
	l.t.Helper()
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
	l.generation++
	list := make([]kmsg.JoinGroupResponseMember, len(members))
	for i, m := range members {
		list[i] = *m
	}
	r, topics, err := l.balancer.MemberBalancer(list)
	if err != nil {
		l.t.Fatal(err)
	}
	for topic := range topics {
		if topic != "t" {
			l.t.Errorf("the topic %q is asked for", topic)
		}
	}
	r.(kgo.GroupMemberBalancerInfo).SetBalanceInfo(kgo.BalanceInfo{Group: "g", Generation: l.generation, LeaderID: "me"})
	into, err := r.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"t": partitions})
	if err != nil {
		l.t.Fatal(err)
	}
	given := make(map[string][]int32)
	for _, a := range into.IntoSyncAssignment() {
		if _, twice := given[a.MemberID]; twice {
			l.t.Errorf("%s is given something twice", a.MemberID)
		}
		assigned, err := kgo.ParseConsumerSyncAssignment(a.MemberAssignment)
		if err != nil {
			l.t.Fatal(err)
		}
		given[a.MemberID] = assigned["t"]
	}
	return given
}

// sync answers SyncGroup.
func (l *leader) sync(partitions []int32) {
	l.t.Helper()
	var wire kmsg.ConsumerMemberAssignment
	if len(partitions) > 0 {
		wire.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t", Partitions: partitions}}
	}
	if _, err := l.balancer.ParseSyncAssignment(wire.AppendTo(nil)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *leader) of(kind EventKind) (found []Event) {
	for _, e := range l.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// replans tells whether the round brings about another one.
func (l *leader) replans() bool {
	defer func() { l.hooks.replan = false }()
	return l.hooks.replan
}

func count(given map[string][]int32) (n int) {
	for _, list := range given {
		n += len(list)
	}
	return n
}

func TestEachFailureOfTheUsersCodeHasItsEvent(t *testing.T) {
	good := assign.Balanced{}
	for name, c := range map[string]struct {
		cfg  HooksConfig
		kind EventKind
		says string
	}{
		"assignor panics":  {HooksConfig{Protocols: []Protocol{{Assignor: assign.New("a", func(assign.Group) (assign.Plan, error) { panic("boom") })}}}, EventFallback, "the assignor panicked: boom"},
		"assignor fails":   {HooksConfig{Protocols: []Protocol{{Assignor: assign.New("a", func(assign.Group) (assign.Plan, error) { return assign.Plan{}, errors.New("no") })}}}, EventFallback, `assignor "a" failed: no`},
		"assignor forgets": {HooksConfig{Protocols: []Protocol{{Assignor: assign.New("a", func(assign.Group) (assign.Plan, error) { return assign.Plan{}, nil })}}}, EventFallback, "t[0] is given to nobody"},
		"assignor overdue": {HooksConfig{Protocols: []Protocol{{Assignor: assign.New("a", func(assign.Group) (assign.Plan, error) { time.Sleep(time.Hour); return assign.Plan{}, nil })}}}, EventFallback, "was not back after 15s"},
		"weights panic":    {HooksConfig{Weights: func(context.Context, []assign.Topic) (map[string][]float64, error) { panic("boom") }}, EventFallback, "without weights: Weights panicked: boom"},
		"weights overdue": {HooksConfig{Weights: func(ctx context.Context, _ []assign.Topic) (map[string][]float64, error) {
			<-ctx.Done()
			return nil, nil
		}}, EventFallback, "without weights: Weights was not back after 7.5s"},
		"weights make no sense": {HooksConfig{Weights: func(context.Context, []assign.Topic) (map[string][]float64, error) {
			return map[string][]float64{"t": {-1}}, nil
		}}, EventFallback, "weight -1"},
		"OnPlan vetoes": {HooksConfig{OnPlan: func(context.Context, Round) (assign.Plan, error) {
			return assign.Plan{}, fmt.Errorf("too much: %w", ErrVeto)
		}}, EventVetoed, "too much"},
		"OnPlan fails":   {HooksConfig{OnPlan: func(context.Context, Round) (assign.Plan, error) { return assign.Plan{}, errors.New("no") }}, EventFallback, "OnPlan failed: no"},
		"OnPlan panics":  {HooksConfig{OnPlan: func(context.Context, Round) (assign.Plan, error) { panic("boom") }}, EventFallback, "OnPlan panicked: boom"},
		"OnPlan overdue": {HooksConfig{OnPlan: func(ctx context.Context, _ Round) (assign.Plan, error) { <-ctx.Done(); return assign.Plan{}, nil }}, EventFallback, "OnPlan was not back after 15s"},
		"OnPlan gives twice": {HooksConfig{OnPlan: func(_ context.Context, r Round) (assign.Plan, error) {
			r.Proposed.Give("me", "t", 0)
			r.Proposed.Give("other", "t", 0)
			return r.Proposed, nil
		}}, EventFallback, "OnPlan failed"},
		"OnPlan invents a member": {HooksConfig{OnPlan: func(_ context.Context, r Round) (assign.Plan, error) {
			r.Proposed.Move("t", 0, "nobody")
			return r.Proposed, nil
		}}, EventFallback, "OnPlan failed: the plan breaks the rules"},
		"OnPlan has nil": {HooksConfig{OnPlan: func(context.Context, Round) (assign.Plan, error) { return assign.Plan{}, nil }}, EventFallback, "given to nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.cfg.Protocols == nil {
					c.cfg.Protocols = []Protocol{{Assignor: good}}
				}
				l := newLeader(t, c.cfg)
				given := l.round(4, joined("me", l.says(0, 3)), joined("other", l.says(2)))
				if !reflect.DeepEqual(given, map[string][]int32{"me": {0, 3}, "other": {1, 2}}) {
					t.Errorf("what is owned must stay, and what is not go to the other: %v", given)
				}
				got := l.of(c.kind)
				if len(got) != 1 || !strings.Contains(got[0].Err.Error(), c.says) {
					t.Errorf("got %v, want an event that says %q", got, c.says)
				}
				if l.hooks.pending == nil || len(l.of(EventPlanned)) != 1 {
					t.Error("the round must be planned and make this member lead")
				}
				time.Sleep(2 * time.Hour) // for what lingers to come back
			})
		})
	}
}

func TestOnPlanDecides(t *testing.T) {
	var seen Round
	var kept assign.Plan
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, r Round) (assign.Plan, error) {
		seen = r
		for p := range int32(4) {
			r.Proposed.Move("t", p, "other")
		}
		kept = r.Proposed
		return r.Proposed, nil
	}})
	given := l.round(4, joined("me", l.says(0)), joined("other", l.says(2)), joined("bad", garbled))
	if !reflect.DeepEqual(given, map[string][]int32{"me": nil, "other": {2}, "bad": nil}) {
		t.Errorf("got %v: 0 waits for its owner, 1 and 3 for the isolated member", given)
	}
	if seen.Leader != "me" || seen.Group != "g" || seen.Generation != 1 || seen.Protocol != "balanced" || !seen.Cooperative ||
		!slices.Equal(seen.Isolated, []string{"bad"}) || seen.Previous != nil || seen.Stats.Partitions != 4 {
		t.Errorf("got %+v", seen)
	}
	for id := range kept.Assignment { // what the user does with it later is the user's
		kept.Assignment[id] = nil
	}
	l.round(4, joined("me", l.says()), joined("other", l.says(2)))
	if want := (assign.Assignment{"other": {{Topic: "t", Partitions: []int32{2}}}}); !seen.Previous.Equal(want) {
		t.Errorf("previous %v, want %v", seen.Previous, want)
	}
}

func TestWeightsReachTheAssignor(t *testing.T) {
	l := newLeader(t, HooksConfig{Weights: func(_ context.Context, topics []assign.Topic) (map[string][]float64, error) {
		if len(topics) != 1 || topics[0].Name != "t" || topics[0].Partitions != 4 {
			t.Errorf("got %+v", topics)
		}
		return map[string][]float64{"t": {3, 1, 1, 1}}, nil
	}})
	given := l.round(4, joined("me", l.says()), joined("other", l.says()))
	if !reflect.DeepEqual(given, map[string][]int32{"me": {0}, "other": {1, 2, 3}}) && !reflect.DeepEqual(given, map[string][]int32{"other": {0}, "me": {1, 2, 3}}) {
		t.Errorf("got %v", given)
	}
}

func TestARoundWithoutAPlanOfItsOwnBringsAnother(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	// KIP-814: the static leader came back, kgo does not ask for a plan.
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, -1)
	r, _, _ := l.balancer.MemberBalancer([]kmsg.JoinGroupResponseMember{*joined("me", l.says())})
	r.(kgo.GroupMemberBalancerInfo).SetBalanceInfo(kgo.BalanceInfo{Group: "g", Generation: 3, LeaderID: "me"})
	l.sync([]int32{0})
	if !l.replans() || l.hooks.pending != nil || l.hooks.adopted != nil {
		t.Error("a round must follow, and this member must not lead before")
	}
	// Under a well-known name kgo asks, and does not send the plan.
	given := l.plan(4, joined("me", l.says()))
	l.sync(given["me"][:1])
	if !l.replans() || l.hooks.pending != nil {
		t.Error("the plan was not adopted")
	}
	given = l.plan(4, joined("me", l.says()))
	l.sync(given["me"])
	if l.replans() || l.hooks.pending == nil {
		t.Error("the plan was adopted")
	}
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, 1)
	if _, err := l.balancer.ParseSyncAssignment(nil); err != nil || l.hooks.pending != nil {
		t.Errorf("a member that the leader left out has nothing and does not lead: %v", err)
	}
}

// Under a well-known name nothing tells that the coordinator kept the plan that it had,
// each time that a static member took its place again.
func TestTheFirstPlanOfAStaticMemberUnderEachIDIsNotCountedOn(t *testing.T) {
	l := newLeader(t, HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}, Name: cooperativeStickyName}}})
	for _, id := range []string{"i-1", "i-2"} {
		for _, counts := range []bool{false, true} {
			l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
			m := joined(id, l.says())
			m.InstanceID = kmsg.StringPtr("i")
			r, _, _ := l.balancer.MemberBalancer([]kmsg.JoinGroupResponseMember{*m})
			r.(kgo.GroupMemberBalancerInfo).SetBalanceInfo(kgo.BalanceInfo{Group: "g", Generation: 3, LeaderID: id})
			if _, err := r.(*round).BalanceOrError(map[string]int32{"t": 1}); err != nil {
				t.Fatal(err)
			}
			l.sync([]int32{0})
			if l.hooks.replan == counts || (l.hooks.adopted != nil) != counts {
				t.Errorf("of %s, counted on %t: a round follows %t", id, counts, l.hooks.replan)
			}
			l.hooks.replan = false
		}
	}
}

// The successor may begin when its SyncGroup is answered, so the term ends when this
// member sends its own.
func TestATermEndsWhenJoinGroupNamesAnother(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	given := l.round(1, joined("me", l.says()))
	if l.hooks.pending == nil {
		t.Fatalf("given %v, and no term", given)
	}
	t0 := l.hooks.pending
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
	if t0.ctx.Err() != nil {
		t.Error("a round ended the term")
	}
	l.hooks.syncing()
	if !errors.Is(context.Cause(t0.ctx), ErrSucceeded) {
		t.Errorf("the term ended because of %v", context.Cause(t0.ctx))
	}
}

// What asks for a new plan while one is made is for the next round, and what a round was
// for that came to nothing is still due.
func TestAReplanDuringARoundIsForTheNext(t *testing.T) {
	var h *Hooks
	asked := 0
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, r Round) (assign.Plan, error) {
		if asked++; asked == 2 {
			h.Replan("the load changed")
		}
		return r.Proposed, nil
	}})
	h = l.hooks
	given := l.round(4, joined("me", l.says()))
	given = l.round(4, joined("me", l.says(given["me"]...)), joined("b", l.says())) // partitions are withheld from b
	if asked != 2 || !l.replans() {
		t.Fatalf("OnPlan was asked %d times, want 2 and a round to follow", asked)
	}
	members := []*kmsg.JoinGroupResponseMember{joined("me", l.says(given["me"]...)), joined("b", l.says(given["b"]...))}
	l.plan(4, members...) // SyncGroup fails
	l.round(4, members...)
	planned := l.of(EventPlanned)
	for _, e := range planned[len(planned)-2:] {
		if !strings.Contains(e.Reason, "forced: the load changed") {
			t.Errorf("a round happened because: %s", e.Reason)
		}
	}
	if asked != 4 {
		t.Errorf("OnPlan was asked %d times, want 4", asked)
	}
	if l.round(4, members...); asked == 5 && strings.Contains(l.of(EventPlanned)[4].Reason, "the load changed") {
		t.Error("it is told again of a later round")
	}
}

// Rounds that come to nothing one after the other do not pile up what they were for.
func TestReasonsStayFewWhileRoundsComeToNothing(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	for i := range 20 {
		l.hooks.Replan(fmt.Sprint("load ", i))
		l.plan(1, joined("me", l.says())) // SyncGroup fails
	}
	planned := l.of(EventPlanned)
	last := planned[len(planned)-1]
	if n := len(last.Causes); n > maxReasons+1 || !strings.Contains(last.Reason, "load 0") {
		t.Errorf("%d causes: %s", n, last.Reason)
	}
}

func TestEventsOfARoundComeInOrder(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.round(4, joined("me", l.says()), joined("bad", garbled))
	var kinds []EventKind
	for _, e := range l.events {
		kinds = append(kinds, e.Kind)
	}
	if want := []EventKind{EventJoining, EventElected, EventIsolated, EventPlanned, EventAssigned}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}

func TestRacksOfReplicasComeFromTheClientsMetadata(t *testing.T) {
	rack := func(name string) *string { return &name }
	r := &round{hooks: &Hooks{}, group: assign.Group{Members: []assign.Member{{ID: "me", Topics: []string{"t", "u"}, Rack: "r1"}}}}
	r.info = kgo.BalanceInfo{
		Topics: func() map[string]kgo.TopicMetadata {
			return map[string]kgo.TopicMetadata{"t": {Partitions: []kgo.PartitionMetadata{
				{Partition: 0, Leader: 2, Replicas: []int32{1, 2, 3}},
				{Partition: 7, Leader: 1, Replicas: []int32{1}}, // more than the plan is for
			}}}
		},
		Brokers: func() map[int32]kgo.BrokerMetadata {
			return map[int32]kgo.BrokerMetadata{1: {NodeID: 1, Rack: rack("r1")}, 2: {NodeID: 2, Rack: rack("r2")}, 3: {NodeID: 3}}
		},
	}
	r.describeTopics(map[string]int32{"t": 2})
	want := []assign.Topic{{Name: "t", Partitions: 2, Racks: [][]string{{"r2", "r1", ""}, nil}}, {Name: "u", Racks: [][]string{}}}
	if !reflect.DeepEqual(r.group.Topics, want) {
		t.Errorf("got %+v, want %+v", r.group.Topics, want)
	}
}

func TestATargetThatWithholdsIsRefused(t *testing.T) {
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		return assign.Withhold(round.Problem, round.Proposed), nil
	}})
	given := l.round(4, joined("me", l.says(0, 1, 2, 3)), joined("you", l.says()))
	if fallbacks := l.of(EventFallback); len(fallbacks) != 1 || !errors.Is(fallbacks[0].Err, assign.ErrInvalidPlan) {
		t.Errorf("got %v", fallbacks)
	}
	if count(given) != 4 {
		t.Errorf("got %v: what is withheld for good is lost", given)
	}
}

func TestTraitsThatChangeAreToldInTheNextRound(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	if err := l.hooks.SetTraits(Traits{Draining: true}); err != nil {
		t.Fatal(err)
	}
	metadata := l.balancer.JoinGroupMetadata([]string{"t"}, nil, 1)
	m, err := newSubscriptionReader(nil).member(l.balancer.protocol, joined("me", metadata))
	if err != nil || !m.Draining {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := l.hooks.SetTraits(Traits{Capacity: -1}); err == nil {
		t.Error("a negative capacity is accepted")
	}
}

func TestClassesReachTheAssignor(t *testing.T) {
	var seen string
	l := newLeader(t, HooksConfig{Classes: map[string]string{"t": "tenant-7"}, OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		seen = round.Problem.Topics[0].Class
		return round.Proposed, nil
	}})
	l.round(1, joined("me", l.says()))
	if seen != "tenant-7" {
		t.Errorf("the class is %q", seen)
	}
}
