package integration

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

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

// TestAGroupWithOtherClientsChangesItsProtocolByRollingRestart does the same where a
// member is of another client: from range to cooperative-sticky and back, led by us and
// by it. librdkafka refuses to offer both, and is restarted once for each change.
func TestAGroupWithOtherClientsChangesItsProtocolByRollingRestart(t *testing.T) {
	const partitions, records = 6, 60
	type step struct {
		offers []string
		want   string
	}
	for _, client := range []struct {
		name  string
		start starts
		steps []step
	}{
		{"java", startJava, []step{{[]string{"cooperative-sticky", "range"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
		{"sarama", startSarama, []step{{[]string{"cooperative-sticky", "range"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
		{"librdkafka", startKcat, []step{{[]string{"cooperative-sticky"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
	} {
		for _, weLead := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/led by us first %v", client.name, weLead), func(t *testing.T) {
				t.Parallel()
				c := cluster.Shared(t)
				topic, group := newTopic(t, c, partitions), unique(t, "group")
				admin := kadm.NewClient(newClient(t, c))
				ours := func() *hooked { return startHooked(t, c, group, []string{topic}, named("cooperative-sticky", "range")) }
				var us *hooked
				var other peer
				if weLead {
					us = ours()
					us.leads(t)
					other = client.start(t, c, group, topic, "range")
				} else {
					other = client.start(t, c, group, topic, "range")
					evenly(t, topic, partitions, nil, other)
					us = ours()
				}
				evenly(t, topic, partitions, []*hooked{us}, other)
				if got := protocolOf(t, admin, group); got != "range" || us.hooks.Leading() != weLead {
					t.Errorf("the group begins with %q, leading %v", got, us.hooks.Leading())
				}
				others, produced := []peer{other}, records
				handledOnce(t, c, topic, 0, records, []*hooked{us}, others...)
				for _, step := range client.steps {
					other.stop()
					other = client.start(t, c, group, topic, step.offers...)
					others = append(others, other)
					evenly(t, topic, partitions, []*hooked{us}, other)
					if got := protocolOf(t, admin, group); got != step.want || !us.hooks.Leading() {
						t.Errorf("with %v it goes by %q, leading %v", step.offers, got, us.hooks.Leading())
					}
					handledOnce(t, c, topic, produced, records, []*hooked{us}, others...)
					produced += records
				}
				unharmed(t, us)
			})
		}
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
