package inspect

import (
	"context"
	"time"
)

// longestStep bounds a step of a context without a deadline.
const longestStep = 30 * time.Second

// step gives one step of several a share of the time that is left, so that the
// steps after it have some too.
func step(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	limit := longestStep
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Duration(float64(time.Until(deadline))*share))
	}
	return context.WithTimeout(ctx, limit)
}

// pause waits, and says whether ctx is still alive.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// batches calls each with slices of names of at most size.
func batches(names []string, size int, each func([]string)) {
	for len(names) > 0 {
		n := min(size, len(names))
		each(names[:n])
		names = names[n:]
	}
}

// known returns nil for the negative numbers by which Kafka says "unknown".
func known[T int32 | int64](n T) *T {
	if n < 0 {
		return nil
	}
	return &n
}

// nonEmpty returns nil for the empty strings by which Kafka says "unknown".
func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
