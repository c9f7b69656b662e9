package integration

import (
	"fmt"
	"testing"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

func TestTheFirstJoinerLeadsAndEveryPartitionHasOneOwner(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 7), unique(t, "group")
	first := startConsumer(t, c, group, topic, nil)
	first.leads(t)
	second := startConsumer(t, c, group, topic, nil)
	third := startConsumer(t, c, group, topic, nil)

	owned := settled(t, c, group, topic, 3, 7)
	for id := range owned {
		if n := owned.Count(id); n < 2 || n > 3 {
			t.Errorf("member %s has %d of 7 partitions among 3 members, want 2 or 3", id, n)
		}
	}
	if !first.Leading() || second.Leading() || third.Leading() {
		t.Errorf("leading are first %v, second %v, third %v; want the first alone", first.Leading(), second.Leading(), third.Leading())
	}
	if n := len(first.all(member.EventLeading)); n != 1 {
		t.Errorf("the leader had %d terms, want one through all rounds", n)
	}
	for _, follower := range []*consumer{second, third} {
		if elected := follower.all(member.EventElected); len(elected) > 0 {
			t.Errorf("a follower was elected: %+v", elected)
		}
	}
}

func TestMembersBeyondThePartitionsAreIdleAndTakeOver(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 2), unique(t, "group")
	members := make(map[string]*consumer)
	for range 4 {
		k := startConsumer(t, c, group, topic, nil)
		eventually(t, "the member has an id", func() (bool, string) { return k.id() != "", "none" })
		members[k.id()] = k
	}
	owned := settled(t, c, group, topic, 4, 2)
	var owners, idle []string
	for _, id := range owned.Members() {
		switch owned.Count(id) {
		case 0:
			idle = append(idle, id)
		case 1:
			owners = append(owners, id)
		}
	}
	if len(owners) != 2 || len(idle) != 2 {
		t.Fatalf("%d members have one partition and %d are idle, want 2 and 2: %v", len(owners), len(idle), owned)
	}

	members[owners[0]].leave(t)
	after := settled(t, c, group, topic, 3, 2)
	if after.Count(owners[1]) != 1 {
		t.Errorf("the other owner has %d partitions, want the one that it had", after.Count(owners[1]))
	}
	if after.Count(idle[0])+after.Count(idle[1]) != 1 {
		t.Errorf("no idle member took over: %v", after)
	}
}

func TestMembersOfOneGroupShareTheRecordsAndEveryGroupReadsThemAll(t *testing.T) {
	const records = 600
	c := cluster.Shared(t)
	topic, one, other := newTopic(t, c, 6), unique(t, "group"), unique(t, "group")
	a, b := startConsumer(t, c, one, topic, nil), startConsumer(t, c, one, topic, nil)
	x := startConsumer(t, c, other, topic, nil)
	settled(t, c, one, topic, 2, 6)
	settled(t, c, other, topic, 1, 6)
	produce(t, c, topic, records)

	eventually(t, "both groups handled every record", func() (bool, string) {
		shared, alone := distinct(a, b), distinct(x)
		return shared == records && alone == records, fmt.Sprintf("%d and %d of %d", shared, alone, records)
	})
	if n := distinct(a) + distinct(b); n != records {
		t.Errorf("the two members of one group handled %d records together, want %d: each once", n, records)
	}
	if distinct(a) == 0 || distinct(b) == 0 {
		t.Errorf("the members of one group handled %d and %d records, want some each", distinct(a), distinct(b))
	}
}
