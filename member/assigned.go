package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrAbandoned is what a handler did that has not returned although its context ended
// half of Config.DrainTimeout ago. It goes on, and may overlap with another member's.
var ErrAbandoned = errors.New("the handler did not return when its context ended")

// assigned is kgo's OnPartitionsAssigned: records of these partitions are polled when
// it has returned. It and the other two run on goroutines of kgo, one at a time.
func (m *Member) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	id, _ := client.GroupMetadata()
	m.rejoins.Store(false)
	m.startAnew(id)
	var parts []*partition
	for topic, numbers := range added {
		for _, number := range numbers {
			p := newPartition(topicPartition{topic, number})
			p.member = id
			parts = append(parts, p)
		}
	}
	// A partition that is there already was not given up in between: kgo starts it
	// afresh when its topic was purged and added again.
	m.lose(m.find(added), ErrLost)
	was := m.session.joined()
	m.mu.Lock()
	for _, p := range parts {
		p.last = m.lingering[p.topicPartition]
		delete(m.lingering, p.topicPartition)
		m.partitions[p.topicPartition] = p
		if m.run != nil {
			m.run.start(p)
		}
	}
	m.shareLocked()
	m.mu.Unlock()
	if m.cfg.GroupProtocol == ConsumerProtocol {
		m.hooks.observed(m.speaksKIP848.Load())
		if !was {
			m.emit(Event{Kind: EventSyncing, Reason: "the coordinator has taken the member in"})
		}
		m.emit(Event{Kind: EventAssigned, Assigned: m.owned()})
	}
}

// revoked is kgo's OnPartitionsRevoked: the partitions are given up when it returns.
func (m *Member) revoked(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	parts := m.find(lost)
	if len(parts) == 0 {
		return
	}
	for _, p := range parts {
		p.setPhase(draining, nil)
	}
	// The round waits for this member no longer than the rebalance timeout.
	ctx, cancel := context.WithTimeout(context.Background(), 2*m.drainTimeout)
	defer cancel()
	m.polls.pass()
	m.drain(parts, ErrRevoked)
	m.commitFinally(ctx, parts)
	m.remove(parts)
	m.emit(Event{Kind: EventRevoked, Assigned: toTopicPartitions(lost)})
}

// lost is kgo's OnPartitionsLost: the partitions may have other owners already.
func (m *Member) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	was := m.session.lost(ErrLost)
	m.lose(m.find(lost), ErrLost)
	if was && m.cfg.GroupProtocol == ConsumerProtocol {
		m.tellLost(ErrLost)
	}
}

// tellLost tells of a loss that Hooks do not tell, and that the member joins again.
func (m *Member) tellLost(why error) {
	m.emit(Event{Kind: EventLost, Err: why})
	m.emit(Event{Kind: EventJoining, Reason: "it was put out of the group"})
}

// expelled: the client forgets that the member was in the group, and is about to join
// anew under another id.
func (m *Member) expelled(why error) {
	m.session.lost(why)
	m.mu.Lock()
	parts := m.list()
	m.mu.Unlock()
	m.lose(parts, why)
}

// startAnew has kgo give up what it kept from a membership under another id, and start it
// from what is committed: another member may have had it since. Hooks see to that before
// the member joins (see findOutExpelled), and KIP-848 as well; what remains is a member
// that asked for KIP-848 on brokers that do not know it.
func (m *Member) startAnew(id string) {
	m.mu.Lock()
	topics := make(map[string]bool)
	for tp, p := range m.partitions {
		if p.member != id {
			topics[tp.topic] = true
		}
	}
	m.mu.Unlock()
	if len(topics) == 0 {
		return
	}
	why := fmt.Errorf("%w: %w", ErrLost, kerr.UnknownMemberID)
	m.expelled(why)
	m.tellLost(why)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.fatal != nil {
		return
	}
	// Not on this goroutine, see recreated.
	m.background.Go(func() {
		for topic := range topics {
			m.subscribeAnew(topic)
		}
	})
}

// lose gives partitions up without a commit, and does not wait for their handlers,
// whose contexts end.
func (m *Member) lose(parts []*partition, why error) {
	if len(parts) == 0 {
		return
	}
	for _, p := range parts {
		p.setPhase(gone, why)
		if c := p.underWay(); c != nil {
			time.AfterFunc(m.drainTimeout/2, c.leave) // as of one that is abandoned
		}
	}
	m.polls.pass()
	m.stopCommit()
	m.remove(parts)
}

