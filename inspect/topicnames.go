package inspect

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostTopicIDs is how many topics are asked for by ID: what a record names there, a
// broker or a member could have made up.
const mostTopicIDs = 10_000

// topicNames returns the names of topics by the text of their IDs. Those that do not
// exist any more, or may not be seen, are left out; so are all, on brokers that do not
// know topics by ID (before 3.1) or where the request fails.
func (in *Inspector) topicNames(ctx context.Context, ids map[[16]byte]bool) map[string]string {
	resp, err := anyBroker[*kmsg.MetadataResponse](ctx, in, func() kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{}
		for id := range ids {
			if len(req.Topics) == mostTopicIDs {
				break
			}
			topic := kmsg.NewMetadataRequestTopic()
			topic.TopicID = id
			req.Topics = append(req.Topics, topic)
		}
		return req
	})
	names := map[string]string{}
	if err != nil {
		return names
	}
	for _, topic := range resp.Topics {
		if topic.Topic != nil && *topic.Topic != "" && topic.ErrorCode == 0 && ids[topic.TopicID] {
			names[topicID(topic.TopicID)] = *topic.Topic
		}
	}
	return names
}

// renameTopics puts names in place of the text of IDs, and sorts by them.
func renameTopics(list []TopicPartitions, names map[string]string) {
	for i := range list {
		if name, ok := names[list[i].Topic]; ok {
			list[i].Topic = name
		}
	}
	slices.SortFunc(list, func(a, b TopicPartitions) int { return strings.Compare(a.Topic, b.Topic) })
}
