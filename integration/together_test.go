package integration

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/integration/cluster"
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
