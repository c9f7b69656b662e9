package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

// offsetsEvery is how far looks at offsets lie apart.
const offsetsEvery = 10 * time.Second

// watchOffsets looks at how far groups are: one request to each coordinator for the
// offsets committed, one to a broker for the leaders of their partitions, then one to each
// leader for the ends of the logs.
func (w *watcher) watchOffsets(ctx context.Context) {
	if !w.awaitLayout(ctx) {
		return
	}
	failing, unseen := map[int32]bool{}, map[string]bool{}
	for began := time.Now(); pause(ctx, time.Until(began)); began = began.Add(offsetsEvery) {
		known, _ := w.layoutNow()
		look := offsetsLook{watcher: w, committed: map[string]map[partitionID]int64{}, topics: map[string]bool{}, unseen: unseen, failed: map[int32]failedOffsets{}}
		eachNode(known.brokers, func(node int32) { look.readCommitted(ctx, node) })
		if !look.partial && len(w.groupsAt(-1)) == 0 {
			look.forgetTopics(ctx)
		}
		if len(look.topics) > 0 {
			look.readEnds(ctx, known)
		}
		for _, node := range sortedKeys(look.failed) {
			w.failed(ctx, sight{part: partOffsets, node: &node}, look.failed[node].began, look.failed[node].problem)
			failing[node] = true
		}
		for _, node := range sortedKeys(failing) {
			if _, failed := look.failed[node]; !failed {
				w.saw(ctx, sight{part: partOffsets, node: &node}, time.Now(), nothingMore)
				delete(failing, node)
			}
		}
		if late := time.Since(began); late > offsetsEvery {
			began = began.Add(late)
		}
	}
}

// eachNode calls each for all brokers, several at a time, so that one that hangs does not
// hold up the others.
func eachNode(nodes []int32, each func(node int32)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, brokersAtOnce)
	for _, node := range nodes {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			each(node)
		})
	}
	all.Wait()
}

// offsetsLook is one look at how far groups are.
type offsetsLook struct {
	*watcher
	found     sync.Mutex // guards what follows
	committed map[string]map[partitionID]int64
	// topics are those that groups committed in, and those of their members: brokers
	// leave out of what was committed the topics that may not be seen.
	topics map[string]bool
	// partial: of some groups it is not known what they committed.
	partial bool
	// unseen are topics of groups that may not be seen, from look to look.
	unseen map[string]bool
	failed map[int32]failedOffsets // by broker
}

// failedOffsets is why offsets could not be read of a broker.
type failedOffsets struct {
	began   time.Time
	problem Problem
}

func (l *offsetsLook) fail(node int32, began time.Time, err error, doing, acl string) {
	l.found.Lock()
	defer l.found.Unlock()
	l.failed[node] = failedOffsets{began, problemFrom(err, "", doing, acl)}
}

// groupsAt are the groups that a broker coordinates and that may have offsets in
// __consumer_offsets: those of share groups are elsewhere, and they have no owners.
func (w *watcher) groupsAt(node int32) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.layout.offsetsAbsent() {
		return nil
	}
	var groups []string
	for _, name := range sortedKeys(w.names) {
		group := w.names[name]
		if group.groupType != "" && group.groupType != typeShare && w.coordinatorOf(name, group) == node {
			groups = append(groups, name)
		}
	}
	return groups
}

// readCommitted adds what the groups of a coordinator have committed.
func (l *offsetsLook) readCommitted(ctx context.Context, node int32) {
	lost := false
	batches(l.groupsAt(node), watchBatch, func(batch []string) {
		if lost {
			return // each batch would take as long to fail
		}
		req := kmsg.NewPtrOffsetFetchRequest()
		for _, name := range batch {
			group := kmsg.NewOffsetFetchRequestGroup()
			group.Group, group.MemberEpoch = name, -1
			req.Groups = append(req.Groups, group)
		}
		// Of several groups brokers answer since v8 (Kafka 3.0), and by topics' names
		// up to v9.
		resp, at, err := ask[*kmsg.OffsetFetchResponse](ctx, l.watcher, node, false, lookTimeout, batchedOffsetFetch{req})
		if err != nil {
			lost = true
			l.leftOut()
			l.fail(node, at, err, fmt.Sprintf("read the offsets committed at broker %d", node), "DESCRIBE on each group")
			return
		}
		for _, group := range resp.Groups {
			if err := kerr.ErrorForCode(group.ErrorCode); err != nil {
				if !errors.Is(err, kerr.GroupIDNotFound) {
					l.leftOut()
				}
				if !coordinatorMoved(err) && !errors.Is(err, kerr.GroupIDNotFound) {
					l.fail(node, at, err, fmt.Sprintf("read the offsets committed by the group %q", group.Group), fmt.Sprintf("DESCRIBE on the group %q", group.Group))
				}
				continue
			}
			offsets := map[partitionID]int64{}
			for _, topic := range group.Topics {
				for _, p := range topic.Partitions {
					if p.ErrorCode == 0 && p.Offset >= 0 {
						offsets[partitionID{topic.Topic, p.Partition}] = p.Offset
					}
				}
			}
			l.addTopics(group.Group, offsets)
			if len(offsets) > 0 {
				l.found.Lock()
				l.committed[group.Group] = offsets
				l.found.Unlock()
			}
		}
	})
}

func (l *offsetsLook) leftOut() {
	l.found.Lock()
	defer l.found.Unlock()
	l.partial = true
}

