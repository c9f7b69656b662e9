package inspect

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What elects the controller of a cluster.
const (
	ModeKRaft     = "kraft"
	ModeZooKeeper = "zookeeper"
)

// Controller says which node decides for the cluster, and how well those who
// could take over keep up with it.
type Controller struct {
	// Mode is what elects the controller: "kraft" or "zookeeper"; nil if not
	// known. While a cluster migrates it is the one of the two that holds.
	Mode *string `json:"mode"`
	// Node is the controller that is active, nil if there is none or it could
	// not be found out.
	Node *int32 `json:"node"`
	// Epoch counts the controller's elections, nil if not known.
	Epoch *int32 `json:"epoch"`
	// Source is what told: the request "DescribeQuorum", or ZooKeeper's node
	// "/controller". Nil if nothing did.
	Source *string `json:"source"`
	// Dynamic is whether voters can be added and removed while the cluster runs
	// (KIP-853, kraft.version 1), rather than being written in the configuration
	// of all. Nil if not told, and with ZooKeeper.
	Dynamic *bool `json:"dynamic"`
	// HighWatermark is one past the last record of the metadata log that a
	// majority has; nil if not known, and with ZooKeeper.
	HighWatermark *int64 `json:"highWatermark"`
	// Voters are the controllers that elect one among them, by node; nil if
	// not known, and with ZooKeeper.
	Voters []QuorumNode `json:"voters"`
	// Observers are the nodes that follow the metadata log without a vote:
	// brokers that are not controllers, and controllers that are to become
	// voters. By node; nil if not known, and with ZooKeeper.
	Observers []QuorumNode `json:"observers"`
	// ZooKeeper is what only ZooKeeper tells; nil where it was not asked.
	ZooKeeper *ZooKeeper `json:"zookeeper"`
}

