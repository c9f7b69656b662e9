package member_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

// timedElection is the election "e" by the clock of synctest: nothing takes any time but
// what waits.
type timedElection struct {
	t       *testing.T
	network kfake.VirtualNetwork
	cluster *kfake.Cluster
}

// The timeouts of its candidates, the defaults.
const (
	timedSession   = 10 * time.Second
	timedLease     = timedSession * 9 / 10
	timedRebalance = 3 * timedSession
	timedInterval  = 500 * time.Millisecond
)

// timed runs test in a bubble of synctest with a cluster.
func timed(t *testing.T, test func(t *testing.T, e *timedElection)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &timedElection{t: t}
		var err error
		e.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(e.network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.cluster.Close)
		test(t, e)
	})
}

// timedCandidate is a candidate whose connections can be cut.
type timedCandidate struct {
	*testCandidate
	cut atomic.Bool
}

// stand starts a candidate, and returns when it is in the group.
func (e *timedElection) stand(cfg member.ElectionConfig) *timedCandidate {
	e.t.Helper()
	c := &timedCandidate{}
	cfg.Client = append(cfg.Client, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := e.network.DialContext(ctx, network, address)
		return silenced{conn, &c.cut}, err
	}))
	cfg.SessionTimeout, cfg.HeartbeatInterval = timedSession, timedInterval
	c.testCandidate = stand(e.t, e.cluster, cfg)
	for len(c.all(member.EventAssigned)) == 0 {
		time.Sleep(timedInterval)
	}
	return c
}

// silenced is a connection on which nothing is heard, either way, once it is cut.
type silenced struct {
	net.Conn
	cut *atomic.Bool
}

func (s silenced) Write(p []byte) (int, error) {
	if s.cut.Load() {
		return len(p), nil
	}
	return s.Conn.Write(p)
}

// began and ended return when the last term of the candidate did.
func (c *timedCandidate) began() time.Time { return c.last(member.EventLeading).Time }
func (c *timedCandidate) ended() time.Time { return c.last(member.EventResigned).Time }

func (c *timedCandidate) last(kind member.EventKind) member.Event {
	all := c.all(kind)
	if len(all) == 0 {
		return member.Event{}
	}
	return all[len(all)-1]
}

// within fails the test unless at is after from, by at least and at most so much.
func within(t *testing.T, what string, from, at time.Time, least, most time.Duration) {
	t.Helper()
	if after := at.Sub(from); at.IsZero() || after < least || after > most {
		t.Errorf("%s after %s, want %s to %s", what, after, least, most)
	}
}

func waits(ctx context.Context, _ member.Term) error { <-ctx.Done(); return nil }

// A leader that is cut off at any time stops after nine tenths of a session, counted from
// the last heartbeat that was answered; the next one begins a session after it, and as
// long as it takes to hear of that.
func TestWhenTheNextOneLeadsAfterACrash(t *testing.T) {
	for _, into := range []time.Duration{0, time.Millisecond, timedInterval / 2, timedInterval - time.Millisecond} {
		timed(t, func(t *testing.T, e *timedElection) {
			var heartbeats sync.Map // member id → when its last one arrived
			e.cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
				e.cluster.KeepControl()
				heartbeats.Store(req.(*kmsg.HeartbeatRequest).MemberID, time.Now())
				return nil, nil, false
			})
			a := e.stand(member.ElectionConfig{Lead: waits})
			id := a.last(member.EventLeading).Member
			b := e.stand(member.ElectionConfig{Lead: waits})
			time.Sleep(timedSession + into)
			synctest.Wait()
			a.cut.Store(true)
			time.Sleep(2 * timedSession)
			synctest.Wait()
			last, _ := heartbeats.Load(id)
			from := last.(time.Time)
			within(t, "the former leader stopped", from, a.ended(), timedLease, timedLease)
			within(t, "the next one began", from, b.began(), timedSession, timedSession+timedInterval)
			if why := a.last(member.EventResigned).Err; !errors.Is(why, member.ErrLeaseExpired) {
				t.Errorf("because %v", why)
			}
		})
	}
}

