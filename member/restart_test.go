package member

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkThatFailsIsCalledAgainAfterLongerAndLongerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var starts, waits []time.Duration
		var errs []error
		began := time.Now()
		restarting(ctx, "Lead", func() error {
			starts = append(starts, time.Since(began))
			switch len(starts) {
			case 1:
				return errors.New("no")
			case 2:
				panic("boom")
			case 3:
				runtime.Goexit()
			case 8:
				time.Sleep(time.Minute) // well for long, then a failure
			case 10:
				cancel()
			}
			return errors.New("no")
		}, func(err error, wait time.Duration) {
			errs, waits = append(errs, err), append(waits, wait)
		})
		s := time.Second
		if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, s, 2 * s}; !slices.Equal(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
		if want := []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 61 * s, 91 * s, 152 * s, 154 * s}; !slices.Equal(starts, want) {
			t.Errorf("began at %v, want %v", starts, want)
		}
		var panicked *PanicError
		if !errors.As(errs[1], &panicked) || panicked.In != "Lead" || !errors.Is(errs[2], errGoexit) {
			t.Errorf("got %v", errs)
		}
	})
}

func TestWorkThatIsDoneOrWhoseTermEndedIsNotCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		restarting(t.Context(), "Lead", func() error { calls++; return nil }, func(err error, _ time.Duration) { t.Error(err) })
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(2*time.Second, cancel) // in the wait after the second call, at 1 s
		restarting(ctx, "Lead", func() error { calls++; return errors.New("no") }, func(error, time.Duration) {})
		if calls != 3 || time.Since(began) != 2*time.Second {
			t.Errorf("%d calls, and %s until the wait was over", calls, time.Since(began))
		}
	})
}
