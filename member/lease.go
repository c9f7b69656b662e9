package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What a heartbeat can say beside nil and a failure to reach the coordinator.
var (
	errRebalancing    = errors.New("a round is on")
	errStaleHeartbeat = errors.New("the member joined anew while the heartbeat was under way")
	errMembershipLost = errors.New("the coordinator does not know this member any more")
)

// heartbeatError sorts the error code of a HeartbeatResponse.
func heartbeatError(code int16) error {
	err := kerr.ErrorForCode(code)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.RebalanceInProgress):
		return errRebalancing
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("%w: %w", errMembershipLost, err)
	}
	// ILLEGAL_GENERATION proves nothing: the answer to JoinGroup, with the new
	// generation, may be on its way.
	return err
}

// A lease tells until when the coordinator cannot have put another leader in this
// one's place. It counts from the time at which acknowledged requests were sent, for
// the coordinator counts from a later one.
//
// Two things remove a leader that does not leave by itself: a session without
// heartbeats, and, while a round goes on, a member that has not joined when the
// rebalance timeout ends. Heartbeats answered with REBALANCE_IN_PROGRESS renew the
// first and not the second.
type lease struct {
	session, rebalance, margin time.Duration

	acknowledged time.Time // last heartbeat answered at all
	settled      time.Time // last heartbeat answered without REBALANCE_IN_PROGRESS
	rebalancing  bool
}

// newLease returns a lease that runs from the given time, at which the coordinator
// knew the member and no round was on. A tenth of the session timeout is kept in
// reserve for work to stop.
func newLease(s settings, from time.Time) *lease {
	return &lease{session: s.session, rebalance: s.rebalance, margin: s.session / 10, acknowledged: from, settled: from}
}

// renew takes note of the answer to a heartbeat that was sent at the given time.
func (l *lease) renew(sent time.Time, answer error) {
	switch {
	case answer == nil:
		l.acknowledged, l.settled, l.rebalancing = sent, sent, false
	case errors.Is(answer, errRebalancing):
		l.acknowledged, l.rebalancing = sent, true
	}
}

// end returns the time at which the leader must have stopped.
func (l *lease) end() time.Time {
	end := l.acknowledged.Add(l.session)
	if r := l.settled.Add(l.rebalance); l.rebalancing && r.Before(end) {
		end = r
	}
	return end.Add(-l.margin)
}

// keep sends a heartbeat each interval and returns why the lease ended: the cause of
// ctx, errMembershipLost, or ErrLeaseExpired. Failed heartbeats are tried again until
// the lease runs out.
func (l *lease) keep(ctx context.Context, interval time.Duration, heartbeat func(context.Context) error) error {
	for {
		wait := min(interval, time.Until(l.end()))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		if !time.Now().Before(l.end()) {
			return ErrLeaseExpired
		}
		sent := time.Now()
		call, cancel := context.WithDeadline(ctx, l.end())
		err := heartbeat(call)
		cancel()
		if errors.Is(err, errMembershipLost) {
			return err
		}
		l.renew(sent, err)
	}
}