// A leader that hears that a round is on, and does not hear its end, stops when the
// rebalance timeout since it last heard of none is over, less a tenth of the session.
func TestALeaderStopsWhenARoundDoesNotEnd(t *testing.T) {
	timed(t, func(t *testing.T, e *timedElection) {
		a := e.stand(member.ElectionConfig{Lead: waits})
		e.joinForGood()
		time.Sleep(timedSession + timedInterval/3)
		var settled time.Time
		e.cluster.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			if settled.IsZero() { // called again, for it handles none
				settled = time.Now()
			}
			return nil, nil, false
		})
		time.Sleep(timedInterval)
		synctest.Wait()
		a.SetPriority(1) // brings about a round
		time.Sleep(2 * timedRebalance)
		within(t, "the leader stopped", settled, a.ended(), timedRebalance-timedSession/10, timedRebalance-timedSession/10)
	})
}

// joinForGood has a member join that stays for five minutes, and takes part in one round
// only: the next one waits for it.
func (e *timedElection) joinForGood() {
	e.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(e.cluster.ListenAddrs()...), kgo.Dialer(e.network.DialContext))
	if err != nil {
		e.t.Fatal(err)
	}
	defer client.Close()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = "e", memberbytes.ElectionProtocolType
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 5*60_000, 5*60_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: memberbytes.ElectionProtocol}}
	for {
		resp, err := join.RequestWith(e.t.Context(), client)
		if err != nil {
			e.t.Fatal(err)
		}
		if errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.MemberIDRequired) {
			join.MemberID = resp.MemberID
			continue
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			e.t.Fatal(err)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = "e", resp.MemberID, resp.Generation
		if _, err := sync.RequestWith(e.t.Context(), client); err != nil {
			e.t.Fatal(err)
		}
		return
	}
}

// Who resigns, or closes, and is done at once, is succeeded as soon as the others hear of
// it: within a heartbeat interval.
func TestWhenTheNextOneLeadsAfterAHandover(t *testing.T) {
	for name, give := range map[string]func(*timedCandidate) error{
		"resign": func(c *timedCandidate) error { return c.Resign(context.Background()) },
		"close":  func(c *timedCandidate) error { return c.Close(context.Background()) },
	} {
		for _, into := range []time.Duration{0, timedInterval / 3, timedInterval - time.Millisecond} {
			t.Run(name+" "+into.String(), func(t *testing.T) {
				timed(t, func(t *testing.T, e *timedElection) {
					a := e.stand(member.ElectionConfig{Lead: waits})
					b := e.stand(member.ElectionConfig{Lead: waits})
					time.Sleep(timedSession + into)
					from := time.Now()
					if err := give(a); err != nil {
						t.Fatal(err)
					}
					within(t, "it was given up", from, time.Now(), 0, 0)
					time.Sleep(timedSession)
					within(t, "the term ended", from, a.ended(), 0, 0)
					within(t, "the next one began", from, b.began(), 0, timedInterval)
				})
			})
		}
	}
}

// A takeover takes two rounds: one tells the leader to end, which it does when its Lead
// has returned, and the other names the next one.
func TestHowLongATakeoverTakes(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Second, 3 * timedRebalance} {
		timed(t, func(t *testing.T, e *timedElection) {
			a := e.stand(member.ElectionConfig{Lead: func(ctx context.Context, _ member.Term) error {
				<-ctx.Done()
				time.Sleep(takes)
				return nil
			}})
			b := e.stand(member.ElectionConfig{Lead: waits})
			time.Sleep(timedSession + timedInterval/3)
			from := time.Now()
			b.SetPriority(1)
			time.Sleep(takes + timedSession)
			within(t, "the term ended", from, a.ended(), 0, timedInterval)
			within(t, "the next one began", a.ended(), b.began(), takes, takes+timedInterval)
			if returned := a.last(member.EventLeadReturned).Time; b.began().Before(returned) {
				t.Errorf("it began %s before Lead returned", returned.Sub(b.began()))
			}
			if !errors.Is(a.last(member.EventResigned).Err, member.ErrSucceeded) {
				t.Errorf("because %v", a.last(member.EventResigned).Err)
			}
		})
	}
}

