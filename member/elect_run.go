package member

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

// How long the process waits after a round that failed: twice as long after each.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// run takes part in round after round until the election is closed and the work of the
// last term has returned; then it leaves.
func (e *Election) run() {
	defer close(e.stopped)
	out, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		<-e.ctx.Done()
		e.mu.Lock()
		e.me.wants = false
		last := e.term
		if last != nil {
			last.cancel(context.Cause(e.ctx))
		}
		e.mu.Unlock()
		_ = last.returned(context.Background())
	}()
	wait, turnedDown := firstRetry, 0
	for out.Err() == nil {
		err := e.round(out)
		if err == nil {
			turnedDown++
			if !e.turnsDown() {
				turnedDown = 0
			}
			if turnedDown < 3 { // else a leader names this process whatever it says
				wait = firstRetry
				e.remain(out)
				continue
			}
		}
		if out.Err() != nil {
			break
		}
		if err != nil {
			e.failed(err)
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-pause.C:
		case <-out.Done():
			pause.Stop()
		}
		wait = min(2*wait, lastRetry)
	}
	e.leave()
}

// turnsDown tells whether the last verdict named this process in vain.
func (e *Election) turnsDown() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rejoin
}

// errAgain: the coordinator asks to join again, which is no failure.
var errAgain = errors.New("the coordinator asks to join again")

// round takes part in one round, or, where rounds cut each other short, in several: it
// returns nil once a verdict was adopted.
func (e *Election) round(ctx context.Context) error {
	for {
		err := e.tryRound(ctx)
		if !errors.Is(err, errAgain) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (e *Election) tryRound(ctx context.Context) error {
	joined, err := e.join(ctx)
	if err != nil {
		return err
	}
	leads := joined.LeaderID == joined.MemberID
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = e.settings.group, joined.MemberID, joined.Generation
	protocolType, protocol := memberbytes.ElectionProtocolType, memberbytes.ElectionProtocol
	req.ProtocolType, req.Protocol = &protocolType, &protocol
	if leads {
		e.emit(Event{Kind: EventElected})
		req.GroupAssignment = e.decide(joined.Members)
	} else {
		e.emit(Event{Kind: EventSyncing, Reason: "JoinGroup was answered, and this process does not count"})
	}
	sent := time.Now()
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return fmt.Errorf("the coordinator of election %q did not answer SyncGroup: %w", e.settings.group, err)
	}
	if err := e.sorted(resp.ErrorCode, "SyncGroup"); err != nil {
		return err
	}
	v, err := memberbytes.ParseVerdict(resp.MemberAssignment)
	if err != nil {
		e.emit(Event{Kind: EventIsolated, Subject: joined.LeaderID, Err: err})
		return e.adopt(sent, joined.MemberID, joined.Generation, nil)
	}
	return e.adopt(sent, joined.MemberID, joined.Generation, &v)
}

// join sends JoinGroup until it brings a generation, with what the process tells of
// itself at that time.
func (e *Election) join(ctx context.Context) (*kmsg.JoinGroupResponse, error) {
	for {
		e.mu.Lock()
		id := e.me.id
		e.told, e.joining = e.me.candidacy(), true
		data := e.told.Encode()
		e.mu.Unlock()
		e.emit(Event{Kind: EventJoining})

		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.MemberID, req.ProtocolType = e.settings.group, id, memberbytes.ElectionProtocolType
		req.SessionTimeoutMillis = int32(e.settings.session.Milliseconds())
		req.RebalanceTimeoutMillis = int32(e.settings.rebalance.Milliseconds())
		protocol := kmsg.NewJoinGroupRequestProtocol()
		protocol.Name, protocol.Metadata = memberbytes.ElectionProtocol, data
		req.Protocols = append(req.Protocols, protocol)

		call, cancel := ctx, context.CancelFunc(func() {})
		if id == "" {
			// The answer to this one only brings an id (KIP-394), and at once. A
			// member that does not hear it is one for which the next round
			// waits until its session ends.
			call, cancel = context.WithTimeout(context.WithoutCancel(ctx), e.settings.session/2)
		}
		resp, err := req.RequestWith(call, e.client)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("the coordinator of election %q did not answer JoinGroup: %w", e.settings.group, err)
		}
		if errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.MemberIDRequired) && resp.MemberID != "" {
			e.mu.Lock()
			e.me.id = resp.MemberID
			e.mu.Unlock()
			continue
		}
		if err := e.sorted(resp.ErrorCode, "JoinGroup"); err != nil {
			return nil, err
		}
		if len(resp.MemberID) > memberbytes.MaxElectionMemberID {
			return nil, fmt.Errorf("the id that the coordinator gives takes %d bytes, and an election takes %d; choose a shorter kgo.ClientID", len(resp.MemberID), memberbytes.MaxElectionMemberID)
		}
		e.mu.Lock()
		e.me.id = resp.MemberID
		e.generation, e.between, e.stale = resp.Generation, true, false
		e.mu.Unlock()
		return resp, nil
	}
}

