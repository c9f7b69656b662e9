package predict

import "slices"

// mostAtOnce is up to how many replicas of one partition all orders are tried in
// which their brokers may go or come. For more, the order given, its reverse, and the
// rotations of both are.
const mostAtOnce = 4

// inAnyOrder applies what happens to brokers that go or come at once to each
// partition, in every order that the controller may take them in. alive in the terms
// counts those handled so far, and the one that is being handled, as gone or, with
// joining, as come.
func (s *simulation) inAnyOrder(nodes []int32, handle func(*simulated, terms, state, int32) state, joining bool) {
	if len(nodes) == 0 {
		return
	}
	var concerned []int32
	for i := range s.partitions {
		p := &s.partitions[i]
		concerned = concerned[:0]
		for _, node := range nodes {
			if p.concerns(node) {
				concerned = append(concerned, node)
			}
		}
		if len(concerned) == 0 {
			continue
		}
		var states []state
		for _, order := range orders(concerned) {
			for _, one := range p.states {
				leader, rule := one.leader, one.rule
				for k, node := range order {
					handled := order[:k+1]
					t := s.terms(p, func(id int32) bool {
						if slices.Contains(handled, id) {
							return joining
						}
						return s.isActive(id)
					})
					one = handle(p, t, one, node)
				}
				if one.leader == leader && leader != NoLeader {
					one.rule = rule // others led in between, at most
				}
				if len(states) < mostStates && !slices.ContainsFunc(states, one.same) {
					states = append(states, one)
				}
			}
		}
		elected := states[0].leader != p.states[0].leader
		p.states = states
		if elected {
			p.settleAmong(s, nodes, joining)
		}
	}
}

// concerns tells whether it matters to the partition that a broker goes or comes: it is a
// replica, or still eligible although it was one before a reassignment, of which the
// controller's index of brokers in ELRs knows (BrokersToIsrs).
func (p *simulated) concerns(node int32) bool {
	return slices.Contains(p.fixed.Replicas, node) ||
		slices.ContainsFunc(p.states, func(one state) bool { return slices.Contains(one.elr, node) })
}

// settleAmong is settle before the brokers that go or come are marked as such.
func (p *simulated) settleAmong(s *simulation, nodes []int32, joining bool) {
	if joining {
		return // register lets them catch up
	}
	was := make(map[int32]bool, len(nodes))
	for _, node := range nodes {
		was[node], s.brokers[node].Fenced = s.brokers[node].Fenced, true
	}
	p.settle(s)
	for _, node := range nodes {
		s.brokers[node].Fenced = was[node]
	}
}

// orders returns the orders of a few nodes, the one given first.
func orders(nodes []int32) [][]int32 {
	if len(nodes) > mostAtOnce {
		reversed := slices.Clone(nodes)
		slices.Reverse(reversed)
		var all [][]int32
		for _, order := range [][]int32{nodes, reversed} {
			for i := range order {
				all = append(all, append(slices.Clone(order[i:]), order[:i]...))
			}
		}
		return all
	}
	if len(nodes) <= 1 {
		return [][]int32{slices.Clone(nodes)}
	}
	var all [][]int32
	for i, first := range nodes {
		rest := append(slices.Clone(nodes[:i]), nodes[i+1:]...)
		for _, order := range orders(rest) {
			all = append(all, append([]int32{first}, order...))
		}
	}
	return all
}
