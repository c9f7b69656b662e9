package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

const (
	// tailAgain is how often it is tried to read the log where it may not be.
	tailAgain = 30 * time.Second
	// tailWait is how long a broker holds an answer back while nothing is written.
	tailWait = time.Second
	// tailBytes bounds one answer, and tailBehind how many records may be left to read
	// until they are passed over.
	tailBytes  = 4 << 20
	tailBehind = 100_000
	// tailInflated bounds what one partition's batches in an answer decompress to.
	tailInflated = 32 << 20
)

// logTail reads the new records of the partitions of __consumer_offsets that one
// broker leads, all of them in one request.
type logTail struct {
	*watcher
	node int32
	due  time.Time
	// failing are the looks that failed last.
	failing map[string]bool
}

// settle tells that there is nothing to look at any more where looks failed.
func (l *logTail) settle(ctx context.Context, of string) {
	if l.failing[of] {
		delete(l.failing, of)
		l.saw(ctx, sight{partLog, &l.node, of}, time.Now(), nothingMore)
	}
}

// begin finds where to read from, of partitions that are not read yet. It comes before
// their groups are looked at, so that nothing that changes after a look is passed over.
func (l *logTail) begin(ctx context.Context) {
	if time.Now().Before(l.due) || ctx.Err() != nil {
		return
	}
	if l.isHidden() {
		l.fail(ctx, ofRecords, time.Now(), kerr.TopicAuthorizationFailed, nil)
		return
	}
	unread := slices.DeleteFunc(l.partitions(), func(p int32) bool { _, ok := l.readTo(p); return ok })
	if len(unread) == 0 {
		l.settle(ctx, ofEnds)
		return
	}
	began := time.Now()
	begun, err := l.findEnds(ctx, unread)
	if len(begun) > 0 {
		l.send(ctx, func(d *watch.Differ) []watch.Event {
			return d.Records(watch.RecordsLook{At: time.Now(), Begun: begun})
		})
	}
	if err != nil {
		l.fail(ctx, ofEnds, began, err, slices.DeleteFunc(unread, func(p int32) bool { return slices.Contains(begun, p) }))
		return
	}
	l.settle(ctx, ofEnds)
}

// The looks of which reading the log consists: where to begin, and what is new.
const (
	ofEnds    = "ends"
	ofRecords = "records"
)

// isHidden says whether the log may not be seen, and is wanted.
func (l *logTail) isHidden() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.layout.offsets) > 0 || !l.layout.offsetsHidden {
		return false
	}
	for name, group := range l.names {
		if l.coordinatorOf(name, group) == l.node && (group.groupType == typeClassic || group.groupType == "") {
			return true
		}
	}
	return false
}

// look reads what was written since the last time, or waits for it, and says whether it
// could.
func (l *logTail) look(ctx context.Context, wait bool) bool {
	if time.Now().Before(l.due) || ctx.Err() != nil {
		return false
	}
	begun := slices.DeleteFunc(l.partitions(), func(p int32) bool { _, ok := l.readTo(p); return !ok })
	if len(begun) == 0 {
		l.settle(ctx, ofRecords)
		return false
	}
	began := time.Now()
	if err := l.fetch(ctx, begun, wait); err != nil {
		l.fail(ctx, ofRecords, began, err, begun)
		return false
	}
	return true
}

// fail tells that the log cannot be read, so that coordinators' answers count instead.
func (l *logTail) fail(ctx context.Context, of string, began time.Time, err error, partitions []int32) {
	p := problemFrom(err, "", fmt.Sprintf("read %s, so generations and leaders of classic groups are not known", offsetsTopicName), "READ on the topic "+offsetsTopicName)
	if p.Code == CodeNotAuthorized {
		l.due = time.Now().Add(tailAgain)
		began = time.Now().Add(-time.Minute) // this does not pass by itself, so it is told at once
		l.send(ctx, func(d *watch.Differ) []watch.Event {
			events := d.Failed(watch.FailedLook{Began: began, At: time.Now(), Part: partLog, Code: string(p.Code), Message: p.Message})
			return append(events, d.Records(watch.RecordsLook{At: time.Now(), Gaps: partitions})...)
		})
		return
	}
	l.failing[of] = true
	l.failed(ctx, sight{partLog, &l.node, of}, began, p)
}

// partitions are those that hold groups watched and that the broker leads.
func (l *logTail) partitions() []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := int32(len(l.layout.offsets))
	if count == 0 {
		return nil
	}
	used := map[int32]bool{}
	for name, group := range l.names {
		if p := OffsetsPartition(name, count); l.layout.offsets[p] == l.node && (group.groupType == typeClassic || group.groupType == "") {
			used[p] = true
		}
	}
	return sortedKeys(used)
}

func (l *logTail) readTo(p int32) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.read[p]
	return at, ok
}

func (l *logTail) setRead(p int32, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[p] = at
}

// findEnds finds the ends of partitions, from which reading begins, and returns those
// that were told. The error is why others were not.
func (l *logTail) findEnds(ctx context.Context, partitions []int32) ([]int32, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = offsetsTopicName
	for _, p := range partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp, partition.CurrentLeaderEpoch = p, -1, -1
		topic.Partitions = append(topic.Partitions, partition)
	}
	req.Topics = append(req.Topics, topic)
	resp, _, err := ask[*kmsg.ListOffsetsResponse](ctx, l.watcher, l.node, true, lookTimeout, req)
	if err != nil {
		return nil, err
	}
	var begun []int32
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Topic != offsetsTopicName || !slices.Contains(partitions, p.Partition) || slices.Contains(begun, p.Partition) {
				continue
			}
			if failure := kerr.ErrorForCode(p.ErrorCode); failure != nil {
				err = failure
				continue
			}
			l.setRead(p.Partition, p.Offset)
			begun = append(begun, p.Partition)
		}
	}
	if err == nil && len(begun) < len(partitions) {
		err = errLeftOut
	}
	return begun, err
}

