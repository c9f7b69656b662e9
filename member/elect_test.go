package member_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// testCandidate is a candidate in the election "e".
type testCandidate struct {
	*recorder
	*member.Election
}

// stand starts a candidate with a short session.
func stand(t *testing.T, cluster *kfake.Cluster, cfg member.ElectionConfig) *testCandidate {
	t.Helper()
	c := &testCandidate{recorder: &recorder{}}
	cfg.OnEvent = c.add
	cfg.Client = append([]kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, cfg.Client...)
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 2 * time.Second
	}
	if cfg.HeartbeatInterval == 0 {
		cfg.HeartbeatInterval = 20 * time.Millisecond
	}
	var err error
	if c.Election, err = member.Elect("e", cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.close(t)
		if t.Failed() {
			for _, e := range c.copied() {
				t.Logf("%s %s gen %d %s (%s) leader %s %v", e.Time.Format("05.000"), e.Member, e.Generation, e.Kind, e.State, e.LeaderID, e.Err)
			}
		}
	})
	return c
}

func (c *testCandidate) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// resigned returns why the candidate's terms ended.
func (c *testCandidate) resigned() (why []error) {
	for _, e := range c.all(member.EventResigned) {
		why = append(why, e.Err)
	}
	return why
}

// agree waits until all name the same leader, with the payload given.
func agree(t *testing.T, payload string, candidates ...*testCandidate) member.Leader {
	t.Helper()
	var leader member.Leader
	eventually(t, "all agree that "+payload+" leads", func() bool {
		for i, c := range candidates {
			l, ok := c.Leader()
			if !ok || string(l.Payload) != payload || i > 0 && l.Member != leader.Member {
				return false
			}
			leader = l
		}
		return true
	})
	return leader
}

