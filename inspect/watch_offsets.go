package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

// offsetsEvery is how far looks at offsets lie apart.
const offsetsEvery = 10 * time.Second

// watchOffsets looks at how far groups are: one request to each coordinator for the
// offsets committed, then one to each broker for the ends of the logs.
func (w *watcher) watchOffsets(ctx context.Context) {
	if !w.awaitLayout(ctx) {
		return
	}
	for began := time.Now(); pause(ctx, time.Until(began)); began = began.Add(offsetsEvery) {
		known, _ := w.layoutNow()
		committed := map[string]map[partitionName]int64{}
		for _, node := range known.brokers {
			w.committed(ctx, node, committed)
		}
		if len(committed) > 0 {
			w.lookAtOffsets(ctx, committed)
		}
		if late := time.Since(began); late > offsetsEvery {
			began = began.Add(late)
		}
	}
}

// groupsAt are the groups that a broker coordinates and that may have offsets.
func (w *watcher) groupsAt(node int32) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := int32(len(w.layout.offsets))
	var groups []string
	for _, name := range sortedKeys(w.names) {
		group := w.names[name]
		if count > 0 && w.layout.offsets[OffsetsPartition(name, count)] == node && (group.groupType == typeClassic || group.groupType == typeConsumer) {
			groups = append(groups, name)
		}
	}
	return groups
}

// committed adds what the groups of a coordinator have committed.
func (w *watcher) committed(ctx context.Context, node int32, all map[string]map[partitionName]int64) {
	batches(w.groupsAt(node), watchBatch, func(batch []string) {
		req := kmsg.NewPtrOffsetFetchRequest()
		for _, name := range batch {
			group := kmsg.NewOffsetFetchRequestGroup()
			group.Group, group.MemberEpoch = name, -1
			req.Groups = append(req.Groups, group)
		}
		// Of several groups brokers answer since v8 (Kafka 3.0), and by topics' names
		// up to v9.
		resp, _, err := ask[*kmsg.OffsetFetchResponse](ctx, w, node, false, lookTimeout, batchedOffsetFetch{req})
		if err != nil {
			w.failed(ctx, partOffsets, &node, problemFrom(err, "", fmt.Sprintf("read the offsets committed at broker %d", node), "DESCRIBE on each group"))
			return
		}
		for _, group := range resp.Groups {
			if group.ErrorCode != 0 {
				continue
			}
			offsets := map[partitionName]int64{}
			for _, topic := range group.Topics {
				for _, p := range topic.Partitions {
					if p.ErrorCode == 0 && p.Offset >= 0 {
						offsets[partitionName{topic.Topic, p.Partition}] = p.Offset
					}
				}
			}
			if len(offsets) > 0 {
				all[group.Group] = offsets
			}
		}
		w.saw(ctx, partOffsets, &node, time.Now(), func(*watch.Differ) []watch.Event { return nil })
	})
}

// batchedOffsetFetch keeps to the versions that have several groups and topics by name.
type batchedOffsetFetch struct{ *kmsg.OffsetFetchRequest }

// MaxVersion implements [kmsg.Request].
func (batchedOffsetFetch) MaxVersion() int16 { return 9 }

// lookAtOffsets compares what is committed with the ends of the logs, as a consumer
// sees them that reads committed records: up to the first transaction that is open.
func (w *watcher) lookAtOffsets(ctx context.Context, committed map[string]map[partitionName]int64) {
	known, _ := w.layoutNow()
	for _, node := range known.brokers {
		if !w.pace.wait(ctx, node, false) {
			return
		}
	}
	wanted := map[string]map[int32]bool{}
	for _, offsets := range committed {
		for p := range offsets {
			if wanted[p.topic] == nil {
				wanted[p.topic] = map[int32]bool{}
			}
			wanted[p.topic][p.partition] = true
		}
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	for _, topic := range sortedKeys(wanted) {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for _, partition := range sortedKeys(wanted[topic]) {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = partition, -1, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	at := time.Now()
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	shards, err := await(asking, func() ([]kgo.ResponseShard, error) { return w.client.RequestSharded(asking, req), nil })
	if err != nil {
		return
	}
	ends := map[partitionName]int64{}
	for _, shard := range shards {
		resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if shard.Err != nil || !ok {
			continue
		}
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if p.ErrorCode == 0 && p.Offset >= 0 {
					ends[partitionName{topic.Topic, p.Partition}] = p.Offset
				}
			}
		}
	}
	for _, group := range sortedKeys(committed) {
		taken := watch.OffsetsLook{At: at, Group: group}
		for p, offset := range committed[group] {
			if end, ok := ends[p]; ok {
				taken.Offsets = append(taken.Offsets, watch.Offset{Topic: p.topic, Partition: p.partition, Committed: offset, End: end})
			}
		}
		slices.SortFunc(taken.Offsets, func(a, b watch.Offset) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		if !w.send(ctx, func(d *watch.Differ) []watch.Event { return d.Offsets(taken) }) {
			return
		}
	}
}
