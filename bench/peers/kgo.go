package peers

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// readyKgo makes what kgo's sticky balancer starts from: the members' metadata, decoded
// but for the user data in it, which the balancer decodes itself.
func readyKgo(g assign.Group) (func() (func() assign.Assignment, error), error) {
	members := make([]kmsg.JoinGroupResponseMember, 0, len(g.Members))
	for i := range g.Members {
		members = append(members, kgoMember(&g.Members[i]))
	}
	balancer, err := kgo.NewConsumerBalancer(kgo.StickyBalancer().(kgo.ConsumerBalancerBalance), members)
	if err != nil {
		return nil, err
	}
	partitions := make(map[string]int32, len(g.Topics))
	for _, topic := range g.Topics {
		partitions[topic.Name] = topic.Partitions
	}
	return func() (func() assign.Assignment, error) {
		into, err := balancer.BalanceOrError(partitions)
		if err != nil {
			return nil, err
		}
		plan, ok := into.(*kgo.BalancePlan)
		if !ok {
			return nil, fmt.Errorf("kgo's plan is a %T", into)
		}
		return func() assign.Assignment { return fromMaps(plan.AsMemberIDMap()) }, nil
	}, nil
}

func kgoMember(m *assign.Member) kmsg.JoinGroupResponseMember {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = m.Topics
	meta.Generation = m.Generation
	if m.Rack != "" {
		meta.Rack = kmsg.StringPtr(m.Rack)
	}
	sticky := kmsg.NewStickyMemberMetadata()
	sticky.Generation = m.Generation
	for _, tp := range m.Owned {
		current := kmsg.NewStickyMemberMetadataCurrentAssignment()
		current.Topic, current.Partitions = tp.Topic, tp.Partitions
		sticky.CurrentAssignment = append(sticky.CurrentAssignment, current)
	}
	meta.UserData = sticky.AppendTo(nil)
	joined := kmsg.NewJoinGroupResponseMember()
	joined.MemberID, joined.ProtocolMetadata = m.ID, meta.AppendTo(nil)
	if m.Instance != "" {
		joined.InstanceID = kmsg.StringPtr(m.Instance)
	}
	return joined
}

// fromMaps takes the form of plan that kgo and sarama share.
func fromMaps(plan map[string]map[string][]int32) assign.Assignment {
	a := make(assign.Assignment, len(plan))
	for id, topics := range plan {
		a[id] = []assign.TopicPartitions{}
		for topic, partitions := range topics {
			a[id] = append(a[id], assign.TopicPartitions{Topic: topic, Partitions: partitions})
		}
	}
	a.Sort()
	return a
}
