package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/internal/exchange"
)

// described is what came of describing one group as one type.
type described struct {
	name     string
	group    *Group
	warnings []Problem
	// err is kerr.GroupIDNotFound if there is none of that type, and
	// kerr.UnsupportedVersion if the broker has no groups of that type.
	err error
}

// groupTypes are the types of groups, in the order in which to look for one of
// a type that is not known: most groups are classic.
func groupTypes() []string {
	return []string{typeClassic, typeConsumer, typeShare, typeStreams}
}

func describeRequest(groupType string, groups []string) kmsg.Request {
	switch groupType {
	case typeConsumer:
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = groups
		return req
	case typeShare:
		req := kmsg.NewPtrShareGroupDescribeRequest()
		req.GroupIDs = groups
		return req
	case typeStreams:
		req := kmsg.NewPtrStreamsGroupDescribeRequest()
		req.Groups = groups
		return req
	}
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = groups
	return req
}

func readDescriptions(resp kmsg.Response, node int32) []described {
	switch resp := resp.(type) {
	case *kmsg.DescribeGroupsResponse:
		return classicGroups(resp, node)
	case *kmsg.ConsumerGroupDescribeResponse:
		return consumerGroups(resp, node)
	case *kmsg.ShareGroupDescribeResponse:
		return shareGroups(resp, node)
	case *kmsg.StreamsGroupDescribeResponse:
		return streamsGroups(resp, node)
	}
	return nil
}

// unsupportedAs gives a request that a broker does not know Kafka's own error for
// that: the client refuses to send it, with an error that is not exported.
func (in *Inspector) unsupportedAs(ctx context.Context, node int32, key int16, err error) error {
	if !mayLack(err) || ctx.Err() != nil {
		return err
	}
	resp, asked := oneBroker[*kmsg.ApiVersionsResponse](ctx, in, node, versionsRequest())
	if asked == nil && !lists(resp, key) {
		return fmt.Errorf("%w: %w", kerr.UnsupportedVersion, err)
	}
	return err
}

// mayLack says whether an error may be that of a request which the broker does not know.
func mayLack(err error) bool {
	var network net.Error
	_, isKafka := errors.AsType[*kerr.Error](err)
	return err != nil && !isKafka && !errors.As(err, &network) && !kgo.IsRetryableBrokerErr(err) && !exchange.IsUnreadable(err)
}

// describeAs describes groups as one type, each by its coordinator. The answer has
// every group.
func (in *Inspector) describeAs(ctx context.Context, groupType string, groups []string, at map[string]int32) map[string]described {
	answers := askCoordinators(ctx, in, groups, at, func(ctx context.Context, node int32, batch []string) (map[string]ofGroup[described], error) {
		req := describeRequest(groupType, batch)
		resp, err := oneBroker[kmsg.Response](ctx, in, node, req)
		if err = in.unsupportedAs(ctx, node, req.Key(), err); err != nil {
			return nil, err
		}
		answered := make(map[string]ofGroup[described], len(batch))
		for _, d := range readDescriptions(resp, node) {
			answered[d.name] = ofGroup[described]{value: d, err: d.err}
		}
		return answered, nil
	})
	all := make(map[string]described, len(groups))
	for _, group := range groups {
		d := answers[group].value
		d.name, d.err = group, answers[group].err
		all[group] = d
	}
	return all
}
