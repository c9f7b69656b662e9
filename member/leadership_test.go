package member_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// office counts who leads at the same time, in all members that share it.
type office struct {
	t    *testing.T
	busy atomic.Int32
	runs atomic.Int32
}

func (o *office) lead(ctx context.Context, _ member.Term) error {
	o.runs.Add(1)
	if o.busy.Add(1) > 1 {
		o.t.Error("two lead at the same time")
	}
	<-ctx.Done()
	o.busy.Add(-1)
	return nil
}

// resigned returns why the member's terms ended.
func (m *testMember) resigned() (why []error) {
	for _, e := range m.all(member.EventResigned) {
		why = append(why, e.Err)
	}
	return why
}

func short(session time.Duration) []kgo.Opt {
	return []kgo.Opt{kgo.SessionTimeout(session), kgo.HeartbeatInterval(session / 20), kgo.RequestTimeoutOverhead(session)}
}

func TestEventsOfATermComeInOrder(t *testing.T) {
	cluster := fakeCluster(t, 4)
	atLead := make(chan []member.EventKind, 1)
	var m *testMember
	started := make(chan struct{})
	m = newMember(t, cluster, member.HooksConfig{Lead: func(ctx context.Context, term member.Term) error {
		<-started
		atLead <- m.kinds()
		if id, generation := m.client.GroupMetadata(); term.Member != id || term.Generation != generation || term.Group != "g" || term.Protocol != "balanced" {
			t.Errorf("got %+v", term)
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), member.ErrClosed) {
			t.Errorf("the cause is %v", context.Cause(ctx))
		}
		return nil
	}})
	close(started)
	if err := m.hooks.Attach(m.client); err != nil {
		t.Fatal(err)
	}
	want := []member.EventKind{member.EventJoining, member.EventJoining, member.EventElected, member.EventPlanned, member.EventAssigned, member.EventLeading}
	if got := <-atLead; !slices.Equal(got, want) { // two JoinGroup: the first brings the member id
		t.Errorf("got %v, want %v", got, want)
	}
	m.close()
	if got := m.kinds(); !slices.Equal(got, append(want, member.EventResigned, member.EventLeadReturned, member.EventClosed)) {
		t.Errorf("got %v", got)
	}
	if m.hooks.Leading() {
		t.Error("a closed member must not lead")
	}
	m.hooks.Close()
}

func TestHooksMayBeAttachedLate(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	m := newMember(t, cluster, member.HooksConfig{Lead: o.lead})
	settledOwners(t, 4, m)
	if m.hooks.Leading() || o.runs.Load() > 0 {
		t.Error("Lead must wait for Attach")
	}
	if err := m.hooks.Attach(m.client); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the member leads", func() bool { return m.hooks.Leading() && o.busy.Load() == 1 })
	if err := m.hooks.Attach(m.client); err != nil {
		t.Errorf("attaching the same client again: %v", err)
	}
}

func TestLeadershipIsLostAndWonAgain(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"the coordinator forgets the member":       {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID},
		"a round fails at JoinGroup":               {Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.UnknownMemberID},
		"a round fails at SyncGroup":               {Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.UnknownServerError},
		"the instance is fenced":                   {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.FencedInstanceID},
		"the coordinator is lost, for the session": {Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.NotCoordinator, Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fakeCluster(t, 4)
			o := &office{t: t}
			m := startMember(t, cluster, member.HooksConfig{Lead: o.lead}, short(3*time.Second)...)
			eventually(t, "the member leads", func() bool { return o.busy.Load() == 1 })
			faults := cluster.Fault(fault)
			if !slices.Contains(fault.Keys, kmsg.Heartbeat) {
				m.client.ForceRebalance()
			}
			eventually(t, "the term ends", func() bool { return len(m.resigned()) > 0 })
			faults.Remove()
			eventually(t, "another term begins", func() bool { return o.runs.Load() > 1 && o.busy.Load() == 1 && m.hooks.Leading() })
			settledOwners(t, 4, m)
			m.close()
			for i, why := range m.resigned() {
				t.Log(i, why)
			}
			if o.busy.Load() != 0 {
				t.Error("Close must wait for Lead")
			}
		})
	}
}

// The plan is sent, and a new round turns it away: it was never adopted.
func TestATermBeginsWithThePlanThatIsAdopted(t *testing.T) {
	cluster := fakeCluster(t, 4)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.RebalanceInProgress, Count: 2})
	o := &office{t: t}
	m := startMember(t, cluster, member.HooksConfig{Lead: o.lead})
	eventually(t, "the member leads", func() bool { return o.busy.Load() == 1 })
	if n := len(m.all(member.EventPlanned)); n != 3 {
		t.Errorf("%d plans, want 3", n)
	}
	if n := len(m.all(member.EventAssigned)); n != 1 {
		t.Errorf("%d were adopted, want 1", n)
	}
}

