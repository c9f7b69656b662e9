// Package member runs a member of a Kafka consumer group, and lets it decide for the
// whole group when Kafka elects it leader.
//
// It has three layers, each useful alone:
//
//   - [Hooks] bring assignors of package assign, the leader hooks and events to a
//     kgo client that you made and whose poll loop stays yours.
//   - [Elect] elects a leader among processes that consume nothing, in a group
//     without topics, with the same terms, leases and fences.
//   - [Member] is a client that runs handlers and commits, on top of the hooks, or on
//     KIP-848, where the brokers plan and nobody leads ([ConsumerProtocol]).
//
// # What happens in a round
//
// Whenever members come, go or change what they subscribe to, the group's
// coordinator calls a round. These are the requests of the classic protocol, and
// where this package acts:
//
//	JoinGroup ─► each member tells its topics, what it owns, capacity and labels
//	            the coordinator names one member the leader: the first to join
//	 leader:    Assignor.Assign ─► OnPlan ─► validate ─► withhold what still moves
//	SyncGroup ─► the leader's plan is handed to every member: it is adopted
//	 leader:    Lead runs, from the first adopted plan until leadership is lost
//
// The leader stays leader through later rounds for as long as it is a member; when
// it leaves, dies, or does not join in time, the coordinator names another.
//
// # What cannot happen
//
// A group must not stop because of one process's code or one member's bytes:
//
//   - A member whose metadata cannot be decoded is isolated: it is given nothing, an
//     event names it, and the round goes on for the others. In a cooperative group
//     nobody can know what it still holds. Where this leader cannot tell either,
//     because it has made no plan yet or could read the member in its last one,
//     partitions that no other member claims are withheld for one round, and the
//     leader brings about the next. That is enough for a member that does as it is
//     told; one that never reads its assignment may go on consuming.
//   - Topic names that no topic can have are left out of what members subscribe to.
//   - An assignor or hook that panics, fails, runs past its deadline or returns a
//     plan that breaks the rules is replaced, for this round, by assign.Keep: what is
//     owned stays, partitions without an owner go to the member with the fewest. An
//     event tells why.
//
// # What leadership means
//
// [HooksConfig.Lead] runs in one member at a time. Its context ends as soon as the
// client learns that it no longer leads, and in any case when the lease runs out:
// the package heartbeats on its own while a term is on, and a leader that the
// coordinator has not acknowledged for the session timeout, or that could not take part
// in a round for the rebalance timeout, must expect that another was elected. A tenth
// of the shorter of the two before that the context ends. The same holds when the
// process was stopped or its machine suspended: Err of the context tells at the first
// look afterwards, Done a moment later.
//
// What no client can promise, and this package does not:
//
//   - that work stops which does not look at its context;
//   - that a virtual machine notices that it was paused, or restored, where its clocks
//     stood still;
//   - that nothing overlaps when an administrator removes the member, or when a second
//     process joins with the same instance id, for then the successor may be leading
//     before the coordinator can tell this one;
//   - the same when the client is closed, or leaves the group, before [Hooks.Close]:
//     the term ends when LeaveGroup is written, which is not before it is read
//     (for these two, [HooksConfig.TakeoverDelay] makes the successor wait);
//   - that a broker which is cut off from its cluster, and does not know that the
//     group has another coordinator by now, does not acknowledge heartbeats.
//
// Work that must not overlap even then needs a fence where it takes effect: [Term.Fence]
// orders terms, and [Term.Check] asks the coordinator.
//
// Work that returns while its term is on, or panics, is called again, with the same term
// and after longer and longer waits. Work that is done returns [ErrTermDone]; then nothing
// runs until the next term.
//
// # States
//
// A member is in one of the states below, and [Event] tells each change.
//
//	    ┌────────◄─ a round is called ─◄────────┐
//	    ▼                                       │
//	joining ──► syncing ──► following ──► leading ──► resigning ──► following, or
//	    ▲          │   plan adopted   term begins  term ends        where it is by then
//	    │          └──► leaderless: the broker assigns (KIP-848)
//	 fenced: out of the group          closed: for good
//
// # What Run promises
//
// [Member.Run] hands the records of each partition to the handler in order, one call at
// a time, and partitions at the same time. What waits for a handler is bounded: beyond
// that the partition is not fetched.
//
//	assigned ─► open ── revoked, the handler may finish ─► draining ── committed ─► gone
//	              │                                                                 ▲
//	              └──── lost: the handler's context ends, nothing is committed ─────┘
//
// In words:
//
//   - At least once: an offset is committed only when everything below it was handled.
//     A commit that fails is tried again for as long as the member has the partition.
//   - A partition that is given up is drained and committed first. A handler that does
//     not come to its end has its context ended, and is not waited for without end:
//     [Config.DrainTimeout].
//   - The context of a handler ends before another member can have its partition: it is
//     under a lease as Lead is, for followers too. When the coordinator acknowledges the
//     member again before it gave the partitions away, the handler is called again.
//   - An error, and a panic, is tried again and then goes to [Config.OnFailure].
//   - A handler that makes no progress for [Config.StallTimeout] is told of, or its
//     partition released, or the group left.
//
// What is said above of work that does not look at its context, and of administrators
// and doubles, holds for handlers too.
//
// # Goroutines
//
// Callbacks say on which goroutine they run. The package starts goroutines for each
// term that this member leads, one after each round that it does not lead, and before each
// that a leader joins, which asks whether a broker assigns partitions in the group, and
// one for each assignor or hook call that has a deadline. [Hooks.Close] waits for all but
// the last. Those end with their call, for which the client's Close waits where it is part
// of a round and has not overrun. A [Member] has one that keeps
// the lease, one that looks for what keeps it out of the group until it is in, and while
// it runs one for each partition, in which the handler is called, one that commits and one
// that is the watchdog; Run and Close wait for them, but for handlers that were abandoned.
package member
