package member

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// A PanicError is a panic in code that was given to this package, caught.
type PanicError struct {
	In    string // the code that panicked, by the name that it is set by: "OnPlan", "Backoff"; "the assignor", "the handler"
	Value any    // what it panicked with
	Stack []byte
}

// Error does not hold the stack, which is for logs.
func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.In, e.Value) }

// A guard calls one piece of the user's code, in one call at a time.
type guard struct {
	what string // for errors: "OnPlan"
	busy atomic.Bool
}

// guarded calls f on a goroutine of its own and returns its result, or an error when
// it panics or is not back within the limit. Then ctx is cancelled and the call
// lingers until it returns by itself, for Go cannot end it; its result is dropped,
// and until then further calls fail at once.
func guarded[T any](g *guard, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	return guardedIn(context.Background(), g, limit, f)
}

// guardedIn is guarded, and waits no longer than parent goes on either.
func guardedIn[T any](parent context.Context, g *guard, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	var zero T
	if limit <= 0 {
		return zero, fmt.Errorf("%s was not called, because no time was left in this round; make the steps before it faster or raise PlanTimeout", g.what)
	}
	if !g.busy.CompareAndSwap(false, true) {
		return zero, fmt.Errorf("%s is not back yet from an earlier round; have it return, for nothing else can end it", g.what)
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: fmt.Errorf("%s did not return: %w", g.what, errGoexit)}
		defer func() {
			if p := recover(); p != nil {
				r = result{zero, &PanicError{g.what, p, debug.Stack()}}
			}
			g.busy.Store(false)
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-parent.Done():
		return zero, fmt.Errorf("%s is not waited for any longer: %w", g.what, context.Cause(parent))
	case <-ctx.Done():
		return zero, fmt.Errorf("%s was not back after %s; make it faster or raise PlanTimeout", g.what, limit.Round(time.Millisecond))
	}
}
