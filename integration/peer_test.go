package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// peer is a member of a group that another client than this library runs.
type peer interface {
	// has returns the partitions of its topic that it has.
	has() []int32
	// values returns the records that it consumed, and how often.
	values() map[string]int
	// stop has it leave the group; it may be called repeatedly.
	stop()
}

// starts is how tests start a peer, with the names of the protocols that it is to offer,
// the most preferred first.
type starts func(t *testing.T, c *cluster.Cluster, group, topic string, protocols ...string) peer

// handledBy counts how often the records were handled by any of the members.
func handledBy(members []*hooked, peers []peer) map[string]int {
	seen := make(map[string]int)
	for _, k := range members {
		k.mu.Lock()
		for value, n := range k.handled {
			seen[value] += n
		}
		k.mu.Unlock()
	}
	for _, p := range peers {
		for value, n := range p.values() {
			seen[value] += n
		}
	}
	return seen
}

// handledAll waits until the records from 0 on were all handled by one of the members.
func handledAll(t *testing.T, records int, members []*hooked, peers ...peer) {
	t.Helper()
	eventually(t, fmt.Sprintf("all %d records are handled", records), func() (bool, string) {
		seen, missing := handledBy(members, peers), 0
		for i := range records {
			if seen[fmt.Sprint(i)] == 0 {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d are missing", missing)
	})
}

// handledOnce produces records while the group is settled, and fails where one of them is
// handled by two.
func handledOnce(t *testing.T, c *cluster.Cluster, topic string, from, records int, members []*hooked, peers ...peer) {
	t.Helper()
	produceFrom(t, c, topic, from, records)
	handledAll(t, from+records, members, peers...)
	seen := handledBy(members, peers)
	for i := from; i < from+records; i++ {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d was handled %d times", i, n)
		}
	}
}

// evenly waits until the members and peers have each partition of the topic once, all of
// them as many.
func evenly(t *testing.T, topic string, partitions int, members []*hooked, peers ...peer) {
	t.Helper()
	share := partitions / (len(members) + len(peers))
	eventually(t, fmt.Sprintf("%d members have %d partitions each", len(members)+len(peers), share), func() (bool, string) {
		var each [][]int32
		for _, k := range members {
			each = append(each, k.has(topic))
		}
		for _, p := range peers {
			each = append(each, p.has())
		}
		even := !slices.ContainsFunc(each, func(has []int32) bool { return len(has) != share })
		all := slices.Concat(each...)
		slices.Sort(all)
		return even && len(slices.Compact(all)) == partitions, fmt.Sprint(each)
	})
}

// unharmed fails the test where a leader of ours could not read a member, or had to do
// without its assignor.
func unharmed(t *testing.T, members ...*hooked) {
	t.Helper()
	for _, k := range members {
		for _, e := range append(k.all(member.EventIsolated), k.all(member.EventFallback)...) {
			t.Errorf("%s of %s: %v", e.Kind, e.Subject, e.Err)
		}
	}
}

// protocolOf returns the protocol that the coordinator chose for a group.
func protocolOf(t *testing.T, admin *kadm.Client, group string) string {
	t.Helper()
	groups, err := admin.DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return groups[group].Protocol
}

// patient is a session that a member does not lose on a busy machine. All members leave by
// themselves where it is used.
var patient = kgo.SessionTimeout(30 * time.Second)

// named are hooks of a member that offers these protocols, and tells of itself what other
// clients do not know how to read.
func named(protocols ...string) member.HooksConfig {
	cfg := member.HooksConfig{Traits: member.Traits{Capacity: 1, Labels: map[string]string{"version": "7"}}}
	for _, name := range protocols {
		cfg.Protocols = append(cfg.Protocols, member.Protocol{Assignor: assign.Balanced{}, Name: name})
	}
	return cfg
}