func TestALeaderThatCannotReachTheCoordinatorStopsBeforeTheNextOneLeads(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	const session = 4 * time.Second // of which a tenth is left between the two
	a := startMember(t, cluster, member.HooksConfig{Lead: o.lead}, short(session)...)
	eventually(t, "a leads", a.hooks.Leading)
	b := startMember(t, cluster, member.HooksConfig{Lead: o.lead}, short(session)...)
	settledOwners(t, 4, a, b)
	first, _ := a.client.GroupMetadata()
	// No heartbeat of a is answered any more, neither kgo's nor its own.
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, req.(*kmsg.HeartbeatRequest).MemberID == first
	})
	eventually(t, "b leads", b.hooks.Leading)
	if why := a.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLeaseExpired) {
		t.Errorf("a resigned because of %v", why)
	}
	if ended, began := a.all(member.EventResigned)[0].Time, b.all(member.EventLeading)[0].Time; !ended.Before(began) {
		t.Errorf("a's term ended %s after b's began", ended.Sub(began))
	}
}

func TestALeaderThatMissesARoundStopsBeforeTheNextOneLeads(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	rebalance := kgo.RebalanceTimeout(4 * time.Second)
	a := startMember(t, cluster, member.HooksConfig{Lead: o.lead}, kgo.BlockRebalanceOnPoll(), rebalance)
	eventually(t, "a leads", a.hooks.Leading)
	produce(t, cluster, 4, 1)
	for a.client.PollFetches(t.Context()).NumRecords() == 0 {
		a.client.AllowRebalance()
	}
	// a handles records for too long and does not join.
	b := startMember(t, cluster, member.HooksConfig{Lead: o.lead}, rebalance)
	eventually(t, "b leads", b.hooks.Leading)
	if why := a.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLeaseExpired) {
		t.Errorf("a resigned because of %v", why)
	}
	if ended, began := a.all(member.EventResigned)[0].Time, b.all(member.EventLeading)[0].Time; !ended.Before(began) {
		t.Errorf("a's term ended %s after b's began", ended.Sub(began))
	}
}

func TestLeadershipPassesOnWithoutOverlap(t *testing.T) {
	cluster := fakeCluster(t, 8)
	o := &office{t: t}
	current := startMember(t, cluster, member.HooksConfig{Lead: o.lead})
	eventually(t, "the first leads", current.hooks.Leading)
	for range 6 {
		next := startMember(t, cluster, member.HooksConfig{Lead: o.lead})
		settledOwners(t, 8, current, next)
		current.close()
		eventually(t, "the next leads", func() bool { return next.hooks.Leading() && o.busy.Load() == 1 })
		current = next
	}
	current.close()
	if o.busy.Load() != 0 || o.runs.Load() != 7 {
		t.Errorf("%d lead, %d led; want 0 and 7", o.busy.Load(), o.runs.Load())
	}
}

func TestLeadThatIsDoneForItsTermRunsAgainInTheNext(t *testing.T) {
	cluster := fakeCluster(t, 4)
	var runs atomic.Int32
	m := startMember(t, cluster, member.HooksConfig{Lead: func(context.Context, member.Term) error {
		return fmt.Errorf("run %d: %w", runs.Add(1), member.ErrTermDone)
	}})
	eventually(t, "Lead is done", func() bool { return len(m.all(member.EventLeadDone)) == 1 })
	rounds := len(m.all(member.EventAssigned))
	m.client.ForceRebalance()
	eventually(t, "another round", func() bool { return len(m.all(member.EventAssigned)) > rounds })
	if runs.Load() != 1 || !m.hooks.Leading() {
		t.Errorf("Lead ran %d times, leading %v", runs.Load(), m.hooks.Leading())
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	eventually(t, "Lead is done in the next term", func() bool { return len(m.all(member.EventLeadDone)) == 2 })
	m.close()
	terms, done, failed := m.all(member.EventLeading), m.all(member.EventLeadDone), m.all(member.EventLeadFailed)
	if len(terms) != 2 || runs.Load() != 2 || len(failed) != 0 {
		t.Errorf("%d terms, %d runs, %d failures", len(terms), runs.Load(), len(failed))
	}
	if err := done[1].Err; !errors.Is(err, member.ErrTermDone) || err.Error() != "run 2: the work is done for this term" {
		t.Errorf("told that %v", err)
	}
}

func TestLeadThatReturnsEarlyRunsAgainInTheSameTerm(t *testing.T) {
	for name, lead := range map[string]func() error{
		"returns nil": func() error { return nil },
		"fails":       func() error { return errors.New("no") },
		"panics":      func() error { panic("boom") },
		"exits":       func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fakeCluster(t, 4)
			var runs atomic.Int32
			o := &office{t: t}
			m := startMember(t, cluster, member.HooksConfig{Lead: func(ctx context.Context, term member.Term) error {
				if runs.Add(1) == 1 {
					return lead()
				}
				return o.lead(ctx, term)
			}})
			eventually(t, "Lead runs again", func() bool { return o.busy.Load() == 1 })
			if failed, began := m.all(member.EventLeadFailed), m.all(member.EventLeading); len(failed) != 1 || len(began) != 1 || !m.hooks.Leading() {
				t.Errorf("%d failures in %d terms, leading %v", len(failed), len(began), m.hooks.Leading())
			}
		})
	}
}

