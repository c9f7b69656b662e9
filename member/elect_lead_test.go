package member_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/groupkit/groupkit/member"
)

func TestCloseOfAnElectionWaitsForLeadAndKeepsThePlaceMeanwhile(t *testing.T) {
	cluster := fakeCluster(t, 1)
	release := make(chan struct{})
	a := stand(t, cluster, member.ElectionConfig{SessionTimeout: 2 * time.Second, Payload: []byte("a"), Lead: func(context.Context, member.Term) error {
		<-release
		return nil
	}})
	agree(t, "a", a)
	b := stand(t, cluster, member.ElectionConfig{Payload: []byte("b")})
	agree(t, "a", a, b)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // twice the session
	defer cancel()
	if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if b.Leading() {
		t.Error("b leads while Lead of a runs")
	}
	close(release)
	a.close(t)
	eventually(t, "b leads", b.Leading)
	if a.State() != member.StateClosed {
		t.Errorf("a is %s", a.State())
	}
	a.close(t)
}

func TestLeadOfAnElectionThatFailsIsCalledAgainInItsTerm(t *testing.T) {
	cluster := fakeCluster(t, 1)
	numbers := make(chan int64, 2)
	c := stand(t, cluster, member.ElectionConfig{Lead: func(ctx context.Context, term member.Term) error {
		numbers <- term.Fence().Number
		if len(numbers) == 1 {
			panic("boom")
		}
		<-ctx.Done()
		return nil
	}})
	eventually(t, "it is called again", func() bool { return len(numbers) == 2 })
	if first, second := <-numbers, <-numbers; first != second || !c.Leading() {
		t.Errorf("under %d and %d, leading %t", first, second, c.Leading())
	}
	var panicked *member.PanicError
	if failed := c.all(member.EventLeadFailed); len(failed) != 1 || !errors.As(failed[0].Err, &panicked) || panicked.Value != "boom" {
		t.Errorf("got %v", failed)
	}
}

func TestLeadOfAnElectionThatIsDoneLeadsOnUntilItResigns(t *testing.T) {
	cluster := fakeCluster(t, 1)
	var runs atomic.Int32
	cfg := member.ElectionConfig{Lead: func(context.Context, member.Term) error {
		runs.Add(1)
		return member.ErrTermDone
	}}
	a := stand(t, cluster, cfg)
	eventually(t, "a is done", func() bool { return len(a.all(member.EventLeadDone)) == 1 })
	b := stand(t, cluster, cfg)
	eventually(t, "b follows a", func() bool { l, ok := b.Leader(); mine, _ := a.Leader(); return ok && l.Member == mine.Member })
	if runs.Load() != 1 || !a.Leading() {
		t.Errorf("%d runs, leading %t", runs.Load(), a.Leading())
	}
	if err := a.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is done too", func() bool { return len(b.all(member.EventLeadDone)) == 1 })
	if runs.Load() != 2 || a.Leading() || !b.Leading() {
		t.Errorf("%d runs, leading %t and %t", runs.Load(), a.Leading(), b.Leading())
	}
}
