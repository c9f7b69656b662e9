package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// readyTimeout is generous: a loaded machine of two cores has been seen to
	// take a minute for what takes it 15 s when idle.
	readyTimeout = 3 * time.Minute
	pollInterval = 100 * time.Millisecond

	offsetsTopic = "__consumer_offsets"
	probeGroup   = "groupkit-readiness-probe"
)

// WaitReady waits until all nodes that run serve clients: each of them answers
// and knows all the others as registered and unfenced, the coordinator of a
// group is found and answers, and every partition of __consumer_offsets has a
// leader with all replicas on running nodes in sync.
//
// It waits for 3 minutes, or as long as ctx allows; the error then names the
// condition that was not met. It cannot succeed while half of the nodes or more
// are down, since there is no controller then.
func (c *Cluster) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ids, seeds := c.runningNodes()
	return poll(ctx, "cluster "+c.name+" is not ready", func(ctx context.Context) error {
		if err := c.alive(ctx); err != nil {
			return err
		}
		return checkReady(ctx, ids, seeds)
	})
}

// poll calls condition until it returns nil. Its error holds that of the last
// call. An error that wraps errGone ends it at once.
func poll(ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := condition(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if errors.Is(err, errGone) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (%w)", what, err, ctx.Err())
		case <-ticker.C:
		}
	}
}

// checkReady looks once, with connections of its own: those of a client that
// lives on would back off from nodes that were down.
func checkReady(ctx context.Context, ids []int32, seeds []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.RetryTimeout(2*time.Second), kgo.RequestRetries(0))
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	defer client.Close()

	for i, seed := range client.SeedBrokers() {
		known, err := brokersKnownTo(ctx, seed)
		if err != nil {
			return fmt.Errorf("node at %s does not answer: %w", seeds[i], err)
		}
		for _, id := range ids {
			if !slices.Contains(known, id) {
				return fmt.Errorf("node at %s knows nodes %v, not yet %v", seeds[i], known, ids)
			}
		}
	}
	admin := kadm.NewClient(client)
	if err := checkCoordinator(ctx, admin); err != nil {
		return err
	}
	return checkOffsetsTopic(ctx, admin, ids)
}

// brokersKnownTo asks one node which brokers are registered and unfenced; with
// KRaft, Metadata tells of no others.
func brokersKnownTo(ctx context.Context, seed *kgo.Broker) ([]int32, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{}
	response, err := seed.Request(ctx, request)
	if err != nil {
		return nil, err
	}
	var ids []int32
	for _, broker := range response.(*kmsg.MetadataResponse).Brokers {
		ids = append(ids, broker.NodeID)
	}
	slices.Sort(ids)
	return ids, nil
}

// checkCoordinator also makes the brokers create __consumer_offsets.
func checkCoordinator(ctx context.Context, admin *kadm.Client) error {
	found := admin.FindGroupCoordinators(ctx, probeGroup)
	if err := found.Error(); err != nil {
		return fmt.Errorf("no coordinator is found: %w", err)
	}
	described, err := admin.DescribeGroups(ctx, probeGroup)
	if err == nil {
		err = described.Error()
	}
	// Kafka 4 has an error of its own for a group that does not exist.
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("the coordinator does not answer: %w", err)
	}
	return nil
}

func checkOffsetsTopic(ctx context.Context, admin *kadm.Client, ids []int32) error {
	metadata, err := admin.Metadata(ctx, offsetsTopic)
	if err != nil {
		return fmt.Errorf("describe %s: %w", offsetsTopic, err)
	}
	topic := metadata.Topics[offsetsTopic]
	if topic.Err != nil {
		return fmt.Errorf("describe %s: %w", offsetsTopic, topic.Err)
	}
	for _, partition := range topic.Partitions.Sorted() {
		if !slices.Contains(ids, partition.Leader) {
			return fmt.Errorf("%s-%d has no leader that runs", offsetsTopic, partition.Partition)
		}
		for _, replica := range partition.Replicas {
			if slices.Contains(ids, replica) && !slices.Contains(partition.ISR, replica) {
				return fmt.Errorf("%s-%d: replica %d is not in sync", offsetsTopic, partition.Partition, replica)
			}
		}
	}
	return nil
}
