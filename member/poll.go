package member

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// poll hands what is fetched to the partitions until the run has to end. It never waits
// for a handler: partitions whose queue is full are paused.
func (r *run) poll() {
	gate := &r.m.polls
	defer gate.close()
	for {
		ctx := gate.next(r.ctx)
		if r.isHalted() {
			return
		}
		fetches := r.m.client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			r.stop(r.m.clientClosed())
			return
		}
		r.dispatch(fetches)
	}
}

// dispatch puts records in the queues of their partitions, and pauses those that are
// full. Records of partitions that were given up meanwhile are dropped: their next
// owner fetches them.
func (r *run) dispatch(fetches kgo.Fetches) {
	m := r.m
	share := m.share.Load()
	var full map[string][]int32
	var failed []Event
	m.mu.Lock()
	for i := range fetches {
		for j := range fetches[i].Topics {
			topic := &fetches[i].Topics[j]
			for k := range topic.Partitions {
				polled := &topic.Partitions[k]
				if polled.Err != nil {
					failed = append(failed, Event{Kind: EventFetchFailed, Topic: topic.Topic, Partition: polled.Partition, Err: polled.Err})
				}
				p := m.partitions[topicPartition{topic.Topic, polled.Partition}]
				if p != nil && p.add(*polled, share) {
					if full == nil {
						full = make(map[string][]int32)
					}
					full[topic.Topic] = append(full[topic.Topic], polled.Partition)
				}
			}
		}
	}
	if full != nil {
		// Under the lock, so that it cannot come after the partition was given up
		// and fetching resumed.
		m.client.PauseFetchPartitions(full)
	}
	m.mu.Unlock()
	for _, e := range failed {
		r.fetchFailed(e)
	}
}

func (r *run) fetchFailed(e Event) {
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		return // of the poll
	case errors.As(e.Err, &session) && r.m.isToldLost(session.Err):
		return
	}
	r.m.emit(e)
	if errors.Is(e.Err, kerr.UnknownTopicID) && e.Topic != "" {
		r.recreated(e.Topic)
	}
}

// isToldLost tells whether an error that kgo polls is one that EventLost told. What is left
// in KIP-848, where kgo heartbeats on: that heartbeats have failed for long.
func (m *Member) isToldLost(err error) bool {
	last := m.managed.Load()
	return m.cfg.GroupProtocol == ClassicProtocol || last != nil && errors.Is(err, *last)
}

// pollGate lets the goroutine of a callback be sure that everything that was polled
// before is in its queue. Polls do not block rebalances (kgo.BlockRebalanceOnPoll) for
// then draining one partition would keep all others from being polled.
type pollGate struct {
	mu      sync.Mutex
	polling bool
	ctx     context.Context // of the poll under way
	cancel  context.CancelFunc
	waiting []chan struct{}
}

// next is called before each poll, when what the one before brought is in its queue,
// and returns the context to poll with.
func (g *pollGate) next(parent context.Context) context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.releaseLocked()
	g.polling = true
	if g.ctx == nil || g.ctx.Err() != nil {
		g.ctx, g.cancel = context.WithCancel(parent)
	}
	return g.ctx
}

func (g *pollGate) releaseLocked() {
	for _, w := range g.waiting {
		close(w)
	}
	g.waiting = nil
}

// close is called after the last poll.
func (g *pollGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.releaseLocked()
	g.polling = false
	if g.cancel != nil {
		g.cancel()
	}
	g.ctx, g.cancel = nil, nil
}

// interrupt ends the poll under way.
func (g *pollGate) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cancel != nil {
		g.cancel()
	}
}

// pass returns when what was polled before it was called is in its queue.
func (g *pollGate) pass() {
	g.mu.Lock()
	if !g.polling {
		g.mu.Unlock()
		return
	}
	passed := make(chan struct{})
	g.waiting = append(g.waiting, passed)
	g.cancel()
	g.mu.Unlock()
	<-passed
}
