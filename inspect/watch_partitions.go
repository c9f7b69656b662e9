package inspect

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

const (
	// metadataTimeout is how long a broker may take to answer for metadata until
	// another one is asked, unless answers have been seen to take longer.
	metadataTimeout = 1500 * time.Millisecond
	// metadataEvery is how far looks at partitions lie apart. It leaves the broker that
	// is asked for them most of its rate for groups.
	metadataEvery = 1250 * time.Millisecond
	// checkEvery is how often another broker is asked whether the one that is asked
	// for metadata is live.
	checkEvery = 5 * time.Second
)

const (
	partPartitions = "partitions"
	partController = "controller"
	partGroups     = "groups"
	partOffsets    = "offsets"
	partLog        = "log"
)

// metadataAsker asks one broker as long as it answers, and another if not. Views of
// several brokers in turn would show what changed twice, and back.
type metadataAsker struct {
	*watcher
	node    *int32
	longest time.Duration
	checked time.Time
	elr     elrAsker
}

func (w *watcher) watchPartitions(ctx context.Context) {
	asker := metadataAsker{watcher: w, checked: time.Now(), elr: elrAsker{watcher: w, known: map[partitionName]eligible{}}}
	for ctx.Err() == nil {
		began := time.Now()
		resp, at, err := asker.ask(ctx, w.topicsWanted())
		if err != nil {
			if !w.failed(ctx, partPartitions, nil, w.unreachable(err)) {
				return
			}
			if asker.node != nil {
				asker.turnFrom(*asker.node)
				continue
			}
		} else if !asker.take(ctx, resp, at) {
			return
		}
		w.waitForNextLook(ctx, began)
	}
}

// topicsWanted are the topics to ask for, nil for all.
func (w *watcher) topicsWanted() []string {
	switch {
	case !w.what.Elections:
		return []string{offsetsTopicName}
	case len(w.what.Topics) == 0:
		return nil
	case w.what.Groups && !slices.Contains(w.what.Topics, offsetsTopicName):
		return append(slices.Clone(w.what.Topics), offsetsTopicName)
	}
	return w.what.Topics
}

// waitForNextLook waits until the next look is due. Where only coordinators matter,
// that is later, unless what they answer says that they moved.
func (w *watcher) waitForNextLook(ctx context.Context, began time.Time) {
	every := metadataEvery
	if !w.what.Elections {
		every *= 2
	}
	pause(ctx, time.Until(began.Add(every)))
}

func (a *metadataAsker) ask(ctx context.Context, topics []string) (*kmsg.MetadataResponse, time.Time, error) {
	at := time.Now()
	if a.node == nil {
		resp, err := a.metadata(ctx, topics)
		return resp, at, err
	}
	resp, at, err := ask[*kmsg.MetadataResponse](ctx, a.watcher, *a.node, true, max(metadataTimeout, 3*a.longest), metadataRequest(topics))
	if err == nil {
		a.longest = max(a.longest, time.Since(at))
	}
	return resp, at, err
}

// turnFrom chooses another broker than one that does not answer, and any that the
// client finds if all have been tried.
func (a *metadataAsker) turnFrom(node int32) {
	known, _ := a.layoutNow()
	i := slices.Index(known.brokers, node)
	if i < 0 || i+1 >= len(known.brokers) {
		a.node = nil
		return
	}
	a.node = &known.brokers[i+1]
}

// take hands an answer over, and keeps what the other looks need of it.
func (a *metadataAsker) take(ctx context.Context, resp *kmsg.MetadataResponse, at time.Time) bool {
	taken := partitionsLook(resp, at)
	known := layout{brokers: slices.Sorted(slices.Values(taken.Brokers))}
	if a.node == nil && len(known.brokers) > 0 {
		a.node = &known.brokers[0]
	}
	known.metadata = a.node
	for _, topic := range resp.Topics {
		if topic.Topic == nil || *topic.Topic != offsetsTopicName {
			continue
		}
		if topic.ErrorCode == 0 {
			known.offsetsID = topic.TopicID
			known.offsets = offsetsLeaders(topic.Partitions)
		}
		known.offsetsHidden = topic.ErrorCode == kerr.TopicAuthorizationFailed.Code
	}
	gone := a.setLayout(known)
	if !a.saw(ctx, partPartitions, nil, at, func(d *watch.Differ) []watch.Event {
		d.Gone(gone)
		return d.Partitions(taken)
	}) {
		return false
	}
	a.check(ctx)
	if a.what.Elections && a.node != nil {
		return a.elr.look(ctx, *a.node, taken.Partitions)
	}
	return true
}

// check turns from a broker that the others do not take for live: it answers, but
// hears of no election.
func (a *metadataAsker) check(ctx context.Context) {
	known, _ := a.layoutNow()
	if time.Since(a.checked) < checkEvery || a.node == nil || len(known.brokers) < 2 {
		return
	}
	a.checked = time.Now()
	i := slices.Index(known.brokers, *a.node)
	other := known.brokers[(i+1)%len(known.brokers)]
	resp, _, err := ask[*kmsg.MetadataResponse](ctx, a.watcher, other, false, metadataTimeout, metadataRequest([]string{}))
	if err != nil || len(resp.Brokers) == 0 {
		return
	}
	if !slices.ContainsFunc(resp.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == *a.node }) {
		a.node = &other
	}
}

