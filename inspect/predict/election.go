package predict

import "slices"

// election is how far a choice of a leader may go (PartitionChangeBuilder.Election).
type election int

const (
	online election = iota
	preferred
	unclean
)

// state is what elections change of a partition. Its slices are never written to, so
// states share them.
type state struct {
	leader         int32
	isr, elr, last []int32
	rule           Rule // what last decided the leader, empty if nothing did
}

// terms are what an election of one partition depends on and does not change.
type terms struct {
	replicas []int32
	minISR   int // as the controller has it, see simulated
	elr      bool
	// alive is whether a replica may be elected: unfenced, not shutting down, and
	// on a disk that works (ReplicationControlManager.LeaderAcceptor).
	alive func(int32) bool
}

// alter is PartitionChangeBuilder.build: it makes targetISR the ISR, with what
// follows for the ELR and the leader, and says whether that changes anything.
// crashed is a broker that registers after a crash, or NoLeader.
func (t terms) alter(s state, targetISR []int32, kind election, crashed int32) (state, bool) {
	// maybePopulateTargetElr
	targetELR := s.elr
	switch {
	case !t.elr:
	case len(targetISR) >= t.minISR:
		targetELR = nil
	default:
		targetELR = without(union(s.elr, s.isr), append([]int32{crashed}, targetISR...)...)
	}

	// tryElection
	next := s
	leader, rule := t.choose(s, targetISR, targetELR, kind)
	lossy := rule == RuleUnclean || rule == RuleLastKnownLeader
	if leader != s.leader {
		next.leader, next.rule = leader, rule
		if slices.Contains(targetELR, leader) {
			targetISR, targetELR = []int32{leader}, without(targetELR, leader)
		}
	}

	// The rest of build: an ISR may be empty only with ELR, and a lossy election
	// leaves nobody but the leader.
	changesLeader := leader != s.leader
	switch {
	case changesLeader && lossy:
		next.isr, next.elr = []int32{leader}, nil
	case t.elr:
		next.isr, next.elr = targetISR, targetELR
	case len(targetISR) > 0:
		next.isr, next.elr = targetISR, nil
	default:
		next.elr = nil
	}

	// maybeUpdateLastKnownLeader
	if t.elr && changesLeader {
		switch {
		case leader == NoLeader && len(s.last) == 0:
			next.last = []int32{s.leader}
		case leader != NoLeader:
			next.last = nil
		}
	}
	return next, !next.same(s)
}

// choose is PartitionChangeBuilder.electLeader.
func (t terms) choose(s state, isr, elr []int32, kind election) (int32, Rule) {
	valid := func(replica int32) bool {
		return (slices.Contains(isr, replica) || len(isr) == 0 && slices.Contains(elr, replica)) && t.alive(replica)
	}
	clean := func(replica int32) Rule {
		if slices.Contains(isr, replica) {
			return RuleInSync
		}
		return RuleELR
	}
	if kind == preferred && len(t.replicas) > 0 && valid(t.replicas[0]) {
		if slices.Contains(isr, t.replicas[0]) && s.leader != NoLeader {
			return t.replicas[0], RulePreferred
		}
		return t.replicas[0], clean(t.replicas[0])
	}
	if valid(s.leader) {
		return s.leader, clean(s.leader)
	}
	if i := slices.IndexFunc(t.replicas, valid); i >= 0 {
		return t.replicas[i], clean(t.replicas[i])
	}
	if t.elr && len(isr) == 0 && len(elr) == 0 && len(s.last) == 1 && t.alive(s.last[0]) {
		return s.last[0], RuleLastKnownLeader
	}
	if kind == unclean {
		if i := slices.IndexFunc(t.replicas, t.alive); i >= 0 {
			return t.replicas[i], RuleUnclean
		}
	}
	return NoLeader, RuleNoLeader
}

// same compares what the metadata holds; sets are compared as such.
func (s state) same(other state) bool {
	return s.leader == other.leader && sameSet(s.isr, other.isr) && sameSet(s.elr, other.elr) && sameSet(s.last, other.last)
}

func sameSet(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for _, v := range a {
		if !slices.Contains(b, v) {
			return false
		}
	}
	return true
}

func union(a, b []int32) []int32 {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// without returns s itself where nothing is to be taken out.
func without(s []int32, out ...int32) []int32 {
	if !slices.ContainsFunc(s, func(v int32) bool { return slices.Contains(out, v) }) {
		return s
	}
	left := make([]int32, 0, len(s))
	for _, v := range s {
		if !slices.Contains(out, v) {
			left = append(left, v)
		}
	}
	return left
}