func TestATakeoverDelayHoldsTheTermBack(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	cfg := member.HooksConfig{Lead: o.lead, TakeoverDelay: 2500 * time.Millisecond}
	m := startMember(t, cluster, cfg, short(2*time.Second)...)
	eventually(t, "the member leads", func() bool { return o.busy.Load() == 1 && m.hooks.Leading() })
	elected, began := m.all(member.EventPlanned)[0], m.all(member.EventLeading)[0]
	if waited := began.Time.Sub(elected.Time); waited < cfg.TakeoverDelay {
		t.Errorf("the term began after %s", waited)
	}

	// A term that is lost while it waits never begins.
	other := startMember(t, cluster, member.HooksConfig{Lead: o.lead, TakeoverDelay: time.Minute}, kgo.ConsumerGroup("other"))
	eventually(t, "it is elected", func() bool { return len(other.all(member.EventAssigned)) > 0 })
	if other.hooks.Leading() || other.hooks.State() != member.StateFollowing {
		t.Errorf("leading %v, %s", other.hooks.Leading(), other.hooks.State())
	}
	other.close()
	if len(other.all(member.EventLeading))+len(other.all(member.EventResigned)) > 0 {
		t.Errorf("a term that did not begin has no end: %v", other.kinds())
	}

	short := newMember(t, cluster, member.HooksConfig{TakeoverDelay: time.Second}, kgo.ConsumerGroup("third"))
	if err := short.hooks.Attach(short.client); err == nil {
		t.Error("a delay below the session timeout covers nothing and must be refused")
	}
	if _, err := member.NewHooks(member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}, TakeoverDelay: -1}); err == nil {
		t.Error("a negative delay must be refused")
	}
}

// A client that leaves before Hooks.Close is out of the group at once, while its Lead may
// take its time to stop. The successor waits for TakeoverDelay all the same.
func TestATakeoverDelayCoversAClientThatLeavesBeforeClose(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 4)
	const session = 6 * time.Second
	var stopped atomic.Pointer[time.Time]
	former := startMember(t, cluster, member.HooksConfig{TakeoverDelay: session, Lead: func(ctx context.Context, _ member.Term) error {
		<-ctx.Done()
		time.Sleep(session / 20) // it takes its time to stop; its lease leaves it twice that
		now := time.Now()
		stopped.Store(&now)
		return nil
	}}, short(session)...)
	eventually(t, "the former leader leads", former.hooks.Leading)
	successor := startMember(t, cluster, member.HooksConfig{TakeoverDelay: session}, short(session)...)
	settledOwners(t, 4, former, successor)

	former.client.Close()
	eventually(t, "the successor leads", successor.hooks.Leading)
	elected, began := successor.all(member.EventElected)[0], successor.all(member.EventLeading)[0]
	if waited := began.Time.Sub(elected.Time); waited < session {
		t.Errorf("the term began %s after the election", waited)
	}
	if at := stopped.Load(); at == nil || !at.Before(began.Time) {
		t.Errorf("the term began at %s, and the work of the former leader stopped at %s", began.Time, at)
	}
	if why := former.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLeft) {
		t.Errorf("the former leader resigned because of %v", why)
	}
}

