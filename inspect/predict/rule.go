package predict

// Rule is what decided who leads a partition. The zero value stands for nothing
// having been decided.
type Rule string

// The rules, in the order in which the controller tries them.
const (
	// RulePreferred: a preferred election made the first replica the leader.
	RulePreferred Rule = "preferred"
	// RuleInSync: the first of the replicas, in their order, that is in the ISR
	// and alive.
	RuleInSync Rule = "in-sync"
	// RuleELR: the ISR is empty, and this is the first of the replicas that is in
	// the ELR and alive (KIP-966).
	RuleELR Rule = "elr"
	// RuleLastKnownLeader: ISR and ELR are empty, and this replica led before the
	// partition lost its leader (KIP-966). Its log may be incomplete.
	RuleLastKnownLeader Rule = "last-known-leader"
	// RuleUnclean: unclean election is allowed or was asked for, and this is the
	// first of the replicas that is alive. Records may be lost.
	RuleUnclean Rule = "unclean"
	// RuleNoLeader: no replica may lead, so the partition is offline.
	RuleNoLeader Rule = "no-leader"
	// RuleNoQuorum: there is no majority of the controllers, so nothing is elected,
	// and the leader that the metadata has is down.
	RuleNoQuorum Rule = "no-quorum"
)

// Rules returns all rules, in the order in which the controller tries them.
func Rules() []Rule {
	return []Rule{RulePreferred, RuleInSync, RuleELR, RuleLastKnownLeader, RuleUnclean, RuleNoLeader, RuleNoQuorum}
}
