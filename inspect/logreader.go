package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// logBudget bounds the reading of one partition.
type logBudget struct {
	records int64
	bytes   int64
	wait    time.Duration
}

var defaultLogBudget = logBudget{records: 500_000, bytes: 64 << 20, wait: 3 * time.Second}

const (
	// firstWindow is how many offsets are read first, at the end of the log. A
	// group that just rebalanced is there. Each window before it is twice as
	// long, up to widestWindow.
	firstWindow  = 256
	widestWindow = 1 << 16
	// fetchBytes bounds one answer. A batch that is larger comes alone.
	fetchBytes = 1 << 20
	// inflatedBytes bounds what one batch may decompress to. Coordinators write
	// batches of at most max.message.bytes of that topic, 1 MiB by default.
	inflatedBytes = 16 << 20
)

var (
	errBudget   = errors.New("the budget is used up")
	errLogStart = errors.New("the log begins here")
	errNoOffset = errors.New("no record is that new")
)

// logReader reads one partition of __consumer_offsets from its leader.
type logReader struct {
	inspector *Inspector
	node      int32
	topicID   [16]byte
	partition int32
	budget    logBudget
	inflater  kgo.Decompressor
}

// bounds returns the offsets at which the log starts and ends.
func (l *logReader) bounds(ctx context.Context) (start, end int64, err error) {
	if start, err = l.listOffset(ctx, timestampStart); err == nil {
		end, err = l.listOffset(ctx, timestampEnd)
	}
	return start, end, err
}

// backwards reads from an offset down to another, in windows that grow. A window is
// read forwards, its records are given to visit, and then done is asked whether that
// was enough. It returns the offset down to which all was read; where a window could
// not be read to its end, that is the offset after it, although visit has seen some
// of it.
func (l *logReader) backwards(ctx context.Context, end, start int64, visit func(*kgo.Record), done func() bool) (int64, error) {
	window := int64(firstWindow)
	for end > start {
		low := max(start, end-window)
		if err := l.scan(ctx, low, end, visit); err != nil {
			return end, err
		}
		end = low
		if done() {
			return end, nil
		}
		window = min(window*2, widestWindow)
	}
	return end, nil
}

// scan reads the offsets from low up to end, in order.
func (l *logReader) scan(ctx context.Context, low, end int64, visit func(*kgo.Record)) error {
	for at := low; at < end; {
		if l.budget.records <= 0 || l.budget.bytes <= 0 {
			return errBudget
		}
		fetched, throttled, err := l.fetch(ctx, at)
		if err != nil {
			return err
		}
		l.budget.bytes -= int64(len(fetched.RecordBatches))
		next := at
		for batch := range batchesOf(fetched.RecordBatches) {
			if next >= end {
				break
			}
			if next, err = l.read(batch, next, end, visit); err != nil {
				return err
			}
		}
		switch {
		case next > at:
			at = next
		case len(fetched.RecordBatches) > 0:
			return fmt.Errorf("reading %s-%d at offset %d: the broker's answer does not go on", offsetsTopicName, l.partition, at)
		case throttled > 0:
			// A quota is used up, and the broker answers with nothing.
			if !pause(ctx, throttled) {
				return ctx.Err()
			}
		default:
			// Compaction left nothing from here to the end.
			return nil
		}
	}
	return nil
}

// read takes one batch apart, from an offset up to end, and returns the offset
// after it.
func (l *logReader) read(batch []byte, at, end int64, visit func(*kgo.Record)) (int64, error) {
	if l.budget.bytes <= 0 || int64(recordsIn(batch)) > l.budget.records {
		return at, errBudget
	}
	raw := kmsg.NewFetchResponseTopicPartition()
	raw.Partition = l.partition
	raw.RecordBatches = batch
	records, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Topic: offsetsTopicName, Partition: l.partition, Offset: at, KeepControlRecords: true,
	}, &raw, l, nil)
	if records.Err != nil {
		return at, fmt.Errorf("reading %s-%d at offset %d: %w", offsetsTopicName, l.partition, at, records.Err)
	}
	l.budget.records -= int64(len(records.Records))
	for _, r := range records.Records {
		if r.Offset >= end {
			break
		}
		visit(r)
	}
	return next, nil
}

// Decompress makes the reader its own [kgo.Decompressor]: what a batch
// decompresses to is bounded, and counts as read.
func (l *logReader) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	inflated, err := l.inflater.Decompress(src, codec)
	l.budget.bytes -= int64(len(inflated))
	return inflated, err
}

// newInflater returns kgo's decompressor with a bound. kgo makes a bounded one
// for clients only, so it is taken from one that never connects.
func newInflater() (kgo.Decompressor, error) {
	client, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(inflatedBytes))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	inflater, ok := client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		return nil, errors.New("the client has no decompressor")
	}
	return inflater, nil
}

// Timestamps by which ListOffsets names the ends of a log.
const (
	timestampStart int64 = -2
	timestampEnd   int64 = -1
)

// listOffset returns an end of the log, or the offset of the first record that is not
// older than a timestamp in milliseconds; errNoOffset if there is none.
func (l *logReader) listOffset(ctx context.Context, timestamp int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = offsetsTopicName
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition = l.partition
	partition.Timestamp = timestamp
	partition.CurrentLeaderEpoch = -1
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	resp, err := oneBroker[*kmsg.ListOffsetsResponse](ctx, l.inspector, l.node, req)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Topic != offsetsTopicName || p.Partition != l.partition {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, err
			}
			if p.Offset < 0 && timestamp >= 0 {
				return 0, errNoOffset
			}
			if p.Offset < 0 {
				return 0, fmt.Errorf("the broker gives %d as an offset of %s-%d", p.Offset, offsetsTopicName, l.partition)
			}
			return p.Offset, nil
		}
	}
	return 0, fmt.Errorf("the broker's answer leaves out %s-%d", offsetsTopicName, l.partition)
}

// fetch reads from the partition's leader, and returns how long the broker wants
// to be left alone. Records that belong to a transaction are read whatever became
// of it: those of groups never do.
func (l *logReader) fetch(ctx context.Context, at int64) (*kmsg.FetchResponseTopicPartition, time.Duration, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MaxWaitMillis = 100
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.SessionEpoch = -1 // no session
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = offsetsTopicName // up to v12
	topic.TopicID = l.topicID      // from v13 on
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = l.partition
	partition.FetchOffset = at
	partition.CurrentLeaderEpoch = -1
	partition.PartitionMaxBytes = fetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	resp, err := oneBroker[*kmsg.FetchResponse](ctx, l.inspector, l.node, req)
	if err != nil {
		return nil, 0, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, 0, err
	}
	for _, t := range resp.Topics {
		for i, p := range t.Partitions {
			if t.Topic != offsetsTopicName && t.TopicID != l.topicID || p.Partition != l.partition {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, 0, err
			}
			return &t.Partitions[i], time.Duration(resp.ThrottleMillis) * time.Millisecond, nil
		}
	}
	return nil, 0, fmt.Errorf("the broker's answer leaves out %s-%d", offsetsTopicName, l.partition)
}
