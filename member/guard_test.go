package member

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGuardReturnsWhatTheCallReturns(t *testing.T) {
	failed := errors.New("failed")
	g := &guard{what: "OnPlan"}
	if got, err := guarded(g, time.Minute, func(context.Context) (int, error) { return 3, failed }); got != 3 || !errors.Is(err, failed) {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestGuardCatchesPanics(t *testing.T) {
	g := &guard{what: "OnPlan"}
	_, err := guarded(g, time.Minute, func(context.Context) (int, error) { panic("boom") })
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.In != "OnPlan" || panicked.Value != "boom" || len(panicked.Stack) == 0 {
		t.Errorf("got %#v", err)
	}
	if err.Error() != "OnPlan panicked: boom" {
		t.Errorf("got %q", err)
	}
	_, err = guarded(g, time.Minute, func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
	if !errors.Is(err, errGoexit) {
		t.Errorf("a call that ends its goroutine: got %v", err)
	}
	if _, err = guarded(g, time.Minute, func(context.Context) (int, error) { return 1, nil }); err != nil {
		t.Errorf("the guard must work again: %v", err)
	}
}

func TestGuardDoesNotWaitForOverdueCallsNorRepeatThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{what: "Weights"}
		release := make(chan struct{})
		start := time.Now()
		_, err := guarded(g, 5*time.Second, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			<-release
			return 1, nil
		})
		if time.Since(start) != 5*time.Second || err == nil || !strings.Contains(err.Error(), "Weights was not back after 5s") {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		start = time.Now()
		_, err = guarded(g, 5*time.Second, func(context.Context) (int, error) { panic("not called") })
		if time.Since(start) != 0 || err == nil || !strings.Contains(err.Error(), "not back yet from an earlier round") {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		close(release)
		synctest.Wait()
		if got, err := guarded(g, time.Second, func(context.Context) (int, error) { return 2, nil }); got != 2 || err != nil {
			t.Errorf("once the first call is back: got %d, %v", got, err)
		}
		if _, err := guarded(g, 0, func(context.Context) (int, error) { panic("not called") }); err == nil || !strings.Contains(err.Error(), "no time was left") {
			t.Errorf("got %v", err)
		}
	})
}
