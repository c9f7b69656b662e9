package member

import (
	"errors"
	"fmt"
)

// A RecreatedAction is what happens when a topic was deleted and created again under
// its name. Its committed offsets went with it, and so did records that were not
// handled.
type RecreatedAction int

const (
	// RecreatedResubscribe gives up the partitions of the topic that was and
	// subscribes to the one that is, from where kgo.ConsumeStartOffset says: the
	// start, by default. An EventRecreated tells.
	RecreatedResubscribe RecreatedAction = iota
	// RecreatedStop ends Run with [ErrRecreated].
	RecreatedStop
)

// ErrRecreated: a topic was deleted and created again.
var ErrRecreated = errors.New("the topic was deleted and created again")

// recreated does what was chosen, once for each time that it happens.
func (r *run) recreated(topic string) {
	m := r.m
	m.mu.Lock()
	under := m.resubscribing[topic]
	m.resubscribing[topic] = true
	m.mu.Unlock()
	if under {
		return
	}
	err := fmt.Errorf("topic %q: %w", topic, ErrRecreated)
	m.emit(Event{Kind: EventRecreated, Topic: topic, Err: err})
	if m.cfg.OnRecreated == RecreatedStop {
		r.stop(err)
		return
	}
	// Not on this goroutine: the partitions are given up by a callback that waits
	// for polls.
	r.helpers.Go(func() {
		m.subscribeAnew(topic)
		m.mu.Lock()
		delete(m.resubscribing, topic)
		m.mu.Unlock()
	})
}

// subscribeAnew has kgo forget what it knows of a topic and consume it again. It waits for
// the callbacks in which partitions are given up.
func (m *Member) subscribeAnew(topic string) {
	m.client.PurgeTopicsFromConsuming(topic)
	m.client.AddConsumeTopics(topic)
}
