package inspect

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/internal/exchange"
)

// lacksRequest says whether err is that a broker does not know a request. The client
// refuses to send such a request itself, with an error that is not exported, so the
// brokers' own lists are asked.
func (in *Inspector) lacksRequest(ctx context.Context, key int16, err error) bool {
	if err == nil || errors.Is(err, kerr.UnsupportedVersion) {
		return err != nil
	}
	if _, isKafka := errors.AsType[*kerr.Error](err); isKafka || ctx.Err() != nil {
		return false
	}
	return !in.knows(ctx, key)
}

// knows says whether all brokers list the request, as far as that can be found out.
// While a cluster is upgraded, or migrates to KRaft, some do and some do not, and the
// client does not say which it took.
func (in *Inspector) knows(ctx context.Context, key int16) bool {
	ctx, cancel := step(ctx, 1)
	defer cancel()
	brokers := in.client.DiscoveredBrokers()
	answers := make(chan bool, len(brokers))
	tokens := make(chan struct{}, versionsAsked)
	for _, broker := range brokers {
		go func() {
			tokens <- struct{}{}
			defer func() { <-tokens }()
			resp, err := exchange.Await(ctx, func() (kmsg.Response, error) { return broker.RetriableRequest(ctx, versionsRequest()) })
			versions, err := as[*kmsg.ApiVersionsResponse](resp, err)
			answers <- err != nil || lists(versions, key)
		}()
	}
	all := true
	for range brokers {
		if !<-answers {
			all = false
			cancel() // one is enough
		}
	}
	return all
}

// versionsAsked is how many brokers are asked at once for what they know.
const versionsAsked = 16

// versionsRequest asks a broker what it knows. Since v3 brokers refuse those who
// do not say which software they are (KIP-511).
func versionsRequest() kmsg.Request {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "groupkit", "1"
	return req
}

// lists says whether an answer has the request; true if it does not tell.
func lists(versions *kmsg.ApiVersionsResponse, key int16) bool {
	return versions.ErrorCode != 0 || slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == key })
}