// sorted returns what the error code in an answer to JoinGroup or SyncGroup asks for.
func (e *Election) sorted(code int16, request string) error {
	err := kerr.ErrorForCode(code)
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.IllegalGeneration):
		return errAgain
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		err = fmt.Errorf("%w: %w", ErrLost, err)
		e.mu.Lock()
		m := e.membership
		e.forgetLocked(e.me.id)
		e.mu.Unlock()
		if m != nil {
			m.cancel(err)
		}
		return err
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("group %q is no election, but a group of another kind; give the election a name that no other group has: %w", e.settings.group, err)
	case errors.Is(err, kerr.InvalidSessionTimeout):
		return fmt.Errorf("the brokers do not accept the SessionTimeout of %s of election %q; see group.min.session.timeout.ms and group.max.session.timeout.ms there: %w", e.settings.session, e.settings.group, err)
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("the principal may not take part in election %q; allow it READ on the group of that name: %w", e.settings.group, err)
	}
	return fmt.Errorf("%s of election %q failed: %w", request, e.settings.group, err)
}

// forgetLocked: the coordinator does not know the member of that id any more. What it
// had seen it goes on to know.
func (e *Election) forgetLocked(id string) {
	if e.me.id == id {
		e.me.id, e.me.holds, e.generation = "", false, 0
	}
}

// decide makes the verdict of a round that this member leads, for all that could be
// read. The others get nothing.
func (e *Election) decide(members []kmsg.JoinGroupResponseMember) []kmsg.SyncGroupRequestGroupAssignment {
	voters := make([]voter, 0, len(members))
	for i := range members {
		m := &members[i]
		if m.MemberID == "" || slices.ContainsFunc(voters, func(v voter) bool { return v.id == m.MemberID }) {
			continue
		}
		c, err := memberbytes.ParseCandidacy(m.ProtocolMetadata)
		if len(m.MemberID) > memberbytes.MaxElectionMemberID {
			err = fmt.Errorf("the member's id takes %d bytes and may take %d", len(m.MemberID), memberbytes.MaxElectionMemberID)
		}
		if err != nil {
			e.emit(Event{Kind: EventIsolated, Subject: m.MemberID, Err: err})
			continue
		}
		voters = append(voters, voter{m.MemberID, c})
	}
	v := elect(voters, time.Now())
	e.mu.Lock()
	e.me.made = v.Ballot
	e.mu.Unlock()
	told := v.Encode()
	assignments := make([]kmsg.SyncGroupRequestGroupAssignment, len(voters))
	for i := range voters {
		assignments[i] = kmsg.NewSyncGroupRequestGroupAssignment()
		assignments[i].MemberID, assignments[i].MemberAssignment = voters[i].id, told
	}
	return assignments
}

