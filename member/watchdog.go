package member

import (
	"errors"
	"fmt"
	"time"
)

// A StallAction is what happens when a handler makes no progress for
// Config.StallTimeout.
type StallAction int

const (
	// StallReport only tells, by EventStalled and [Member.Health].
	StallReport StallAction = iota
	// StallRelease ends the handler's context and asks the leader to give the
	// partition to another member for as long as the handler has not returned. The
	// leader has to be a [Member] too; where it is not, or the protocol is "sticky"
	// and has no place to ask in, or no other member subscribes to the topic, the
	// partition stays.
	StallRelease
	// StallLeave has the member leave the group with all its partitions, and Run
	// return [ErrStalled]. If it leads, Lead has a tenth of the session timeout to
	// return before. A process whose handler hangs does best to end then.
	StallLeave
)

// ErrStalled: a handler made no progress for Config.StallTimeout.
var ErrStalled = errors.New("a handler made no progress")

// errNotWritten is told like ErrStalled, and nothing else is done: another member would
// not reach the brokers either, and the handler does not hang.
var errNotWritten = errors.New("the dead letters are not acknowledged")

// watch looks after the handlers until the run ends.
func (r *run) watch() {
	m := r.m
	ticker := time.NewTicker(max(m.cfg.StallTimeout/8, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.halted:
			return
		}
		m.mu.Lock()
		parts := m.list()
		m.mu.Unlock()
		sortPartitions(parts)
		for _, p := range parts {
			stalled, recovered, e := p.inspect(time.Now(), m.cfg.StallTimeout)
			switch {
			case recovered:
				m.emit(e)
			case stalled:
				m.emit(e)
				if errors.Is(e.Err, ErrStalled) {
					r.stalled(p, e)
				}
			}
		}
	}
}

func (r *run) stalled(p *partition, e Event) {
	switch r.m.cfg.OnStall {
	case StallRelease:
		r.m.release(p, e.Err)
	case StallLeave:
		r.m.mu.Lock()
		r.m.giveUp = true
		r.m.mu.Unlock()
		r.m.fail(e.Err)
	}
}

// inspect looks whether the handler has made progress since the last time, and tells
// when it begins to stall, and when it goes on again.
func (p *partition) inspect(now time.Time, timeout time.Duration) (stalled, recovered bool, e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.call
	if c == nil {
		recovered, p.stalled = p.stalled, false
		return false, recovered, Event{Kind: EventRecovered, Topic: p.topic, Partition: p.partition}
	}
	if seen := c.done.Load() + c.beats.Load(); seen != c.seen {
		c.seen, c.progress = seen, now
	}
	silent := now.Sub(c.progress)
	if silent < timeout {
		recovered, p.stalled = p.stalled, false
		return false, recovered, Event{Kind: EventRecovered, Topic: p.topic, Partition: p.partition}
	}
	if p.stalled {
		return false, false, Event{}
	}
	p.stalled = true
	offset := c.records[min(int(c.done.Load()), len(c.records)-1)].Offset
	why := ErrStalled
	if c.writes.Load() {
		why = errNotWritten
	}
	return true, false, Event{
		Kind: EventStalled, Topic: p.topic, Partition: p.partition, Offset: offset, Records: len(c.records),
		Err: fmt.Errorf("%s[%d] at offset %d, for %s: %w", p.topic, p.partition, offset, silent.Round(time.Millisecond), why),
	}
}
