package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestAMemberThatRestartsFindsItsPlaceHeld: with Hold the other members of a group do not
// notice a rolling restart of their peers.
func TestAMemberThatRestartsFindsItsPlaceHeld(t *testing.T) {
	const partitions = 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	start := func(pod string) *hooked {
		return startHooked(t, c, group, []string{topic}, member.HooksConfig{
			Hold:   member.Hold{For: patience, Label: "pod"},
			Traits: member.Traits{Labels: map[string]string{"pod": pod}},
		})
	}
	leader := start("0")
	leader.leads(t)
	one, two := start("1"), start("2")
	share(t, topic, partitions, leader, one, two)
	ours, ones, twos := leader.has(topic), one.has(topic), two.has(topic)

	one.close()
	var gone member.Event
	eventually(t, "the leader plans without it", func() (bool, string) {
		gone = leader.last(member.EventPlanned)
		return len(gone.Plan.Withheld) == len(ones), fmt.Sprint(gone.Reason, gone.Plan)
	})
	if gone.Stats.MovedPartitions != 0 || len(gone.Plan.Withheld) != len(ones) {
		t.Errorf("a restart moves %+v, and withholds %v", gone.Stats, gone.Plan.Withheld)
	}
	one = start("1")
	eventually(t, "it has what it had", func() (bool, string) { return slices.Equal(one.has(topic), ones), fmt.Sprint(one.has(topic), ones) })
	if !slices.Equal(leader.has(topic), ours) || !slices.Equal(two.has(topic), twos) {
		t.Errorf("the others have %v and %v, and had %v and %v", leader.has(topic), two.has(topic), ours, twos)
	}
	back := leader.last(member.EventPlanned)
	if len(back.Plan.Withheld) != 0 {
		t.Errorf("withheld %v", back.Plan.Withheld)
	}
	t.Logf("%q, then %q", gone.Reason, back.Reason)
}

// TestAPlaceThatNobodyComesBackToIsGivenAway: the leader brings about a round of its own.
func TestAPlaceThatNobodyComesBackToIsGivenAway(t *testing.T) {
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	cfg := member.HooksConfig{Hold: member.Hold{For: 2 * time.Second, Label: "pod"}, Traits: member.Traits{Labels: map[string]string{"pod": "0"}}}
	leader := startHooked(t, c, group, []string{topic}, cfg)
	leader.leads(t)
	cfg.Traits.Labels = map[string]string{"pod": "1"}
	other := startHooked(t, c, group, []string{topic}, cfg)
	share(t, topic, partitions, leader, other)
	other.close()
	share(t, topic, partitions, leader)
	if got := leader.last(member.EventPlanned).Reason; got != "forced: a place is not held any more" {
		t.Errorf("the round happened because of %q", got)
	}
}