// find returns those of the partitions that the member has.
func (m *Member) find(named map[string][]int32) []*partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	var parts []*partition
	for topic, numbers := range named {
		for _, number := range numbers {
			if p := m.partitions[topicPartition{topic, number}]; p != nil {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// list returns all partitions of the member. The member's lock is held.
func (m *Member) list() []*partition {
	parts := make([]*partition, 0, len(m.partitions))
	for _, p := range m.partitions {
		parts = append(parts, p)
	}
	return parts
}

// remove forgets partitions, of which nothing is committed any more.
func (m *Member) remove(parts []*partition) {
	paused := make(map[string][]int32)
	m.mu.Lock()
	for _, p := range parts {
		p.setPhase(gone, ErrRevoked)
		p.mu.Lock()
		if w := p.last.unended(); w != nil {
			m.lingering[p.topicPartition] = w
		}
		if p.paused {
			paused[p.topic] = append(paused[p.topic], p.partition)
		}
		p.mu.Unlock()
		if m.partitions[p.topicPartition] == p {
			delete(m.partitions, p.topicPartition)
		}
	}
	m.shareLocked()
	left := len(m.partitions)
	m.mu.Unlock()
	if left == 0 {
		m.session.idle()
	}
	if len(paused) > 0 {
		m.client.ResumeFetchPartitions(paused) // kgo would remember it for the next time
	}
}

// drain waits until no handler of the partitions is under way, as long as they may
// take, and returns an error that names those that are left. It waits once for each. Their phase, or the end of
// the run, must keep further ones from starting.
func (m *Member) drain(parts []*partition, why error) error {
	began := time.Now()
	deadline := time.NewTimer(m.drainTimeout)
	defer deadline.Stop()
	var late []*partition
	for _, p := range parts {
		w := p.worker()
		if w == nil || w.abandoned.Load() {
			continue
		}
		if p.isReleased() {
			late = append(late, p) // its handler had its time, and its context ended
			continue
		}
		select {
		case <-w.done:
		case <-deadline.C:
			deadline.Reset(0) // for the others
			p.endCall(why)
			late = append(late, p)
		}
	}
	if len(late) == 0 {
		return nil
	}
	grace := time.NewTimer(m.drainTimeout / 2)
	defer grace.Stop()
	var errs []error
	for _, p := range late {
		w := p.worker()
		select {
		case <-w.done:
			continue
		case <-grace.C:
			grace.Reset(0)
		}
		w.abandoned.Store(true)
		e := Event{Kind: EventAbandoned, Topic: p.topic, Partition: p.partition}
		since := began
		if c := p.underWay(); c != nil {
			e.Offset, e.Records = c.remaining()
			if told := c.told.Load(); told != nil {
				since = *told
			}
			c.leave() // others need not wait for it either
		}
		e.Err = fmt.Errorf("%s[%d] was given up %s after its handler was told to stop: %w", p.topic, p.partition, time.Since(since).Round(time.Millisecond), ErrAbandoned)
		m.emit(e)
		errs = append(errs, e.Err)
	}
	return errors.Join(errs...)
}

// isOver tells whether the partition is being given up, or was.
func (p *partition) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phase != open
}

// underWay returns the call under way; nil when there is none.
func (p *partition) underWay() *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.call
}

// markReleased has nothing more handled before the call under way has returned, whose
// context the caller ends, and returns it; nil when there is none.
func (p *partition) markReleased() *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = p.call != nil
	return p.call
}

// isReleased tells whether the context of a stalled handler was ended, or is in a moment.
func (p *partition) isReleased() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

// worker returns the last worker of the partition; nil when there was none.
func (p *partition) worker() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// interrupt tells the call under way that it should come to its end.
func (p *partition) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.call != nil {
		p.call.tell()
	}
}

// shareLocked computes how many bytes each partition may hold.
func (m *Member) shareLocked() {
	m.share.Store(m.cfg.BufferBytes / int64(max(1, len(m.partitions))))
}

// resumeFetching undoes a pause. The lock orders it with the pauses of dispatch.
func (m *Member) resumeFetching(p *partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.mu.Lock()
	paused := p.paused
	p.mu.Unlock()
	if !paused && m.partitions[p.topicPartition] == p {
		m.client.ResumeFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
}

// stopPartition has nothing more of it handled or fetched.
func (m *Member) stopPartition(p *partition, why *Failure) {
	m.mu.Lock() // throughout, so that Resume cannot come in between
	p.mu.Lock()
	p.stopped, p.paused = why, true
	p.mu.Unlock()
	if m.partitions[p.topicPartition] == p {
		m.client.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
	m.mu.Unlock()
	m.emit(Event{Kind: EventPartitionStopped, Topic: p.topic, Partition: p.partition, Offset: why.Records[0].Offset, Records: len(why.Records), Err: why})
}

// Resume has a partition handled again that [StopPartition] had stopped, beginning with
// the records that failed. It tells whether there was such a one.
func (m *Member) Resume(topic string, number int32) bool {
	m.mu.Lock()
	p := m.partitions[topicPartition{topic, number}]
	m.mu.Unlock()
	if p == nil {
		return false
	}
	p.mu.Lock()
	was := p.stopped != nil
	if was {
		p.stopped, p.paused, p.progress = nil, false, time.Now()
	}
	p.mu.Unlock()
	if was {
		m.resumeFetching(p)
		p.notify()
	}
	return was
}

func sortPartitions(parts []*partition) {
	slices.SortFunc(parts, func(a, b *partition) int {
		return compare(a.topicPartition, b.topicPartition)
	})
}
