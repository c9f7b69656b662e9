package watch

import "slices"

// Eligible fills in which replicas may lead without being in sync, of partitions that
// are known with the same leader epoch and ISR. It is a look of its own, for it takes
// another request, and is needed only for partitions that are [Partition.Degraded].
func (d *Differ) Eligible(partitions []Partition) {
	for _, p := range partitions {
		topic := d.topics[p.Topic]
		if topic == nil {
			continue
		}
		if known := topic.find(p.Partition); known != nil && isSame(*known, p) {
			known.ELR, known.LastKnownELR = p.ELR, p.LastKnownELR
		}
	}
}

// isSame says that nothing that matters to elections differs.
func isSame(a, b Partition) bool {
	return a.TopicID == b.TopicID && equal(a.LeaderEpoch, b.LeaderEpoch) && equal(a.Leader, b.Leader) && slices.Equal(a.ISR, b.ISR)
}
