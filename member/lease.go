package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// errRebalancing is what a heartbeat can say beside nil, a loss, and a failure to reach
// the coordinator.
var errRebalancing = errors.New("a round is on")

// heartbeatError sorts the error code of a HeartbeatResponse.
func heartbeatError(code int16) error {
	err := kerr.ErrorForCode(code)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.RebalanceInProgress):
		return errRebalancing
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	// ILLEGAL_GENERATION proves nothing: the answer to JoinGroup, with the new
	// generation, may be on its way. Neither do errors about the coordinator,
	// which kgo retries: they come from a broker that is none.
	return err
}

// A lease tells until when the coordinator cannot have put another leader in this
// one's place. It counts from the time at which acknowledged requests were sent, for
// the coordinator counts from a later one.
//
// Two things remove a leader that does not leave by itself: a session without
// heartbeats, and, while a round goes on, a member that has not joined, or not synced,
// when the rebalance timeout ends. Heartbeats answered with REBALANCE_IN_PROGRESS
// renew the first and not the second. That a round is on may not have been heard of, so
// both bounds always count.
//
// A leader sends heartbeats of its own beside the client's. The client sends none while
// JoinGroup waits, for as long as the rebalance timeout, and its hooks do not tell how one
// was answered. The second stream has no effect but to renew the session.
//
// One goroutine keeps the lease; another may renew it and look at it.
type lease struct {
	session, rebalance, margin time.Duration

	mu           sync.Mutex
	acknowledged time.Time // when the last request was sent that was answered at all
	settled      time.Time // when the last one was sent that told of no round
	over         bool      // somebody was told that it ended
}

// newLease returns a lease that runs from the given time, at which the coordinator
// knew the member and no round was on. A tenth of the session timeout, or of the
// rebalance timeout where that is shorter, is kept in reserve for work to stop.
func newLease(s settings, from time.Time) *lease {
	return &lease{session: s.session, rebalance: s.rebalance, margin: min(s.session, s.rebalance) / 10, acknowledged: from, settled: from}
}

// pause returns how long to wait between two heartbeats: interval, or less, so that
// three fit into the lease.
func (l *lease) pause(interval time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(interval, (min(l.session, l.rebalance)-l.margin)/3)
}

// renew takes note of the answer to a heartbeat that was sent at the given time, or,
// as a nil answer, to a SyncGroup. Neither time goes back: answers may overtake each
// other.
func (l *lease) renew(sent time.Time, answer error) {
	if l.ended(time.Now()) {
		return // another may lead by now, also if nobody was told of the end yet
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer != nil && !errors.Is(answer, errRebalancing) {
		return
	}
	if sent.After(l.acknowledged) {
		l.acknowledged = sent
	}
	if answer == nil && sent.After(l.settled) {
		l.settled = sent
	}
}

// end returns the time at which the leader must have stopped.
func (l *lease) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.acknowledged.Add(l.session)
	if r := l.settled.Add(l.rebalance); r.Before(end) {
		end = r
	}
	return end.Add(-l.margin)
}

// left returns how long the lease still runs; it is over at 0 and below. The wall
// clock has a say, for the monotonic one stands still while the machine is suspended
// and the coordinator's does not. A wall clock that is set forward ends leases early,
// which is safe.
func (l *lease) left(now time.Time) time.Duration {
	end := l.end()
	return min(end.Sub(now), end.Round(0).Sub(now.Round(0)))
}

// ended tells whether the lease is over, and holds it to that: what was said to the work
// under it is not taken back, also if an answer arrives yet.
func (l *lease) ended(now time.Time) bool {
	over := l.left(now) <= 0
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = l.over || over
	return l.over
}

// leadContext is the context of Lead. Its Err looks at the clock: a process that was
// stopped finds its lease over at the first look, and not only when the goroutine that
// keeps the lease has had its turn.
type leadContext struct {
	context.Context
	lease *lease
}

// Err implements context.Context.
func (c leadContext) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.lease.ended(time.Now()) {
		return context.DeadlineExceeded // Done is closed in a moment
	}
	return nil
}

// keep sends a heartbeat each interval, or more often, and returns why the lease ended: the cause of
// ctx, ErrLost, or ErrLeaseExpired. Failed heartbeats are tried again until
// the lease runs out.
func (l *lease) keep(ctx context.Context, interval time.Duration, heartbeat func(context.Context) error) error {
	for {
		wait := time.NewTimer(min(l.pause(interval), l.left(time.Now())))
		select {
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		case <-wait.C:
		}
		sent := time.Now()
		if l.ended(sent) {
			return ErrLeaseExpired
		}
		left := l.left(sent)
		call, cancel := context.WithTimeout(ctx, left)
		_, err := prompt(call, func(ctx context.Context) (struct{}, error) { return struct{}{}, heartbeat(ctx) })
		cancel()
		if errors.Is(err, ErrLost) {
			return err
		}
		l.renew(sent, err)
	}
}

// prompt calls request and returns when it does or ctx ends. kgo passes ctx on to
// connections, and on those of a dialer of the user's it may hang all the same: then the
// request lingers until the client gives up or is closed, and its answer is dropped.
func prompt[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := request(ctx)
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
