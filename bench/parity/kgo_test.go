package parity_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/parity"
)

// TestFranzGosRangeAndRoundRobin holds docs/assignors.md to what it says of kgo's
// balancers: they plan as Kafka's do as long as no racks are used.
func TestFranzGosRangeAndRoundRobin(t *testing.T) {
	balancers := map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer()}
	r := rand.New(rand.NewPCG(3, 4))
	differ := 0
	for range 2000 {
		g := parity.RandomGroup(r)
		for i := range g.Members {
			topics := slices.Compact(slices.Sorted(slices.Values(g.Members[i].Topics)))
			g.Members[i].Topics = topics
		}
		for _, a := range assignors {
			theirs := kgoPlan(t, balancers[a.Name()], g)
			without, err := a.Assign(withoutRacks(g))
			if err != nil {
				t.Fatal(err)
			}
			if !theirs.Equal(without.Assignment) {
				t.Fatalf("%s: kgo %v\nours %v\n%+v", a.Name(), theirs, without.Assignment, g)
			}
			with, err := a.Assign(g)
			if err != nil {
				t.Fatal(err)
			}
			if !theirs.Equal(with.Assignment) {
				differ++
			}
		}
	}
	if differ == 0 {
		t.Error("racks made no difference to range")
	}
}

func kgoPlan(t *testing.T, balancer kgo.GroupBalancer, g assign.Group) assign.Assignment {
	t.Helper()
	var members []kmsg.JoinGroupResponseMember
	for _, m := range g.Members {
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Version, meta.Topics = 3, m.Topics
		if m.Rack != "" {
			meta.Rack = kmsg.StringPtr(m.Rack)
		}
		joined := kmsg.NewJoinGroupResponseMember()
		joined.MemberID, joined.ProtocolMetadata = m.ID, meta.AppendTo(nil)
		if m.Instance != "" {
			joined.InstanceID = kmsg.StringPtr(m.Instance)
		}
		members = append(members, joined)
	}
	// kgo sorts the members before it balances.
	slices.SortFunc(members, func(l, r kmsg.JoinGroupResponseMember) int {
		switch {
		case (l.InstanceID == nil) != (r.InstanceID == nil):
			if l.InstanceID != nil {
				return -1
			}
			return 1
		case l.InstanceID != nil:
			return strings.Compare(*l.InstanceID, *r.InstanceID)
		}
		return strings.Compare(l.MemberID, r.MemberID)
	})
	consumer, err := kgo.NewConsumerBalancer(balancer.(kgo.ConsumerBalancerBalance), members)
	if err != nil {
		t.Fatal(err)
	}
	partitions := make(map[string]int32)
	for _, topic := range g.Topics {
		partitions[topic.Name] = topic.Partitions
	}
	plan := assign.NewPlan(g)
	for id, topics := range balanced(t, consumer, partitions).AsMemberIDMap() {
		for topic, list := range topics {
			for _, p := range list {
				plan.Give(id, topic, p)
			}
		}
	}
	return plan.Assignment
}

func balanced(t *testing.T, consumer *kgo.ConsumerBalancer, partitions map[string]int32) *kgo.BalancePlan {
	t.Helper()
	into, err := consumer.BalanceOrError(partitions)
	if err != nil {
		t.Fatal(err)
	}
	return into.(*kgo.BalancePlan)
}
