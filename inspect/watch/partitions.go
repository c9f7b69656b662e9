package watch

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// topicState is what is known of one topic.
type topicState struct {
	id         [16]byte
	partitions []Partition // by number
	look       int         // the last look that showed it
}

// find returns a partition that is known, nil if it is not.
func (t *topicState) find(number int32) *Partition {
	i, ok := slices.BinarySearchFunc(t.partitions, number, func(p Partition, n int32) int { return cmp.Compare(p.Partition, n) })
	if !ok {
		return nil
	}
	return &t.partitions[i]
}

// isAnother says whether what was seen is of another topic of the same name. Partitions
// are never taken away from a topic: where IDs are not told, fewer of them are another
// one's; where they are, the broker has yet to hear of the new ones.
func (t *topicState) isAnother(seen []Partition) bool {
	if none := [16]byte{}; t.id == none || seen[0].TopicID == none {
		return len(seen) < len(t.partitions)
	}
	return t.id != seen[0].TopicID
}

// Partitions takes a look at brokers and partitions. Topics are told as they come and go,
// and elections of partitions that were there before.
func (d *Differ) Partitions(look PartitionsLook) []Event {
	first := d.topics == nil
	if first {
		d.topics = map[string]*topicState{}
	}
	wereLive, wereAt, at := d.brokers, d.addresses, d.partitionsAt
	d.brokers = slices.Sorted(slices.Values(look.Brokers))
	d.addresses = maps.Clone(look.Addresses)
	d.partitionsAt = look.At
	d.partitionLooks++
	var events []Event
	if !first && !d.config.OnlyCoordinators {
		events = d.brokerEvents(wereLive, wereAt, at, look.At)
	}
	sorted := sortedPartitions(look.Partitions)
	for rest := sorted; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(p Partition) bool { return p.Topic != rest[0].Topic })
		if n < 0 {
			n = len(rest)
		}
		events = append(events, d.topicEvents(rest[:n], first, wereLive, at, look.At)...)
		rest = rest[n:]
	}
	if first {
		if !d.config.OnlyCoordinators {
			events = append(events, Event{Kind: KindSnapshot, At: look.At, Snapshot: d.firstPartitions(sorted)})
		}
		return events
	}
	return append(events, d.deleted(look.Unanswered, at, look.At)...)
}

// SortPartitions sorts partitions by topic and number, which saves a [Differ] a copy of
// them.
func SortPartitions(all []Partition) { slices.SortStableFunc(all, byName) }

