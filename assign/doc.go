// Package assign decides which member of a consumer group consumes which
// partition.
//
// It is pure: no I/O, no clock, no goroutine, no state between calls. The whole
// problem is data, a [Group]; the whole answer is data, a [Plan]. What depends on
// the world (load, lag, racks, who owns what) is fetched elsewhere and put into
// the Group, so an assignor can be tested with a table and run offline.
//
//	Group ──► Assignor.Assign ──► Plan (the target) ──► Withhold ──► Plan (what may be sent now)
//	                                │
//	                                ├─ Validate: does it keep the rules?
//	                                ├─ Measure:  how even is it, what does it move?
//	                                └─ Diff:     what changes from the plan before?
//
// # The contract of an assignor
//
// An [Assignor] returns the target: where every partition should end up. It gives
// each partition of every subscribed topic to exactly one member that subscribes
// to the topic. It is deterministic: the same Group gives the same Plan, in
// whatever order its members and topics are listed.
//
// In a cooperative group (KIP-429) a partition may not be given to its new member
// before the old one has given it up. That is not an assignor's work: [Withhold]
// takes such partitions out of a target and lists them, with their owner and the
// reason, in Plan.Withheld. [Validate] counts them as placed.
//
// # Bad input
//
// Ownership is a claim that members make about themselves, and claims are often
// wrong: a topic was deleted, a member missed a round, two members claim the same
// partition. [Group.Ownership] settles them as KIP-792 says; a claim that cannot
// hold is dropped on its own and never makes Assign fail. Weights and capacities
// come from the caller, and there a mistake is an error: [Group.Check] names each
// weight or capacity that is not a finite number of at least zero.
package assign
