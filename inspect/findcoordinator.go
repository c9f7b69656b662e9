package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// leastCoordinatorBatch is how many names go into one FindCoordinator request even
	// if there are more brokers to ask.
	leastCoordinatorBatch = 1000
	// coordinatorBatchBytes bounds a request whose names are long; brokers take up to
	// 100 MB (socket.request.max.bytes).
	coordinatorBatchBytes = 8 << 20
)

// coordinatorKind is one of the three things that Kafka places by a hash.
type coordinatorKind struct {
	name  string // in Coordinator.Kind
	what  string // in sentences: "group"
	the   string // in sentences: "the group"
	first string // who makes the topic exist
	topic string
	key   int8 // in FindCoordinator
	// absent is the code where there is no such topic.
	absent Code
	acl    func(name string) string
}

var (
	ofGroups = coordinatorKind{
		name: "group", what: "group", the: "the group", first: "the first consumer",
		topic: offsetsTopicName, key: 0, absent: CodeOffsetsTopicAbsent,
		acl: func(name string) string { return fmt.Sprintf("DESCRIBE on the group %q", name) },
	}
	ofTransactions = coordinatorKind{
		name: "transaction", what: "transactional id", the: "the transactional id", first: "the first transactional producer",
		topic: "__transaction_state", key: 1, absent: CodeStateTopicAbsent,
		acl: func(name string) string { return fmt.Sprintf("DESCRIBE on the transactional id %q", name) },
	}
	ofShares = coordinatorKind{
		name: "share", what: "share key", the: "the share key", first: "the first share consumer",
		topic: "__share_group_state", key: 2, absent: CodeStateTopicAbsent,
		acl: func(string) string { return "CLUSTER_ACTION on the cluster" },
	}
)

// coordinatorOrProblem is one name's answer of FindCoordinator.
type coordinatorOrProblem struct {
	node    *int32
	problem *Problem
}

// findCoordinators asks the brokers for the coordinators of groups, past the client's
// cache. The answer has every group.
func (in *Inspector) findCoordinators(ctx context.Context, groups []string) map[string]coordinatorOrProblem {
	return in.findCoordinatorsOf(ctx, ofGroups, groups)
}

// findCoordinatorsOf asks in batches, one for each broker, next to each other. The answer
// has every name.
func (in *Inspector) findCoordinatorsOf(ctx context.Context, kind coordinatorKind, names []string) map[string]coordinatorOrProblem {
	brokers := max(1, len(in.client.DiscoveredBrokers()))
	size := max(leastCoordinatorBatch, (len(names)+brokers-1)/brokers)
	found := make(map[string]coordinatorOrProblem, len(names))
	var mu sync.Mutex
	var asking sync.WaitGroup
	slots := make(chan struct{}, brokersAtOnce)
	for batch := range coordinatorBatches(names, size, coordinatorBatchBytes) {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			answered := in.findBatch(ctx, kind, batch)
			mu.Lock()
			defer mu.Unlock()
			for name, answer := range answered {
				found[name] = answer
			}
		})
	}
	asking.Wait()
	return found
}

// coordinatorBatches cuts names into parts of at most so many, and so many bytes.
func coordinatorBatches(names []string, most, mostBytes int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		start, bytes := 0, 0
		for i, name := range names {
			if i > start && (i-start == most || bytes+len(name) > mostBytes) {
				if !yield(names[start:i]) {
					return
				}
				start, bytes = i, 0
			}
			bytes += len(name)
		}
		if start < len(names) {
			yield(names[start:])
		}
	}
}

func (in *Inspector) findBatch(ctx context.Context, kind coordinatorKind, batch []string) map[string]coordinatorOrProblem {
	found := make(map[string]coordinatorOrProblem, len(batch))
	failed := func(name string, err error) {
		if err == nil {
			err = errAnotherKind
		}
		p := problemFrom(err, name, fmt.Sprintf("find the coordinator of %q", name), kind.acl(name))
		found[name] = coordinatorOrProblem{problem: &p}
	}
	ctx, cancel := step(ctx, 1)
	defer cancel()
	var shards []kgo.ResponseShard
	var err error
	// Brokers that refuse connections, or whose answers do not decode, are passed by: the
	// client comes to another next time.
	for range 1 + len(in.client.DiscoveredBrokers()) {
		shards, err = attempts(ctx, func(ctx context.Context) ([]kgo.ResponseShard, error) {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType = kind.key
			req.CoordinatorKeys = slices.Clone(batch)
			shards := in.client.RequestSharded(ctx, req)
			if len(shards) == 1 {
				return shards, shards[0].Err
			}
			return shards, nil
		})
		if !isOfOneBroker(err) || ctx.Err() != nil {
			break
		}
	}
	for _, shard := range shards {
		resp, ok := shard.Resp.(*kmsg.FindCoordinatorResponse)
		if shard.Err != nil || !ok {
			// The client may have split the batch into requests of one key.
			sent, _ := shard.Req.(*kmsg.FindCoordinatorRequest)
			for _, name := range keysOf(sent) {
				failed(name, shard.Err)
			}
			continue
		}
		for _, c := range resp.Coordinators {
			if err := kerr.ErrorForCode(c.ErrorCode); err != nil {
				failed(c.Key, err)
			} else if c.NodeID < 0 {
				failed(c.Key, kerr.CoordinatorNotAvailable)
			} else {
				found[c.Key] = coordinatorOrProblem{node: known(c.NodeID)}
			}
		}
		// Where it refuses the request as a whole, a broker may name no keys.
		err = cmp.Or(err, kerr.ErrorForCode(resp.ErrorCode))
	}
	for _, name := range batch {
		if _, ok := found[name]; !ok {
			failed(name, cmp.Or(err, errLeftOut))
		}
	}
	return found
}

func keysOf(req *kmsg.FindCoordinatorRequest) []string {
	switch {
	case req == nil:
		return nil
	case len(req.CoordinatorKeys) > 0:
		return req.CoordinatorKeys
	}
	return []string{req.CoordinatorKey}
}

// awaitCoordinators makes the brokers create the topic, and waits until each name has a
// coordinator or the time is over.
func (in *Inspector) awaitCoordinators(ctx context.Context, topic *stateTopic, names []string) (*stateTopic, map[string]coordinatorOrProblem) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	for {
		named := in.findCoordinatorsOf(ctx, topic.kind, names)
		if now, _, err := in.stateTopic(ctx, topic.kind); err == nil {
			topic = now
		}
		pending := false
		for _, c := range named {
			if c.problem != nil && (errors.Is(c.problem.Cause, kerr.CoordinatorNotAvailable) || errors.Is(c.problem.Cause, kerr.CoordinatorLoadInProgress)) {
				pending = true
			}
		}
		if !pending || !pause(ctx, creationPoll) {
			return topic, named
		}
	}
}
