package integration

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// protocolOf returns the protocol that the coordinator chose for a group.
func protocolOf(t *testing.T, admin *kadm.Client, group string) string {
	t.Helper()
	groups, err := admin.DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return groups[group].Protocol
}

// handledAll waits until the records from 0 on were all handled by one of the members.
func handledAll(t *testing.T, records int, members []*hooked, java ...*javaConsumer) {
	t.Helper()
	eventually(t, fmt.Sprintf("all %d records are handled", records), func() (bool, string) {
		seen := make(map[string]bool)
		for _, k := range members {
			k.mu.Lock()
			for value := range k.handled {
				seen[value] = true
			}
			k.mu.Unlock()
		}
		for _, j := range java {
			maps.Copy(seen, j.values())
		}
		missing := 0
		for i := range records {
			if !seen[fmt.Sprint(i)] {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d are missing", missing)
	})
}

// TestAGroupChangesItsProtocolByRollingRestart takes a group from an eager protocol to a
// cooperative one and back, each member restarted once to offer both and once to offer
// the new one alone.
func TestAGroupChangesItsProtocolByRollingRestart(t *testing.T) {
	const partitions, records = 6, 120
	eager := member.Protocol{Assignor: assign.Balanced{}, Name: "balanced-eager", Eager: true}
	cooperative := member.Protocol{Assignor: assign.Balanced{}, Name: "balanced"}
	for name, path := range map[string][2]member.Protocol{
		"eager to cooperative": {eager, cooperative},
		"cooperative to eager": {cooperative, eager},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, partitions), unique(t, "group")
			admin := kadm.NewClient(newClient(t, c))
			old, next := path[0], path[1]
			start := func(protocols ...member.Protocol) *hooked {
				return startHooked(t, c, group, []string{topic}, member.HooksConfig{Protocols: protocols})
			}
			members := []*hooked{start(old), start(old), start(old)}
			all := slices.Clone(members)
			share(t, topic, partitions, members...)
			produce(t, c, topic, records)
			if got := protocolOf(t, admin, group); got != old.Name {
				t.Fatalf("the group begins with %q", got)
			}
			for _, offered := range [][]member.Protocol{{next, old}, {next}} {
				for i := range members {
					members[i].close()
					members[i] = start(offered...)
					all = append(all, members[i])
					share(t, topic, partitions, members...)
				}
				if got := protocolOf(t, admin, group); got != next.Name {
					t.Errorf("once all offer %q the group goes by %q", next.Name, got)
				}
			}
			leading := 0
			for _, k := range members {
				if k.hooks.Leading() {
					leading++
				}
			}
			if leading != 1 {
				t.Errorf("%d members lead", leading)
			}
			handledAll(t, records, all)
		})
	}
}

// TestAGroupWithJavaMembersChangesItsProtocolByRollingRestart does the same where a
// member is Kafka's own client: from range to cooperative-sticky and back, led by us and
// by it.
func TestAGroupWithJavaMembersChangesItsProtocolByRollingRestart(t *testing.T) {
	const partitions, records = 6, 60
	for _, weLead := range []bool{true, false} {
		t.Run(fmt.Sprintf("led by us first %v", weLead), func(t *testing.T) {
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, partitions), unique(t, "group")
			admin := kadm.NewClient(newClient(t, c))
			ours := func() *hooked {
				return startHooked(t, c, group, []string{topic}, member.HooksConfig{Protocols: []member.Protocol{
					{Assignor: assign.Balanced{}, Name: "cooperative-sticky"}, {Assignor: assign.Balanced{}, Name: "range"},
				}})
			}
			var us *hooked
			var java *javaConsumer
			settle := func() {
				t.Helper()
				eventually(t, "both have half of the partitions", func() (bool, string) {
					theirs := java.has()
					both := append(slices.Clone(us.has(topic)), theirs...)
					slices.Sort(both)
					return len(theirs) == partitions/2 && len(both) == partitions && len(slices.Compact(both)) == partitions, fmt.Sprint(us.has(topic), theirs)
				})
			}
			if weLead {
				us = ours()
				us.leads(t)
				java = startJava(t, c, group, topic, javaRange)
			} else {
				java = startJava(t, c, group, topic, javaRange)
				eventually(t, "the Java member has all", func() (bool, string) { return len(java.has()) == partitions, fmt.Sprint(java.has()) })
				us = ours()
			}
			settle()
			if got := protocolOf(t, admin, group); got != "range" || us.hooks.Leading() != weLead {
				t.Errorf("the group begins with %q, leading %v", got, us.hooks.Leading())
			}
			produce(t, c, topic, records)
			consumers := []*javaConsumer{java}
			for _, step := range []struct {
				assignors []string
				want      string
			}{{[]string{javaCooperativeSticky, javaRange}, "cooperative-sticky"}, {[]string{javaRange}, "range"}} {
				java.stop()
				java = startJava(t, c, group, topic, step.assignors...)
				consumers = append(consumers, java)
				settle()
				if got := protocolOf(t, admin, group); got != step.want || !us.hooks.Leading() {
					t.Errorf("with %v it goes by %q, leading %v", step.assignors, got, us.hooks.Leading())
				}
			}
			handledAll(t, records, []*hooked{us}, consumers...)
		})
	}
}

// TestAStaticLeaderThatComesBackWithOtherTopicsLeadsForThem: the coordinator hands a
// static leader that comes back the plan that there was (KIP-814), whatever it
// subscribes to by now.
func TestAStaticLeaderThatComesBackWithOtherTopicsLeadsForThem(t *testing.T) {
	for _, protocol := range []member.Protocol{{Assignor: assign.Balanced{}}, {Assignor: assign.Balanced{}, Name: "cooperative-sticky"}} {
		t.Run(protocol.Name, func(t *testing.T) {
			c := cluster.Shared(t)
			one, two, group := newTopic(t, c, 4), newTopic(t, c, 4), unique(t, "group")
			cfg, ch := leadingTerms(member.HooksConfig{Protocols: []member.Protocol{protocol}})
			start := func(instance string, topics ...string) *hooked {
				return startHooked(t, c, group, topics, cfg, kgo.InstanceID(instance))
			}
			leader := start("a", one)
			before := (<-ch).Fence()
			follower := start("b", one)
			share(t, one, 4, leader, follower)
			leader.close()
			leader = start("a", one, two)
			share(t, one, 4, leader, follower)
			share(t, two, 4, leader)
			if after := (<-ch).Fence(); after.Compare(before) <= 0 {
				t.Errorf("%s came after %s", after, before)
			}
			leader.leads(t)
			follower.close()
			leader.close()
		})
	}
}

// leadingTerms returns hooks that hand out each term that begins.
func leadingTerms(cfg member.HooksConfig) (member.HooksConfig, <-chan member.Term) {
	ch := make(chan member.Term, 100)
	cfg.Lead = waitingLead(ch)
	return cfg, ch
}
