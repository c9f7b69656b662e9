package inspect

import (
	"context"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/internal/exchange"
)

var errAnotherKind = errors.New("the answer is of another kind")

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
		value, err = exchange.Await(once, func() (T, error) { return ask(once) })
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
// comes to, or it does not go on to another, as where an answer does not decode. Those
// that it knows are then asked one after the other, each with half of the time that is
// left.
func anyBroker[R kmsg.Response](ctx context.Context, in *Inspector, build func() kmsg.Request) (R, error) {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	resp, err := attempts(ctx, func(ctx context.Context) (kmsg.Response, error) {
		return in.client.Request(ctx, build())
	})
	if !isOfOneBroker(err) {
		return as[R](resp, err)
	}
	brokers := in.client.DiscoveredBrokers()
	if seeds := in.client.SeedBrokers(); len(brokers) == 0 && len(seeds) > 1 {
		brokers = seeds
	}
	for _, broker := range brokers {
		once, cancel := step(ctx, 0.5)
		resp, another := exchange.Await(once, func() (kmsg.Response, error) { return broker.Request(once, build()) })
		cancel()
		if !isOfOneBroker(another) && !errors.Is(another, context.DeadlineExceeded) || ctx.Err() != nil {
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

// isOfOneBroker says whether it may be the broker asked alone that fails so.
func isOfOneBroker(err error) bool {
	_, isFirstRead := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return isFirstRead || isConnection(err) || exchange.IsUnreadable(err)
}

// lookupsAgain is how often it is asked again what does not decode.
const lookupsAgain = 2

// oneBroker sends a request to one broker, and again if the connection breaks. A broker
// that the client does not know it looks up at any other, whose answer may be the one that
// does not decode: then it is asked for again.
func oneBroker[R kmsg.Response](ctx context.Context, in *Inspector, node int32, req kmsg.Request) (R, error) {
	var resp kmsg.Response
	var err error
	for range 1 + lookupsAgain {
		resp, err = exchange.Await(ctx, func() (kmsg.Response, error) {
			return in.client.Broker(int(node)).RetriableRequest(ctx, req)
		})
		if !isOfOneBroker(err) || isConnection(err) || ctx.Err() != nil {
			break // the client itself has tried again where the connection broke
		}
	}
	r, err := as[R](resp, err)
	if err != nil {
		err = brokerError{node, err}
	}
	return r, err
}

func as[R kmsg.Response](resp kmsg.Response, err error) (R, error) {
	r, ok := resp.(R)
	if err == nil && !ok {
		err = errAnotherKind
	}
	return r, err
}
