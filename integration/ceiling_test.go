package integration

import (
	"fmt"
	"testing"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestAMemberHasNoMoreThanItSaidItTakes: a ceiling travels to the leader with the member's
// subscription, groupctl plan sees it too, and where all members are full the leader tells
// what is beyond.
func TestAMemberHasNoMoreThanItSaidItTakes(t *testing.T) {
	const partitions = 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	start := func(most int32) *hooked {
		return startHooked(t, c, group, []string{topic}, member.HooksConfig{Traits: member.Traits{MaxPartitions: most}})
	}
	leader := start(0)
	leader.leads(t)
	small := start(1)
	share(t, topic, partitions, leader, small)
	eventually(t, "one partition on the member that takes one", func() (bool, string) {
		return len(small.has(topic)) == 1 && len(leader.has(topic)) == partitions-1, fmt.Sprint(small.has(topic), leader.has(topic))
	})
	planned := leader.last(member.EventPlanned)
	if len(planned.Plan.Unmet) > 0 {
		t.Errorf("not kept: %v", planned.Plan.Unmet)
	}
	p := buildGroupctl(t, c).plan(t, group)
	ceilings := 0
	for _, m := range p.Problem.Group.Members {
		ceilings += int(m.MaxPartitions)
	}
	if ceilings != 1 || len(p.Results["balanced"].Unmet) > 0 || p.Results["balanced"].Stats.MovedPartitions != 0 {
		t.Errorf("groupctl plan sees ceilings of %d in all, and plans %+v", ceilings, p.Results["balanced"])
	}

	// The leader takes three itself from here on: two of six fit nowhere.
	if err := leader.hooks.SetTraits(member.Traits{MaxPartitions: 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the leader tells of two that are beyond", func() (bool, string) {
		unmet := leader.last(member.EventPlanned).Plan.Unmet
		ok := len(unmet) == 2
		for _, u := range unmet {
			ok = ok && u.Constraint == assign.ConstraintMaxPartitions
		}
		return ok, fmt.Sprint(unmet)
	})
	share(t, topic, partitions, leader, small)
}
