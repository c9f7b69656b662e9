package inspect

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	metadataLogName = "__cluster_metadata"
	// quorumAsked is how many brokers are asked for the quorum.
	quorumAsked = 5
	// featureAttempts is how many brokers are asked for their features.
	featureAttempts = 3
	// quorumSpread is how long the first good answer waits for a newer one.
	quorumSpread = 250 * time.Millisecond
)

// quorumPartition is the one partition that was asked for, with what the answer tells of
// nodes beside it.
type quorumPartition struct {
	kmsg.DescribeQuorumResponseTopicPartition
	endpoints map[int32][]Endpoint // nil if not told
}

// describeQuorum asks several brokers at once, and returns the answer of the
// newest epoch.
//
// Each broker forwards the question to the controller that it knows. When that
// one dies, brokers may hold the question back until their attempt to connect to
// it has failed, each in its own time; and for a moment a controller that is cut
// off still takes itself for the active one.
func (in *Inspector) describeQuorum(ctx context.Context, brokers []kmsg.MetadataResponseBroker) (*quorumPartition, error) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	type result struct {
		quorum *quorumPartition
		err    error
	}
	asked := min(len(brokers), quorumAsked)
	results := make(chan result, asked)
	for _, broker := range brokers[:asked] {
		go func() {
			quorum, err := in.quorumOf(ctx, broker.NodeID)
			results <- result{quorum, err}
		}()
	}
	var newest *quorumPartition
	var errs []error
	enough := make(<-chan time.Time)
	pending := asked
waiting:
	for pending > 0 {
		select {
		case r := <-results:
			pending--
			switch {
			case r.err != nil:
				errs = append(errs, r.err)
			case newest == nil || r.quorum.LeaderEpoch > newest.LeaderEpoch || r.quorum.LeaderEpoch == newest.LeaderEpoch && newest.LeaderID < 0:
				newest = r.quorum
			}
			if newest != nil && newest.LeaderID >= 0 {
				enough = time.After(quorumSpread)
			}
		case <-enough:
			break waiting
		}
	}
	cancel()
	for range pending {
		<-results
	}
	if newest != nil {
		return newest, nil
	}
	if len(errs) == 0 {
		return nil, errors.New("no broker is known")
	}
	return nil, mostTelling(errs)
}

// mostTelling prefers what a broker said over that it got no answer from a controller,
// and that over what became of the connection.
func mostTelling(errs []error) error {
	for _, err := range errs {
		if _, ok := errors.AsType[*kerr.Error](err); ok && !noAnswer(err) {
			return err
		}
	}
	if i := slices.IndexFunc(errs, noAnswer); i >= 0 {
		return errs[i]
	}
	return errs[0]
}

// noAnswer says whether a broker took the question and had no answer to it in time.
func noAnswer(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, kerr.RequestTimedOut)
}

func (in *Inspector) quorumOf(ctx context.Context, node int32) (*quorumPartition, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = metadataLogName
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	resp, err := oneBroker[*kmsg.DescribeQuorumResponse](ctx, in, node, req)
	if err != nil {
		return nil, err
	}
	return quorumFrom(resp)
}

// quorumFrom finds the one partition that was asked for. Errors are at three
// levels of the answer.
func quorumFrom(resp *kmsg.DescribeQuorumResponse) (*quorumPartition, error) {
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	for _, topic := range resp.Topics {
		for i, partition := range topic.Partitions {
			if topic.Topic != metadataLogName || partition.Partition != 0 {
				continue
			}
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return nil, err
			}
			return &quorumPartition{topic.Partitions[i], endpointsOf(resp)}, nil
		}
	}
	return nil, errors.New("the answer leaves out " + metadataLogName + "-0")
}

func endpointsOf(resp *kmsg.DescribeQuorumResponse) map[int32][]Endpoint {
	if len(resp.Nodes) == 0 {
		return nil
	}
	endpoints := make(map[int32][]Endpoint, len(resp.Nodes))
	for _, node := range resp.Nodes {
		of := []Endpoint{}
		for _, l := range node.Listeners {
			of = append(of, Endpoint{Listener: l.Name, Host: l.Host, Port: int32(l.Port)})
		}
		endpoints[node.NodeID] = of
	}
	return endpoints
}

// dynamicQuorum says whether voters can change while the cluster runs, nil if the
// brokers do not tell their features. A feature at level 0 is not listed.
//
// It is asked when a controller may just have died with its broker, which the client may
// still choose to ask: another is asked then.
func (in *Inspector) dynamicQuorum(ctx context.Context) *bool {
	var resp *kmsg.ApiVersionsResponse
	var err error
	for range featureAttempts {
		if resp, err = anyBroker[*kmsg.ApiVersionsResponse](ctx, in, versionsRequest); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil || resp.ErrorCode != 0 || resp.FinalizedFeaturesEpoch < 0 {
		return nil
	}
	dynamic := slices.ContainsFunc(resp.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool {
		return f.Name == "kraft.version" && f.MaxVersionLevel >= 1
	})
	return &dynamic
}
