package integration

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestMembersOfOtherClientsShareAGroup has a member of ours and one of another client
// lead each other, under each name that both know.
func TestMembersOfOtherClientsShareAGroup(t *testing.T) {
	const partitions, records = 6, 60
	for _, of := range []struct {
		client    string
		start     starts
		protocols []string
	}{
		{"java", startJava, []string{"sticky"}},
		{"librdkafka", startKcat, []string{"range", "roundrobin", "cooperative-sticky"}},
		{"sarama", startSarama, []string{"range", "roundrobin", "sticky", "cooperative-sticky"}},
	} {
		for _, protocol := range of.protocols {
			for _, weLead := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/led by us %v", of.client, protocol, weLead), func(t *testing.T) {
					t.Parallel()
					c := cluster.Shared(t)
					topic, group := newTopic(t, c, partitions), unique(t, "group")
					ours := func() *hooked { return startHooked(t, c, group, []string{topic}, named(protocol)) }
					var us *hooked
					var other peer
					if weLead {
						us = ours()
						us.leads(t)
						other = of.start(t, c, group, topic, protocol)
					} else {
						other = of.start(t, c, group, topic, protocol)
						evenly(t, topic, partitions, nil, other)
						us = ours()
					}
					evenly(t, topic, partitions, []*hooked{us}, other)
					if us.hooks.Leading() != weLead {
						t.Errorf("leading %v", us.hooks.Leading())
					}
					if got := protocolOf(t, kadm.NewClient(newClient(t, c)), group); got != protocol {
						t.Errorf("the group goes by %q", got)
					}
					handledOnce(t, c, topic, 0, records, []*hooked{us}, other)

					// What the one that leads leaves behind is the other's.
					if weLead {
						us.close()
						evenly(t, topic, partitions, nil, other)
					} else {
						other.stop()
						evenly(t, topic, partitions, []*hooked{us})
					}
					produceFrom(t, c, topic, records, records)
					handledAll(t, 2*records, []*hooked{us}, other)
					unharmed(t, us)
				})
			}
		}
	}
}

// TestMembersOfOtherClientsAreLedToo mixes members of this library, under the standard
// name, with plain kgo members, which lead in one case and follow in the other.
func TestMembersOfOtherClientsAreLedToo(t *testing.T) {
	const partitions = 6
	for _, weLead := range []bool{true, false} {
		t.Run(fmt.Sprintf("led by us %v", weLead), func(t *testing.T) {
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, partitions), unique(t, "group")
			ours := func() *consumer {
				return startConsumer(t, c, group, topic, func(cfg *member.Config) {
					cfg.Protocols = []member.Protocol{{Assignor: assign.CooperativeSticky()}}
				})
			}
			theirs := func() {
				newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(kgo.CooperativeStickyBalancer()))
			}
			var k *consumer
			if weLead {
				k = ours()
				k.leads(t)
				theirs()
			} else {
				theirs()
				settled(t, c, group, topic, 1, partitions)
				k = ours()
			}
			owned := settled(t, c, group, topic, 2, partitions)
			if n := owned.Count(k.id()); n != partitions/2 {
				t.Errorf("our member has %d of %d partitions, want half: %v", n, partitions, owned)
			}
			if k.Leading() != weLead {
				t.Errorf("leading is %v", k.Leading())
			}
			admin := kadm.NewClient(newClient(t, c))
			groups, err := admin.DescribeGroups(t.Context(), group)
			if err != nil {
				t.Fatal(err)
			}
			if got := groups[group].Protocol; got != "cooperative-sticky" {
				t.Errorf("the brokers report protocol %q", got)
			}
		})
	}
}
