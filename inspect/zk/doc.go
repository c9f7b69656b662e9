// Package zk reads who is the controller of a Kafka cluster that runs with ZooKeeper
// (Kafka before 4.0), and follows its elections.
//
//	answer, err := zk.Controller(ctx, "zk1:2181,zk2:2181/kafka")
//	for event, err := range zk.Watch(ctx, "zk1:2181") { … }
//
// # How the controller is elected with ZooKeeper
//
// Each broker tries to make the node /controller; the one that can is the controller. The
// node is ephemeral: it lives as long as the broker's session, and when it goes, all
// brokers try again. With the node, in one transaction, /controller_epoch is counted up,
// by which brokers know requests of a controller that was replaced (KafkaZkClient,
// registerControllerAndIncrementControllerEpoch).
//
// While a cluster migrates to KRaft (KIP-866), the KRaft controller claims /controller by
// a node that is not ephemeral and holds its epoch as kraftControllerEpoch, so that no
// broker can take it, and notes in /migration how far it is. [inspect.Controller].Mode
// says which of the two holds, and [inspect.Migration].Stage how far the migration is.
// ZooKeeper is not written any more once the migration is over: then the brokers' own
// answer, by [inspect.Inspector.Controller], is the one that counts. It is right as soon
// as one broker runs with KRaft.
//
// # What is sent
//
// Nothing here writes. A session is opened, nodes are read and watched, and the session
// is closed. Kafka lets everybody read these nodes, also where it protects others
// (zookeeper.set.acl). Connections are in plaintext, unless [TLS] is given; [Digest] logs in
// by ZooKeeper's scheme of that name. SASL is not supported: Kafka's nodes are read without.
package zk
