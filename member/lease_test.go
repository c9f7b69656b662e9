package member

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
)

// script is what the coordinator answers to a heartbeat sent so long after the start.
type script func(ctx context.Context, at time.Duration) error

func always(answer error) script {
	return func(context.Context, time.Duration) error { return answer }
}

// until answers one thing to heartbeats sent up to the given time, another later.
func until(limit time.Duration, before, after script) script {
	return func(ctx context.Context, at time.Duration) error {
		if at <= limit {
			return before(ctx, at)
		}
		return after(ctx, at)
	}
}

func hang(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

func slowly(delay time.Duration, answer error) script {
	return func(ctx context.Context, _ time.Duration) error {
		select {
		case <-time.After(delay):
			return answer
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestLeaseEndsBeforeAnotherLeaderCanBeElected(t *testing.T) {
	ok := always(nil)
	round := always(errRebalancing)
	unreachable := always(errors.New("dial: refused"))
	closed := errors.New("closed")
	const (
		forever = 10 * time.Minute // when the test closes the member
		session = 45 * time.Second
		minute  = time.Minute
	)
	for _, c := range []struct {
		name      string
		rebalance time.Duration
		answers   script
		syncs     time.Duration // this member syncs so often
		ends      time.Duration
		why       error
	}{
		{name: "all is well", answers: ok, ends: forever, why: closed},
		{name: "the coordinator cannot be reached", answers: unreachable, ends: 40500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "the coordinator never answers", answers: hang, ends: 40500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "it answers until 30 s, then not", answers: until(30*time.Second, ok, hang), ends: 70500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "it answers slowly", answers: slowly(15*time.Second, nil), ends: forever, why: closed},
		{name: "a slow answer counts from its request", answers: until(3*time.Second, slowly(20*time.Second, nil), hang), ends: 43500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "it comes back in time", answers: until(35*time.Second, unreachable, ok), ends: forever, why: closed},
		{name: "a round that this member does not join", answers: round, ends: 55500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "the same from 30 s on", answers: until(30*time.Second, ok, round), ends: 85500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "the same with a short rebalance timeout", rebalance: 10 * time.Second, answers: round, ends: 9 * time.Second, why: ErrLeaseExpired},
		{name: "silence, with a short rebalance timeout: a round may be on", rebalance: 10 * time.Second, answers: until(30*time.Second, ok, hang), ends: 39 * time.Second, why: ErrLeaseExpired},
		{name: "all is well, with a rebalance timeout below the interval", rebalance: 2 * time.Second, answers: ok, ends: forever, why: closed},
		{name: "a short round", answers: until(30*time.Second, round, ok), ends: forever, why: closed},
		{name: "round after round, each joined", answers: round, syncs: 20 * time.Second, ends: forever, why: closed},
		{name: "a round, then silence: the session runs from the last answer", answers: until(30*time.Second, round, hang), ends: 55500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "a round, then silence, with a long rebalance timeout", rebalance: 5 * minute, answers: until(30*time.Second, round, hang), ends: 70500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "unknown member", answers: until(6*time.Second, ok, always(heartbeatError(kerr.UnknownMemberID.Code))), ends: 9 * time.Second, why: ErrLost},
		{name: "fenced instance", answers: always(heartbeatError(kerr.FencedInstanceID.Code)), ends: 3 * time.Second, why: ErrLost},
		{name: "illegal generation proves nothing", answers: always(heartbeatError(kerr.IllegalGeneration.Code)), ends: 40500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "illegal generation for a while", answers: until(30*time.Second, always(heartbeatError(kerr.IllegalGeneration.Code)), ok), ends: forever, why: closed},
		{name: "no coordinator", answers: always(heartbeatError(kerr.CoordinatorNotAvailable.Code)), ends: 40500 * time.Millisecond, why: ErrLeaseExpired},
		{name: "the member may not be asked about any more", answers: always(heartbeatError(kerr.GroupAuthorizationFailed.Code)), ends: 40500 * time.Millisecond, why: ErrLeaseExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.rebalance == 0 {
					c.rebalance = minute
				}
				ctx, cancel := context.WithCancelCause(context.Background())
				defer time.AfterFunc(forever, func() { cancel(closed) }).Stop()
				start := time.Now()
				l := newLease(settings{session: session, rebalance: c.rebalance}, start)
				if c.syncs > 0 {
					go func() {
						for {
							select {
							case <-time.After(c.syncs):
								l.renew(time.Now(), nil)
							case <-ctx.Done():
								return
							}
						}
					}()
				}
				err := l.keep(ctx, 3*time.Second, func(ctx context.Context) error {
					return c.answers(ctx, time.Since(start))
				})
				if got := time.Since(start); got != c.ends || !errors.Is(err, c.why) {
					t.Errorf("the lease ended after %s with %v, want after %s with %v", got, err, c.ends, c.why)
				}
			})
		})
	}
}

func TestAnOldLeaseIsOverBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(settings{session: time.Second, rebalance: time.Minute}, time.Now().Add(-time.Hour))
		err := l.keep(t.Context(), time.Minute, func(context.Context) error { panic("not asked") })
		if !errors.Is(err, ErrLeaseExpired) || l.left(time.Now()) > 0 {
			t.Errorf("got %v, %s left", err, l.left(time.Now()))
		}
	})
}

