// Package cluster runs real Kafka clusters in containers for tests, and hurts
// them on request.
//
//	func TestMain(m *testing.M) { cluster.Main(m) }
//
//	func TestReads(t *testing.T) {
//		c := cluster.Shared(t) // one for the whole package; do it no harm
//		…
//	}
//
//	func TestLeaderDies(t *testing.T) {
//		c := cluster.Start(t, cluster.WithNodes(3)) // one's own
//		client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
//		…
//		if err := c.Kill(ctx, leader); err != nil {
//			t.Fatal(err)
//		}
//	}
//
// # What a cluster is
//
// Nodes have the ids 1, 2, 3…; each is broker and controller (KRaft) in a
// container of its own, in a rack of its own: rack-1, rack-2, rack-3…. Clients
// reach each at a port that stays the same while the cluster exists: of 127.0.0.1,
// or of the engine's machine where that is another. A cluster that [New], [Start] or [Shared] returns is ready in the sense
// of [Cluster.WaitReady], a condition and not a delay.
//
// # What may be done to a node
//
//	             Kill, Stop                Pause
//	stopped  <───────────────  running  ───────────>  paused
//	         ───────────────>    │ ^    <───────────    │
//	             Restart         │ │       Unpause      │ Kill, Stop
//	                  Disconnect │ │ Reconnect          v
//	                             v │                 stopped
//	                         disconnected
//
// Anything else is an error. What takes a node away returns when that is done,
// not when the other nodes have noticed: they notice a clean stop at once, a
// dead or silent node after its session of 5 s. What brings a node back waits
// until the cluster is ready again.
//
// A cluster with ZooKeeper can be migrated to KRaft: [Cluster.StartKRaftController],
// [Cluster.MigrateBroker] for each broker and mode, [Cluster.FinalizeMigration].
//
// # Broker properties
//
// Topics are not created by themselves. New topics, offsets and transactions
// have 3 replicas and need 2 in sync; with two nodes 2 and 1, with one node 1 and
// 1. A group's first rebalance waits 100 ms, and sessions may be as short as 1 s.
// Brokers lose their session after 5 s, and a follower that fetches nothing leaves
// the ISR after 10 s. The heap is 256 MiB. [WithProperty] and [WithNodeProperty]
// change any of it; everything else is Kafka's default.
//
// # What is left behind
//
// Nothing: a test's cluster goes when the test ends. If the process ends before
// that, by a panic, a signal, SIGKILL included, or go test's -timeout, then its
// reaper removes the cluster: a second process of the same program, started with
// the first cluster, which ends when all is removed, at the latest 45 s after the
// process it cleans up for.
//
// What a killed reaper leaves, the next run removes: labels name the process that
// made it by pid, start, boot and machine. What belongs to a process that still
// runs is never touched.
//
// # Keeping a cluster between runs
//
// With GROUPKIT_KEEP_CLUSTER=1 in the environment the cluster of [Shared] is
// left running at the end, and found and used by the next run that asks for it
// in the same way; if it is not healthy, it is replaced. Topics and groups of
// earlier runs are still there then. Runs without the variable leave it alone;
// GROUPKIT_KEEP_CLUSTER=remove removes it.
//
// # The Docker engine and the image
//
// The engine is the one that DOCKER_HOST or the usual sockets name; where none
// answers, [Start] and [Shared] fail with [ErrNoEngine]. The image is found, pulled or
// built by package image; KAFKA_IMAGE names another.
package cluster