func offsetsLeaders(partitions []kmsg.MetadataResponseTopicPartition) []int32 {
	leaders := make([]int32, len(partitions))
	for i := range leaders {
		leaders[i] = -1
	}
	for _, p := range partitions {
		if p.Partition >= 0 && int(p.Partition) < len(leaders) {
			leaders[p.Partition] = p.Leader
		}
	}
	return leaders
}

func partitionsLook(resp *kmsg.MetadataResponse, at time.Time) watch.PartitionsLook {
	taken := watch.PartitionsLook{At: at}
	for _, broker := range resp.Brokers {
		taken.Brokers = append(taken.Brokers, broker.NodeID)
	}
	for _, topic := range resp.Topics {
		if topic.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			if err != kerr.UnknownTopicOrPartition {
				taken.Unanswered = append(taken.Unanswered, *topic.Topic)
			}
			continue
		}
		for _, p := range topic.Partitions {
			taken.Partitions = append(taken.Partitions, watch.Partition{
				Topic: *topic.Topic, TopicID: topic.TopicID, Partition: p.Partition,
				Leader: known(p.Leader), LeaderEpoch: known(p.LeaderEpoch),
				Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas,
			})
		}
	}
	return taken
}

type partitionName struct {
	topic     string
	partition int32
}

// eligible is the state of a partition for which its ELR is known.
type eligible struct {
	epoch int32
	isr   []int32
}

// elrAsker asks which replicas may lead without being in sync, of the partitions for
// which that matters: those of which a replica is out of sync.
type elrAsker struct {
	*watcher
	known map[partitionName]eligible
	// unsupported: the brokers know of no such replicas, so there are none.
	unsupported bool
}

// elrAtOnce is how many partitions one request is about; brokers answer for 2,000 at
// most by default (max.request.partition.size.limit).
const elrAtOnce = 1000

func (e *elrAsker) look(ctx context.Context, node int32, partitions []watch.Partition) bool {
	var topics []string
	wanted := map[partitionName]watch.Partition{}
	for _, p := range partitions {
		name := partitionName{p.Topic, p.Partition}
		was, known := e.known[name]
		switch {
		case !p.Degraded() || p.LeaderEpoch == nil:
			delete(e.known, name)
		case known && was.epoch == *p.LeaderEpoch && slices.Equal(was.isr, p.ISR), len(wanted) >= elrAtOnce:
		default:
			wanted[name] = p
			if len(topics) == 0 || topics[len(topics)-1] != p.Topic {
				topics = append(topics, p.Topic)
			}
		}
	}
	if len(wanted) == 0 {
		return true
	}
	found := make([]watch.Partition, 0, len(wanted))
	if e.unsupported {
		for _, p := range wanted {
			p.ELR, p.LastKnownELR = []int32{}, []int32{}
			found = append(found, p)
		}
	} else if found = e.ask(ctx, node, topics, wanted); found == nil {
		return true // it is asked again at the next look
	}
	for _, p := range found {
		e.known[partitionName{p.Topic, p.Partition}] = eligible{*p.LeaderEpoch, p.ISR}
	}
	return e.send(ctx, func(d *watch.Differ) []watch.Event {
		d.Eligible(found)
		return nil
	})
}

func (e *elrAsker) ask(ctx context.Context, node int32, topics []string, wanted map[partitionName]watch.Partition) []watch.Partition {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = elrAtOnce
	slices.Sort(topics)
	for _, topic := range slices.Compact(topics) {
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = topic
		req.Topics = append(req.Topics, rt)
	}
	resp, _, err := ask[*kmsg.DescribeTopicPartitionsResponse](ctx, e.watcher, node, true, lookTimeout, req)
	if err != nil {
		if p := problemFrom(e.unsupportedAs(ctx, node, req.Key(), err), "", "", ""); p.Code == CodeUnsupported {
			e.unsupported = true
		}
		return nil
	}
	found := []watch.Partition{}
	for _, topic := range resp.Topics {
		if topic.Topic == nil || topic.ErrorCode != 0 {
			continue
		}
		for _, p := range topic.Partitions {
			want, ok := wanted[partitionName{*topic.Topic, p.Partition}]
			if !ok || p.ErrorCode != 0 || p.LeaderEpoch < 0 {
				continue
			}
			want.Leader, want.LeaderEpoch, want.ISR = known(p.LeaderID), known(p.LeaderEpoch), p.ISR
			want.ELR, want.LastKnownELR = emptyIfNil(p.EligibleLeaderReplicas), emptyIfNil(p.LastKnownELR)
			found = append(found, want)
		}
	}
	return found
}
