package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// WaitTopics waits until each node that runs knows the topics: a request that creates one
// is answered when the controller has it, and whoever then asks another broker may be told
// that there is none. It waits as long as WaitReady does.
func (c *Cluster) WaitTopics(ctx context.Context, topics ...string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ids, seeds := c.runningNodes()
	return poll(ctx, "cluster "+c.name, func(ctx context.Context) error {
		if err := c.alive(ctx); err != nil {
			return err
		}
		return checkTopics(ctx, ids, seeds, topics)
	})
}

// poll calls condition until it returns nil. Its error holds that of the last
// call. An error that wraps errGone ends it at once.
func poll(ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 20*time.Second)
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
//
// It asks only the nodes that run, each for itself: what a client does by
// default, ask any node and go where that points, would wait for silent ones.
func checkReady(ctx context.Context, ids []int32, seeds []string) error {
	client, brokers, err := eachNode(ids, seeds)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, id := range ids {
		if err := checkMetadata(ctx, brokers[id], ids, nil); err != nil {
			return fmt.Errorf("node %d: %w", id, err)
		}
	}
	if err := checkCoordinator(ctx, brokers, ids); err != nil {
		return err
	}
	for _, id := range ids {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(offsetsTopic)
		if err := checkMetadata(ctx, brokers[id], ids, []kmsg.MetadataRequestTopic{topic}); err != nil {
			return fmt.Errorf("node %d: %w", id, err)
		}
	}
	return nil
}

// eachNode returns a client, and its nodes by id.
func eachNode(ids []int32, seeds []string) (*kgo.Client, map[int32]*kgo.Broker, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DialTimeout(2*time.Second),
		kgo.RequestTimeoutOverhead(2*time.Second))
	if err != nil {
		return nil, nil, fmt.Errorf("make a client: %w", err)
	}
	brokers := map[int32]*kgo.Broker{}
	for i, seed := range client.SeedBrokers() {
		brokers[ids[i]] = seed
	}
	return client, brokers, nil
}

// checkTopics looks once whether each node knows each topic, with a leader for each of its
// partitions that a node which runs could lead.
func checkTopics(ctx context.Context, ids []int32, seeds, topics []string) error {
	client, brokers, err := eachNode(ids, seeds)
	if err != nil {
		return err
	}
	defer client.Close()
	request := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, topic)
	}
	for _, id := range ids {
		response, err := request.RequestWith(ctx, brokers[id])
		if err != nil {
			return fmt.Errorf("node %d does not answer: %w", id, err)
		}
		for _, topic := range response.Topics {
			if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
				return fmt.Errorf("node %d does not know the topic %s: %w", id, *topic.Topic, err)
			}
			for _, partition := range topic.Partitions {
				runs := func(replica int32) bool { return slices.Contains(ids, replica) }
				if partition.Leader < 0 && slices.ContainsFunc(partition.Replicas, runs) {
					return fmt.Errorf("node %d knows of no leader of %s-%d", id, *topic.Topic, partition.Partition)
				}
			}
		}
	}
	return nil
}

// checkMetadata asks one node which brokers are registered and unfenced, as
// with KRaft Metadata tells of no others, and how the partitions of the topics
// fare.
func checkMetadata(ctx context.Context, broker *kgo.Broker, ids []int32, topics []kmsg.MetadataRequestTopic) error {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append([]kmsg.MetadataRequestTopic{}, topics...) // nil would stand for all topics
	response, err := request.RequestWith(ctx, broker)
	if err != nil {
		return fmt.Errorf("does not answer: %w", err)
	}
	var known []int32
	for _, each := range response.Brokers {
		known = append(known, each.NodeID)
	}
	for _, id := range ids {
		if !slices.Contains(known, id) {
			return fmt.Errorf("knows the nodes %v, not all of %v", known, ids)
		}
	}
	for _, topic := range response.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return fmt.Errorf("describe %s: %w", *topic.Topic, err)
		}
		for _, partition := range topic.Partitions {
			if !slices.Contains(ids, partition.Leader) {
				return fmt.Errorf("%s-%d has no leader that runs", *topic.Topic, partition.Partition)
			}
			for _, replica := range partition.Replicas {
				if slices.Contains(ids, replica) && !slices.Contains(partition.ISR, replica) {
					return fmt.Errorf("%s-%d: replica %d is not in sync", *topic.Topic, partition.Partition, replica)
				}
			}
		}
	}
	return nil
}

// checkCoordinator finds the coordinator of a group and lets it answer. It also
// makes the brokers create __consumer_offsets.
func checkCoordinator(ctx context.Context, brokers map[int32]*kgo.Broker, ids []int32) error {
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey, find.CoordinatorKeys = probeGroup, []string{probeGroup}
	found, err := find.RequestWith(ctx, brokers[ids[0]])
	if err != nil {
		return fmt.Errorf("node %d finds no coordinator: %w", ids[0], err)
	}
	code, id := found.ErrorCode, found.NodeID
	if len(found.Coordinators) > 0 { // since version 4 of the request
		code, id = found.Coordinators[0].ErrorCode, found.Coordinators[0].NodeID
	}
	if err := kerr.ErrorForCode(code); err != nil {
		return fmt.Errorf("node %d finds no coordinator: %w", ids[0], err)
	}
	coordinator := brokers[id]
	if coordinator == nil {
		return fmt.Errorf("node %d names node %d as coordinator, which does not run", ids[0], id)
	}

	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{probeGroup}
	described, err := describe.RequestWith(ctx, coordinator)
	if err != nil {
		return fmt.Errorf("the coordinator, node %d, does not answer: %w", id, err)
	}
	for _, group := range described.Groups {
		// Kafka 4 has an error of its own for a group that does not exist.
		err := kerr.ErrorForCode(group.ErrorCode)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("the coordinator, node %d, does not serve yet: %w", id, err)
		}
	}
	return nil
}