func TestOneOfManyIsElectedAndAllKnowWhereItIs(t *testing.T) {
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	var candidates []*testCandidate
	for i := range 5 {
		candidates = append(candidates, stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: fmt.Appendf(nil, "at %d", i)}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := candidates[3].WaitLeader(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one leads", func() bool { return o.busy.Load() == 1 })
	at := slices.IndexFunc(candidates, func(c *testCandidate) bool { return c.Leading() })
	leader := agree(t, fmt.Sprintf("at %d", at), candidates...)
	if leader.Fence.Group != "e" || leader.Fence.Member != leader.Member || leader.Fence.Number < time.Now().Add(-time.Hour).UnixMilli() {
		t.Errorf("got %+v", leader)
	}
	if candidates[at].State() != member.StateLeading {
		t.Errorf("the leader's state is %s", candidates[at].State())
	}
	if err := candidates[at].SetPayload([]byte("moved")); err != nil {
		t.Fatal(err)
	}
	agree(t, "moved", candidates...)
	if o.runs.Load() != 1 {
		t.Errorf("%d terms, want 1", o.runs.Load())
	}
}

func TestLeadershipOfAnElectionPassesOnInOrder(t *testing.T) {
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	var fences []member.Fence
	var mu sync.Mutex
	lead := func(ctx context.Context, term member.Term) error {
		mu.Lock()
		fences = append(fences, term.Fence())
		mu.Unlock()
		if err := term.Check(ctx); err != nil {
			t.Error(err)
		}
		return o.lead(ctx, term)
	}
	var candidates []*testCandidate
	for range 4 {
		candidates = append(candidates, stand(t, cluster, member.ElectionConfig{Lead: lead}))
	}
	for len(candidates) > 0 {
		eventually(t, "one leads", func() bool { return o.busy.Load() == 1 })
		at := slices.IndexFunc(candidates, func(c *testCandidate) bool { return c.Leading() })
		candidates[at].close(t)
		if why := candidates[at].resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrClosed) {
			t.Errorf("resigned because of %v", why)
		}
		candidates = slices.Delete(candidates, at, at+1)
	}
	if o.runs.Load() != 4 || !slices.IsSortedFunc(fences, member.Fence.Compare) {
		t.Errorf("%d terms, fences %v", o.runs.Load(), fences)
	}
}

func TestACandidateOfHigherPriorityTakesOverOnceTheLeaderIsDone(t *testing.T) {
	cluster := fakeCluster(t, 1)
	release := make(chan struct{})
	o := &office{t: t}
	low := stand(t, cluster, member.ElectionConfig{Payload: []byte("low"), Lead: func(ctx context.Context, term member.Term) error {
		defer o.busy.Add(-1)
		o.busy.Add(1)
		<-ctx.Done()
		<-release
		return nil
	}})
	agree(t, "low", low)
	same := stand(t, cluster, member.ElectionConfig{Payload: []byte("same"), Lead: o.lead})
	patient := stand(t, cluster, member.ElectionConfig{Payload: []byte("patient"), Priority: 9, NoTakeover: true, Lead: o.lead})
	agree(t, "low", low, same, patient)
	high := stand(t, cluster, member.ElectionConfig{Payload: []byte("high"), Priority: 2, Lead: o.lead})
	eventually(t, "low's term ends", func() bool { return len(low.resigned()) == 1 })
	if why := low.resigned()[0]; !errors.Is(why, member.ErrSucceeded) {
		t.Errorf("resigned because of %v", why)
	}
	rounds, priority := len(high.all(member.EventAssigned)), int32(0)
	eventually(t, "more rounds go by", func() bool {
		priority = 1 - priority
		same.SetPriority(priority)
		return len(high.all(member.EventAssigned)) > rounds+3
	})
	if high.Leading() || low.Leading() || low.State() != member.StateResigning {
		t.Errorf("while Lead has not returned nobody else leads; low is %s, high %s", low.State(), high.State())
	}
	close(release)
	// patient has the highest priority of all, and the place is free.
	agree(t, "patient", low, same, patient, high)
	patient.close(t)
	agree(t, "high", low, same, high)
}

func TestWhoResignsHandsOverAndStandsAgain(t *testing.T) {
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	a := stand(t, cluster, member.ElectionConfig{Payload: []byte("a"), Priority: 1, Lead: o.lead})
	agree(t, "a", a)
	b := stand(t, cluster, member.ElectionConfig{Payload: []byte("b"), Observer: true, Lead: o.lead})
	agree(t, "a", a, b)
	var seen []string
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for leader := range b.Leaders(t.Context()) {
			seen = append(seen, string(leader.Payload))
		}
	}()
	if err := a.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.busy.Load() != 0 || a.Leading() {
		t.Error("Resign waits for Lead")
	}
	if why := a.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrResigned) {
		t.Errorf("resigned because of %v", why)
	}
	eventually(t, "nobody leads", func() bool { _, okA := a.Leader(); _, okB := b.Leader(); return !okA && !okB })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if l, err := b.WaitLeader(ctx); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v", l, err)
	}
	b.Stand()
	agree(t, "b", a, b)
	a.Stand()
	agree(t, "a", a, b) // it has the higher priority
	if err := b.Resign(t.Context()); err != nil {
		t.Error("who does not lead may resign too:", err)
	}
	if o.runs.Load() != 3 {
		t.Errorf("%d terms, want 3", o.runs.Load())
	}
	b.close(t)
	<-watched
	if want := []string{"a", "", "b", "a"}; !slices.Equal(seen, want) {
		t.Errorf("b saw the leaders %q, want %q", seen, want)
	}
}

func TestALeaderThatIsNotAcknowledgedStopsBeforeTheNextOneBegins(t *testing.T) {
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	const session = 4 * time.Second // of which a tenth is left between the two
	a := stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: []byte("a"), SessionTimeout: session})
	first := agree(t, "a", a).Member
	b := stand(t, cluster, member.ElectionConfig{Lead: o.lead, Payload: []byte("b"), SessionTimeout: session})
	agree(t, "a", a, b)
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, req.(*kmsg.HeartbeatRequest).MemberID == first
	})
	eventually(t, "b leads", func() bool { return len(b.all(member.EventLeading)) > 0 })
	if why := a.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLeaseExpired) {
		t.Errorf("a resigned because of %v", why)
	}
	if ended, began := a.all(member.EventResigned)[0].Time, b.all(member.EventLeading)[0].Time; !ended.Before(began) {
		t.Errorf("a's term ended %s after b's began", ended.Sub(began))
	}
	agree(t, "b", a, b) // a is back under another id
}

