package main

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// Timestamps by which ListOffsets names the ends of a log.
const (
	logStart int64 = -2
	logEnd   int64 = -1
)

// partitionKey is one partition of one topic.
type partitionKey struct {
	topic     string
	partition int32
}

// logEnds are the ends of partitions' logs, by timestamp; one that is not known is absent.
type logEnds map[int64]map[partitionKey]int64

// knows tells whether both ends of a partition's log are known.
func (e logEnds) knows(key partitionKey) bool {
	_, start := e[logStart][key]
	_, end := e[logEnd][key]
	return start && end
}

// logEnds asks each leader for the ends of its partitions' logs, by itself and bounded by
// itself, so that a broker that is down costs its own partitions alone. Where a leader
// changed meanwhile, the new one is asked. The error is the last of those met.
func (r *groupReader) logEnds(ctx context.Context, names []string, leaders map[partitionKey]int32) (logEnds, error) {
	ends := logEnds{logStart: {}, logEnd: {}}
	var lastErr error
	asked := make(map[partitionKey]int32)
	for {
		byLeader := make(map[int32][]partitionKey)
		for key, leader := range leaders {
			if before, again := asked[key]; ends.knows(key) || again && before == leader {
				continue
			}
			asked[key] = leader
			byLeader[leader] = append(byLeader[leader], key)
		}
		if len(byLeader) == 0 {
			return ends, lastErr
		}
		once, cancel := share(ctx, 0.6)
		if err := r.askLeaders(once, byLeader, ends); err != nil {
			lastErr = err
		}
		cancel()
		if !slices.ContainsFunc(keys(leaders), func(key partitionKey) bool { return !ends.knows(key) }) {
			return ends, nil
		}
		answer, err := r.in.Partitions(ctx, names...)
		if err != nil {
			return ends, lastErr
		}
		leaders = leadersOf(answer.Data)
	}
}

func keys(leaders map[partitionKey]int32) []partitionKey {
	all := make([]partitionKey, 0, len(leaders))
	for key := range leaders {
		all = append(all, key)
	}
	return all
}

// leadersOf returns the leaders of the partitions that have one.
func leadersOf(rows []inspect.Partition) map[partitionKey]int32 {
	leaders := make(map[partitionKey]int32, len(rows))
	for _, row := range rows {
		if row.Leader != nil {
			leaders[partitionKey{row.Topic, row.Partition}] = *row.Leader
		}
	}
	return leaders
}

// askLeaders asks all leaders at once, and adds to ends what they answer.
func (r *groupReader) askLeaders(ctx context.Context, byLeader map[int32][]partitionKey, ends logEnds) error {
	var mu sync.Mutex
	var lastErr error
	var asking sync.WaitGroup
	for leader, partitions := range byLeader {
		for _, which := range []int64{logStart, logEnd} {
			asking.Go(func() {
				resp, err := await(ctx, func() (kmsg.Response, error) {
					return r.client.Broker(int(leader)).RetriableRequest(ctx, listOffsets(partitions, which))
				})
				listed, err := as[*kmsg.ListOffsetsResponse](resp, err)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					lastErr = err
					return
				}
				for _, t := range listed.Topics {
					for _, p := range t.Partitions {
						if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
							lastErr = err
						} else if p.Offset >= 0 {
							ends[which][partitionKey{t.Topic, p.Partition}] = p.Offset
						}
					}
				}
			})
		}
	}
	asking.Wait()
	return lastErr
}

func listOffsets(partitions []partitionKey, timestamp int64) *kmsg.ListOffsetsRequest {
	byTopic := make(map[string][]kmsg.ListOffsetsRequestTopicPartition)
	for _, key := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = key.partition, timestamp
		byTopic[key.topic] = append(byTopic[key.topic], p)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	for topic, list := range byTopic {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic, t.Partitions = topic, list
		req.Topics = append(req.Topics, t)
	}
	return req
}
