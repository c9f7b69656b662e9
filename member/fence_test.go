package member_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// A store that keeps the highest fence and refuses what is older: what a former leader
// still writes does not get in.
func ExampleFence() {
	var highest member.Fence
	write := func(f member.Fence, what string) {
		if f.Compare(highest) < 0 {
			fmt.Printf("refused %q of %s\n", what, f)
			return
		}
		highest = f
		fmt.Printf("wrote %q of %s\n", what, f)
	}
	first := member.Term{Group: "billing", Member: "a", Generation: 4}.Fence()
	second := member.Term{Group: "billing", Member: "b", Generation: 7}.Fence()
	write(first, "1")
	write(first, "2")
	write(second, "3")
	write(first, "4") // a was stopped for long, and has not looked at its context
	// Output:
	// wrote "1" of billing@4 by a
	// wrote "2" of billing@4 by a
	// wrote "3" of billing@7 by b
	// refused "4" of billing@4 by a
}

// terms returns hooks whose Lead hands out its term and waits for the end.
func terms(cfg member.HooksConfig) (member.HooksConfig, <-chan member.Term) {
	ch := make(chan member.Term, 10)
	cfg.Lead = func(ctx context.Context, term member.Term) error {
		ch <- term
		<-ctx.Done()
		return nil
	}
	return cfg, ch
}

func TestCheckAsksTheCoordinatorAndEndsATermThatIsLost(t *testing.T) {
	cluster := fakeCluster(t, 4)
	cfg, ch := terms(member.HooksConfig{})
	// The member's own heartbeats come so seldom that only Check can find out.
	m := startMember(t, cluster, cfg, kgo.HeartbeatInterval(4*time.Second))
	term := <-ch
	for range 3 {
		if err := term.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress})
	if err := term.Check(t.Context()); err != nil {
		t.Errorf("while a round goes on the leader leads: %v", err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.IllegalGeneration, Count: 1})
	if err := term.Check(t.Context()); err != nil {
		t.Errorf("a generation that is not known yet proves nothing: %v", err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: 1})
	if err := term.Check(t.Context()); !errors.Is(err, member.ErrLost) || !errors.Is(err, kerr.UnknownMemberID) {
		t.Errorf("got %v", err)
	}
	if why := m.resigned(); len(why) != 1 || !errors.Is(why[0], member.ErrLost) {
		t.Errorf("Check has to end the term that it finds lost; resigned because of %v", why)
	}
	if err := term.Check(t.Context()); !errors.Is(err, member.ErrLost) {
		t.Errorf("got %v", err)
	}
	next := <-ch
	if next.Fence().Compare(term.Fence()) != 1 || term.Fence().Compare(next.Fence()) != -1 || term.Fence().Compare(term.Fence()) != 0 {
		t.Errorf("%s has to be after %s", next.Fence(), term.Fence())
	}
	m.close()
	if err := next.Check(t.Context()); !errors.Is(err, member.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestCheckTellsWhenTheCoordinatorCannotBeAsked(t *testing.T) {
	if err := (member.Term{}).Check(t.Context()); err == nil {
		t.Error("nobody can be asked about a term of no client")
	}
	cluster := fakeCluster(t, 4)
	cfg, ch := terms(member.HooksConfig{})
	m := startMember(t, cluster, cfg, short(6*time.Second)...)
	term := <-ch
	cluster.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := term.Check(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, member.ErrLost) || !m.hooks.Leading() {
		t.Errorf("no answer says nothing about the term: %v, leading %v", err, m.hooks.Leading())
	}
	if err := term.Check(t.Context()); !errors.Is(err, member.ErrLeaseExpired) {
		t.Errorf("Check ends with the lease at the latest: %v", err)
	}
}

func TestFencesOfLaterTermsAreHigher(t *testing.T) {
	cluster := fakeCluster(t, 4)
	cfg, ch := terms(member.HooksConfig{})
	current := startMember(t, cluster, cfg)
	before := (<-ch).Fence()
	for range 4 {
		next := startMember(t, cluster, cfg)
		settledOwners(t, 4, current, next)
		current.close()
		fence := (<-ch).Fence()
		if fence.Compare(before) <= 0 {
			t.Errorf("%s came after %s", fence, before)
		}
		current, before = next, fence
	}
}
