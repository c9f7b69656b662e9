package integration

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// garbled is a balancer whose member says of itself three bytes that nobody can decode.
type garbled struct{ kgo.GroupBalancer }

func (garbled) ProtocolName() string { return assign.Balanced{}.Name() }

func (garbled) JoinGroupMetadata([]string, map[string][]int32, int32) []byte {
	return []byte{1, 2, 3}
}

// TestAMemberThatCannotBeReadStopsNobody has a member with garbage join. With a plain
// client nobody would have a partition for as long as it stays.
func TestAMemberThatCannotBeReadStopsNobody(t *testing.T) {
	const partitions, records = 6, 300
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startConsumer(t, c, group, topic, nil)
	leader.leads(t)
	other := startConsumer(t, c, group, topic, nil)
	settled(t, c, group, topic, 2, partitions)

	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(garbled{kgo.CooperativeStickyBalancer()}))
	owned := settled(t, c, group, topic, 3, partitions)
	for _, k := range []*consumer{leader, other} {
		if n := owned.Count(k.id()); n != partitions/2 {
			t.Errorf("a member that can be read has %d of %d partitions, want half", n, partitions)
		}
	}
	if isolated := leader.all(member.EventIsolated); len(isolated) == 0 || isolated[0].Err == nil {
		t.Errorf("no event names the member that cannot be read: %v", isolated)
	}

	// The group goes on without it: what another leaves behind is taken over.
	other.leave(t)
	settled(t, c, group, topic, 2, partitions)
	produce(t, c, topic, records)
	eventually(t, "every record is handled", func() (bool, string) {
		n := distinct(leader)
		return n == records, fmt.Sprintf("%d of %d", n, records)
	})
}

// says is a balancer whose member says of itself what it is told to.
type says struct {
	kgo.GroupBalancer
	metadata []byte
}

func (says) ProtocolName() string { return assign.Balanced{}.Name() }

func (s says) JoinGroupMetadata([]string, map[string][]int32, int32) []byte { return s.metadata }

// TestAMemberThatSaysALotIsServed: nearly as much as brokers keep of a group in one record.
func TestAMemberThatSaysALotIsServed(t *testing.T) {
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	leader.leads(t)
	long := kmsg.NewConsumerMemberMetadata()
	long.Version, long.Topics, long.UserData = 1, []string{topic}, make([]byte, 900<<10)
	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), long.AppendTo(nil)}))
	owned := settled(t, c, group, topic, 2, partitions)
	if n := owned.Count(leader.id()); n != partitions/2 || !leader.hooks.Leading() {
		t.Errorf("the leader has %d of %d partitions, leading %t", n, partitions, leader.hooks.Leading())
	}
}

// TestClaimsThatCannotHoldAreDroppedAndTheMemberIsServed: of a topic that does not exist,
// of partitions out of range, and of what another member has.
func TestClaimsThatCannotHoldAreDroppedAndTheMemberIsServed(t *testing.T) {
	const partitions = 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	leader.leads(t)
	share(t, topic, partitions, leader)
	claims := kmsg.NewConsumerMemberMetadata()
	claims.Version, claims.Topics, claims.Generation = 3, []string{topic}, 0
	for name, numbers := range map[string][]int32{topic: {0, 0, 1, 2, 3, 4, 5, 6, 1 << 30, -1}, topic + "-gone": {0, 1}, "": {0}} {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = name, numbers
		claims.OwnedPartitions = append(claims.OwnedPartitions, o)
	}
	// It claims the same in each round, whatever it is given.
	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), claims.AppendTo(nil)}))
	owned := settled(t, c, group, topic, 2, partitions)
	for id := range owned {
		if n := owned.Count(id); n != partitions/2 {
			t.Errorf("%s has %d of %d partitions, want half: %v", id, n, partitions, owned)
		}
	}
	if isolated := leader.all(member.EventIsolated); len(isolated) > 0 {
		t.Errorf("a member that can be read was isolated: %v", isolated)
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