// adopt takes note of the verdict of a round, nil for one that cannot be read, in which the
// process was the member of the given id, and whose SyncGroup was sent at the given time,
// and does what follows from it.
func (e *Election) adopt(sent time.Time, id string, generation int32, told *verdict) error {
	e.mu.Lock()
	if e.me.id != id { // a heartbeat was told meanwhile that the member is lost
		e.mu.Unlock()
		return errAgain
	}
	e.joining, e.between, e.failure = false, false, nil
	m := e.membership
	if m == nil || m.id != id || m.over() != nil {
		m = &membership{id: id, lease: newLease(e.settings, sent), done: make(chan struct{})}
		m.ctx, m.cancel = context.WithCancelCause(context.Background())
		e.memberships.Go(func() { e.keep(m) })
		e.membership = m
	} else {
		m.lease.renew(sent, nil)
	}
	e.leader, e.leaderOf = Leader{}, m
	var v verdict
	if told != nil {
		v = *told
	}
	if v.Leader != "" {
		e.leader = Leader{
			Member: v.Leader, Priority: v.Priority, Payload: v.Payload,
			Fence: Fence{Group: e.settings.group, Member: v.Leader, Number: v.Number},
		}
	}
	e.changedLocked()
	current := e.term
	var started *term
	var s step
	if told == nil {
		s = e.me.unheard()
	} else {
		s = e.me.adopt(v)
	}
	if s == begin {
		started = e.newTerm(m, generation, v)
		started.before, e.term = current, started
	}
	e.rejoin = s == rejoin
	e.mu.Unlock()

	e.emit(Event{Kind: EventAssigned, LeaderID: v.Leader, Leader: s == begin || s == stay && v.Leader == m.id || s == yield})
	switch {
	case s == begin:
		e.memberships.Go(func() { e.hold(started, v.Clean) })
	case s == end:
		current.cancel(ErrSucceeded)
	case s == yield:
		current.cancel(fmt.Errorf("%w: a candidate of higher priority takes over", ErrSucceeded))
	}
	return nil
}

// changedLocked: who leads, as far as this process knows, may be another.
func (e *Election) changedLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// remain returns when this process has to join again, or ctx has ended.
func (e *Election) remain(ctx context.Context) {
	for !e.due() {
		select {
		case <-e.wake:
		case <-ctx.Done():
			return
		}
	}
}

// due tells whether this process has to join again.
func (e *Election) due() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stale || e.rejoin || e.membership.over() != nil {
		return true
	}
	now := e.me.candidacy()
	if e.me.holds && e.term.over() != nil {
		select {
		case <-e.term.done:
			return e.me.released(e.term.number) // it is over, and the group has to hear of it
		default:
			return false // the group hears of all together once Lead has returned
		}
	}
	return now.Candidate != e.told.Candidate || now.Priority != e.told.Priority ||
		now.Holds && !slices.Equal(now.Payload, e.told.Payload)
}

// failed: no round came about.
func (e *Election) failed(err error) {
	e.mu.Lock()
	e.failure = err
	m := e.membership
	// A membership tells itself when it ends.
	tell := m == nil || m.over() != nil && !errors.Is(err, ErrLost)
	e.mu.Unlock()
	if tell {
		e.emit(Event{Kind: EventLost, Err: err})
	}
}

// leave leaves the group. No term is on any more.
func (e *Election) leave() {
	e.mu.Lock()
	if last := e.term; last != nil && e.me.holds {
		e.me.released(last.number)
	}
	id := e.me.id
	tell := e.cfg.TakeoverDelay > 0 && id != "" && e.me.last.Leader == id
	m := e.membership
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), e.settings.session)
	defer cancel()
	if tell {
		// The others cannot tell a member that left from one that was removed:
		// they have to hear that the term is over, or wait. Who is slow with its
		// SyncGroup would not hear it if the next round came at once.
		if e.round(ctx) == nil {
			pause := time.NewTimer(e.settings.interval)
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
		}
	}
	if id != "" {
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.MemberID = e.settings.group, id
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID, member.Reason = id, kmsg.StringPtr("the election was closed")
		req.Members = append(req.Members, member)
		_, _ = req.RequestWith(ctx, e.client) // else the session ends by time
	}
	if m != nil {
		m.cancel(ErrClosed)
	}
	e.memberships.Wait()
	e.client.Close()
	e.emit(Event{Kind: EventClosed, Err: ErrClosed})
}
