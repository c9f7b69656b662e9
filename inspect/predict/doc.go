// Package predict says what a Kafka cluster will do when brokers go down or come
// back, and when leaders are elected on request: who leads each partition then, by
// which rule, what goes offline, which coordinators move, and whether the
// controllers keep their majority.
//
//	outcome, err := predict.Run(cluster, predict.Crash(2, 3), predict.Return(2))
//
// [Run] takes steps in turn; [Roll] is a rolling restart, round by round.
//
// It is a model: metadata in, metadata out. There is no I/O here, no clock and no
// randomness; the same arguments give the same outcome. inspect.Inspector.Predict
// reads a live cluster and calls it.
//
// # The rules
//
// They are those of the KRaft controller of Kafka 4.3 (PartitionChangeBuilder,
// ReplicationControlManager, ClusterControlManager, BrokerHeartbeatManager). A
// leader that is in sync and alive stays. Otherwise the first of these decides:
//
//	in-sync            the first of the replicas, in their order, that is in the ISR and alive
//	elr                with the ISR empty: the first of the replicas in the ELR and alive (KIP-966)
//	last-known-leader  with ISR and ELR empty: the one that led last, once it is alive (KIP-966)
//	unclean            where the topic allows it: the first of the replicas that is alive
//	no-leader          none of them: the partition is offline
//
// A preferred election tries the first replica before all others (preferred). An
// unclean election may use the unclean rule whatever the topic allows. Without a
// majority of the controllers nothing is decided at all (no-quorum): partitions
// stay with the leaders that they had, dead or alive.
//
// Brokers that run with ZooKeeper, up to Kafka 3.9, elect by the same rules but those of
// KIP-966 (PartitionLeaderElectionAlgorithms); ELR is false then, and Voters are not known.
//
// # What each step does
//
//	Crash    each broker is fenced: it leaves every ISR, and joins the ELR where
//	         the ISR falls below the minimum
//	Stop     the same, but by a controlled shutdown: leaders move while the broker
//	         still serves, and it keeps its place in the ELR when it returns
//	Return   the broker registers. One that crashed loses its place in ISR and ELR.
//	         It is unfenced, partitions without a leader elect, and it catches up:
//	         it joins the ISR of each of its partitions that has a leader
//
// After each step the cluster comes to rest: the replicas of a partition that got a
// new leader, and those of brokers that returned, are taken to be in sync again. A
// replica that lagged before, under a leader that stays, is taken to lag on.
//
// A step with several nodes is one in which they go or come at once. The controller
// still takes them one by one, in an order that nobody can know; where that decides
// who leads, the change names the alternatives.
//
// # What it cannot know
//
// Replicas that fall out of sync meanwhile, disks that fail, operators who do
// something else; the periodic preferred election
// (auto.leader.rebalance.enable, every 5 minutes), which is a step of its own here;
// and who among the controllers that are up will be elected, which is left to
// chance: they are all named.
package predict
