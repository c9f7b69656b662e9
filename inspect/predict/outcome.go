package predict

import "slices"

// Outcome is what becomes of the cluster.
type Outcome struct {
	// Partitions are those whose leader is another than before, in the order of the
	// cluster. Never nil, like the other slices here, if not said otherwise.
	Partitions []Change `json:"partitions"`
	// Coordinators are the groups whose coordinator is another than before.
	Coordinators []CoordinatorChange `json:"coordinators"`
	// Controller is what becomes of the active controller.
	Controller Controller `json:"controller"`
	// Offline are all partitions that nobody leads afterwards.
	Offline []OfflinePartition `json:"offline"`
	// UnderMinISR are all partitions of which fewer replicas than min.insync.replicas
	// are in sync afterwards, the offline ones among them: producers that wait for
	// all replicas (acks=all) are refused.
	UnderMinISR []UnderMinISR `json:"underMinIsr"`
	// Elections are the answers to the steps [ElectPreferred] and [ElectUnclean]: one
	// for each partition named; where none was, one for each that needed an election.
	Elections []Election `json:"-"`
	// Idle are the nodes that a step found as it would have made them: down before a
	// [Crash] or [Stop], up before a [Return].
	Idle []Idle `json:"-"`
	// After is the cluster as it is then, from which a further Run may start.
	After Cluster `json:"-"`
}

// Idle is a node on which a step has no effect.
type Idle struct {
	// Step is which of the steps, from 1.
	Step int
	Node int32
	// Down is whether the node is down already, and not up already.
	Down bool
}

// Change is a partition that gets another leader, or loses its leader.
type Change struct {
	TopicPartition
	// From is the leader before, nil if there was none.
	From *int32 `json:"from"`
	// To is the leader afterwards, nil if the partition is offline.
	To     *int32 `json:"to"`
	Reason Rule   `json:"reason"`
	// Alternatives are the other brokers that lead instead of To, -1 standing for
	// none, where several nodes go or come at once and it depends on which of them
	// the controller notices first.
	Alternatives []int32 `json:"alternatives"`
}

// CoordinatorChange is a group that another broker coordinates afterwards.
type CoordinatorChange struct {
	Group string `json:"group"`
	// Partition of __consumer_offsets, whose leader coordinates the group.
	Partition int32  `json:"partition"`
	From      *int32 `json:"from"`
	// To is nil if nobody does: members cannot join, and offsets cannot be committed.
	To *int32 `json:"to"`
	// Alternatives are those of the partition; see [Change].
	Alternatives []int32 `json:"alternatives"`
}

// Controller is what becomes of the active controller.
type Controller struct {
	// From is the one before, nil if not known.
	From *int32 `json:"from"`
	// Candidates may be the active controller afterwards: the one before if it stays
	// up, and otherwise every voter that is up; who of them wins is left to chance
	// (KIP-595). Empty without a majority, nil if the voters are not known.
	Candidates []int32 `json:"candidates"`
	Quorum     Quorum  `json:"quorum"`
}

// Quorum is who votes for the controller.
type Quorum struct {
	// Voters and those of them that are up afterwards; nil if not known.
	Voters []int32 `json:"voters"`
	Up     []int32 `json:"up"`
	// Majority is how many it takes, nil if the voters are not known.
	Majority *int `json:"majority"`
	// Kept is whether so many are up. Without them nothing is elected. Nil if the
	// voters are not known, and then it is taken for granted.
	Kept *bool `json:"kept"`
}

// OfflinePartition is a partition without a leader.
type OfflinePartition struct {
	TopicPartition
	// Already is whether it was so before.
	Already bool `json:"already"`
}

// UnderMinISR is a partition that lacks replicas in sync.
type UnderMinISR struct {
	TopicPartition
	// InSync is how many replicas are in sync and up, and MinISR how many it takes.
	InSync int `json:"inSync"`
	MinISR int `json:"minIsr"`
	// Already is whether it was below MinISR before.
	Already bool `json:"already"`
}

// Election is what an election asked for does to one partition.
type Election struct {
	TopicPartition
	From   *int32         `json:"from"`
	To     *int32         `json:"to"`
	Reason Rule           `json:"reason"` // empty where the leader stays
	Result ElectionResult `json:"result"`
}

// ElectionResult is what the controller answers, by Kafka's own names but for
// [ElectionDone].
type ElectionResult string

const (
	// ElectionDone is NONE among Kafka's names, which says that there is no error.
	ElectionDone                 ElectionResult = "ELECTED"
	ElectionNotNeeded            ElectionResult = "ELECTION_NOT_NEEDED"
	ElectionPreferredUnavailable ElectionResult = "PREFERRED_LEADER_NOT_AVAILABLE"
	ElectionNobodyEligible       ElectionResult = "ELIGIBLE_LEADERS_NOT_AVAILABLE"
	ElectionUnknownPartition     ElectionResult = "UNKNOWN_TOPIC_OR_PARTITION"
	// ElectionNoController: there is no majority, so the request is not answered.
	ElectionNoController ElectionResult = "NOT_CONTROLLER"
)