// forgetTopics ends what was told of topics that may not be seen and that no group has to
// do with any more.
func (l *offsetsLook) forgetTopics(ctx context.Context) {
	for _, name := range sortedKeys(l.unseen) {
		if !l.topics[name] {
			delete(l.unseen, name)
			l.saw(ctx, sight{part: partTopic + name, of: partOffsets}, time.Now(), nothingMore)
		}
	}
}

func (l *offsetsLook) addTopics(group string, committed map[partitionID]int64) {
	l.mu.Lock()
	var of []string
	if known := l.names[group]; known != nil {
		of = known.topics
	}
	l.mu.Unlock()
	l.found.Lock()
	defer l.found.Unlock()
	for p := range committed {
		l.topics[p.topic] = true
	}
	for _, topic := range of {
		l.topics[topic] = true
	}
}

// batchedOffsetFetch keeps to the versions that have several groups and topics by name.
type batchedOffsetFetch struct{ *kmsg.OffsetFetchRequest }

// MaxVersion implements [kmsg.Request].
func (batchedOffsetFetch) MaxVersion() int16 { return 9 }

// readEnds compares what is committed with the ends of the logs, as a consumer sees them
// that reads committed records: up to the first transaction that is open.
func (l *offsetsLook) readEnds(ctx context.Context, known layout) {
	at := time.Now()
	wanted := map[partitionID]bool{}
	for _, offsets := range l.committed {
		for p := range offsets {
			if canBeTopic(p.topic) {
				wanted[p] = true
			}
		}
	}
	partitions := slices.SortedFunc(maps.Keys(wanted), comparePartitions)
	leaders := l.leadersOf(ctx, known, partitions)
	ends := map[partitionID]int64{}
	eachNode(sortedKeys(leaders), func(node int32) {
		resp, at, err := ask[*kmsg.ListOffsetsResponse](ctx, l.watcher, node, false, lookTimeout, endsRequest(endStable, leaders[node]))
		if err != nil {
			l.fail(node, at, err, fmt.Sprintf("read where the logs end that broker %d leads", node), "DESCRIBE on their topics")
			return
		}
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				switch err := kerr.ErrorForCode(p.ErrorCode); {
				case err == nil && p.Offset >= 0:
					l.found.Lock()
					ends[partitionID{topic.Topic, p.Partition}] = p.Offset
					l.found.Unlock()
				case err == nil, kerr.IsRetriable(err): // the leader has moved, and is found at the next look
				default:
					l.fail(node, at, err, fmt.Sprintf("read where the log of %s-%d ends", topic.Topic, p.Partition), fmt.Sprintf("DESCRIBE on the topic %q", topic.Topic))
				}
			}
		}
	})
	for _, group := range sortedKeys(l.committed) {
		taken := watch.OffsetsLook{At: at, Group: group}
		for p, offset := range l.committed[group] {
			if end, ok := ends[p]; ok {
				taken.Offsets = append(taken.Offsets, watch.Offset{Topic: p.topic, Partition: p.partition, Committed: offset, End: end})
			}
		}
		slices.SortFunc(taken.Offsets, func(a, b watch.Offset) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		if !l.send(ctx, func(d *watch.Differ) []watch.Event { return d.Offsets(taken) }) {
			return
		}
	}
}

// leadersOf finds the leaders of partitions, and creates no topic: the client itself would
// for one that is deleted, where it may.
func (l *offsetsLook) leadersOf(ctx context.Context, known layout, partitions []partitionID) map[int32][]partitionID {
	names := slices.DeleteFunc(sortedKeys(l.topics), func(name string) bool { return !canBeTopic(name) })
	if len(names) == 0 {
		return nil
	}
	node := known.metadata
	if node == nil {
		node = &known.brokers[0]
	}
	resp, at, err := ask[*kmsg.MetadataResponse](ctx, l.watcher, *node, false, lookTimeout, metadataRequest(names))
	if err != nil {
		l.fail(*node, at, err, "find the leaders of the partitions that groups committed in", "DESCRIBE on their topics")
		return nil
	}
	found := leadersFound{byName: map[string]*leadersOfTopic{}, names: map[[16]byte]string{}}
	found.add(resp)
	for _, name := range names {
		if delete(l.unseen, name); mayNotBeSeen(found.byName[name]) {
			l.unseen[name] = true
		}
	}
	l.send(ctx, func(d *watch.Differ) []watch.Event { return topicsSeen(d, names, found.byName, at) })
	leaders := map[int32][]partitionID{}
	for _, p := range partitions {
		if leader := leaderIn(found.byName, p); leader >= 0 {
			leaders[leader] = append(leaders[leader], p)
		}
	}
	return leaders
}

func mayNotBeSeen(topic *leadersOfTopic) bool {
	return topic != nil && topic.err == kerr.TopicAuthorizationFailed
}

// topicsSeen takes which topics of groups may be seen.
func topicsSeen(d *watch.Differ, names []string, topics map[string]*leadersOfTopic, at time.Time) []watch.Event {
	var events []watch.Event
	for _, name := range names {
		part, topic := partTopic+name, topics[name]
		if !mayNotBeSeen(topic) {
			events = append(events, d.Saw(part, nil, partOffsets, at)...)
			continue
		}
		p := problemFrom(topic.err, name, fmt.Sprintf("read how far groups are with the topic %q", name), fmt.Sprintf("DESCRIBE on the topic %q", name))
		events = append(events, d.Failed(watch.FailedLook{At: at, Part: part, Of: partOffsets, Code: string(p.Code), Message: p.Message})...)
	}
	return events
}
