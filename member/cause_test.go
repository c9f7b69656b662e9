package member

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// caused plays a round and returns why it happened, as OnPlan is told. Where OnPlan is
// not asked it is what the event tells.
func (l *leader) caused(partitions int32, members ...*kmsg.JoinGroupResponseMember) string {
	l.t.Helper()
	l.round(partitions, members...)
	planned := l.of(EventPlanned)
	return planned[len(planned)-1].Reason
}

func (l *leader) saysOf(topics []string, traits Traits, owned ...int32) []byte {
	l.t.Helper()
	encoded, err := traits.encode()
	if err != nil {
		l.t.Fatal(err)
	}
	return encodeSubscription(l.balancer.protocol, topics, []assign.TopicPartitions{{Topic: "t", Partitions: owned}}, l.generation, encoded)
}

func TestARoundTellsWhyItHappened(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	static := func(id string, metadata []byte) *kmsg.JoinGroupResponseMember {
		m := joined(id, metadata)
		m.InstanceID = kmsg.StringPtr("i1")
		return m
	}
	t4, drained := []string{"t"}, Traits{Draining: true}
	for _, step := range []struct {
		want    string
		members []*kmsg.JoinGroupResponseMember
	}{
		{"first", []*kmsg.JoinGroupResponseMember{joined("me", l.says())}},
		{"unknown", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1, 2, 3))}},
		{"joined you; joined one", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1, 2, 3)), joined("you", l.says()), static("one", l.says())}},
		{"revoked", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1)), joined("you", l.says()), static("one", l.says())}},
		{"restarted two: before as one", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1)), joined("you", l.says(2)), static("two", l.says(3))}},
		{"traits you: drains", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1)), joined("you", l.saysOf(t4, drained, 2)), static("two", l.says(3))}},
		{"left you", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1)), static("two", l.says(3))}},
		{"joined bad: cannot be read", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1)), static("two", l.says(2, 3)), joined("bad", garbled)}},
		{"left bad; left two", []*kmsg.JoinGroupResponseMember{joined("me", l.says(0, 1))}},
	} {
		if got := l.caused(4, step.members...); got != step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
	if got := l.caused(6, joined("me", l.says(0, 1, 2, 3))); got != "topic t: 6 partitions instead of 4" {
		t.Errorf("got %q", got)
	}
	l.hooks.Replan("the weights changed")
	l.hooks.Replan("so did the weather")
	if got := l.caused(6, joined("me", l.says(0, 1, 2, 3, 4, 5))); got != "forced: the weights changed; forced: so did the weather" {
		t.Errorf("got %q", got)
	}
	if got := l.caused(6, joined("me", l.says(0, 1, 2, 3, 4, 5))); got != "unknown" {
		t.Errorf("a reason counts once: %q", got)
	}
}

func TestEachTraitThatChangesIsACause(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.round(4, joined("me", l.says()), joined("you", l.says()))
	for _, step := range []struct {
		want   string
		traits Traits
	}{
		{"capacity 2 instead of 1", Traits{Capacity: 2}},
		{"ceiling of partitions 1 instead of none", Traits{Capacity: 2, MaxPartitions: 1}},
		{"ceiling of weight 2.5 instead of none", Traits{Capacity: 2, MaxPartitions: 1, MaxWeight: 2.5}},
		{"ceiling of partitions none instead of 1", Traits{Capacity: 2, MaxWeight: 2.5}},
		{"labels", Traits{Capacity: 2, MaxWeight: 2.5, Labels: map[string]string{"a": "b"}}},
		{"drains", Traits{Capacity: 2, MaxWeight: 2.5, Labels: map[string]string{"a": "b"}, Draining: true}},
		{"does not drain any more", Traits{}},
	} {
		if got := l.caused(4, joined("me", l.says()), joined("you", l.saysOf([]string{"t"}, step.traits))); got != "traits you: "+step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
}

func TestAMemberThatSubscribesAnewIsACause(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.round(2, joined("me", l.says()), joined("you", l.says()))
	other := joined("you", l.saysOf([]string{"t", "u"}, Traits{}))
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
	r, topics, err := l.balancer.MemberBalancer([]kmsg.JoinGroupResponseMember{*joined("me", l.says()), *other})
	if err != nil || len(topics) != 2 {
		t.Fatal(topics, err)
	}
	r.Balance(map[string]int32{"t": 2, "u": 1})
	if got := r.(*round).causes; len(got) != 1 || got[0] != (Cause{Kind: CauseSubscription, Member: "you"}) {
		t.Errorf("got %v", got)
	}
}

func TestManyCausesAreToldInFewWords(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.round(4, joined("me", l.says()))
	members := []*kmsg.JoinGroupResponseMember{joined("me", l.says())}
	for _, id := range strings.Split("abcdefghijkl", "") {
		members = append(members, joined(id, l.says()))
	}
	if got := l.caused(4, members...); !strings.HasSuffix(got, "joined h; and 4 more") {
		t.Errorf("got %q", got)
	}
}

func TestOnPlanKnowsThePlanBefore(t *testing.T) {
	var seen Round
	l := newLeader(t, HooksConfig{OnPlan: func(_ context.Context, round Round) (assign.Plan, error) {
		seen = round
		return round.Proposed, nil
	}})
	given := l.round(4, joined("me", l.says()), joined("you", l.says()))
	if seen.Previous != nil || seen.PreviousMembers != nil || len(seen.Causes) != 1 || seen.Causes[0].Kind != CauseFirst {
		t.Errorf("got %+v", seen)
	}
	l.round(4, joined("me", l.says(given["me"]...)))
	var ids []string
	for _, m := range seen.PreviousMembers {
		ids = append(ids, m.ID)
	}
	if !slices.Equal(ids, []string{"me", "you"}) || seen.Previous.Count("you") != 2 {
		t.Errorf("got %v with %v", ids, seen.Previous)
	}
}
