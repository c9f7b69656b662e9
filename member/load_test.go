package member

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/groupkit/groupkit/assign"
)

func TestTheLoadAsksForAPlanOnceItStaysUneven(t *testing.T) {
	one := assign.Assignment{"a": {{Topic: "t", Partitions: []int32{0}}}}
	other := assign.Assignment{"b": {{Topic: "t", Partitions: []int32{0}}}}
	watch := newLoadWatch(LoadPolicy{Every: time.Second})
	for i, step := range []struct {
		imbalance float64
		has       assign.Assignment
		want      bool
	}{
		{1.3, one, false}, {1.3, one, false}, {1.25, one, false}, // even in between
		{1.3, one, false}, {1.3, one, false}, {1.3, one, true},
		{1.3, other, false}, {1.3, other, false}, {1.3, other, true}, // the plan changed something
		{1.3, other, false}, {1.3, other, false}, {1.3, other, true}, // and this one nothing:
		{1.3, other, false}, {1.3, other, false}, {1.3, other, false}, {1.3, other, false}, {1.3, other, false}, {1.3, other, true},
	} {
		if got := watch.look(step.imbalance, step.has); got != step.want {
			t.Errorf("look %d: got %v", i, got)
		}
	}
	for range 1000 {
		watch.look(9, other)
	}
	if watch.patience != maxPatience {
		t.Errorf("a load that no plan can mend is looked at for %d times as long, want %d", watch.patience, maxPatience)
	}
	watch.look(1, other)
	if watch.patience != 1 || watch.uneven != 0 {
		t.Error("an even load begins afresh")
	}
}

func TestImbalanceIsOverWhatAPlanCouldReach(t *testing.T) {
	g := assign.Group{
		Members: []assign.Member{{ID: "a", Topics: []string{"t"}}, {ID: "b", Topics: []string{"t"}}},
		Topics:  []assign.Topic{{Name: "t", Partitions: 3, Weights: []float64{8, 1, 1}}},
	}
	plan := assign.NewPlan(g)
	plan.Give("a", "t", 0)
	plan.Give("b", "t", 1)
	plan.Give("b", "t", 2)
	if got := imbalance(g, plan); got != 1 { // one partition alone weighs 8
		t.Errorf("got %v", got)
	}
	plan.Move("t", 1, "a")
	if got := imbalance(g, plan); got != 9.0/8 {
		t.Errorf("got %v", got)
	}
	g.Topics[0].Weights = []float64{0, 0, 0}
	if got := imbalance(g, plan); got != 1 {
		t.Errorf("got %v where nothing weighs anything", got)
	}
}

func TestLoadPoliciesThatMakeNoSenseAreRefused(t *testing.T) {
	weights := func(context.Context, []assign.Topic) (map[string][]float64, error) { return nil, nil }
	for _, p := range []LoadPolicy{{Every: -1}, {Every: time.Second, Looks: -1}, {Every: time.Second, Imbalance: 0.5}} {
		if _, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}, Weights: weights, ReplanOnLoad: p}); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
	if _, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}, ReplanOnLoad: LoadPolicy{Every: time.Second}}); err == nil {
		t.Error("without Weights there is no load")
	}
}

// The looks of a term, without a client: what they find makes plans anew.
func TestALeaderLooksAtTheLoadWhileItsTermLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // what follows is read and written by the looks too
		weights := map[string][]float64{"t": {1, 1, 1, 1}}
		var failing error
		var looks int
		l := newLeader(t, HooksConfig{
			Weights: func(context.Context, []assign.Topic) (map[string][]float64, error) {
				mu.Lock()
				defer mu.Unlock()
				looks++
				return weights, failing
			},
			ReplanOnLoad: LoadPolicy{Every: time.Minute, Looks: 2},
		})
		given := l.round(4, joined("me", l.says()), joined("you", l.says()))
		ctx, cancel := context.WithCancelCause(t.Context())
		watching := make(chan struct{})
		go func() { l.hooks.watchLoad(&term{ctx: ctx, cancel: cancel}); close(watching) }()

		// after lets time pass, with what is set first, and returns when the looks are done.
		after := func(d time.Duration, set func()) {
			mu.Lock()
			set()
			mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
		}
		after(10*time.Minute+time.Second, func() {})
		if l.hooks.anew || looks != 11 { // one in the round
			t.Errorf("replan %v after %d looks at an even load", l.hooks.anew, looks)
		}
		after(2*time.Minute, func() { failing = errors.New("no") })
		if n := len(l.of(EventLoadUnknown)); n != 2 || len(l.of(EventFallback)) > 0 {
			t.Errorf("%d events tell of looks that failed, want 2; %d of rounds", n, len(l.of(EventFallback)))
		}
		heavy := make([]float64, 4)
		for _, p := range given["me"] {
			heavy[p] = 1 // all the load is mine
		}
		after(time.Minute, func() { failing, weights = nil, map[string][]float64{"t": heavy} })
		if l.hooks.anew {
			t.Error("one look is not enough")
		}
		after(time.Minute, func() {})
		if !l.hooks.anew || len(l.hooks.reasons) != 1 {
			t.Errorf("replan %v, reasons %v", l.hooks.anew, l.hooks.reasons)
		}
		cancel(ErrLost)
		<-watching

		var causes []Cause
		l.hooks.cfg.OnPlan = func(_ context.Context, round Round) (assign.Plan, error) {
			causes = round.Causes
			return round.Proposed, nil
		}
		evened := l.round(4, joined("me", l.says(given["me"]...)), joined("you", l.says(given["you"]...)))
		if len(causes) != 1 || causes[0].Kind != CauseForced || causes[0].Detail != "the most loaded member has 2.00 times what it could" {
			t.Errorf("got %v", causes)
		}
		if len(evened["me"]) != 1 {
			t.Errorf("the plan did not follow the load: %v", evened)
		}
	})
}

// Weights that does not heed its context holds up the end of a term no longer than others.
func TestALookAtTheLoadDoesNotHoldUpTheEndOfTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ignores bool
		asked := make(chan context.Context, 1)
		release := make(chan struct{})
		l := newLeader(t, HooksConfig{
			Weights: func(ctx context.Context, _ []assign.Topic) (map[string][]float64, error) {
				if ignores {
					asked <- ctx
					<-release
				}
				return nil, nil
			},
			ReplanOnLoad: LoadPolicy{Every: time.Minute},
		})
		l.round(4, joined("me", l.says()))
		ignores = true
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan time.Time, 1)
		go func() { l.hooks.watchLoad(&term{ctx: ctx, cancel: cancel}); ended <- time.Now() }()
		given := <-asked
		now := time.Now()
		cancel(ErrLost)
		if took := (<-ended).Sub(now); took != 0 {
			t.Errorf("the look went on for %s", took)
		}
		if !errors.Is(context.Cause(given), ErrLost) {
			t.Errorf("the context of Weights ended because: %v", context.Cause(given))
		}
		if told := l.of(EventLoadUnknown); len(told) > 0 {
			t.Errorf("the end of the term is no failure of Weights: %v", told[0].Err)
		}
		close(release)
	})
}
