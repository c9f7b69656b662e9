package inspect

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lacksRequest says whether err is that the brokers do not know a request. The client
// refuses to send such a request itself, with an error that is not exported, so the
// brokers' own list is asked.
func (in *Inspector) lacksRequest(ctx context.Context, key int16, err error) bool {
	if err == nil || errors.Is(err, kerr.UnsupportedVersion) {
		return err != nil
	}
	if _, isKafka := errors.AsType[*kerr.Error](err); isKafka || ctx.Err() != nil {
		return false
	}
	return !in.knows(ctx, key)
}

// knows says whether a broker lists the request; true if that cannot be found
// out either.
func (in *Inspector) knows(ctx context.Context, key int16) bool {
	resp, err := anyBroker[*kmsg.ApiVersionsResponse](ctx, in, versionsRequest)
	return err != nil || lists(resp, key)
}

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
