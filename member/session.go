package member

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrRevoked ends the context of a handler whose partition has to be given up and that
// took longer than Config.DrainTimeout.
var ErrRevoked = errors.New("the partition has to be given up")

// ErrFenced: another process joined with the same instance id, and the coordinator
// fenced this one, or refuses it because of the other.
var ErrFenced = errors.New("another process has this member's instance id")

// session keeps the lease under which handlers run: the same as a leader's, for a
// follower's partitions too are given to others when the coordinator does not hear of it.
type session struct {
	m       *Member
	changed chan struct{} // capacity 1

	mu       sync.Mutex
	settings settings // of the client; in KIP-848 the brokers' session timeout, once it is known

	lease *lease // nil before the member is in the group, and in the classic protocol from its last partition given up to the end of the round
	held  error  // why no handler may run under the lease; nil when they may
	out   error  // why the member is out of the group; nil when it is in, or never was
	in    bool   // it was assigned something, if only nothing, and is not out since

	refused time.Time // since when the coordinator has refused the instance id; zero when it does not

	synced atomic.Pointer[time.Time] // when the request was sent that the group last took this member in with; in KIP-848 the last heartbeat that was answered, with whatever
}

// current returns the lease that handlers run under, and whether none may run.
func (s *session) current() (l *lease, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease, s.held != nil
}

// ended returns why handlers under the lease must end, nil when they may go on.
func (s *session) ended(l *lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != l {
		return ErrLost
	}
	return s.held
}

// joined: a round ended, or brokers assigned something, if only nothing, and the member is
// in the group. It tells whether it was in before.
func (s *session) joined() (was bool) {
	from := time.Now()
	if sent := s.synced.Load(); sent != nil {
		from = *sent
	}
	s.mu.Lock()
	was, s.in, s.out, s.refused = s.in, true, nil, time.Time{}
	switch {
	case s.lease == nil:
		s.lease, s.held = newLease(s.settings, from), nil
	case s.m.speaksKIP848.Load():
		// kgo says so too, with nothing new, when the coordinator refused its
		// heartbeats for a while. What renews the lease is that confirm asked.
	default:
		s.lease.renew(from, nil)
	}
	s.mu.Unlock()
	s.notify()
	return was
}

// lost: the member is out of the group. It tells whether it was in.
func (s *session) lost(why error) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.in
	if was || s.out == nil || why != ErrLost { // which is to lose partitions, and does not say why
		s.out = why
	}
	s.in, s.lease, s.held = false, nil, nil
	return was
}

// refusedFor tells whether another process must be holding the instance id: in KIP-848
// the coordinator refuses a second one (UNRELEASED_INSTANCE_ID) for as long as it hears
// of the first, and after a crash until the session ends.
func (s *session) refusedFor(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, kerr.UnreleasedInstanceID) {
		s.refused = time.Time{}
		return false
	}
	if s.refused.IsZero() {
		s.refused = time.Now()
	}
	return time.Since(s.refused) > s.settings.session+s.settings.session/4
}

// idle: the member has no partition. The lease that the round brings counts from its
// SyncGroup. In KIP-848, where nothing tells as much, the lease stays.
func (s *session) idle() {
	if s.m.speaksKIP848.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease, s.held = nil, nil
}

// state returns whether the member is in the group, why it is out, and why its handlers
// are held.
func (s *session) state() (in bool, out, held error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in, s.out, s.held
}

func (s *session) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// keep sends heartbeats while the member has partitions, and ends the contexts of
// handlers when the coordinator does not acknowledge them. It goes on, and lets the
// handlers go on, when it does again.
func (s *session) keep(ctx context.Context, heartbeat func(context.Context) (sent time.Time, err error)) {
	m := s.m
	for {
		l, held := s.current()
		var due <-chan time.Time
		if l != nil {
			wait := l.pause(m.settings.interval)
			if !held {
				wait = min(wait, l.left(time.Now()))
			}
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
			continue
		case <-due:
		}
		limit := min(m.settings.session, 3*m.settings.interval)
		switch now := time.Now(); {
		case held:
		case l.ended(now):
			s.hold(l, ErrLeaseExpired)
			continue
		default:
			limit = l.left(now)
		}
		call, cancel := context.WithTimeout(ctx, limit)
		sent, err := prompt(call, heartbeat)
		cancel()
		switch {
		case errors.Is(err, ErrLost):
			s.hold(l, err)
		case held && err == nil:
			s.release(l, sent)
		default: // which says nothing where err is another one
			l.renew(sent, err)
		}
	}
}