func byName(a, b Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// sortedPartitions returns partitions by topic and number, each once. It copies them only
// if they are not.
func sortedPartitions(all []Partition) []Partition {
	if !slices.IsSortedFunc(all, byName) {
		all = slices.Clone(all)
		SortPartitions(all)
	}
	for i := 1; i < len(all); i++ {
		if byName(all[i-1], all[i]) == 0 {
			return slices.CompactFunc(slices.Clone(all), func(a, b Partition) bool { return byName(a, b) == 0 })
		}
	}
	return all
}

func (d *Differ) firstPartitions(sorted []Partition) *Snapshot {
	shown := sorted
	if slices.ContainsFunc(sorted, func(p Partition) bool { return !d.watches(p.Topic) }) {
		shown = slices.DeleteFunc(slices.Clone(sorted), func(p Partition) bool { return !d.watches(p.Topic) })
	}
	snapshot := &Snapshot{Brokers: d.brokers, Partitions: shown}
	for _, topic := range slices.Sorted(slices.Values(d.config.Topics)) {
		if d.topics[topic] == nil {
			snapshot.AbsentTopics = append(snapshot.AbsentTopics, topic)
		}
	}
	return snapshot
}

// topicEvents compares the partitions of one topic with what was known of it.
func (d *Differ) topicEvents(seen []Partition, first bool, wereLive []int32, after, at time.Time) []Event {
	name := seen[0].Topic
	state, known := d.topics[name]
	anew := known && state.isAnother(seen)
	if !known || anew {
		var from *int
		if known {
			n := len(state.partitions)
			from = &n
			d.forgetTopic(name)
		}
		d.topics[name] = &topicState{id: seen[0].TopicID, partitions: slices.Clone(seen), look: d.partitionLooks}
		if first || !d.watches(name) {
			return nil
		}
		return []Event{topicEvent(name, from, len(seen), anew, seen, after, at)}
	}
	state.look = d.partitionLooks
	var events []Event
	var added []Partition
	for _, now := range seen {
		before := state.find(now.Partition)
		switch {
		case before == nil:
			added = append(added, now)
			continue
		case isOlder(now, *before):
			continue
		case now.ELR == nil && isSame(now, *before):
			now.ELR, now.LastKnownELR = before.ELR, before.LastKnownELR
		}
		was := *before
		*before = now
		events = append(events, d.partitionEvents(was, now, wereLive, after, at)...)
	}
	if len(added) == 0 {
		return events
	}
	from := len(state.partitions)
	state.partitions = sortedPartitions(append(state.partitions, added...))
	if !d.watches(name) {
		return events
	}
	return append([]Event{topicEvent(name, &from, len(state.partitions), false, added, after, at)}, events...)
}

func topicEvent(name string, from *int, to int, anew bool, added []Partition, after, at time.Time) Event {
	return Event{Kind: KindTopic, At: at, After: after, Topic: &TopicChange{
		Topic: name, From: from, To: &to, Anew: anew, Partitions: slices.Clone(added),
	}}
}

// deleted forgets the topics that the last look did not show, but for those of which it
// says nothing.
func (d *Differ) deleted(unanswered []string, after, at time.Time) []Event {
	var gone []string
	for name, state := range d.topics {
		if state.look != d.partitionLooks && !slices.Contains(unanswered, name) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	var events []Event
	for _, name := range gone {
		from := len(d.topics[name].partitions)
		d.forgetTopic(name)
		if d.watches(name) {
			events = append(events, Event{Kind: KindTopic, At: at, After: after, Topic: &TopicChange{Topic: name, From: &from, Partitions: []Partition{}}})
		}
	}
	return events
}

// forgetTopic drops what is known of a topic.
func (d *Differ) forgetTopic(topic string) {
	delete(d.topics, topic)
	maps.DeleteFunc(d.lost, func(key partitionKey, _ lostLeader) bool { return key.topic == topic })
}

// isOlder says that a look is of before what is known already: brokers do not hear of
// an election all at once.
func isOlder(now, known Partition) bool {
	return now.LeaderEpoch != nil && known.LeaderEpoch != nil && *now.LeaderEpoch < *known.LeaderEpoch
}

func (d *Differ) watches(topic string) bool {
	return !d.config.OnlyCoordinators && (d.config.Topics == nil || slices.Contains(d.config.Topics, topic))
}

func (d *Differ) brokerEvents(were []int32, wereAt map[int32]string, after, at time.Time) []Event {
	var events []Event
	tell := func(change BrokerChange) {
		events = append(events, Event{Kind: KindBroker, At: at, After: after, Broker: &change})
	}
	for _, node := range without(were, d.brokers) {
		tell(BrokerChange{Node: node, Address: wereAt[node]})
	}
	for _, node := range d.brokers {
		was, is := wereAt[node], d.addresses[node]
		switch {
		case !slices.Contains(were, node):
			tell(BrokerChange{Node: node, Up: true, Address: is})
		case was != "" && is != "" && was != is:
			tell(BrokerChange{Node: node, Up: true, Address: is, WasAt: was})
		}
	}
	return events
}

func (d *Differ) partitionEvents(before, now Partition, wereLive []int32, after, at time.Time) []Event {
	var events []Event
	held := election{before: before, after: now, wereLive: wereLive, areLive: d.brokers, gap: at.Sub(after)}
	held.lost = d.lastLeader(held)
	if change := leaderChange(held); change != nil {
		if d.watches(now.Topic) {
			events = append(events, Event{Kind: KindLeader, At: at, After: after, Leader: change})
		}
		if now.Topic == offsetsTopic && !equal(change.From, change.To) {
			events = append(events, d.coordinatorEvents(change, after, at)...)
		}
	}
	if !d.watches(now.Topic) || slices.Equal(before.ISR, now.ISR) && slices.Equal(before.Replicas, now.Replicas) {
		return events
	}
	change := &ISRChange{
		Topic: now.Topic, Partition: now.Partition, Left: without(before.ISR, now.ISR), Joined: without(now.ISR, before.ISR),
		ISR: now.ISR, Replicas: now.Replicas,
	}
	if !slices.Equal(before.Replicas, now.Replicas) {
		change.WereReplicas = before.Replicas
	}
	if len(change.Left)+len(change.Joined)+len(change.WereReplicas) > 0 {
		events = append(events, Event{Kind: KindISR, At: at, After: after, ISR: change})
	}
	return events
}

// lastLeader returns who led a partition that has been without a leader since, although
// replicas could lead, and remembers that until one does.
func (d *Differ) lastLeader(e election) *lostLeader {
	key := partitionKey{e.after.Topic, e.after.Partition}
	if e.before.Leader != nil {
		if e.after.Leader == nil && len(e.able()) > 0 {
			d.lost[key] = lostLeader{*e.before.Leader, e.before.LeaderEpoch}
		}
		return nil
	}
	lost, ok := d.lost[key]
	if !ok {
		return nil
	}
	if e.after.Leader != nil || len(e.able()) == 0 {
		delete(d.lost, key) // it is led, or waits for a broker and not for an election
	}
	return &lost
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
