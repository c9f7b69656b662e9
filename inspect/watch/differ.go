package watch

import (
	"cmp"
	"slices"
	"time"
)

// Differ turns looks into events. Its zero value is not ready; use [NewDiffer]. It is
// for one goroutine: looks are given one after the other, in the order of their times.
type Differ struct {
	config Config

	brokers      []int32
	partitions   map[partitionKey]Partition
	partitionsAt time.Time

	controller   *Controller
	controllerAt time.Time

	groups groups
	lags   map[string]map[partitionKey]*lagState // by group
	blind  map[sightKey]*blindness
}

// Config says what to make events of. Its zero value is ready.
type Config struct {
	// Topics are those whose leaders and ISR make events; nil for all of them. Those of
	// __consumer_offsets are needed in looks for coordinators, whether or not it is
	// among these.
	Topics []string
	// OnlyCoordinators leaves out events of partitions and brokers altogether.
	OnlyCoordinators bool
	// StallAfter is how long a committed offset may stand still behind the end of the
	// log until that is told. 0 means a minute.
	StallAfter time.Duration
	// Patience is how long looks may fail until that is told. 0 means two seconds.
	Patience time.Duration
}

const (
	defaultStallAfter = time.Minute
	defaultPatience   = 2 * time.Second

	offsetsTopic = "__consumer_offsets"
)

// NewDiffer returns a Differ that has seen nothing.
func NewDiffer(config Config) *Differ {
	config.StallAfter = cmp.Or(config.StallAfter, defaultStallAfter)
	config.Patience = cmp.Or(config.Patience, defaultPatience)
	return &Differ{
		config: config,
		groups: groups{known: map[string]*groupState{}, held: map[string]*heldGroup{}},
		lags:   map[string]map[partitionKey]*lagState{},
		blind:  map[sightKey]*blindness{},
	}
}

// Controller takes a look at the controller.
func (d *Differ) Controller(look ControllerLook) []Event {
	before, after := d.controller, d.controllerAt
	if before != nil && look.Epoch < before.Epoch {
		return nil // from a node that has not heard of the last election
	}
	if before != nil && look.Epoch == before.Epoch && look.Node == nil {
		// The epoch had a leader: who says otherwise has not heard of it, or has lost
		// it, and then a new epoch follows.
		return nil
	}
	now := look.Controller
	d.controller, d.controllerAt = &now, look.At
	switch {
	case before == nil:
		return []Event{{Kind: KindSnapshot, At: look.At, Snapshot: &Snapshot{Controller: &now}}}
	case before.Epoch == now.Epoch && equal(before.Node, now.Node):
		return nil
	}
	return []Event{{
		Kind: KindController, At: look.At, After: after,
		Controller: &ControllerChange{
			From: before.Node, To: now.Node, FromEpoch: &before.Epoch, ToEpoch: &now.Epoch,
			Unseen: max(0, now.Epoch-before.Epoch-1),
		},
	}}
}

// Partitions takes a look at brokers and partitions. Topics that are new since the
// look before, or created again under their name, become known without an event, and
// those that are gone are forgotten.
func (d *Differ) Partitions(look PartitionsLook) []Event {
	first := d.partitions == nil
	was, at := d.partitions, d.partitionsAt
	wereLive := d.brokers
	d.brokers = slices.Sorted(slices.Values(look.Brokers))
	d.partitions = make(map[partitionKey]Partition, len(look.Partitions))
	d.partitionsAt = look.At
	var events []Event
	if !first && !d.config.OnlyCoordinators {
		events = brokerEvents(wereLive, d.brokers, at, look.At)
	}
	sorted := slices.SortedFunc(slices.Values(look.Partitions), func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, now := range sorted {
		before, known := was[now.key()]
		if !known || before.TopicID != now.TopicID {
			d.partitions[now.key()] = now
			continue
		}
		if isOlder(now, before) {
			d.partitions[now.key()] = before
			continue
		}
		if now.ELR == nil && isSame(now, before) {
			now.ELR, now.LastKnownELR = before.ELR, before.LastKnownELR
		}
		d.partitions[now.key()] = now
		events = append(events, d.partitionEvents(before, now, wereLive, at, look.At)...)
	}
	for key, before := range was {
		if _, seen := d.partitions[key]; !seen && slices.Contains(look.Unanswered, key.topic) {
			d.partitions[key] = before
		}
	}
	if first && !d.config.OnlyCoordinators {
		shown := slices.DeleteFunc(slices.Clone(sorted), func(p Partition) bool { return !d.watches(p.Topic) })
		snapshot := &Snapshot{Brokers: d.brokers, Partitions: shown}
		for _, topic := range slices.Sorted(slices.Values(d.config.Topics)) {
			if !slices.ContainsFunc(shown, func(p Partition) bool { return p.Topic == topic }) {
				snapshot.AbsentTopics = append(snapshot.AbsentTopics, topic)
			}
		}
		events = append(events, Event{Kind: KindSnapshot, At: look.At, Snapshot: snapshot})
	}
	return events
}

// isOlder says that a look is of before what is known already: brokers do not hear of
// an election all at once.
func isOlder(now, known Partition) bool {
	return now.LeaderEpoch != nil && known.LeaderEpoch != nil && *now.LeaderEpoch < *known.LeaderEpoch
}

func (d *Differ) watches(topic string) bool {
	return !d.config.OnlyCoordinators && (d.config.Topics == nil || slices.Contains(d.config.Topics, topic))
}

func brokerEvents(were, are []int32, after, at time.Time) []Event {
	var events []Event
	for _, node := range without(were, are) {
		events = append(events, Event{Kind: KindBroker, At: at, After: after, Broker: &BrokerChange{Node: node}})
	}
	for _, node := range without(are, were) {
		events = append(events, Event{Kind: KindBroker, At: at, After: after, Broker: &BrokerChange{Node: node, Up: true}})
	}
	return events
}

func (d *Differ) partitionEvents(before, now Partition, wereLive []int32, after, at time.Time) []Event {
	var events []Event
	if change := leaderChange(election{before: before, after: now, wereLive: wereLive, areLive: d.brokers, gap: at.Sub(after)}); change != nil {
		if d.watches(now.Topic) {
			events = append(events, Event{Kind: KindLeader, At: at, After: after, Leader: change})
		}
		if now.Topic == offsetsTopic && !equal(change.From, change.To) {
			events = append(events, d.coordinatorEvents(change, after, at)...)
		}
	}
	left, joined := without(before.ISR, now.ISR), without(now.ISR, before.ISR)
	if d.watches(now.Topic) && len(left)+len(joined) > 0 {
		events = append(events, Event{Kind: KindISR, At: at, After: after, ISR: &ISRChange{
			Topic: now.Topic, Partition: now.Partition, Left: left, Joined: joined, ISR: now.ISR, Replicas: now.Replicas,
		}})
	}
	return events
}

func leaderChange(e election) *LeaderChange {
	before, now := e.before, e.after
	change := &LeaderChange{
		Topic: now.Topic, Partition: now.Partition,
		From: before.Leader, To: now.Leader, FromEpoch: before.LeaderEpoch, ToEpoch: now.LeaderEpoch,
	}
	switch {
	case before.LeaderEpoch != nil && now.LeaderEpoch != nil:
		if *before.LeaderEpoch == *now.LeaderEpoch && equal(before.Leader, now.Leader) {
			return nil
		}
		change.Unseen = max(0, *now.LeaderEpoch-*before.LeaderEpoch-1)
	case equal(before.Leader, now.Leader):
		return nil
	}
	e.unseen = change.Unseen
	change.Cause, change.Evidence = e.cause()
	return change
}