// TakeoverDelay is waited for from when the successor is named, unless the term before is
// known to be over.
func TestHowLongASuccessorWaits(t *testing.T) {
	const delay = 3 * timedSession / 2
	named := func(c *timedCandidate) time.Time {
		for _, e := range slices.Backward(c.all(member.EventAssigned)) {
			if e.Leader && !e.Time.After(c.began()) {
				return e.Time
			}
		}
		return time.Time{}
	}
	cfg := member.ElectionConfig{Lead: waits, TakeoverDelay: delay}
	timed(t, func(t *testing.T, e *timedElection) {
		a := e.stand(cfg)
		time.Sleep(delay)
		within(t, "the first one began", named(a), a.began(), delay, delay)
		b := e.stand(cfg)
		c := e.stand(cfg)
		a.close(t)
		time.Sleep(timedSession)
		next, other := b, c
		if c.Leading() {
			next, other = c, b
		}
		within(t, "after a clean end the next one began", a.ended(), next.began(), 0, timedInterval)
		next.cut.Store(true)
		from := time.Now()
		time.Sleep(timedSession + timedInterval + time.Second)
		if other.Leading() || other.State() == member.StateLeading {
			t.Error("the other did not wait")
		}
		time.Sleep(delay)
		within(t, "after a crash the next one began", from, other.began(), timedSession-timedInterval+delay, timedSession+timedInterval+delay)
		within(t, "that is", named(other), other.began(), delay, delay)
	})
}

// As long as Lead has not returned, a process that is closed keeps its place, for
// whatever time.
func TestACandidateThatClosesKeepsItsPlaceUntilLeadReturned(t *testing.T) {
	timed(t, func(t *testing.T, e *timedElection) {
		a := e.stand(member.ElectionConfig{Lead: func(ctx context.Context, _ member.Term) error {
			<-ctx.Done()
			time.Sleep(10 * timedRebalance)
			return nil
		}})
		b := e.stand(member.ElectionConfig{Lead: waits})
		from := time.Now()
		if err := a.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		within(t, "it was closed", from, time.Now(), 10*timedRebalance, 10*timedRebalance)
		time.Sleep(timedSession)
		within(t, "the next one began", from, b.began(), 10*timedRebalance, 10*timedRebalance+timedInterval)
	})
}

// Rounds that fail are tried again after 50 ms, twice as long after each, and 5 s at
// most, each up to half of it less.
func TestHowOftenAnElectionIsTried(t *testing.T) {
	timed(t, func(t *testing.T, e *timedElection) {
		var tried []time.Time
		refuse := atomic.Bool{}
		refuse.Store(true)
		e.cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
			e.cluster.KeepControl()
			if !refuse.Load() {
				return nil, nil, false
			}
			tried = append(tried, time.Now())
			resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
			resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
			return resp, nil, true
		})
		c := stand(t, e.cluster, member.ElectionConfig{
			Client: []kgo.Opt{kgo.Dialer(e.network.DialContext)}, SessionTimeout: timedSession, HeartbeatInterval: timedInterval,
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		refuse.Store(false)
		wait := 50 * time.Millisecond
		for i := 1; i < len(tried); i++ {
			within(t, "it was tried again", tried[i-1], tried[i], wait/2, wait)
			wait = min(2*wait, 5*time.Second)
		}
		if len(tried) < 15 || len(tried) > 40 {
			t.Errorf("it was tried %d times in a minute", len(tried))
		}
		time.Sleep(6 * time.Second)
		if !c.Leading() {
			t.Errorf("it is %s", c.State())
		}
	})
}
