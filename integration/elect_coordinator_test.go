package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// team is the candidates of an election, or the members of a group, of which one leads.
type team struct {
	t          *testing.T
	name       string // of the election or group
	ledger     *ledger
	candidates []*elector
	members    []*hooked
}

// teamSize is also how many partitions a group has.
const teamSize = 3

// lead acts for as long as it may, and tells the ledger.
func (m *team) lead(process int) func(context.Context, member.Term) error {
	return func(ctx context.Context, term member.Term) error {
		for {
			e := entry{What: acted, Process: process, At: clock(), Member: term.Member, Fence: term.Fence().Number}
			if ctx.Err() != nil {
				e.What = ended
				m.ledger.add(&e)
				return nil
			}
			m.ledger.add(&e)
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

func startElection(t *testing.T, c *cluster.Cluster, name string, session time.Duration) *team {
	m := &team{t: t, name: name, ledger: newLedger(t)}
	for i := range teamSize {
		m.candidates = append(m.candidates, elect(t, c, name, fmt.Sprintf("candidate-%d", i), func(cfg *member.ElectionConfig) {
			cfg.SessionTimeout, cfg.HeartbeatInterval, cfg.Lead = session, 200*time.Millisecond, m.lead(i)
		}))
	}
	return m
}

func startGroup(t *testing.T, c *cluster.Cluster, name string, session time.Duration) *team {
	m := &team{t: t, name: name, ledger: newLedger(t)}
	topic := newTopic(t, c, teamSize)
	for i := range teamSize {
		m.members = append(m.members, startHooked(t, c, name, []string{topic}, member.HooksConfig{Lead: m.lead(i)}, kgo.SessionTimeout(session)))
	}
	share(t, topic, teamSize, m.members...)
	return m
}

// leading waits until somebody acts as leader after a time, and all who can know it know
// who that is.
func (m *team) leading(since int64) (first entry) {
	m.t.Helper()
	eventually(m.t, "somebody leads "+m.name, func() (bool, string) {
		for _, e := range m.ledger.copied() {
			if e.What == acted && e.At > since {
				first = e
				return true, ""
			}
		}
		return false, ""
	})
	if len(m.candidates) > 0 {
		agreed(m.t, m.candidates...)
		return first
	}
	eventually(m.t, "all are members of "+m.name, func() (bool, string) {
		var states []member.State
		leaders := 0
		for _, k := range m.members {
			states = append(states, k.hooks.State())
			if k.hooks.Leading() {
				leaders++
			}
		}
		return leaders == 1 && !slices.ContainsFunc(states, func(s member.State) bool { return s != member.StateLeading && s != member.StateFollowing }), fmt.Sprint(states)
	})
	return first
}

// terms returns how many terms there were.
func (m *team) terms() int { return len(intervals(m.ledger.copied())) }

// termsOutliveTheirCoordinator kills the broker that coordinates elections and groups,
// brings it back, and has it elected again for their partition of __consumer_offsets. A
// term of a long session goes on through both. One of a session that is shorter than
// the brokers take ends, and the next one begins afterwards. None overlap.
func termsOutliveTheirCoordinator(t *testing.T, c *cluster.Cluster) {
	client := newClient(t, c)
	admin, in := kadm.NewClient(client), inspect.New(client)
	preferred := func(partitions ...int32) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"__consumer_offsets": partitionSet(partitions)}); err != nil {
			t.Fatal(err)
		}
	}
	rows := leadersOf(t, in, "__consumer_offsets", func(rows []inspect.Partition) bool {
		return !slices.ContainsFunc(rows, func(p inspect.Partition) bool { return len(p.ISR) < 3 })
	})
	// Names that one broker coordinates, which is the preferred leader of their partitions.
	killed := rows[0].Replicas[0]
	var names []string
	var partitions []int32
	for len(names) < 4 {
		name := unique(t, "team")
		if p := rows[*coordinatorOf(t, in, name).Partition]; p.Replicas[0] == killed {
			names, partitions = append(names, name), append(partitions, p.Partition)
		}
	}
	coordinates := func(is bool) {
		t.Helper()
		for _, name := range names {
			eventually(t, fmt.Sprintf("broker %d coordinates %s: %t", killed, name, is), func() (bool, string) {
				row := coordinatorOf(t, in, name)
				return (*row.Coordinator == killed) == is, fmt.Sprint(*row.Coordinator)
			})
		}
	}
	preferred(partitions...)
	coordinates(true)

	const long, short = 2 * time.Minute, 2 * time.Second
	lasting := []*team{startElection(t, c, names[0], long), startGroup(t, c, names[1], long)}
	brief := []*team{startElection(t, c, names[2], short), startGroup(t, c, names[3], short)}
	all := slices.Concat(lasting, brief)
	kind := []string{"election, long session", "group, long session", "election, short session", "group, short session"}
	for _, m := range all {
		m.leading(0)
	}
	since := func(what string, from int64) {
		t.Helper()
		for i, m := range all {
			m.leading(clock())
			longest := int64(0)
			last := from
			for _, e := range m.ledger.copied() {
				if e.What == acted && e.At > from {
					longest, last = max(longest, e.At-last), e.At
				}
			}
			t.Logf("%s: %s: %d terms, nobody led for up to %s", what, kind[i], m.terms(), time.Duration(longest).Round(time.Millisecond))
		}
		for i, m := range lasting {
			if n := m.terms(); n != 1 {
				t.Errorf("%s: %s: %d terms, and the first was to go on", what, kind[i], n)
			}
		}
	}

	at := clock()
	revive := kill(t, c, killed)
	coordinates(false)
	since("coordinator killed", at)
	for i, m := range brief {
		if n := m.terms(); n < 2 {
			t.Errorf("%s: %d terms, and the first was to end", kind[2+i], n)
		}
	}
	revive()
	for _, partition := range partitions {
		eventually(t, "the broker that was killed has caught up", func() (bool, string) {
			p := partitionOf(t, in, "__consumer_offsets", partition)
			return slices.Contains(p.ISR, killed), fmt.Sprint(p.ISR)
		})
	}
	at = clock()
	preferred(partitions...)
	coordinates(true)
	since("coordinator elected anew", at)
	for _, m := range all {
		m.ledger.check(t)
	}
}

func partitionSet(partitions []int32) map[int32]struct{} {
	set := make(map[int32]struct{}, len(partitions))
	for _, p := range partitions {
		set[p] = struct{}{}
	}
	return set
}