// askSession asks the brokers for the session timeout, which in KIP-848 is theirs, until
// they tell. Till then the client's is taken.
func (s *session) askSession(ctx context.Context) {
	var session time.Duration
	restarting(ctx, "DescribeConfigs", func() (err error) {
		call, cancel := context.WithTimeout(ctx, s.m.settings.session)
		defer cancel()
		session, err = brokerSession(call, s.m.client, s.m.cfg.Group)
		return err
	}, func(err error, wait time.Duration) {
		s.m.cfg.Logger.Warn("the session timeout of the group is not known, and the client's is taken for it", "group", s.m.cfg.Group, "session", s.m.settings.session, "again in", wait, "err", err)
	})
	if session == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings.session = session
	if l := s.lease; l != nil {
		l.mu.Lock()
		l.session, l.margin = session, min(session, l.rebalance)/10
		l.mu.Unlock()
	}
}

// hold ends the contexts of all handlers.
func (s *session) hold(l *lease, why error) {
	s.mu.Lock()
	if s.lease != l || s.held != nil {
		if s.lease == l && errors.Is(why, ErrLost) {
			s.held = why // which proves more than that the lease expired
		}
		s.mu.Unlock()
		return
	}
	s.held = why
	s.mu.Unlock()
	m := s.m
	m.mu.Lock()
	parts := m.list()
	m.mu.Unlock()
	for _, p := range parts {
		p.endCall(why)
	}
	m.emit(Event{Kind: EventFenced, Err: why})
}

// release lets handlers go on: the coordinator knows the member, which still has what it
// had, as of the given time.
func (s *session) release(l *lease, from time.Time) {
	s.mu.Lock()
	if s.lease != l || s.held == nil {
		s.mu.Unlock()
		return
	}
	renewed := newLease(s.settings, from)
	if renewed.ended(time.Now()) {
		s.mu.Unlock()
		return // by KIP-848, where an earlier request was acknowledged
	}
	s.lease, s.held = renewed, nil
	s.mu.Unlock()
	m := s.m
	m.mu.Lock()
	parts, r := m.list(), m.run
	m.mu.Unlock()
	for _, p := range parts {
		p.notify()
	}
	if r != nil {
		r.toCommit()
	}
	m.emit(Event{Kind: EventAcknowledged})
}

// heartbeat asks the coordinator whether the member is in the group: nil, errRebalancing
// when it is and a round is on, ErrLost when it is not, or an error that proves nothing.
// sent is when the request was sent that was answered so.
func (m *Member) heartbeat(ctx context.Context) (sent time.Time, err error) {
	if m.speaksKIP848.Load() {
		return m.confirm(ctx)
	}
	id, _ := m.client.GroupMetadata()
	sent = time.Now()
	if err = m.hooks.heartbeat(ctx, m.client, m.settings, id); err == nil && m.rejoins.Load() {
		err = errRebalancing // see Hooks.heartbeat, to which a member without assignors tells nothing
	}
	return sent, err
}

// memberHook is what a Member learns from its client outside of callbacks.
type memberHook struct{ m *Member }

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (h memberHook) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, took time.Duration, err error) {
	switch {
	case err != nil:
	case key == int16(kmsg.JoinGroup):
		h.m.speaksKIP848.Store(false)
		h.m.rejoins.Store(h.m.cfg.GroupProtocol == ConsumerProtocol)
	case key == int16(kmsg.SyncGroup):
		sent := time.Now().Add(-took)
		h.m.session.synced.Store(&sent)
	case key == int16(kmsg.ConsumerGroupHeartbeat):
		h.m.speaksKIP848.Store(true)
	}
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (h memberHook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		h.m.refusedConnection.Store(nil)
		return
	}
	h.m.refusedConnection.Store(&err)
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (h memberHook) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key != int16(kmsg.ConsumerGroupHeartbeat) || e2e.Err() != nil {
		return
	}
	sent := time.Now().Add(-e2e.DurationE2E())
	h.m.session.synced.Store(&sent)
	h.m.answered.note(broker.NodeID, sent)
}

// OnClientClosed implements kgo.HookClientClosed.
func (h memberHook) OnClientClosed(*kgo.Client) {
	if <-h.m.ready; h.m.client == nil {
		return // New failed
	}
	_ = h.m.clientClosed() // Run returns it
	h.m.session.lost(ErrLeft)
	h.m.quit()
	h.m.hooks.closed(ErrLeft)
}

// OnGroupManageError implements kgo.HookGroupManageError.
func (h memberHook) OnGroupManageError(err error) {
	if errors.Is(err, errStale) {
		return
	}
	<-h.m.ready
	h.m.managed.Store(&err)
	h.m.session.lost(err)
	hooksTell := h.m.cfg.GroupProtocol == ClassicProtocol
	if !hooksTell {
		h.m.emit(Event{Kind: EventLost, Err: err})
	}
	switch {
	case errors.Is(err, kerr.FencedInstanceID) || h.m.session.refusedFor(err):
		h.m.fenced(err)
	case !hooksTell:
		h.m.emit(Event{Kind: EventJoining, Reason: "the coordinator did not take it in"})
	}
}
