package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitionPage is how many partitions are asked for at a time, which is also as
// many as brokers give (max.request.partition.size.limit).
const partitionPage = 2000

// mostPages is how many pages are read: as many as 20 million partitions take, ten times
// what Kafka is made for.
const mostPages = 10_000

var (
	errCursorStuck = errors.New("the broker's pages do not advance")
	errNoLastPage  = fmt.Errorf("the broker's pages do not end: %d were read", mostPages)
)

// place is where a page begins.
type place struct {
	topic     string
	partition int32
}

func (p place) after(q place) bool {
	return p.topic > q.topic || p.topic == q.topic && p.partition > q.partition
}

// pagesOfPartitions reads by DescribeTopicPartitions, page after page, each of
// which goes into the table before the next is asked for. What was read stays in the
// table when it fails.
func (in *Inspector) pagesOfPartitions(ctx context.Context, table *partitionTable, topics []string) error {
	sorted := slices.Sorted(slices.Values(topics))
	var from *place
	for range mostPages {
		if from != nil {
			// What comes before the page is not asked for again; brokers want to
			// find the topic of the cursor in the list.
			start, _ := slices.BinarySearch(sorted, from.topic)
			sorted = sorted[start:]
		}
		resp, err := anyBroker[*kmsg.DescribeTopicPartitionsResponse](ctx, in, func() kmsg.Request {
			return partitionsRequest(sorted, from)
		})
		if err != nil {
			return err
		}
		for i := range resp.Topics {
			table.addPage(&resp.Topics[i])
		}
		if resp.NextCursor == nil {
			return nil
		}
		next := &place{resp.NextCursor.Topic, resp.NextCursor.Partition}
		_, listed := slices.BinarySearch(sorted, next.topic)
		if from != nil && !next.after(*from) || len(topics) > 0 && !listed || len(resp.Topics) == 0 {
			return fmt.Errorf("%w: the one after %v begins at %v", errCursorStuck, from, *next)
		}
		from = next
	}
	return errNoLastPage
}

func partitionsRequest(topics []string, from *place) kmsg.Request {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = partitionPage
	req.Topics = make([]kmsg.DescribeTopicPartitionsRequestTopic, len(topics))
	for i, topic := range topics {
		req.Topics[i].Topic = topic
	}
	if from != nil {
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = from.topic, from.partition
		req.Cursor = &cursor
	}
	return req
}

func (t *partitionTable) addPage(topic *kmsg.DescribeTopicPartitionsResponseTopic) {
	if !t.topic(topic.Topic, topic.ErrorCode, topic.IsInternal) {
		return
	}
	for _, p := range topic.Partitions {
		t.add(Partition{
			Topic:       *topic.Topic,
			Partition:   p.Partition,
			Leader:      known(p.LeaderID),
			LeaderEpoch: known(p.LeaderEpoch),
			Replicas:    p.Replicas,
			ISR:         p.ISR,
			// Kafka sends lists here; a null would mean that it does not tell.
			ELR:             p.EligibleLeaderReplicas,
			LastKnownELR:    p.LastKnownELR,
			OfflineReplicas: p.OfflineReplicas,
		}, p.ErrorCode)
	}
}

// metadataOfPartitions reads by Metadata, which has all partitions in one answer.
func (in *Inspector) metadataOfPartitions(ctx context.Context, table *partitionTable, topics []string) error {
	if len(topics) == 0 {
		topics = nil // all of them
	}
	resp, err := in.metadata(ctx, topics)
	if err != nil {
		return err
	}
	for i := range resp.Topics {
		topic := &resp.Topics[i]
		if table.topic(topic.Topic, topic.ErrorCode, topic.IsInternal) {
			for _, p := range topic.Partitions {
				table.add(Partition{
					Topic:           *topic.Topic,
					Partition:       p.Partition,
					Leader:          known(p.Leader),
					LeaderEpoch:     known(p.LeaderEpoch),
					Replicas:        p.Replicas,
					ISR:             p.ISR,
					OfflineReplicas: p.OfflineReplicas,
				}, p.ErrorCode)
			}
		}
		topic.Partitions = nil // they are in the table
	}
	return nil
}
