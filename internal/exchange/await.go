// Package exchange waits for brokers' answers, for packages inspect and act.
package exchange

import (
	"context"
	"time"
)

// grace is how long a request that its context ended may take to say more about
// why it failed than that the time is over.
const grace = 50 * time.Millisecond

// Await returns when ask does, or soon after ctx ends. The client bounds some of
// what it does, such as greeting a broker, by its own timeouts and not by the
// context; then ask is left to run into those, and its result is dropped.
func Await[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := ask()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case r := <-results:
		return r.value, r.err
	case <-timer.C:
		var zero T
		return zero, ctx.Err()
	}
}
