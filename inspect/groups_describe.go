package inspect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// describeBatch is how many groups go into one request.
	describeBatch = 500
	// describeRounds is how often a group is looked for where its coordinator
	// has moved or is still loading it, and describePause the time between.
	describeRounds = 4
	describePause  = 250 * time.Millisecond
	// brokersAtOnce is how many brokers are asked at a time.
	brokersAtOnce = 16
)

var errLeftOut = errors.New("the broker's answer leaves it out")

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
	var network net.Error
	_, isKafka := errors.AsType[*kerr.Error](err)
	if err == nil || isKafka || ctx.Err() != nil || errors.As(err, &network) || kgo.IsRetryableBrokerErr(err) {
		return err
	}
	resp, asked := oneBroker[*kmsg.ApiVersionsResponse](ctx, in, node, versionsRequest())
	if asked == nil && !lists(resp, key) {
		return fmt.Errorf("%w: %w", kerr.UnsupportedVersion, err)
	}
	return err
}

// describeAs describes groups as one type, each by its coordinator. The answer
// has every group. Brokers are asked next to each other, so that one that hangs
// takes the others no time.
func (in *Inspector) describeAs(ctx context.Context, groupType string, groups []string) map[string]described {
	all := make(map[string]described, len(groups))
	for round := 0; len(groups) > 0; round++ {
		for _, d := range in.describeOnce(ctx, groupType, groups) {
			all[d.name] = d
		}
		var moved []string
		for _, group := range groups {
			if coordinatorMoved(all[group].err) {
				moved = append(moved, group)
			}
		}
		groups = moved
		if len(groups) > 0 && (round+1 == describeRounds || !pause(ctx, describePause)) {
			break
		}
	}
	return all
}

func coordinatorMoved(err error) bool {
	return errors.Is(err, kerr.NotCoordinator) || errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress)
}

// describeOnce returns one answer for each group.
func (in *Inspector) describeOnce(ctx context.Context, groupType string, groups []string) []described {
	var all []described
	byNode := map[int32][]string{}
	named := in.findCoordinators(ctx, groups)
	for _, group := range groups {
		if c := named[group]; c.problem != nil {
			all = append(all, described{name: group, err: c.problem.Cause})
		} else {
			byNode[*c.node] = append(byNode[*c.node], group)
		}
	}
	nodes := sortedKeys(byNode)
	results := make([][]described, len(nodes))
	slots := make(chan struct{}, brokersAtOnce)
	var asking sync.WaitGroup
	for i, node := range nodes {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			batches(byNode[node], describeBatch, func(batch []string) {
				results[i] = append(results[i], in.describeOn(ctx, node, groupType, batch)...)
			})
		})
	}
	asking.Wait()
	for _, result := range results {
		all = append(all, result...)
	}
	return all
}

func (in *Inspector) describeOn(ctx context.Context, node int32, groupType string, groups []string) []described {
	req := describeRequest(groupType, groups)
	resp, err := oneBroker[kmsg.Response](ctx, in, node, req)
	err = in.unsupportedAs(ctx, node, req.Key(), err)
	answered := map[string]described{}
	if err == nil {
		err = errLeftOut
		for _, d := range readDescriptions(resp, node) {
			answered[d.name] = d
		}
	}
	all := make([]described, 0, len(groups))
	for _, group := range groups {
		d, ok := answered[group]
		if !ok {
			d = described{name: group, err: err}
		}
		all = append(all, d)
	}
	return all
}
