package member

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// termFor returns a term that is on, for so long.
func termFor(t *testing.T, lasts time.Duration) *term {
	t.Helper()
	term := &term{lease: newLease(settings{session: 100 * time.Hour, rebalance: 100 * time.Hour}, time.Now())}
	term.ctx, term.cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(lasts, func() { term.cancel(ErrLost) })
	return term
}

func TestWhatLeadReturnsDecidesWhetherItRunsAgain(t *testing.T) {
	no := errors.New("no")
	for name, c := range map[string]struct {
		lead func() error
		told EventKind
		err  error
	}{
		"nil":               {func() error { return nil }, EventLeadFailed, errTermGoesOn},
		"an error":          {func() error { return no }, EventLeadFailed, no},
		"another context's": {func() error { return context.Canceled }, EventLeadFailed, context.Canceled},
		"Goexit":            {func() error { runtime.Goexit(); return nil }, EventLeadFailed, errGoexit},
		"a panic":           {func() error { panic(ErrTermDone) }, EventLeadFailed, nil},
		"done":              {func() error { return ErrTermDone }, EventLeadDone, ErrTermDone},
		"done, wrapped":     {func() error { return fmt.Errorf("nothing is left to compact: %w", ErrTermDone) }, EventLeadDone, ErrTermDone},
		"done, joined":      {func() error { return errors.Join(no, ErrTermDone) }, EventLeadDone, ErrTermDone},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				var told []Event
				termFor(t, 2*time.Second).work(func(context.Context, Term) error { calls++; return c.lead() }, func(e Event) { told = append(told, e) })
				want := map[EventKind]int{EventLeadFailed: 2, EventLeadDone: 1}[c.told] // at 0 s and at 1 s; or once
				if calls != want || len(told) != want {
					t.Fatalf("%d calls and %d events, want %d of each", calls, len(told), want)
				}
				for _, e := range told {
					if e.Kind != c.told || c.err != nil && !errors.Is(e.Err, c.err) {
						t.Errorf("told of %s, because of %v", e.Kind, e.Err)
					}
				}
			})
		})
	}
}

func TestWhatLeadReturnsOnceItsTermIsOverIsNotTold(t *testing.T) {
	for name, result := range map[string]func(context.Context) error{
		"nil":           func(context.Context) error { return nil },
		"ctx.Err":       context.Context.Err,
		"context.Cause": context.Cause,
		"an error":      func(context.Context) error { return errors.New("no") },
		"done":          func(context.Context) error { return ErrTermDone },
		"a panic":       func(context.Context) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				termFor(t, time.Minute).work(func(ctx context.Context, _ Term) error {
					calls++
					<-ctx.Done()
					return result(ctx)
				}, func(e Event) { t.Errorf("told of %s, because of %v", e.Kind, e.Err) })
				if calls != 1 {
					t.Errorf("%d calls", calls)
				}

				// The lease has run out, as in a process that was stopped, and Done is not closed yet.
				late := termFor(t, 100*time.Hour)
				late.work(func(ctx context.Context, _ Term) error {
					calls++
					time.Sleep(95 * time.Hour)
					if late.ctx.Err() != nil || ctx.Err() == nil {
						t.Error("the lease is not what ended the term")
					}
					return nil
				}, func(e Event) { t.Errorf("told of %s, because of %v", e.Kind, e.Err) })
				if calls != 2 {
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

func TestLeadThatReturnsEarlyRunsAgainAfterLongerAndLongerWaitsInTheSameTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		one := termFor(t, 95*time.Second) // in the wait from 92 s to 96 s
		one.Term = Term{Group: "g", Member: "m", Generation: 7}
		var starts []time.Duration
		one.work(func(_ context.Context, term Term) error {
			if term.Fence() != (Fence{"g", "m", 7}) {
				t.Errorf("under %v", term.Fence())
			}
			starts = append(starts, time.Since(began))
			if len(starts) == 6 {
				time.Sleep(58 * time.Second) // well for long, then back all the same
			}
			return nil
		}, func(Event) {})
		s := time.Second
		if want := []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 90 * s, 92 * s}; !slices.Equal(starts, want) {
			t.Errorf("began at %v, want %v", starts, want)
		}
		if took := time.Since(began); took != 95*s {
			t.Errorf("the wait for the next call ended after %s, want it to end with the term", took)
		}
	})
}