func (p *simulated) name() TopicPartition {
	return TopicPartition{Topic: p.fixed.Topic, Partition: p.fixed.Partition}
}

func broker(id int32) *int32 {
	if id < 0 {
		return nil
	}
	return &id
}

// serves is whether clients reach the broker.
func (b *Broker) serves() bool { return b != nil && !b.Down && !b.Stale }

// serving is the leader whom clients reach: a leader in the metadata whose broker does
// not serve is none.
func serving(leader int32, brokers map[int32]*Broker) int32 {
	if !brokers[leader].serves() {
		return NoLeader
	}
	return leader
}

func inSync(isr []int32, brokers map[int32]*Broker) int {
	n := 0
	for _, id := range isr {
		if brokers[id].serves() {
			n++
		}
	}
	return n
}

func (s *simulation) outcome() Outcome {
	o := Outcome{
		Partitions: []Change{}, Coordinators: []CoordinatorChange{},
		Offline: []OfflinePartition{}, UnderMinISR: []UnderMinISR{}, Elections: s.elections, Idle: s.idle,
	}
	if o.Elections == nil {
		o.Elections = []Election{}
	}
	if o.Idle == nil {
		o.Idle = []Idle{}
	}
	was := make(map[int32]*Broker, len(s.before.Brokers))
	for i := range s.before.Brokers {
		was[s.before.Brokers[i].ID] = &s.before.Brokers[i]
	}
	coordinators := map[int32]*Change{}
	for i := range s.partitions {
		p := &s.partitions[i]
		before, after := p.fixed, p.states[0]
		from, to := serving(before.Leader, was), serving(after.leader, s.brokers)
		change := Change{TopicPartition: p.name(), From: broker(from), To: broker(to), Reason: after.rule, Alternatives: []int32{}}
		if to == NoLeader && after.leader != NoLeader {
			change.Reason = RuleNoQuorum
		}
		for _, other := range p.states[1:] {
			if leader := serving(other.leader, s.brokers); leader != to && !slices.Contains(change.Alternatives, leader) {
				change.Alternatives = append(change.Alternatives, leader)
			}
		}
		slices.Sort(change.Alternatives)
		if from != to || len(change.Alternatives) > 0 {
			o.Partitions = append(o.Partitions, change)
			if before.Topic == OffsetsTopic {
				coordinators[before.Partition] = &change
			}
		}
		if to == NoLeader {
			o.Offline = append(o.Offline, OfflinePartition{p.name(), from == NoLeader})
		}
		if n := inSync(after.isr, s.brokers); n < p.minISR {
			o.UnderMinISR = append(o.UnderMinISR, UnderMinISR{p.name(), n, p.minISR, inSync(before.ISR, was) < p.minISR})
		}
	}
	for _, group := range s.before.Groups {
		if c := coordinators[group.Partition]; c != nil {
			o.Coordinators = append(o.Coordinators, CoordinatorChange{group.Name, group.Partition, c.From, c.To, c.Alternatives})
		}
	}
	o.Controller = s.controller()
	o.After = s.after()
	return o
}

func (s *simulation) controller() Controller {
	c := Controller{From: s.before.Controller}
	if len(s.before.Voters) == 0 {
		return c
	}
	kept, majority := s.hasQuorum(), len(s.voters)/2+1
	c.Quorum = Quorum{Voters: []int32{}, Up: []int32{}, Majority: &majority, Kept: &kept}
	for _, v := range s.before.Voters {
		c.Quorum.Voters = append(c.Quorum.Voters, v.ID)
		if !s.voters[v.ID].Down {
			c.Quorum.Up = append(c.Quorum.Up, v.ID)
		}
	}
	switch {
	case !kept:
		c.Candidates = []int32{}
	case c.From != nil && !s.controllerFell:
		c.Candidates = []int32{*c.From}
	default:
		c.Candidates = slices.Clone(c.Quorum.Up)
	}
	return c
}

// after is the cluster as the steps left it.
func (s *simulation) after() Cluster {
	after := s.before
	after.Brokers = slices.Clone(after.Brokers)
	for i, b := range after.Brokers {
		after.Brokers[i] = *s.brokers[b.ID]
	}
	after.Voters = slices.Clone(after.Voters)
	for i, v := range after.Voters {
		after.Voters[i] = *s.voters[v.ID]
	}
	after.Partitions = slices.Clone(after.Partitions)
	for i := range after.Partitions {
		p, one := &after.Partitions[i], s.partitions[i].states[0]
		p.Leader, p.ISR, p.ELR, p.LastKnownELR = one.leader, one.isr, one.elr, one.last
	}
	if s.controllerFell {
		after.Controller = nil // chance decides among several
		if candidates := s.controller().Candidates; len(candidates) == 1 {
			after.Controller = &candidates[0]
		}
	}
	return after
}