func TestANewTermAndCloseWaitForTheLeadOfTheOldOne(t *testing.T) {
	cluster := fakeCluster(t, 4)
	release := make(chan struct{})
	o := &office{t: t}
	m := startMember(t, cluster, member.HooksConfig{Lead: func(ctx context.Context, term member.Term) error {
		err := o.lead(ctx, term)
		o.busy.Add(1)
		<-release // it takes its time to stop
		o.busy.Add(-1)
		return err
	}})
	eventually(t, "the member leads", func() bool { return o.runs.Load() == 1 })
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	eventually(t, "it is elected again", func() bool { return len(m.all(member.EventAssigned)) > 1 })
	if state := m.hooks.State(); state != member.StateResigning || m.hooks.Leading() {
		t.Errorf("while the work of its term runs the member is %s, leading %v", state, m.hooks.Leading())
	}
	release <- struct{}{}
	eventually(t, "the second term begins", func() bool { return o.runs.Load() == 2 && m.hooks.Leading() })
	closed := make(chan struct{})
	go func() { m.hooks.Close(); close(closed) }()
	eventually(t, "the second term ends", func() bool { return len(m.resigned()) == 2 })
	select {
	case <-closed:
		t.Error("Close must wait for Lead")
	default:
	}
	release <- struct{}{}
	<-closed
}

// The client may leave on behalf of others, as administration tools do.
func TestLeaveGroupOfAnotherMemberDoesNotCostTheTermForLong(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	m := startMember(t, cluster, member.HooksConfig{Lead: o.lead})
	eventually(t, "the member leads", m.hooks.Leading)
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = "another"
	other := kmsg.NewLeaveGroupRequestMember()
	other.MemberID = "nobody"
	req.Members = append(req.Members, other)
	if _, err := req.RequestWith(t.Context(), m.client); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the term ended and another began", func() bool { return o.runs.Load() == 2 && m.hooks.Leading() })
	if why := m.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLeft) {
		t.Errorf("resigned because of %v", why)
	}
}

func TestClosingTheClientFirstEndsTheTerm(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	m := startMember(t, cluster, member.HooksConfig{Lead: o.lead})
	eventually(t, "the member leads", func() bool { return o.busy.Load() == 1 })
	m.client.Close()
	if m.hooks.Leading() || !errors.Is(m.resigned()[0], member.ErrLeft) {
		t.Errorf("leading %v, resigned because of %v", m.hooks.Leading(), m.resigned())
	}
	m.hooks.Close()
	if o.busy.Load() != 0 {
		t.Error("Close must wait for Lead")
	}
}

// KIP-814: the coordinator hands a static leader that comes back the old plan.
func TestAStaticLeaderThatComesBackLeadsAgain(t *testing.T) {
	for _, protocol := range []member.Protocol{{Assignor: assign.Balanced{}}, {Assignor: assign.Balanced{}, Name: "cooperative-sticky"}} {
		cluster := fakeCluster(t, 4)
		static := kgo.InstanceID("i1")
		cfg := member.HooksConfig{Protocols: []member.Protocol{protocol}}
		first := startMember(t, cluster, cfg, static)
		eventually(t, "the first leads", first.hooks.Leading)
		first.close()
		o := &office{t: t}
		cfg.Lead = o.lead
		second := startMember(t, cluster, cfg, static)
		eventually(t, "the second leads", func() bool { return o.busy.Load() == 1 })
		settledOwners(t, 4, second)
		second.close()
	}
}

// A static member that has followed was not handed an old plan, and leads after one round.
func TestAStaticFollowerThatTakesOverLeadsAtOnce(t *testing.T) {
	cluster := fakeCluster(t, 4)
	cfg := member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}, Name: "cooperative-sticky"}}}
	first := startMember(t, cluster, cfg)
	eventually(t, "the first leads", first.hooks.Leading)
	second := startMember(t, cluster, cfg, kgo.InstanceID("i1"))
	settledOwners(t, 4, first, second)
	first.close()
	eventually(t, "the second leads", second.hooks.Leading)
	if rounds := second.all(member.EventElected); len(rounds) != 1 || second.all(member.EventLeading)[0].Generation != rounds[0].Generation {
		t.Errorf("it led after %d rounds", len(rounds))
	}
}

func TestASecondProcessWithTheSameInstanceFencesTheFirst(t *testing.T) {
	cluster := fakeCluster(t, 4)
	static := kgo.InstanceID("i1")
	first := startMember(t, cluster, member.HooksConfig{}, static)
	eventually(t, "the first leads", first.hooks.Leading)
	second := startMember(t, cluster, member.HooksConfig{Traits: member.Traits{Capacity: 2}}, static)
	eventually(t, "the first resigns", func() bool { return len(first.resigned()) > 0 })
	first.close()
	eventually(t, "the second leads", second.hooks.Leading)
}

func TestOnEventMayPanic(t *testing.T) {
	cluster := fakeCluster(t, 4)
	o := &office{t: t}
	m := startMember(t, cluster, member.HooksConfig{Lead: o.lead, OnEvent: func(e member.Event) { panic(e.Kind) }})
	eventually(t, "the member leads", func() bool { return o.busy.Load() == 1 })
	settledOwners(t, 4, m)
}
