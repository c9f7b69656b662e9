package integration

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestLeadershipEndsWhileTheBrokerHostsTheGroup has a member that speaks KIP-848 join a
// group of the classic protocol, and leave it again.
func TestLeadershipEndsWhileTheBrokerHostsTheGroup(t *testing.T) {
	const partitions = 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startConsumer(t, c, group, topic, nil)
	leader.leads(t)
	follower := startConsumer(t, c, group, topic, nil)
	settled(t, c, group, topic, 2, partitions)

	guest := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	for name, k := range map[string]*consumer{"leader": leader, "follower": follower} {
		eventually(t, "the former "+name+" knows that nobody leads", func() (bool, string) {
			state := k.State()
			return state == member.StateLeaderless && !k.Leading(), string(state)
		})
	}
	eventually(t, "the leader told that it is none", func() (bool, string) { // later than it knew
		return len(leader.all(member.EventResigned)) > 0 && len(leader.all(member.EventLeaderless)) > 0, ""
	})
	resigned := leader.all(member.EventResigned)
	if len(resigned) != 1 || !errors.Is(resigned[0].Err, member.ErrLeaderless) {
		t.Errorf("the leader resigned because of %v", resigned)
	}
	if told := leader.all(member.EventLeaderless); len(told) != 1 || !errors.Is(told[0].Err, member.ErrLeaderless) {
		t.Errorf("no event tells of it: %v", told)
	}
	if told := follower.all(member.EventResigned); len(told) > 0 {
		t.Errorf("a follower resigned: %v", told)
	}

	guest.Close()
	eventually(t, "one of the members leads again, the other follows", func() (bool, string) {
		a, b := leader.State(), follower.State()
		return a == member.StateLeading && b == member.StateFollowing || a == member.StateFollowing && b == member.StateLeading, fmt.Sprintf("%s and %s", a, b)
	})
	settled(t, c, group, topic, 2, partitions)
}

// TestALeaderThatLeavesAHostedGroupLeavesNoOtherBehind: the group is led again by who
// stayed, once the last member that speaks KIP-848 left.
func TestALeaderThatLeavesAHostedGroupLeavesNoOtherBehind(t *testing.T) {
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startConsumer(t, c, group, topic, nil)
	leader.leads(t)
	guest := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	late := startConsumer(t, c, group, topic, nil)
	for _, k := range []*consumer{leader, late} {
		eventually(t, "a member knows that nobody leads", func() (bool, string) {
			return k.State() == member.StateLeaderless, string(k.State())
		})
	}
	leader.leave(t)
	guest.Close()
	late.leads(t)
	settled(t, c, group, topic, 1, partitions)
}