func TestAnswersThatOvertakeEachOtherDoNotShortenALease(t *testing.T) {
	now := time.Now()
	l := newLease(settings{session: 10 * time.Second, rebalance: time.Minute}, now)
	l.renew(now.Add(5*time.Second), nil)
	l.renew(now.Add(2*time.Second), nil)
	l.renew(now.Add(3*time.Second), errRebalancing)
	if got, want := l.end(), now.Add(14*time.Second); !got.Equal(want) {
		t.Errorf("the lease ends at %v, want %v", got.Sub(now), want.Sub(now))
	}
}

// A process that was stopped may hear a good answer before anybody looked at the lease.
func TestAnAnswerDoesNotRenewALeaseThatRanOutUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(settings{session: 10 * time.Second, rebalance: time.Minute}, time.Now())
		time.Sleep(9 * time.Second)
		l.renew(time.Now(), nil)
		if left := l.left(time.Now()); left > 0 || !l.ended(time.Now()) {
			t.Errorf("the lease runs for %s more", left)
		}
	})
}

// jumped returns the time with its wall clock set forward, and the monotonic one as it was:
// time.Time holds the latter in its second word.
func jumped(t *testing.T, at time.Time, forward time.Duration) time.Time {
	t.Helper()
	later := at.Add(forward)
	(*[2]int64)(unsafe.Pointer(&later))[1] -= int64(forward)
	if later.Sub(at) != 0 || later.Round(0).Sub(at.Round(0)) != forward {
		t.Fatalf("the clocks are %s and %s on; time.Time is made otherwise", later.Sub(at), later.Round(0).Sub(at.Round(0)))
	}
	return later
}

// The monotonic clock stands still while a machine is suspended, and the wall clock may be
// set: the earlier end counts.
func TestALeaseEndsByTheEarlierOfTwoClocks(t *testing.T) {
	now := time.Now()
	l := newLease(settings{session: 10 * time.Second, rebalance: time.Minute}, now)
	for _, test := range []struct {
		what string
		at   time.Time
		left time.Duration
	}{
		{"both clocks go on", now.Add(3 * time.Second), 6 * time.Second},
		{"the machine was suspended", jumped(t, now.Add(time.Second), 20*time.Second), -12 * time.Second},
		{"the wall clock was set back", jumped(t, now.Add(3*time.Second), -time.Hour), 6 * time.Second},
		{"the wall clock was set forward", jumped(t, now, time.Hour), 9*time.Second - time.Hour},
	} {
		if left := l.left(test.at); left != test.left {
			t.Errorf("%s: %s are left, want %s", test.what, left, test.left)
		}
	}
	if !l.ended(jumped(t, now, time.Minute)) || !l.ended(now) {
		t.Error("what ended has begun again")
	}
}

func TestWorkThatWasStoppedSeesTheEndAtItsFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(settings{session: 10 * time.Second, rebalance: time.Minute}, time.Now())
		parent, cancel := context.WithCancel(t.Context())
		defer cancel()
		ctx := leadContext{parent, l}
		if err := ctx.Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second) // nobody keeps the lease meanwhile, as in a stopped process
		if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after the end of the lease", err)
		}
		l.renew(time.Now(), nil)
		if ctx.Err() == nil {
			t.Error("what ended has begun again")
		}
	})
}

// In KIP-848 an answered heartbeat proves nothing, for its answer may be that it is
// refused: neither kgo's next session nor one in which all partitions are exchanged makes a
// lease longer. In the classic protocol SyncGroup does both.
func TestWhatMakesTheLeaseOfHandlersLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kip848 := range []bool{false, true} {
			for name, between := range map[string]func(*session){"another session": func(*session) {}, "all partitions exchanged": (*session).idle} {
				m := &Member{}
				m.speaksKIP848.Store(kip848)
				s := &session{m: m, settings: settings{session: 10 * time.Second, rebalance: time.Minute}}
				answered := func() {
					now := time.Now()
					s.synced.Store(&now)
					s.joined()
				}
				answered()
				l, _ := s.current()
				full := l.left(time.Now())
				time.Sleep(time.Second)
				between(s)
				answered()
				want := full
				if kip848 {
					want -= time.Second
				}
				if l, held := s.current(); held || l.left(time.Now()) != want {
					t.Errorf("KIP-848 %v, %s: the lease has %s left, want %s; held: %v", kip848, name, l.left(time.Now()), want, held)
				}
			}
		}
	})
}
