package inspect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	minISRName = "min.insync.replicas"
	// configBatch is how many topics go into one DescribeConfigs request.
	configBatch = 1000
)

// topicConfigs are some values of the configuration of topics, as the broker asked
// has them in force.
type topicConfigs struct {
	names   []string
	values  map[string]map[string]string // by topic and name
	reasons *reasons                     // why there are none of a topic
}

// topicConfigs reads the configurations named of the topics, by DescribeConfigs.
func (in *Inspector) topicConfigs(ctx context.Context, topics []string, names ...string) topicConfigs {
	configs := topicConfigs{names: names, values: make(map[string]map[string]string, len(topics)), reasons: newReasons()}
	batches(topics, configBatch, func(batch []string) { in.readConfigs(ctx, batch, configs) })
	return configs
}

func (in *Inspector) readConfigs(ctx context.Context, topics []string, configs topicConfigs) {
	resp, err := anyBroker[*kmsg.DescribeConfigsResponse](ctx, in, func() kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		for _, topic := range topics {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
			resource.ConfigNames = configs.names
			req.Resources = append(req.Resources, resource)
		}
		return req
	})
	failed := map[string]error{}
	if err == nil {
		for i := range resp.Resources {
			resource := &resp.Resources[i]
			values, err := configs.from(resource)
			if err != nil {
				failed[resource.ResourceName] = err
			} else {
				configs.values[resource.ResourceName] = values
			}
		}
		err = errLeftOut
	}
	for _, topic := range topics {
		if configs.values[topic] != nil {
			continue
		}
		if failed[topic] == nil {
			failed[topic] = err
		}
		configs.reasons.add(topic, failed[topic])
	}
}

// from takes what was asked for, and refuses what cannot be a value of it. Servers that
// are not Kafka may lack one or the other.
func (c topicConfigs) from(resource *kmsg.DescribeConfigsResponseResource) (map[string]string, error) {
	if err := kerr.ErrorForCode(resource.ErrorCode); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(c.names))
	for _, name := range c.names {
		for _, config := range resource.Configs {
			if config.Name != name || config.Value == nil {
				continue
			}
			if _, err := strconv.ParseInt(*config.Value, 10, 32); err != nil && name == minISRName {
				return nil, fmt.Errorf("the broker gives it as %.20q", *config.Value)
			}
			values[name] = *config.Value
		}
	}
	if len(values) == 0 {
		return nil, errLeftOut
	}
	return values, nil
}

func (c topicConfigs) value(topic, name string) (string, bool) {
	value, ok := c.values[topic][name]
	return value, ok
}

func (c topicConfigs) number(topic, name string) (int32, bool) {
	value, ok := c.value(topic, name)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(value, 10, 32)
	return int32(number), err == nil
}

// problems are one for each reason why values are missing. so is what follows from
// that, beginning with "so".
func (c topicConfigs) problems(so string) []Problem {
	return c.reasons.problems(func(err error, which, target string) Problem {
		return problemFrom(err, target, fmt.Sprintf("read %s of %s, %s", strings.Join(c.names, " and "), which, so), "DESCRIBE_CONFIGS on each such topic")
	})
}
