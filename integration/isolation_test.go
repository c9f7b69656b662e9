package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

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

	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), "balanced", []byte{1, 2, 3}}))
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
	protocol string
	metadata []byte
}

func (s says) ProtocolName() string { return s.protocol }

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
	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), "balanced", long.AppendTo(nil)}))
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
	newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), "balanced", claims.AppendTo(nil)}))
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

// sudden is a balancer of kgo's whose member turns to metadata that is not to be read.
type sudden struct {
	kgo.GroupBalancer
	turned atomic.Pointer[[]byte]
}

func (*sudden) ProtocolName() string { return assign.Balanced{}.Name() }

func (s *sudden) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	if turned := s.turned.Load(); turned != nil {
		return *turned
	}
	return s.GroupBalancer.JoinGroupMetadata(topics, owned, generation)
}

// turnsUnreadable has a member with partitions turn to such metadata. The group goes on in
// the same round, in which the others keep what they have; what the member may still hold
// is withheld in this one round, and the leader calls the next, which gives it out.
func turnsUnreadable(t *testing.T, c *cluster.Cluster, metadata []byte) {
	const partitions = 6
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	leader.leads(t)
	other := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	share(t, topic, partitions, leader, other)
	balancer := &sudden{GroupBalancer: kgo.CooperativeStickyBalancer()}
	client := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.HeartbeatInterval(200*time.Millisecond))
	settled(t, c, group, topic, 3, partitions)
	var name string
	var before int32
	eventually(t, "the member is in the generation that was planned last", func() (bool, string) {
		name, before = client.GroupMetadata()
		planned := leader.last(member.EventPlanned).Generation
		return name != "" && before == planned, fmt.Sprint(name, before, planned)
	})

	balancer.turned.Store(&metadata)
	client.ForceRebalance()
	owned := settled(t, c, group, topic, 3, partitions)
	eventually(t, "the leader gave its partitions out", func() (bool, string) {
		return len(leader.has(topic))+len(other.has(topic)) == partitions, fmt.Sprint(leader.has(topic), other.has(topic), owned)
	})
	var planned []member.Event
	for _, e := range leader.all(member.EventPlanned) {
		if e.Generation > before {
			planned = append(planned, e)
		}
	}
	if len(planned) != 2 || planned[0].Generation != before+1 || planned[1].Generation != before+2 {
		t.Fatalf("it took %d rounds, want two right after generation %d: %+v", len(planned), before, planned)
	}
	first, second := planned[0].Plan, planned[1].Plan
	if len(first.Withheld) != 2 || len(second.Withheld) != 0 || first.Assignment.Count(name) != 0 || first.Assignment.Count(leader.id()) != 2 || first.Assignment.Count(other.id()) != 2 {
		t.Errorf("the plans were %+v and %+v", first, second)
	}
	isolated := leader.all(member.EventIsolated)
	if len(isolated) != 2 || isolated[0].Subject != name || isolated[0].Generation != before+1 || isolated[0].Err == nil {
		t.Errorf("the events of the isolation are %+v", isolated)
	}
	for _, k := range []*hooked{leader, other} {
		if lost := append(k.all(member.EventLost), k.all(member.EventFallback)...); len(lost) > 0 {
			t.Errorf("the group did not go on: %+v", lost)
		}
	}
}

func TestAMemberThatTurnsUnreadableKeepsItsPartitionsFromOthersForOneRound(t *testing.T) {
	t.Parallel()
	turnsUnreadable(t, cluster.Shared(t), []byte{1, 2, 3})
}

// TestAMemberThatSaysTooMuchIsIsolated: brokers refuse that much unless they are told to
// take it.
func TestAMemberThatSaysTooMuchIsIsolated(t *testing.T) {
	c := cluster.Start(t, cluster.WithNodes(1))
	limit := fmt.Sprint(16 << 20)
	set, err := kadm.NewClient(newClient(t, c)).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, "__consumer_offsets")
	if err != nil || set[0].Err != nil {
		t.Fatal(err, set)
	}
	long := kmsg.NewConsumerMemberMetadata()
	long.Version, long.UserData = 1, make([]byte, 4<<20)
	turnsUnreadable(t, c, long.AppendTo(nil))
}

// TestAGroupThatBrokersRefuseToKeepSaysWhoSendsMost: more than max.message.bytes of
// __consumer_offsets stops a group whatever its leader does. It tells why, and the group
// goes on once the member is gone.
func TestAGroupThatBrokersRefuseToKeepSaysWhoSendsMost(t *testing.T) {
	t.Parallel()
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	leader.leads(t)
	long := kmsg.NewConsumerMemberMetadata()
	long.Version, long.Topics, long.UserData = 1, []string{topic}, make([]byte, 1200<<10)
	client := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(says{kgo.CooperativeStickyBalancer(), "balanced", long.AppendTo(nil)}))
	eventually(t, "the leader tells why the plan is refused", func() (bool, string) {
		name, _ := client.GroupMetadata()
		err := leader.last(member.EventLost).Err
		return name != "" && errors.Is(err, kerr.UnknownServerError) && strings.Contains(err.Error(), "the metadata of member "+name) &&
			strings.Contains(err.Error(), "max.message.bytes"), fmt.Sprint(err)
	})
	client.Close()
	share(t, topic, partitions, leader)
	eventually(t, "the member leads again", func() (bool, string) { return leader.hooks.Leading(), string(leader.hooks.State()) })
}

// TestAMemberThatTheCoordinatorChokesOnHasToBeRemoved: Kafka 4.3 reads subscriptions
// itself, and completes no round while there is one that it cannot get through.
func TestAMemberThatTheCoordinatorChokesOnHasToBeRemoved(t *testing.T) {
	t.Parallel()
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	leader := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	leader.leads(t)
	name := joinOnce(t, c, group, []byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}) // a list of -1 topics

	eventually(t, "no JoinGroup succeeds", func() (bool, string) {
		lost := leader.all(member.EventLost)
		return slices.ContainsFunc(lost, func(e member.Event) bool { return errors.Is(e.Err, kerr.UnknownServerError) }), fmt.Sprint(lost)
	})
	admin := kadm.NewClient(newClient(t, c))
	eventually(t, "the group waits with the member in it", func() (bool, string) {
		state, members := described(t, c, admin, group)
		_, there := members[name]
		return there && state == "PreparingRebalance", fmt.Sprintf("%s with %v", state, members)
	})
	leave := kmsg.NewPtrLeaveGroupRequest() // as Admin.removeMembersFromConsumerGroup does
	leave.Group = group
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: name}}
	if left, err := leave.RequestWith(t.Context(), newClient(t, c)); err != nil || left.ErrorCode != 0 || left.Members[0].ErrorCode != 0 {
		t.Fatalf("removing the member: %v, %+v", err, left)
	}
	leader.leads(t)
	settled(t, c, group, topic, 1, partitions)
}

// joinOnce joins a group with this metadata and leaves it at that: the member sends no
// heartbeats, and its JoinGroup is not waited for. It returns the member's id.
func joinOnce(t *testing.T, c *cluster.Cluster, group string, metadata []byte) string {
	t.Helper()
	client := newClient(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 60_000, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = assign.Balanced{}.Name(), metadata
	join.Protocols = append(join.Protocols, protocol)
	response, err := join.RequestWith(ctx, client)
	if err != nil || !errors.Is(kerr.ErrorForCode(response.ErrorCode), kerr.MemberIDRequired) {
		t.Fatalf("joining for an id: %v, %+v", err, response)
	}
	join.MemberID = response.MemberID
	go join.RequestWith(ctx, client) // ends with the test
	return join.MemberID
}