func (l *logTail) fetch(ctx context.Context, partitions []int32, wait bool) error {
	known, _ := l.layoutNow()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MinBytes = 1
	if wait {
		req.MaxWaitMillis = int32(tailWait / time.Millisecond)
	}
	req.MaxBytes = tailBytes
	req.SessionEpoch = -1 // no session
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = offsetsTopicName
	topic.TopicID = known.offsetsID
	for _, p := range partitions {
		at, ok := l.readTo(p)
		if !ok {
			continue
		}
		partition := kmsg.NewFetchRequestTopicPartition()
		partition.Partition = p
		partition.FetchOffset = at
		partition.CurrentLeaderEpoch = -1
		partition.PartitionMaxBytes = tailBytes
		topic.Partitions = append(topic.Partitions, partition)
	}
	req.Topics = append(req.Topics, topic)
	resp, at, err := ask[*kmsg.FetchResponse](ctx, l.watcher, l.node, true, lookTimeout, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return err
	}
	inflater, err := newInflater()
	if err != nil {
		return err
	}
	taken := watch.RecordsLook{At: at, Answered: time.Now()}
	var failure error
	for _, t := range resp.Topics {
		for i := range t.Partitions {
			if t.Topic == offsetsTopicName || t.TopicID == known.offsetsID {
				if err := l.take(&t.Partitions[i], inflater, &taken); err != nil {
					failure = err
				}
			}
		}
	}
	// Coordinators write a group's records in order, and all of a group are in one
	// partition.
	l.send(ctx, func(d *watch.Differ) []watch.Event {
		var events []watch.Event
		if failure == nil {
			events = append(d.Saw(partLog, &l.node, ofRecords, at), d.Saw(partLog, nil, "", at)...)
		}
		return append(events, d.Records(taken)...)
	})
	return failure
}

// take reads what came of one partition. What cannot be read is passed over, up to the
// end of the log, and counts as a gap.
func (l *logTail) take(p *kmsg.FetchResponseTopicPartition, inflater kgo.Decompressor, taken *watch.RecordsLook) error {
	at, ok := l.readTo(p.Partition)
	if !ok {
		return nil
	}
	switch err := kerr.ErrorForCode(p.ErrorCode); {
	case errors.Is(err, kerr.OffsetOutOfRange):
		taken.Gaps = append(taken.Gaps, p.Partition)
		l.mu.Lock()
		delete(l.read, p.Partition)
		l.mu.Unlock()
		return nil
	case errors.Is(err, kerr.NotLeaderForPartition):
		return nil // whoever leads it goes on from there
	case err != nil:
		return err
	}
	inflate := &boundedInflater{inflater, tailInflated}
	var unreadable error
	for batch := range batchesOf(p.RecordBatches) {
		raw := kmsg.NewFetchResponseTopicPartition()
		raw.Partition, raw.RecordBatches = p.Partition, batch
		records, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Topic: offsetsTopicName, Partition: p.Partition, Offset: at,
		}, &raw, inflate, nil)
		if unreadable = records.Err; unreadable != nil || next <= at {
			break
		}
		for _, r := range records.Records {
			if record, ok := l.record(r); ok {
				taken.Records = append(taken.Records, record)
			}
		}
		at = next
	}
	began, _ := l.readTo(p.Partition)
	stuck := at == began && len(p.RecordBatches) > 0
	if unreadable != nil || stuck || p.HighWatermark-at > tailBehind {
		taken.Gaps = append(taken.Gaps, p.Partition)
		at = max(at, p.HighWatermark)
	} else if at >= p.HighWatermark {
		taken.Partitions = append(taken.Partitions, p.Partition)
	}
	l.setRead(p.Partition, at)
	return nil
}

// boundedInflater decompresses no more than so many bytes in all.
type boundedInflater struct {
	kgo.Decompressor
	left int
}

// Decompress implements [kgo.Decompressor].
func (b *boundedInflater) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if b.left <= 0 {
		return nil, errBudget
	}
	inflated, err := b.Decompressor.Decompress(src, codec)
	b.left -= len(inflated)
	return inflated, err
}

// record decodes a record if it is of a group that is watched.
func (l *logTail) record(r *kgo.Record) (watch.GroupRecord, bool) {
	key, err := parseRecordKey(r.Key)
	if err != nil || key.kind != LogGeneration {
		return watch.GroupRecord{}, false
	}
	name := strings.Clone(key.group)
	l.mu.Lock()
	_, watched := l.names[name]
	l.mu.Unlock()
	if !watched {
		return watch.GroupRecord{}, false
	}
	record := watch.GroupRecord{Group: name, Written: timeOrZero(r.Timestamp.UnixMilli()), Tombstone: len(r.Value) == 0}
	if record.Tombstone {
		return record, true
	}
	generation, err := decodeGeneration(r.Value)
	if err != nil {
		return watch.GroupRecord{}, false
	}
	record.Generation, record.Leader, record.Protocol = generation.Generation, generation.Leader, generation.Assignor
	record.Elected = generation.Elected
	if generation.Since != nil {
		record.Entered = *generation.Since
	}
	for _, m := range generation.Members {
		record.Members = append(record.Members, loggedMember(m, orEmpty(generation.ProtocolType)))
	}
	return record, true
}
