package predict

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUnknownNode is in the error of [Run] for a step that names a node which is
// neither a broker nor a voter.
var ErrUnknownNode = errors.New("no such node")

// ErrUnknownRack is in the error of [Run] for a step that names a rack in which there
// is no broker.
var ErrUnknownRack = errors.New("no such rack")

// mostNamed is how many nodes or racks an error names.
const mostNamed = 20

// Run says what the steps, one after another, do to the cluster. The cluster given is
// left as it is.
//
// The error says that a step names a node or a rack that the cluster does not have; it
// wraps [ErrUnknownNode] or [ErrUnknownRack]. The time it takes is in proportion to
// partitions times steps: some tenths of a second for 100,000 partitions.
func Run(c Cluster, steps ...Step) (Outcome, error) {
	s := newSimulation(c)
	for i, step := range steps {
		step, err := s.resolve(step)
		if err != nil && len(steps) > 1 {
			err = fmt.Errorf("step %d: %w", i+1, err)
		}
		if err != nil {
			return Outcome{}, err
		}
		s.noteIdle(i+1, step)
		s.apply(step)
	}
	return s.outcome(), nil
}

// resolve puts the brokers of racks in their place, and refuses what is not there. A
// node that is named twice is there once.
func (s *simulation) resolve(step Step) (Step, error) {
	named := step.nodes
	for _, rack := range step.racks {
		brokers := s.before.InRack(rack)
		if racks := s.before.racks(); len(brokers) == 0 && len(racks) == 0 {
			return step, fmt.Errorf("%w as %q; no broker tells a rack (broker.rack)", ErrUnknownRack, rack)
		} else if len(brokers) == 0 {
			return step, fmt.Errorf("%w as %q; there are %s", ErrUnknownRack, rack, list(racks, "%q"))
		}
		named = append(slices.Clone(named), brokers...)
	}
	step.nodes = nil
	for _, node := range named {
		if !s.knows(node) {
			return step, fmt.Errorf("%w as %d; there are %s", ErrUnknownNode, node, list(s.ids(), "%d"))
		}
		if !slices.Contains(step.nodes, node) {
			step.nodes = append(step.nodes, node)
		}
	}
	return step, nil
}

