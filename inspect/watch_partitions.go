package inspect

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
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
	partELR        = "elr"
	partController = "controller"
	// partControllers are the controllers' own listeners.
	partControllers = "controllers"
	partGroups      = "groups"
	// partTopic and partGroup are followed by the name of one.
	partTopic   = "topic "
	partGroup   = "group "
	partOffsets = "offsets"
	partLog     = "log"
)

// metadataAsker asks one broker as long as it answers, and another if not. Views of
// several brokers in turn would show what changed twice, and back.
type metadataAsker struct {
	*watcher
	node *int32
	// found is how often it was asked who is live, for want of a node.
	found int
	// took is how long the last answer took.
	took time.Duration
	elr  elrAsker
	// checked is when it was checked last whether the broker is live, and by which other.
	checked   time.Time
	checkedBy int32
	// unlike holds the broker to turn to where a check said that the one asked is not.
	unlike chan int32
	// offsets is what was answered when __consumer_offsets was asked for by name, which
	// was at offsetsAt.
	offsets   []kmsg.MetadataResponseTopic
	offsetsAt time.Time
}

func (w *watcher) watchPartitions(ctx context.Context) {
	asker := metadataAsker{
		watcher: w, checked: time.Now(), checkedBy: -1, unlike: make(chan int32, 1),
		elr: elrAsker{watcher: w, known: map[partitionID]eligible{}},
	}
	for ctx.Err() == nil {
		began := time.Now()
		asker.heedCheck()
		resp, at, err := asker.ask(ctx, w.topicsWanted())
		if err != nil {
			if !w.failed(ctx, sight{part: partPartitions}, at, w.unreachable(err)) {
				return
			}
			if asker.node != nil {
				asker.turnFrom(*asker.node)
			}
			if asker.node != nil {
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
		// The client keeps what it is told of topics by whom it finds, which is much of all.
		finding, cancel := context.WithTimeout(ctx, max(lookTimeout, a.patience()))
		defer cancel()
		resp, err := a.metadata(finding, []string{})
		if err == nil {
			err = knowsBrokers(resp)
		}
		if err != nil {
			return nil, at, err
		}
		// Another one each time: one may be taken for live and not answer.
		slices.SortFunc(resp.Brokers, func(a, b kmsg.MetadataResponseBroker) int { return cmp.Compare(a.NodeID, b.NodeID) })
		a.node = &resp.Brokers[a.found%len(resp.Brokers)].NodeID
		a.found++
	}
	resp, at, err := ask[*kmsg.MetadataResponse](ctx, a.watcher, *a.node, true, a.patience(), metadataRequest(topics))
	if err == nil {
		a.took, err = time.Since(at), knowsBrokers(resp)
	}
	return resp, at, err
}

// knowsBrokers says why an answer for metadata is none to go by. A broker that has just
// started answers before it knows of any broker, itself among them, and of any topic.
func knowsBrokers(resp *kmsg.MetadataResponse) error {
	if len(resp.Brokers) == 0 {
		return errors.New("the broker that answered knows of no brokers yet")
	}
	return tooManyBrokers(resp)
}

// patience is how long a broker may take to answer for metadata.
func (a *metadataAsker) patience() time.Duration {
	return min(max(metadataTimeout, 3*a.took), longestStep)
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
	known.metadata = a.node
	topics := resp.Topics
	if a.what.Groups && a.topicsWanted() == nil && !hasOffsetsTopic(topics) && a.node != nil {
		topics = a.offsetsByName(ctx)
		known.offsetsHidden = len(topics) == 0 // not known yet
	}
	for _, topic := range topics {
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
	if !a.saw(ctx, sight{part: partPartitions}, at, func(d *watch.Differ) []watch.Event {
		return slices.Concat(d.Gone(gone, at), a.namedTopics(d, resp, at), d.Partitions(taken))
	}) {
		return false
	}
	a.check(ctx)
	if a.what.Elections && a.node != nil {
		return a.elr.look(ctx, *a.node, taken.Partitions)
	}
	return true
}

// namedTopics takes which of the topics that are watched by name were told, and why others
// were not, such as for want of an ACL.
func (a *metadataAsker) namedTopics(d *watch.Differ, resp *kmsg.MetadataResponse, at time.Time) []watch.Event {
	var events []watch.Event
	for _, topic := range resp.Topics {
		if topic.Topic == nil || !slices.Contains(a.what.Topics, *topic.Topic) {
			continue
		}
		part := partTopic + *topic.Topic
		err := kerr.ErrorForCode(topic.ErrorCode)
		if err == nil || err == kerr.UnknownTopicOrPartition {
			events = append(events, d.Saw(part, nil, partPartitions, at)...)
			continue
		}
		p := topicProblem(*topic.Topic, err)
		events = append(events, d.Failed(watch.FailedLook{At: at, Part: part, Of: partPartitions, Code: string(p.Code), Message: p.Message})...)
	}
	return events
}

func hasOffsetsTopic(topics []kmsg.MetadataResponseTopic) bool {
	return slices.ContainsFunc(topics, func(t kmsg.MetadataResponseTopic) bool { return t.Topic != nil && *t.Topic == offsetsTopicName })
}

// offsetsByName asks for __consumer_offsets alone, from time to time: who asks for all
// topics is not told of those that are hidden. It returns nothing while none answers.
func (a *metadataAsker) offsetsByName(ctx context.Context) []kmsg.MetadataResponseTopic {
	if a.offsets != nil && time.Since(a.offsetsAt) < checkEvery {
		return a.offsets
	}
	resp, at, err := ask[*kmsg.MetadataResponse](ctx, a.watcher, *a.node, true, metadataTimeout, metadataRequest([]string{offsetsTopicName}))
	if err == nil && hasOffsetsTopic(resp.Topics) {
		a.offsets, a.offsetsAt = resp.Topics, at
	}
	return a.offsets
}

// check asks another broker, each in turn, whether it takes the one that is asked for live:
// one that is not answers, but hears of no election. It does not wait for the answer.
func (a *metadataAsker) check(ctx context.Context) {
	known, _ := a.layoutNow()
	if time.Since(a.checked) < checkEvery || a.node == nil || len(known.brokers) < 2 {
		return
	}
	a.checked = time.Now()
	asked := *a.node
	others := slices.DeleteFunc(slices.Clone(known.brokers), func(n int32) bool { return n == asked })
	other := others[max(0, slices.IndexFunc(others, func(n int32) bool { return n > a.checkedBy }))]
	a.checkedBy = other
	a.all.Go(func() {
		resp, _, err := ask[*kmsg.MetadataResponse](ctx, a.watcher, other, false, metadataTimeout, metadataRequest([]string{}))
		if err != nil || len(resp.Brokers) == 0 {
			return
		}
		if slices.ContainsFunc(resp.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == asked }) {
			return
		}
		select {
		case a.unlike <- other:
		default: // one is enough
		}
	})
}

// heedCheck turns to the broker that does not take the one asked for live.
func (a *metadataAsker) heedCheck() {
	select {
	case other := <-a.unlike:
		a.node = &other
	default:
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
	taken := watch.PartitionsLook{At: at, Addresses: map[int32]string{}}
	for _, broker := range resp.Brokers {
		taken.Brokers = append(taken.Brokers, broker.NodeID)
		taken.Addresses[broker.NodeID] = net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
	}
	count := 0
	for _, topic := range resp.Topics {
		count += len(topic.Partitions)
	}
	taken.Partitions = make([]watch.Partition, 0, count)
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
	watch.SortPartitions(taken.Partitions)
	return taken
}
