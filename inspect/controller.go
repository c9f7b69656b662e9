package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Controller says which node decides for the cluster, and how well those who
// could take over keep up with it.
type Controller struct {
	// Mode is "kraft", nil if not known.
	Mode *string `json:"mode"`
	// Node is the controller that is active, nil if there is none or it could
	// not be found out.
	Node *int32 `json:"node"`
	// Epoch counts the controller's elections, nil if not known.
	Epoch *int32 `json:"epoch"`
	// Source is the request that told: "DescribeQuorum". Nil if nothing did.
	Source *string `json:"source"`
	// Voters are the controllers that elect one among them, by node; nil if
	// not known.
	Voters []QuorumNode `json:"voters"`
	// Observers are the nodes that follow the metadata log without a vote:
	// brokers that are not controllers. By node; nil if not known.
	Observers []QuorumNode `json:"observers"`
}

// QuorumNode is how far one node is with the metadata log.
type QuorumNode struct {
	Node int32 `json:"node"`
	// LogEndOffset is one past the last record that the active controller
	// knows this node to have. Nil if it has not heard from the node since it
	// became active.
	LogEndOffset *int64 `json:"logEndOffset"`
	// Lag is how many records the node is behind the active controller: 0 for
	// the controller itself. Nil if either end is not known.
	Lag *int64 `json:"lag"`
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
	if answer.Data.Node == nil {
		answer.missing(Problem{
			Code: CodeNoLeader, Target: clusterTarget,
			Message: "the controllers have no leader at present: an election is under way, or fewer than half of the voters are up",
		})
	}
	return answer, nil
}

func controllerFrom(quorum *quorumPartition) Controller {
	mode, source := "kraft", "DescribeQuorum"
	var end *int64
	for _, voter := range quorum.CurrentVoters {
		if voter.ReplicaID == quorum.LeaderID {
			end = known(voter.LogEndOffset)
		}
	}
	return Controller{
		Mode:      &mode,
		Node:      known(quorum.LeaderID),
		Epoch:     known(quorum.LeaderEpoch),
		Source:    &source,
		Voters:    quorumNodes(quorum.CurrentVoters, end),
		Observers: quorumNodes(quorum.Observers, end),
	}
}

func quorumNodes(states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState, end *int64) []QuorumNode {
	nodes := make([]QuorumNode, 0, len(states))
	for _, state := range states {
		node := QuorumNode{Node: state.ReplicaID, LogEndOffset: known(state.LogEndOffset)}
		if node.LogEndOffset != nil && end != nil {
			// A node may be told of as further than the leader's own entry, which
			// was read a moment before.
			lag := max(0, *end-*node.LogEndOffset)
			node.Lag = &lag
		}
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b QuorumNode) int { return int(a.Node) - int(b.Node) })
	return nodes
}

// quorumProblem tells brokers that do not know the request from those that
// failed to answer it. kgo refuses the former itself, with an error that is not
// exported, so the brokers' own list is asked.
func (in *Inspector) quorumProblem(ctx context.Context, err error) Problem {
	if in.lacksRequest(ctx, (&kmsg.DescribeQuorumRequest{}).Key(), err) {
		return Problem{
			Code: CodeUnsupported, Target: clusterTarget, Cause: err,
			Message: "cannot find out the controller: the brokers do not support DescribeQuorum, so they do not run KRaft; with ZooKeeper, the controller is in its node /controller",
		}
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return Problem{
			Code: CodeUnsupported, Target: clusterTarget, Cause: err,
			Message: fmt.Sprintf("cannot find out the controller: the brokers have no %s-0, so they do not run KRaft", metadataLogName),
		}
	}
	return problemFrom(err, clusterTarget, "find out the controller by DescribeQuorum", "DESCRIBE on the cluster")
}
