package peers

import (
	"github.com/IBM/sarama"

	"github.com/groupkit/groupkit/assign"
)

// readySarama makes what sarama's sticky strategy starts from: the members' metadata,
// decoded but for the user data in it, which the strategy decodes itself.
func readySarama(g assign.Group) (func() (func() assign.Assignment, error), error) {
	strategy := sarama.NewBalanceStrategySticky()
	members := make(map[string]sarama.ConsumerGroupMemberMetadata, len(g.Members))
	for _, m := range g.Members {
		metadata := sarama.ConsumerGroupMemberMetadata{Version: 3, Topics: m.Topics, GenerationID: m.Generation}
		if len(m.Owned) > 0 {
			owned := make(map[string][]int32, len(m.Owned))
			for _, tp := range m.Owned {
				owned[tp.Topic] = tp.Partitions
			}
			var err error
			if metadata.UserData, err = strategy.AssignmentData(m.ID, owned, m.Generation); err != nil {
				return nil, err
			}
		}
		members[m.ID] = metadata
	}
	topics := make(map[string][]int32, len(g.Topics))
	for _, topic := range g.Topics {
		for p := range topic.Partitions {
			topics[topic.Name] = append(topics[topic.Name], p)
		}
	}
	return func() (func() assign.Assignment, error) {
		plan, err := strategy.Plan(members, topics)
		return func() assign.Assignment { return fromMaps(plan) }, err
	}, nil
}
