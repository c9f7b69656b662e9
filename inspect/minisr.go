package inspect

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	minISRName = "min.insync.replicas"
	// configBatch is how many topics go into one DescribeConfigs request.
	configBatch = 1000
)

// addMinISR reads min.insync.replicas of each topic that there are rows of, and
// judges the rows by it. Where it cannot be read, rows stay as they are, and there
// is one problem for each reason.
func (in *Inspector) addMinISR(ctx context.Context, rows []Partition) []Problem {
	var topics []string
	for i, row := range rows {
		if i == 0 || row.Topic != rows[i-1].Topic {
			topics = append(topics, row.Topic)
		}
	}
	least := make(map[string]*int32, len(topics))
	reasons := newReasons()
	batches(topics, configBatch, func(batch []string) { in.readMinISR(ctx, batch, least, reasons) })
	for i := range rows {
		row := &rows[i]
		if row.MinISR = least[row.Topic]; row.MinISR != nil {
			under := len(row.ISR) < min(int(*row.MinISR), len(row.Replicas))
			row.UnderMinISR = &under
		}
	}
	return reasons.problems(func(err error, which, target string) Problem {
		return problemFrom(err, target, fmt.Sprintf("read %s of %s, so whether too few replicas are in sync is not known", minISRName, which), "DESCRIBE_CONFIGS on each such topic")
	})
}

func (in *Inspector) readMinISR(ctx context.Context, topics []string, found map[string]*int32, reasons *reasons) {
	resp, err := anyBroker[*kmsg.DescribeConfigsResponse](ctx, in, func() kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		for _, topic := range topics {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
			resource.ConfigNames = []string{minISRName}
			req.Resources = append(req.Resources, resource)
		}
		return req
	})
	failed := map[string]error{}
	if err == nil {
		for _, resource := range resp.Resources {
			value, err := minISROf(resource)
			if err != nil {
				failed[resource.ResourceName] = err
			} else {
				found[resource.ResourceName] = &value
			}
		}
		err = errLeftOut
	}
	for _, topic := range topics {
		if _, ok := found[topic]; ok {
			continue
		}
		if failed[topic] == nil {
			failed[topic] = err
		}
		reasons.add(topic, failed[topic])
	}
}

func minISROf(resource kmsg.DescribeConfigsResponseResource) (int32, error) {
	if err := kerr.ErrorForCode(resource.ErrorCode); err != nil {
		return 0, err
	}
	for _, config := range resource.Configs {
		if config.Name != minISRName || config.Value == nil {
			continue
		}
		value, err := strconv.ParseInt(*config.Value, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("the broker gives it as %.20q", *config.Value)
		}
		return int32(value), nil
	}
	return 0, errLeftOut
}
