package integration

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
		{"java", startJava, []string{"sticky", "cooperative-sticky"}},
		{"librdkafka", startKcat, []string{"range", "roundrobin", "cooperative-sticky"}},
		{"sarama", startSarama, []string{"range", "roundrobin", "sticky", "cooperative-sticky"}},
	} {
		for _, protocol := range of.protocols {
			for _, weLead := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/led by us %v", of.client, protocol, weLead), func(t *testing.T) {
					t.Parallel()
					c := cluster.Shared(t)
					topic, group := newTopic(t, c, partitions), unique(t, "group")
					ours := func() *hooked { return startHooked(t, c, group, []string{topic}, named(protocol), patient) }
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
					if strings.HasSuffix(protocol, "sticky") {
						keepsWhatTheyHave(t, topic, partitions, us, other, ours)
					}

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

// keepsWhatTheyHave has a third member come and go: the two others give up what it gets and
// nothing else, so the leader knows what both own, whichever of them it is.
func keepsWhatTheyHave(t *testing.T, topic string, partitions int, us *hooked, other peer, start func() *hooked) {
	t.Helper()
	ours, theirs := us.has(topic), other.has()
	third := start()
	evenly(t, topic, partitions, []*hooked{us, third}, other)
	for _, p := range us.has(topic) {
		if !slices.Contains(ours, p) {
			t.Errorf("our member had %v and has %v", ours, us.has(topic))
		}
	}
	for _, p := range other.has() {
		if !slices.Contains(theirs, p) {
			t.Errorf("the other had %v and has %v", theirs, other.has())
		}
	}
	unharmed(t, third)
	third.close()
	evenly(t, topic, partitions, []*hooked{us}, other)
}

// TestMembersOfAllClientsShareAGroup has all of them in one group, led by ours first, and
// then by one of theirs when ours has left and come back.
func TestMembersOfAllClientsShareAGroup(t *testing.T) {
	const partitions, records = 8, 80
	for _, protocol := range []string{"range", "cooperative-sticky"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, partitions), unique(t, "group")
			us := startHooked(t, c, group, []string{topic}, named(protocol), patient)
			us.leads(t)
			others := []peer{
				startJava(t, c, group, topic, protocol),
				startKcat(t, c, group, topic, protocol),
				startSarama(t, c, group, topic, protocol),
			}
			evenly(t, topic, partitions, []*hooked{us}, others...)
			handledOnce(t, c, topic, 0, records, []*hooked{us}, others...)
			if !us.hooks.Leading() {
				t.Error("the first member leads no more")
			}
			us.close()
			back := startHooked(t, c, group, []string{topic}, named(protocol), patient)
			evenly(t, topic, partitions, []*hooked{back}, others...)
			handledOnce(t, c, topic, records, records, []*hooked{us, back}, others...)
			if back.hooks.Leading() {
				t.Error("the member that came last leads")
			}
			unharmed(t, us, back)
		})
	}
}

// TestUserDataOfOtherClientsIsPassedOver: whatever a member tells of itself, it is served.
func TestUserDataOfOtherClientsIsPassedOver(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	connect := append(append([]byte{0, 2, 0, 18}, "http://worker:8083"...), 0, 0, 0, 0, 0, 0, 0, 7) // version, url, offset
	sticky := kmsg.NewStickyMemberMetadata()
	sticky.Generation = 5
	sticky.CurrentAssignment = []kmsg.StickyMemberMetadataCurrentAssignment{{Topic: "elsewhere", Partitions: []int32{0, 7, -1}}}
	tells := [][]byte{
		connect,
		sticky.AppendTo(nil),
		sticky.AppendTo(nil)[:9],
		{0xff, 0xff, 0xff, 0xff, 'g', 'k', 1, '{'},
		{0xff, 0xff, 0xff, 0xff, 'g', 'k', 99, 0},
		bytes.Repeat([]byte{0x7f}, 64<<10),
	}
	for _, protocol := range []string{"balanced", "range", "sticky", "cooperative-sticky"} {
		t.Run(protocol, func(t *testing.T) {
			partitions := 2 * (1 + len(tells))
			topic, group := newTopic(t, c, int32(partitions)), unique(t, "group")
			us := startHooked(t, c, group, []string{topic}, named(protocol))
			us.leads(t)
			for _, data := range tells {
				subscription := kmsg.NewConsumerMemberMetadata()
				subscription.Version, subscription.Topics, subscription.UserData = 1, []string{topic}, data
				balancer := kgo.StickyBalancer()
				if protocol == "balanced" || protocol == "cooperative-sticky" {
					balancer = kgo.CooperativeStickyBalancer()
				}
				newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{balancer, protocol, subscription.AppendTo(nil)}))
			}
			owned := settled(t, c, group, topic, 1+len(tells), partitions)
			for id := range owned {
				if n := owned.Count(id); n != 2 {
					t.Errorf("%s has %d partitions, want 2", id, n)
				}
			}
			unharmed(t, us)
		})
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
			eventually(t, "our member has an id", func() (bool, string) { return k.id() != "", "none" })
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
