package inspect

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const offsetsTopicName = "__consumer_offsets"

// metadata asks any broker for the named topics; nil asks for all of them, and
// an empty slice for none.
//
// It is a request of its own, because the cached ways of kgo and kadm may show
// leaders of some seconds ago. It never lets the broker create a topic.
func (in *Inspector) metadata(ctx context.Context, topics []string) (*kmsg.MetadataResponse, error) {
	return anyBroker[*kmsg.MetadataResponse](ctx, in, func() kmsg.Request { return metadataRequest(topics) })
}

func metadataRequest(topics []string) kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	if topics != nil {
		req.Topics = make([]kmsg.MetadataRequestTopic, 0, len(topics))
	}
	for _, topic := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, rt)
	}
	return req
}

// offsetsTopic is __consumer_offsets as the brokers show it.
type offsetsTopic struct {
	id         [16]byte
	partitions map[int32]kmsg.MetadataResponseTopicPartition
	count      *int32 // nil if not known
	absent     bool
	hidden     bool     // for want of an ACL, so it may be absent as well
	problem    *Problem // why count is nil
}

// mayBeAbsent says whether asking for a coordinator could create the topic.
func (t *offsetsTopic) mayBeAbsent() bool { return t.absent || t.hidden }

func (t *offsetsTopic) partitionOf(group string) *int32 {
	if t.count == nil {
		return nil
	}
	partition := OffsetsPartition(group, *t.count)
	return &partition
}

func (t *offsetsTopic) leaderOf(partition int32) *int32 {
	p, ok := t.partitions[partition]
	if !ok {
		return nil
	}
	return known(p.Leader)
}

// offsetsTopic reads the topic without creating it, and the cluster's ID.
func (in *Inspector) offsetsTopic(ctx context.Context) (*offsetsTopic, *string, error) {
	resp, err := in.metadata(ctx, []string{offsetsTopicName})
	if err != nil {
		return nil, nil, err
	}
	return offsetsTopicFrom(resp), resp.ClusterID, nil
}

func offsetsTopicFrom(resp *kmsg.MetadataResponse) *offsetsTopic {
	topic := &offsetsTopic{partitions: map[int32]kmsg.MetadataResponseTopicPartition{}}
	code := kerr.UnknownTopicOrPartition.Code
	for _, rt := range resp.Topics {
		if rt.Topic == nil || *rt.Topic != offsetsTopicName {
			continue
		}
		code = rt.ErrorCode
		topic.id = rt.TopicID
		for _, p := range rt.Partitions {
			topic.partitions[p.Partition] = p
		}
	}
	switch err := kerr.ErrorForCode(code); {
	case err == kerr.UnknownTopicOrPartition:
		topic.absent = true
		topic.problem = &Problem{
			Code: CodeOffsetsTopicAbsent, Target: offsetsTopicName, Cause: err,
			Message: "the topic __consumer_offsets does not exist yet; the brokers create it when the first consumer asks for its coordinator",
		}
	case err != nil:
		p := problemFrom(err, offsetsTopicName, "read how many partitions __consumer_offsets has", "DESCRIBE on the topic __consumer_offsets")
		topic.hidden = p.Code == CodeNotAuthorized
		topic.problem = &p
	case len(topic.partitions) == 0:
		topic.problem = &Problem{
			Code: CodeRequestFailed, Target: offsetsTopicName,
			Message: "the broker shows __consumer_offsets without partitions",
		}
	default:
		count := int32(len(topic.partitions))
		topic.count = &count
	}
	return topic
}