// QuorumNode is how far one node is with the metadata log.
type QuorumNode struct {
	Node int32 `json:"node"`
	// Directory is the id of the folder that holds the node's log (KIP-853), as
	// Kafka writes it. A node whose disk was replaced is another voter with the
	// same number. Nil if not told, as it is for static voters.
	Directory *string `json:"directory"`
	// LogEndOffset is one past the last record that the active controller
	// knows this node to have. Nil if it has not heard from the node since it
	// became active.
	LogEndOffset *int64 `json:"logEndOffset"`
	// Lag is how many records the node is behind the active controller: 0 for
	// the controller itself. Nil if either end is not known.
	Lag *int64 `json:"lag"`
	// LastFetch is when the node last asked for records, and LastCaughtUp until
	// when it had all of them, by the clock of the active controller. Nil if not
	// told: by brokers before 3.3, of nodes not heard from, and by some versions of
	// the controller itself.
	LastFetch    *time.Time `json:"lastFetch"`
	LastCaughtUp *time.Time `json:"lastCaughtUp"`
	// Endpoints are where the voter listens for others (KIP-853). Nil if not told;
	// observers' are not.
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is an address at which a node listens.
type Endpoint struct {
	Listener string `json:"listener"`
	Host     string `json:"host"`
	Port     int32  `json:"port"`
}

// ZooKeeper is what ZooKeeper's nodes tell of a cluster that is, or was, run with it.
// Package inspect/zk reads it.
type ZooKeeper struct {
	// Since is when the controller's node was made: the time of its election by
	// ZooKeeper's clock. Nil without a controller.
	Since *time.Time `json:"since"`
	// KRaftEpoch is the epoch of the KRaft controller that claimed /controller
	// while migrating; nil if a broker holds it.
	KRaftEpoch *int32 `json:"kraftEpoch"`
	// Brokers are the brokers that hold a session with ZooKeeper, by ID. Each may
	// become the controller when it is free, if none of KRaft holds it.
	Brokers []int32 `json:"brokers"`
	// Migration is how far the migration to KRaft is, by the node /migration; nil
	// if there is none.
	Migration *Migration `json:"migration"`
}

// How far a migration to KRaft is, by what ZooKeeper holds.
const (
	// MigrationBegun: KRaft controllers wait for all brokers to know of them; a broker is
	// the controller.
	MigrationBegun = "begun"
	// MigrationCopies: a KRaft controller has claimed /controller, and copies what
	// ZooKeeper holds.
	MigrationCopies = "copies"
	// MigrationWritesBoth: brokers may run in either mode, and what the KRaft controller
	// decides is written to ZooKeeper as well.
	MigrationWritesBoth = "writes-both"
	// MigrationSilent: the KRaft controller has not written to ZooKeeper for half a
	// minute. The migration is over, which nobody notes there, or the controller is down.
	MigrationSilent = "silent"
	// MigrationUndone: a broker has /controller again, after KRaft had it.
	MigrationUndone = "undone"
)

// Migration is what a KRaft controller notes in ZooKeeper of its migration (KIP-866).
type Migration struct {
	// Stage is one of the constants above.
	Stage string `json:"stage"`
	// Controller and ControllerEpoch are the KRaft controller that wrote last.
	Controller      *int32 `json:"controller"`
	ControllerEpoch *int32 `json:"controllerEpoch"`
	// MetadataOffset and MetadataEpoch are how far KRaft's metadata was written
	// back to ZooKeeper; nil before the metadata was copied.
	MetadataOffset *int64 `json:"metadataOffset"`
	MetadataEpoch  *int32 `json:"metadataEpoch"`
	// Written is when the node was last written, by ZooKeeper's clock. While both are
	// written that is about twice a second, as the metadata log gets a record at least
	// that often (metadata.max.idle.interval.ms).
	Written *time.Time `json:"written"`
}

// Controller returns the active controller of a KRaft cluster, from
// DescribeQuorum (KIP-595, KIP-836) of __cluster_metadata-0.
//
// The controller id in a Metadata response is not used, on purpose: KRaft
// brokers put a random live broker there, to spread admin requests, and not the
// controller (KafkaApis, metadata cache getRandomAliveBrokerId).
//
// Up to five brokers are asked at once, each of which forwards the question to
// the controller that it knows, and the answer of the newest epoch counts. A
// controller whose machine has just died can hold them up for about ten seconds
// (socket.connection.setup.timeout.ms), although another was elected long before,
// and for up to about thirty those brokers that had something to forward to it while
// it was dying (socket.connection.setup.timeout.max.ms); with less time than that, the
// answer is [CodeTimeout] without Node. A quorum
// without a leader gives an answer without Node, with [CodeNoLeader].
// Directory ids and endpoints come with version 2 of the request (Kafka 3.9), and
// Dynamic with the finalized features of ApiVersions (KIP-584).
//
// Brokers that do not know DescribeQuorum (Kafka with ZooKeeper, or before 3.0,
// and some that are not Kafka) give an answer without anything but the cluster's
// ID, with [CodeUnsupported]. It takes DESCRIBE on the cluster; where that is
// missing, likewise with [CodeNotAuthorized].
func (in *Inspector) Controller(ctx context.Context) (Answer[Controller], error) {
	answer := newAnswer[Controller]()
	brokers, err := in.metadata(ctx, []string{})
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = brokers.ClusterID

	quorum, err := in.describeQuorum(ctx, brokers.Brokers)
	if err != nil {
		answer.missing(in.quorumProblem(ctx, err))
		return answer, nil
	}
	answer.Data = controllerFrom(quorum)
	answer.Data.Dynamic = in.dynamicQuorum(ctx)
	if answer.Data.Node == nil {
		answer.missing(Problem{
			Code: CodeNoLeader, Target: clusterTarget,
			Message: "the controllers have no leader at present: an election is under way, or fewer than half of the voters are up",
		})
	}
	return answer, nil
}

func controllerFrom(quorum *quorumPartition) Controller {
	mode, source := ModeKRaft, "DescribeQuorum"
	var end *int64
	for _, voter := range quorum.CurrentVoters {
		if voter.ReplicaID == quorum.LeaderID {
			end = known(voter.LogEndOffset)
		}
	}
	return Controller{
		Mode:          &mode,
		Node:          known(quorum.LeaderID),
		Epoch:         known(quorum.LeaderEpoch),
		Source:        &source,
		HighWatermark: known(quorum.HighWatermark),
		Voters:        quorumNodes(quorum.CurrentVoters, end, quorum.endpoints),
		Observers:     quorumNodes(quorum.Observers, end, nil),
	}
}

func quorumNodes(states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState, end *int64, endpoints map[int32][]Endpoint) []QuorumNode {
	nodes := make([]QuorumNode, 0, len(states))
	for _, state := range states {
		node := QuorumNode{
			Node:         state.ReplicaID,
			Directory:    directoryID(state.ReplicaDirectoryID),
			LogEndOffset: known(state.LogEndOffset),
			LastFetch:    timeOf(state.LastFetchTimestamp),
			LastCaughtUp: timeOf(state.LastCaughtUpTimestamp),
			Endpoints:    endpoints[state.ReplicaID],
		}
		if node.LogEndOffset != nil && end != nil {
			// A node may be told of as further than the leader's own entry, which
			// was read a moment before.
			lag := max(0, *end-*node.LogEndOffset)
			node.Lag = &lag
		}
		nodes = append(nodes, node)
	}
	slices.SortStableFunc(nodes, func(a, b QuorumNode) int { return cmp.Compare(a.Node, b.Node) })
	return nodes
}

// directoryID writes a UUID as Kafka does; zero stands for none.
func directoryID(id [16]byte) *string {
	if id == ([16]byte{}) {
		return nil
	}
	text := base64.RawURLEncoding.EncodeToString(id[:])
	return &text
}

// quorumProblem tells brokers that do not know the request from those that
// failed to answer it. kgo refuses the former itself, with an error that is not
// exported, so the brokers' own list is asked.
func (in *Inspector) quorumProblem(ctx context.Context, err error) Problem {
	return quorumFailure(err, in.lacksRequest(ctx, (&kmsg.DescribeQuorumRequest{}).Key(), err))
}

// quorumFailure says why the quorum was not told, and whether it is that the brokers do
// not know the request.
func quorumFailure(err error, unknown bool) Problem {
	if unknown {
		return Problem{
			Code: CodeUnsupported, Target: clusterTarget, Cause: err,
			Message: "cannot find out the controller: the brokers do not support DescribeQuorum, so they do not run KRaft; with ZooKeeper, the controller is in its node /controller, which the package inspect/zk and --zookeeper read",
		}
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return Problem{
			Code: CodeUnsupported, Target: clusterTarget, Cause: err,
			Message: fmt.Sprintf("cannot find out the controller: the brokers have no %s-0, so they do not run KRaft", metadataLogName),
		}
	}
	if noAnswer(err) {
		return Problem{
			Code: CodeTimeout, Target: clusterTarget, Cause: err,
			Message: "cannot find out the controller: the brokers that were asked got no answer from one within the time given; fewer than half of the voters are up, or the controller has just died, which brokers may hold on to for 10 to 30 seconds: ask again, or give more time",
		}
	}
	return problemFrom(err, clusterTarget, "find out the controller by DescribeQuorum", "DESCRIBE on the cluster")
}