func TestATakeoverWaitsUnlessTheTermBeforeIsKnownToBeOver(t *testing.T) {
	const delay = 3 * time.Second
	cluster := fakeCluster(t, 1)
	o := &office{t: t}
	cfg := func(payload string) member.ElectionConfig {
		return member.ElectionConfig{Lead: o.lead, Payload: []byte(payload), SessionTimeout: delay, TakeoverDelay: delay}
	}
	waited := func(c *testCandidate) time.Duration {
		eventually(t, "it leads", func() bool { return len(c.all(member.EventLeading)) > 0 })
		var named time.Time
		for _, e := range c.all(member.EventAssigned) {
			if e.Leader && named.IsZero() {
				named = e.Time
			}
		}
		return c.all(member.EventLeading)[0].Time.Sub(named)
	}
	a := stand(t, cluster, cfg("a"))
	if d := waited(a); d < delay {
		t.Errorf("the first, which knows nothing, waited %s", d)
	}
	b := stand(t, cluster, cfg("b"))
	agree(t, "a", a, b)
	a.close(t)
	if d := waited(b); d >= delay {
		t.Errorf("after a clean end the next one waited %s", d)
	}
	c := stand(t, cluster, cfg("c"))
	leader := agree(t, "b", b, c)
	// An administrator removes b.
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "e", leader.Member
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: leader.Member}}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := leave.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b's term ends", func() bool { return len(b.resigned()) == 1 })
	if !errors.Is(b.resigned()[0], member.ErrLost) {
		t.Errorf("b resigned because of %v", b.resigned())
	}
	eventually(t, "one is named", func() bool { _, ok := c.Leader(); return ok })
	if l, _ := c.Leader(); string(l.Payload) == "c" {
		if d := waited(c); d < delay {
			t.Errorf("after a removal the next one waited %s", d)
		}
	}
}

func TestMistakesInAnElectionsConfigAreToldInSentences(t *testing.T) {
	seeds := []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}
	for name, c := range map[string]struct {
		election string
		cfg      member.ElectionConfig
		says     []string
	}{
		"long name":      {strings.Repeat("e", 1<<15), member.ElectionConfig{Client: seeds}, []string{"cannot work: it takes 32768 bytes"}},
		"name not UTF-8": {"e\xff", member.ElectionConfig{Client: seeds}, []string{"cannot work: it is not UTF-8"}},
		"no name":        {"", member.ElectionConfig{Client: seeds}, []string{"has no name"}},
		"numbers": {"e", member.ElectionConfig{Client: seeds, SessionTimeout: -1, HeartbeatInterval: time.Minute, TakeoverDelay: time.Second, Payload: make([]byte, 5000)},
			[]string{"SessionTimeout is -1ns", "HeartbeatInterval of 1m0s is more than a third", "TakeoverDelay of 1s is below", "takes 5000 bytes"}},
		"a group":      {"e", member.ElectionConfig{Client: append(seeds, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))}, []string{"is given kgo.ConsumerGroup"}},
		"no option":    {"e", member.ElectionConfig{Client: append([]kgo.Opt{nil}, append(seeds, nil)...)}, []string{"option 0 of the election's Client is nil", "option 2 of the election's Client is nil"}},
		"an instance":  {"e", member.ElectionConfig{Client: append(seeds, kgo.InstanceID("i"))}, []string{"is given kgo.InstanceID, and an election has no static members"}},
		"long session": {"e", member.ElectionConfig{Client: seeds, SessionTimeout: time.Hour}, []string{"SessionTimeout is 1h0m0s; give 45m0s or less"}},
		"topics":       {"e", member.ElectionConfig{Client: append(seeds, kgo.ConsumeTopics("t"))}, []string{"is given kgo.ConsumeTopics"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := member.Elect(c.election, c.cfg)
			if err == nil {
				_ = e.Close(t.Context())
				t.Fatal("no error")
			}
			lines := strings.Split(err.Error(), "\n")
			for i, says := range c.says {
				if len(lines) != len(c.says) || !strings.Contains(lines[i], says) {
					t.Errorf("got %q, want it to say %q", lines, says)
				}
			}
		})
	}
}

func TestAnElectionMayBeClosedAtAnyTime(t *testing.T) {
	cluster := fakeCluster(t, 1)
	for i := range 30 {
		e, err := member.Elect("e", member.ElectionConfig{Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, HeartbeatInterval: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * time.Millisecond / 3)
		var closing sync.WaitGroup
		for range 3 {
			closing.Go(func() {
				if err := e.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
		if _, err := e.WaitLeader(t.Context()); !errors.Is(err, member.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
	last := stand(t, cluster, member.ElectionConfig{})
	eventually(t, "nothing is left of the others", last.Leading)
}
