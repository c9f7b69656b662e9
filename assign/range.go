package assign

// Range returns the assignor "range": each topic on its own is cut into runs of
// neighbouring partitions, one run for each subscriber, the first ones larger by one
// where the number does not divide. Partitions of the same number in topics with
// the same subscribers and size so meet on one member.
//
// It follows org.apache.kafka.clients.consumer.RangeAssignor, without the rack
// matching of KIP-881. It takes no notice of what members own, of weights,
// capacities or draining.
func Range() Assignor { return New("range", assignRange) }

func assignRange(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	ix := newIndex(g)
	tb := ix.newTable()
	for t := range ix.topics {
		subscribers := ix.subscribers[t]
		each, larger := len(tb[t])/len(subscribers), len(tb[t])%len(subscribers)
		next := 0
		for n, m := range subscribers {
			size := each
			if n < larger {
				size++
			}
			for range size {
				tb[t][next] = int32(m)
				next++
			}
		}
	}
	return ix.plan(tb), nil
}
