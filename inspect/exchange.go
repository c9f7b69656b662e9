package inspect

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// grace is how long a request that its context ended may take to say more about
// why it failed than that the time is over.
const grace = 50 * time.Millisecond

var errAnotherKind = errors.New("the answer is of another kind")

// await returns when ask does, or soon after ctx ends. The client bounds some of
// what it does, such as greeting a broker, by its own timeouts and not by the
// context; then ask is left to run into those, and its result is dropped.
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

// attempts is one step: it asks up to three times, each with a share of the time
// left, as long as no answer comes. The client goes on to another broker each time, so one
// that hangs does not take all of the time. ask must not share a request between
// calls: one that is still under way writes to its own.
func attempts[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	var value T
	var err error
	for _, share := range []float64{1.0 / 3, 0.5, 1} {
		once, cancel := step(ctx, share)
		value, err = await(once, func() (T, error) { return ask(once) })
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	return value, err
}

// anyBroker sends the request that build makes to any broker, or where the
// client sends such requests.
//
// The client chooses brokers by chance, and several that are down may be all that it
// comes to. Those that it knows are then asked one after the other, each with half of
// the time that is left.
func anyBroker[R kmsg.Response](ctx context.Context, in *Inspector, build func() kmsg.Request) (R, error) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	resp, err := attempts(ctx, func(ctx context.Context) (kmsg.Response, error) {
		return in.client.Request(ctx, build())
	})
	if !isConnection(err) {
		return as[R](resp, err)
	}
	for _, broker := range in.client.DiscoveredBrokers() {
		once, cancel := step(ctx, 0.5)
		resp, another := await(once, func() (kmsg.Response, error) { return broker.Request(once, build()) })
		cancel()
		if !isConnection(another) && !errors.Is(another, context.DeadlineExceeded) || ctx.Err() != nil {
			return as[R](resp, another)
		}
	}
	return as[R](resp, err)
}

// isConnection says whether a broker could not be reached, or was lost before it
// answered.
func isConnection(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || kgo.IsRetryableBrokerErr(err)
}

// oneBroker sends a request to one broker, and again if the connection breaks.
func oneBroker[R kmsg.Response](ctx context.Context, in *Inspector, node int32, req kmsg.Request) (R, error) {
	resp, err := await(ctx, func() (kmsg.Response, error) {
		return in.client.Broker(int(node)).RetriableRequest(ctx, req)
	})
	return as[R](resp, err)
}

func as[R kmsg.Response](resp kmsg.Response, err error) (R, error) {
	r, ok := resp.(R)
	if err == nil && !ok {
		err = errAnotherKind
	}
	return r, err
}
