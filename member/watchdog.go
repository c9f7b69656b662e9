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
	// partition stays. assign.Balanced keeps its constraints: what CoPartition keeps
	// together moves together, and a partition that Pins leave to this member alone
	// stays, which Plan.Unmet tells. OnPlan finds the request in assign.Member.Refused,
	// and what it returns is sent, whether it heeds that or not.
	StallRelease
	// StallLeave ends the handler's context and has the member leave the group with all
	// its partitions, and Run return [ErrStalled]. Other handlers may finish what they
	// have begun, for Config.DrainTimeout. If it leads, Lead has a tenth of the session timeout to
	// return before. A process whose handler hangs does best to end then. Where the
	// leader has a [Hold], the place of a member that can be known again is held, and its
	// partitions wait for it.
	StallLeave
)

// ErrStalled: a handler made no progress for Config.StallTimeout.
var ErrStalled = errors.New("a handler made no progress")

// What is told like ErrStalled, and nothing else is done: there is no handler to end, or
// another member would fare no better.
var (
	errBehind     = fmt.Errorf("an earlier handler of the partition, which was given up, has not returned: %w", ErrStalled)
	errNoSlot     = fmt.Errorf("as many handlers run as Concurrency allows: %w", ErrStalled)
	errNotWritten = errors.New("the dead letters are not acknowledged")
)

// watch looks after the handlers until the run ends.
func (r *run) watch() {
	m := r.m
	ticker := time.NewTicker(max(m.cfg.StallTimeout/8, time.Millisecond))
	defer ticker.Stop()
	var turn time.Time // when a handler of any partition last made progress
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
		_, fenced := m.session.current()
		now := time.Now()
		for _, p := range parts {
			if at := p.look(now, fenced); at.After(turn) {
				turn = at
			}
		}
		for _, p := range parts {
			e, hangs := p.inspect(now, m.cfg.StallTimeout, turn)
			if e.Kind != "" {
				m.emit(e)
			}
			if hangs {
				r.stalled(p, e)
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
		c := p.markReleased()
		r.m.fail(e.Err) // first, so that the handler is not called again
		if c != nil {
			c.end(e.Err)
		}
	}
}

// look takes note of what the handler told by Progress, and returns when the partition
// last made progress; zero where it waits for others.
func (p *partition) look(now time.Time, fenced bool) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.call; c != nil {
		if seen := c.done.Load() + c.beats.Load(); seen != c.seen {
			c.seen, p.progress = seen, now
		}
	} else if fenced && p.stalled == nil && now.After(p.progress) {
		p.progress = now // no handler may be called
	}
	switch {
	case p.waits != nil:
		return time.Time{}
	case p.progress.After(now):
		return now
	}
	return p.progress
}

// inspect tells when the partition begins to stall, whether that is because its handler
// hangs, and when it goes on again. Who waits for a slot has to be patient for as long as
// the handlers of others make progress: turn is when one last did.
func (p *partition) inspect(now time.Time, timeout time.Duration, turn time.Time) (e Event, hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, since := p.call, p.progress
	if p.waits == errNoSlot && turn.After(since) {
		since = turn
	}
	waits := c != nil || p.phase == open && p.stopped == nil && len(p.queue) > 0
	silent := now.Sub(since)
	switch was := p.stalled; {
	case !waits || silent < timeout:
		if p.stalled = nil; was != nil {
			e = Event{Kind: EventRecovered, Topic: p.topic, Partition: p.partition}
		}
		return e, false
	case was != nil:
		return Event{}, false // it was told
	}
	switch {
	case p.unwritten:
		p.stalled = errNotWritten
	case c == nil && p.waits != nil:
		p.stalled = p.waits
	default:
		p.stalled, hangs = ErrStalled, c != nil
	}
	if e = (Event{Kind: EventStalled, Topic: p.topic, Partition: p.partition}); c != nil {
		e.Offset, e.Records = c.remaining()
	} else {
		records := p.queue[0].records
		e.Offset, e.Records = records[0].Offset, len(records)
	}
	e.Err = fmt.Errorf("%s[%d] at offset %d, for %s: %w", p.topic, p.partition, e.Offset, silent.Round(time.Millisecond), p.stalled)
	return e, hangs
}

// progressLocked: the handler is called, or returned. Dead letters are no progress
// before they are acknowledged.
func (p *partition) progressLocked() {
	if !p.unwritten {
		p.progress = time.Now()
	}
}

// countFrom has the watchdog count from a time on.
func (p *partition) countFrom(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress = at
}

// setUnwritten: dead letters wait to be acknowledged, or do no longer.
func (p *partition) setUnwritten(unwritten bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unwritten = unwritten
	p.progressLocked()
}

// waitFor tells the watchdog what the worker waits for, until the function returned is
// called.
func (p *partition) waitFor(what error) (over func()) {
	set := func(what error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waits = what
	}
	set(what)
	return func() { set(nil) }
}
