package inspect

import (
	"slices"
	"strings"
)

// addHoldUps finds who keeps a group from its target, where the broker moves
// partitions: a member keeps its epoch until it has given up what it must, so those
// behind the target's epoch are those that the others wait for
// (org.apache.kafka.coordinator.group.modern.consumer.CurrentAssignmentBuilder).
//
// revoking holds what members were told to give up, by ID, as far as it is known. The
// coordinator does not tell that in a description: such partitions are then neither in
// what a member has nor in what another may have.
func addHoldUps(group *Group, revoking map[string][]TopicPartitions) {
	if group.TargetEpoch == nil || group.Members == nil || *group.Type == typeShare {
		return
	}
	for i := range group.Members {
		m := &group.Members[i]
		if given := revoking[m.ID]; m.Epoch != nil && *m.Epoch < *group.TargetEpoch && m.Owned != nil && len(given) > 0 {
			m.Owned = joinPartitions(m.Owned, given)
		}
	}
	heir := map[partitionID]string{} // whose target has it
	for i := range group.Members {
		for _, tp := range group.Members[i].Target {
			for _, p := range tp.Partitions {
				heir[partitionID{tp.Topic, p}] = group.Members[i].ID
			}
		}
	}
	group.HeldUpBy = []HoldUp{}
	for i := range group.Members {
		m := &group.Members[i]
		if m.Epoch == nil || *m.Epoch >= *group.TargetEpoch {
			continue
		}
		hold := HoldUp{Member: m.ID, Epoch: m.Epoch, Revoke: withoutPartitions(m.Owned, m.Target), Waiting: []string{}}
		for _, tp := range hold.Revoke {
			for _, p := range tp.Partitions {
				if other, ok := heir[partitionID{tp.Topic, p}]; ok {
					hold.Waiting = append(hold.Waiting, other)
				}
			}
		}
		slices.Sort(hold.Waiting)
		hold.Waiting = slices.Compact(hold.Waiting)
		group.HeldUpBy = append(group.HeldUpBy, hold)
	}
	slices.SortFunc(group.HeldUpBy, func(a, b HoldUp) int {
		return strings.Compare(a.Member, b.Member)
	})
}

// withoutPartitions returns what is in one list and not in the other.
func withoutPartitions(list, others []TopicPartitions) []TopicPartitions {
	taken, rest := map[partitionID]bool{}, topicPartitions{}
	for _, tp := range others {
		for _, p := range tp.Partitions {
			taken[partitionID{tp.Topic, p}] = true
		}
	}
	for _, tp := range list {
		for _, p := range tp.Partitions {
			if !taken[partitionID{tp.Topic, p}] {
				rest.add(tp.Topic, p)
			}
		}
	}
	return rest.sorted()
}

func joinPartitions(lists ...[]TopicPartitions) []TopicPartitions {
	all := topicPartitions{}
	for _, list := range lists {
		for _, tp := range list {
			all.add(tp.Topic, tp.Partitions...)
		}
	}
	return all.sorted()
}
