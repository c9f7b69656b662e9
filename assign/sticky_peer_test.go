package assign_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// kgoSticky plans g with franz-go's sticky balancer, from settled claims.
func kgoSticky(t testing.TB, g assign.Group) assign.Plan {
	t.Helper()
	owned := g.Ownership()
	var members []kmsg.JoinGroupResponseMember
	for i := range g.Members {
		m := &g.Members[i]
		sticky := kmsg.NewStickyMemberMetadata()
		sticky.Generation = 1
		for _, tp := range owned[m.ID] {
			if !slices.Contains(m.Topics, tp.Topic) {
				continue
			}
			current := kmsg.NewStickyMemberMetadataCurrentAssignment()
			current.Topic, current.Partitions = tp.Topic, tp.Partitions
			sticky.CurrentAssignment = append(sticky.CurrentAssignment, current)
		}
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Version = 3
		meta.Topics = slices.Compact(slices.Sorted(slices.Values(m.Topics)))
		meta.UserData = sticky.AppendTo(nil)
		one := kmsg.NewJoinGroupResponseMember()
		one.MemberID, one.ProtocolMetadata = m.ID, meta.AppendTo(nil)
		if m.Instance != "" {
			one.InstanceID = kmsg.StringPtr(m.Instance)
		}
		members = append(members, one)
	}
	balancer, err := kgo.NewConsumerBalancer(kgo.StickyBalancer().(kgo.ConsumerBalancerBalance), members)
	if err != nil {
		t.Fatal(err)
	}
	partitions := make(map[string]int32)
	for _, topic := range g.Topics {
		partitions[topic.Name] = topic.Partitions
	}
	into, err := balancer.BalanceOrError(partitions)
	if err != nil {
		t.Fatal(err)
	}
	plan := assign.NewPlan(g)
	for id, topics := range into.(*kgo.BalancePlan).AsMemberIDMap() {
		for topic, list := range topics {
			for _, p := range list {
				plan.Give(id, topic, p)
			}
		}
	}
	return plan
}

// TestStickyIsAsEvenAndMovesAsLittleAsFranzGos compares with a peer that is optimal in
// both.
func TestStickyIsAsEvenAndMovesAsLittleAsFranzGos(t *testing.T) {
	r := newRand(t)
	objective := func(g assign.Group, plan assign.Plan) string {
		var counts []int
		for _, id := range plan.Assignment.Members() {
			counts = append(counts, plan.Assignment.Count(id))
		}
		slices.Sort(counts)
		return fmt.Sprintf("counts %v, %d moved", counts, assign.Measure(g, plan).MovedPartitions)
	}
	for range cases(3000) {
		g := randomGroup(r)
		if len(g.Members) == 0 {
			continue
		}
		ours, theirs := mustAssign(t, assign.Sticky(), g), kgoSticky(t, g)
		if a, b := objective(g, ours), objective(g, theirs); a != b {
			t.Fatalf("ours has %s, franz-go's %s: %+v", a, b, g)
		}
	}
}

func BenchmarkSticky(b *testing.B) {
	g := largeGroup(0)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustAssign(b, assign.Sticky(), g)
		}
	})
	b.Run("franz-go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			kgoSticky(b, g)
		}
	})
}
