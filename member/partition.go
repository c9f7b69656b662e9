package member

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type topicPartition struct {
	topic     string
	partition int32
}

// A phase is where a partition stands between being assigned and being given up.
type phase int

const (
	open     phase = iota // records are taken and handled
	draining              // no record is begun; what was handled may be committed
	gone                  // given up, nothing of it may be committed any more
)

// partition is one partition of this member for as long as it has it: from
// OnPartitionsAssigned until it was revoked or lost. When it is assigned again, that is
// another one.
type partition struct {
	topicPartition
	member string // the id of the member that it was assigned to

	// wake tells the worker to look again: records, a phase, a fence.
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	phase phase

	// queue holds what was polled and not handled, the oldest first. It outlives
	// a Run.
	queue  []batch
	bytes  int64 // that the records in queue take
	paused bool  // not fetched, for queue is full or the partition is stopped

	call      *call
	progress  time.Time // when a handler last made progress, or was first needed; later than now during a pause
	waits     error     // why the worker cannot call the handler yet, see errors of the watchdog; nil where it can
	unwritten bool      // dead letters wait to be acknowledged
	stalled   error     // what the watchdog told, for as long as it holds

	released bool    // call stalled and was ended for it, see StallRelease and StallLeave, and has not returned
	stopped  error   // why nothing is handled: OnFailure chose so
	last     *worker // nil when there was none

	position   kgo.EpochOffset // behind what was handled; -1 before that
	committed  kgo.EpochOffset // the last position that a commit was answered for
	forgotten  bool            // a commit was answered that there is no such topic, and no record has come since
	highest    int64           // the high watermark at the last poll, -1 before that
	positioned time.Time       // when position last changed
}

// What a record and a header take beside the bytes in them, about: a record may have none.
const (
	recordBytes = 200
	headerBytes = 40
)

// batch is what one poll brought of a partition, and was not handled.
type batch struct {
	records []*kgo.Record
	bytes   int64 // of all that was polled with them
}

func newPartition(tp topicPartition) *partition {
	none := kgo.EpochOffset{Epoch: -1, Offset: -1}
	return &partition{topicPartition: tp, wake: make(chan struct{}, 1), position: none, committed: none, highest: -1}
}

// notify has the worker look again.
func (p *partition) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// add takes what was polled and tells whether the queue now holds more than the share,
// so that fetching has to pause.
func (p *partition) add(polled kgo.FetchPartition, share int64) (pause bool) {
	bytes := int64(len(polled.Records)) * recordBytes
	for _, r := range polled.Records {
		bytes += int64(len(r.Key) + len(r.Value))
		for i := range r.Headers {
			bytes += headerBytes + int64(len(r.Headers[i].Key)+len(r.Headers[i].Value))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != open {
		return false
	}
	p.highest = polled.HighWatermark
	if len(polled.Records) == 0 {
		return false
	}
	p.forgotten = false
	p.truncateLocked(polled.Records[0].Offset)
	if len(p.queue) == 0 {
		p.progress = time.Now()
	}
	p.queue = append(p.queue, batch{polled.Records, bytes})
	p.bytes += bytes
	p.notify()
	if p.bytes > share && !p.paused {
		p.paused = true
		return true
	}
	return false
}

// truncateLocked drops what waits from an offset on, for kgo fetched that anew: the log
// lost records that were polled, or begins elsewhere. What the worker may be at stays.
func (p *partition) truncateLocked(from int64) {
	for last := len(p.queue) - 1; last > 0; last-- {
		b := &p.queue[last]
		keep := len(b.records)
		for keep > 0 && b.records[keep-1].Offset >= from {
			keep--
		}
		if b.records = b.records[:keep]; keep > 0 {
			return
		}
		p.bytes -= b.bytes
		p.queue[last] = batch{}
		p.queue = p.queue[:last]
	}
}

// next returns the oldest records, at most so many, without taking them out of the
// queue, and nil when there are none or they are not to be handled.
func (p *partition) next(most int) []*kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != open || p.stopped != nil || p.released || len(p.queue) == 0 {
		return nil
	}
	records := p.queue[0].records
	if most > 0 && len(records) > most {
		records = records[:most]
	}
	return records
}

// handled takes the oldest n records out of the queue, and tells whether there is room
// to fetch again.
func (p *partition) handled(n int, share int64) (resume bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == 0 || len(p.queue) == 0 {
		return false
	}
	first := &p.queue[0]
	p.position, p.positioned = behind(first.records[n-1]), time.Now()
	if first.records = first.records[n:]; len(first.records) == 0 {
		p.bytes -= first.bytes
		p.queue[0] = batch{}
		if p.queue = p.queue[1:]; len(p.queue) == 0 {
			p.queue = nil
		}
	}
	if p.paused && p.stopped == nil && p.bytes <= share/2 {
		p.paused = false
		return true
	}
	return false
}

// behind is what to commit when r was handled.
func behind(r *kgo.Record) kgo.EpochOffset {
	return kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
}

// positionLocked is the position, with what the call under way has told.
func (p *partition) positionLocked() kgo.EpochOffset {
	if c := p.call; c != nil {
		if n := c.done.Load(); n > 0 {
			return behind(c.records[n-1])
		}
	}
	return p.position
}

// toCommit returns the position where it was not committed. It may lie before what was,
// after the log lost records.
func (p *partition) toCommit() (kgo.EpochOffset, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	position := p.positionLocked()
	return position, p.phase != gone && !p.forgotten && position.Offset >= 0 && position != p.committed
}

// setPhase changes the phase, never back. The call under way is told that it should
// come to its end, and of a partition that is gone its context ends.
func (p *partition) setPhase(to phase, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if to > p.phase {
		p.phase = to
	}
	if p.phase == gone {
		p.queue, p.bytes = nil, 0
	}
	if p.call != nil {
		p.call.tell()
		if p.phase == gone {
			p.call.end(why)
		}
	}
	p.notify()
}

// endCall ends the context of the call under way, if there is one.
func (p *partition) endCall(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.call != nil {
		p.call.end(why)
	}
}

// begin makes the context of a call, unless the partition is not open.
func (p *partition) begin(r *run, records []*kgo.Record, lease *lease) *call {
	c := &call{lease: lease, run: r, partition: p, records: records, began: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != open || p.stopped != nil || p.released {
		return nil
	}
	c.Context, c.cancel = context.WithCancelCause(r.ctx)
	p.call = c
	p.progressLocked()
	return c
}

// finish ends a call, and tells whether the partition had been released because of it.
func (p *partition) finish(c *call) (released bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.call = nil
	p.progressLocked()
	c.cancel(nil)
	released, p.released = p.released, false
	return released
}
