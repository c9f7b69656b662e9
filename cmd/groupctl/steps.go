package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var errAnotherKind = errors.New("the answer is of another kind")

// share gives one step of several a share of the time that is left, so that the steps
// after it have some too.
func share(ctx context.Context, part float64) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(float64(time.Until(deadline))*part))
}

// await returns when ask does, or when ctx ends: the client bounds some of what it does,
// such as greeting a broker, by its own timeouts and not by the context.
func await[T any](ctx context.Context, ask func() (T, error)) (T, error) {
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
		var zero T
		return zero, ctx.Err()
	}
}

// request asks up to three times, each with a share of the time left, as long as no answer
// comes: the client goes on to another broker, so that one that hangs does not take all of
// the time. build makes a request for each time, since one under way is written to.
func request[R kmsg.Response](ctx context.Context, client *kgo.Client, build func() kmsg.Request) (R, error) {
	var resp kmsg.Response
	var err error
	for _, part := range []float64{1.0 / 3, 0.5, 1} {
		once, cancel := share(ctx, part)
		resp, err = await(once, func() (kmsg.Response, error) { return client.Request(once, build()) })
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	return as[R](resp, err)
}

func as[R kmsg.Response](resp kmsg.Response, err error) (R, error) {
	r, ok := resp.(R)
	if err == nil && !ok {
		err = errAnotherKind
	}
	return r, err
}