// list names the first, and counts the others.
func list[T any](all []T, verb string) string {
	var texts []string
	for _, one := range all[:min(len(all), mostNamed)] {
		texts = append(texts, fmt.Sprintf(verb, one))
	}
	text := strings.Join(texts, ", ")
	switch more := len(all) - len(texts); {
	case len(all) == 0:
		return "none"
	case more > 0:
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// noteIdle notes the nodes that a step finds as it would make them.
func (s *simulation) noteIdle(number int, step Step) {
	down := step.kind == crash || step.kind == stop
	if !down && step.kind != comeBack {
		return
	}
	for _, node := range step.nodes {
		b, v := s.brokers[node], s.voters[node]
		if (b == nil || b.Down == down) && (v == nil || v.Down == down) && (b != nil || v != nil) {
			s.idle = append(s.idle, Idle{Step: number, Node: node, Down: down})
		}
	}
}

// simulation is a cluster while steps are applied to it.
type simulation struct {
	before     Cluster
	brokers    map[int32]*Broker
	voters     map[int32]*Voter
	elr        bool
	partitions []simulated
	elections  []Election
	idle       []Idle
	// controllerFell is whether the node that was the controller went down.
	controllerFell bool
}

// simulated is a partition in each of the states that it may be in. The first is that
// of nodes that went and came in the order in which the steps name them.
type simulated struct {
	fixed *Partition
	// minISR is what the leader asks for, at most the partition's replicas
	// (kafka.cluster.Partition.effectiveMinIsr). The controller, which decides by it
	// who is eligible, asks for at most the replicas of the topic's partition 0
	// (ReplicationControlManager.getTopicEffectiveMinIsr).
	minISR, controllerMinISR int
	states                   []state
}

// mostStates bounds the states of one partition. It takes many nodes at once, again
// and again, to get there.
const mostStates = 64

func newSimulation(c Cluster) *simulation {
	// Kafka's ids are not negative; -1 stands for none.
	c.Brokers = slices.DeleteFunc(slices.Clone(c.Brokers), func(b Broker) bool { return b.ID < 0 })
	s := &simulation{before: c, brokers: map[int32]*Broker{}, voters: map[int32]*Voter{}, elr: c.ELR}
	for _, b := range c.Brokers {
		s.brokers[b.ID] = &b
	}
	for _, v := range c.Voters {
		s.voters[v.ID] = &v
	}
	replicasOfFirst := map[string]int{}
	for i := range c.Partitions {
		if p := &c.Partitions[i]; p.Partition == 0 {
			replicasOfFirst[p.Topic] = len(p.Replicas)
		}
	}
	s.partitions = make([]simulated, len(c.Partitions))
	for i := range c.Partitions {
		p := &c.Partitions[i]
		ofFirst, known := replicasOfFirst[p.Topic]
		if !known {
			ofFirst = len(p.Replicas)
		}
		s.partitions[i] = simulated{
			fixed:            p,
			minISR:           max(1, min(p.MinISR, len(p.Replicas))),
			controllerMinISR: max(1, min(p.MinISR, ofFirst)),
			states:           []state{{leader: max(p.Leader, NoLeader), isr: p.ISR, elr: p.ELR, last: p.LastKnownELR}},
		}
	}
	return s
}

func (s *simulation) knows(node int32) bool {
	return s.brokers[node] != nil || s.voters[node] != nil || slices.Contains(s.before.Observers, node)
}

func (s *simulation) ids() []int32 {
	ids := slices.Concat(slices.Collect(maps.Keys(s.brokers)), slices.Collect(maps.Keys(s.voters)), s.before.Observers)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// hasQuorum is whether more than half of the voters run. Voters that are not known
// are taken to.
func (s *simulation) hasQuorum() bool {
	up := 0
	for _, v := range s.voters {
		if !v.Down {
			up++
		}
	}
	return len(s.voters) == 0 || up > len(s.voters)/2
}

func (s *simulation) apply(step Step) {
	switch step.kind {
	case crash:
		s.takeDown(step.nodes, false)
	case stop:
		// The brokers hand over while the voters among the nodes still vote.
		s.takeDown(step.nodes, s.hasQuorum())
	case comeBack:
		s.bringBack(step.nodes)
	case electPreferred, electUnclean:
		s.elect(step)
	}
}

// takeDown ends nodes. handOver is whether their brokers get to hand over first.
func (s *simulation) takeDown(nodes []int32, handOver bool) {
	var ended []int32
	for _, node := range nodes {
		if b := s.brokers[node]; b != nil && !b.Down {
			b.Down, b.Stale, b.Clean = true, false, handOver
			if !b.Fenced {
				ended = append(ended, node)
			}
		}
	}
	if handOver {
		s.fence(ended)
	}
	for _, node := range nodes {
		if v := s.voters[node]; v != nil {
			v.Down = true
		}
		if c := s.before.Controller; c != nil && *c == node {
			s.controllerFell = true
		}
	}
	if s.hasQuorum() {
		s.fence(s.unnoticed(nodes))
	} else {
		s.controllerFell = true
	}
}

// unnoticed are the brokers that went down and are not fenced yet, those of the step
// first.
func (s *simulation) unnoticed(first []int32) []int32 {
	var ids []int32
	for _, id := range append(slices.Clone(first), s.ids()...) {
		if b := s.brokers[id]; b != nil && (b.Down || b.Stale) && !b.Fenced && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// bringBack starts nodes. Without a majority their brokers wait to register.
func (s *simulation) bringBack(nodes []int32) {
	for _, node := range nodes {
		if v := s.voters[node]; v != nil {
			v.Down = false
		}
		if b := s.brokers[node]; b != nil && b.Down {
			b.Down, b.Stale = false, !b.Fenced
		}
	}
	if !s.hasQuorum() {
		return
	}
	s.fence(s.unnoticed(nil))
	var waiting []int32
	for _, id := range append(slices.Clone(nodes), s.ids()...) {
		if b := s.brokers[id]; b != nil && b.Fenced && !b.Down && !slices.Contains(waiting, id) {
			waiting = append(waiting, id)
		}
	}
	s.register(waiting)
}

// fence is ReplicationControlManager.handleBrokerFenced, and
// handleBrokerInControlledShutdown, which does the same to partitions.
func (s *simulation) fence(nodes []int32) {
	s.inAnyOrder(nodes, func(p *simulated, t terms, one state, node int32) state {
		if slices.Contains(one.isr, node) {
			one, _ = t.alter(one, without(one.isr, node), p.allowed(), NoLeader)
		}
		return one
	}, false)
	for _, node := range nodes {
		s.brokers[node].Fenced, s.brokers[node].Stale = true, false
	}
}

// register is ClusterControlManager.registerBroker, with
// ReplicationControlManager.handleBrokerShutdown and, once the broker is unfenced,
// handleBrokerUnfenced.
func (s *simulation) register(nodes []int32) {
	s.inAnyOrder(nodes, func(p *simulated, t terms, one state, node int32) state {
		before := t
		before.alive = func(replica int32) bool { return replica != node && t.alive(replica) }
		switch inISR, inELR := slices.Contains(one.isr, node), slices.Contains(one.elr, node); {
		case s.elr && !s.brokers[node].Clean && (inISR || inELR):
			one, _ = before.alter(one, without(one.isr, node), p.allowed(), node)
		case inISR:
			one, _ = before.alter(one, without(one.isr, node), p.allowed(), NoLeader)
		}
		if one.leader == NoLeader {
			one, _ = t.alter(one, one.isr, p.allowed(), NoLeader)
		}
		return one
	}, true)
	for _, node := range nodes {
		s.brokers[node].Fenced = false
	}
	s.catchUp(nodes)
}

// allowed is the election that the controller holds by itself.
func (p *simulated) allowed() election {
	if p.fixed.Unclean {
		return unclean
	}
	return online
}

func (s *simulation) elect(step Step) {
	named := make(map[TopicPartition]bool, len(step.partitions))
	for _, tp := range step.partitions {
		named[tp] = true
	}
	found := make(map[TopicPartition]bool, len(step.partitions))
	for i := range s.partitions {
		p := &s.partitions[i]
		tp := p.name()
		whole := TopicPartition{tp.Topic, AllPartitions}
		found[tp], found[whole] = true, true
		if !step.all && !named[tp] && !named[whole] {
			continue
		}
		before := p.states[0]
		var result ElectionResult
		for j := range slices.Backward(p.states) {
			p.states[j], result = s.electOne(p, p.states[j], step.kind)
		}
		after := p.states[0]
		if named[tp] || result != ElectionNotNeeded {
			s.elections = append(s.elections, Election{TopicPartition: tp, From: broker(before.leader), To: broker(after.leader), Result: result, Reason: reasonOf(before, after)})
		}
		if result == ElectionDone {
			p.settle(s)
		}
	}
	for _, tp := range step.partitions {
		if !found[tp] {
			found[tp] = true // told once
			s.elections = append(s.elections, Election{TopicPartition: tp, Result: ElectionUnknownPartition})
		}
	}
}

func reasonOf(before, after state) Rule {
	if before.leader == after.leader {
		return ""
	}
	return after.rule
}

// electOne is ReplicationControlManager.electLeader.
func (s *simulation) electOne(p *simulated, one state, kind stepKind) (state, ElectionResult) {
	how, refused := preferred, ElectionPreferredUnavailable
	if kind == electUnclean {
		how, refused = unclean, ElectionNobodyEligible
	}
	switch {
	case !s.hasQuorum():
		return one, ElectionNoController
	case kind == electPreferred && len(p.fixed.Replicas) > 0 && one.leader == p.fixed.Replicas[0],
		kind == electUnclean && one.leader != NoLeader:
		return one, ElectionNotNeeded
	}
	next, changed := s.terms(p, s.isActive).alter(one, one.isr, how, NoLeader)
	if !changed {
		return one, refused
	}
	return next, ElectionDone
}

func (s *simulation) terms(p *simulated, active func(int32) bool) terms {
	return terms{
		replicas: p.fixed.Replicas, minISR: p.controllerMinISR, elr: s.elr,
		alive: func(replica int32) bool {
			return active(replica) && !slices.Contains(p.fixed.FailedReplicas, replica)
		},
	}
}

// isActive is ClusterControlManager.isActive.
func (s *simulation) isActive(id int32) bool {
	b := s.brokers[id]
	return b != nil && !b.Fenced
}

// catchUp lets replicas join the ISR that have a reason to: their broker came back, or
// the partition has a new leader.
func (s *simulation) catchUp(returned []int32) {
	for i := range s.partitions {
		p := &s.partitions[i]
		if intersects(p.fixed.Replicas, returned) {
			p.settle(s)
		}
	}
}

// settle is the AlterPartition request of a leader whose followers have all caught up
// (ReplicationControlManager.alterPartition).
func (p *simulated) settle(s *simulation) {
	t := s.terms(p, s.isActive)
	for j, one := range p.states {
		if one.leader == NoLeader || !t.alive(one.leader) {
			continue
		}
		isr := one.isr
		for _, replica := range p.fixed.Replicas {
			if t.alive(replica) {
				isr = union(isr, []int32{replica})
			}
		}
		p.states[j], _ = t.alter(one, isr, p.allowed(), NoLeader)
	}
}

func intersects(a, b []int32) bool {
	return slices.ContainsFunc(a, func(v int32) bool { return slices.Contains(b, v) })
}
