package assign

// RoundRobin returns the assignor "roundrobin": all partitions, by topic and number,
// are dealt out one at a time to the members in turn; a member that does not
// subscribe to the topic misses its turn.
//
// It follows org.apache.kafka.clients.consumer.RoundRobinAssignor of Kafka 4.3 plan for
// plan. It takes no notice of what members own, of weights, capacities, racks or
// draining.
func RoundRobin() Assignor { return New("roundrobin", assignRoundRobin) }

func assignRoundRobin(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	ix := newIndex(g)
	tb := ix.newTable()
	turn := 0
	for t := range ix.topics {
		for p := range tb[t] {
			for !ix.subscribes(turn, t) {
				turn = (turn + 1) % len(ix.members)
			}
			tb[t][p] = int32(turn)
			turn = (turn + 1) % len(ix.members)
		}
	}
	return ix.plan(tb), nil
}
