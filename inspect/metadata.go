package inspect

import (
	"context"
	"fmt"

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
	resp, err := anyBroker[*kmsg.MetadataResponse](ctx, in, func() kmsg.Request { return metadataRequest(topics) })
	if err == nil {
		err = tooManyBrokers(resp)
	}
	return resp, err
}

// mostBrokers bounds the brokers that are believed in, as each may be asked on a goroutine
// of its own. Kafka is made for some hundreds.
const mostBrokers = 10_000

// tooManyBrokers refuses an answer that no cluster gives.
func tooManyBrokers(resp *kmsg.MetadataResponse) error {
	if n := len(resp.Brokers); n > mostBrokers {
		return fmt.Errorf("the answer tells of %d brokers, more than a cluster can have", n)
	}
	return nil
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

// stateTopic is an internal topic in which coordinators keep their state, as the brokers
// show it.
type stateTopic struct {
	kind       coordinatorKind
	id         [16]byte
	partitions map[int32]kmsg.MetadataResponseTopicPartition
	count      *int32 // nil if not known
	absent     bool
	concealed  bool     // absent by what the brokers show, and there are groups
	hidden     bool     // for want of an ACL, so it may be absent as well
	problem    *Problem // why count is nil
}

// offsetsTopic is __consumer_offsets, the one of groups.
type offsetsTopic = stateTopic

// mayBeAbsent says whether asking for a coordinator could create the topic.
func (t *stateTopic) mayBeAbsent() bool { return t.absent || t.hidden }

func (t *stateTopic) partitionOf(name string) *int32 {
	if t.count == nil {
		return nil
	}
	partition := OffsetsPartition(name, *t.count)
	return &partition
}

func (t *stateTopic) leaderOf(partition int32) *int32 {
	p, ok := t.partitions[partition]
	if !ok {
		return nil
	}
	return known(p.Leader)
}

// tellConcealed takes the groups that brokers listed after t was read. Where there is one
// there is __consumer_offsets: it was created since, which a second look shows, or a server
// does not let it be seen, as some that are hosted do, or keeps groups elsewhere. Kafka says
// so by an error of its own. What could create the topic is not done all the same, for groups
// may outlast it for a moment.
func (in *Inspector) tellConcealed(ctx context.Context, t *stateTopic, groups map[string]listedGroup) {
	if !t.absent || len(groups) == 0 || t.concealed {
		return
	}
	ctx, cancel := step(ctx, 0.5)
	defer cancel()
	if again, _, err := in.stateTopic(ctx, t.kind); err == nil && !again.absent {
		*t = *again
		return
	}
	t.concealed = true
	t.problem = &Problem{
		Code: CodeOffsetsTopicConcealed, Target: t.kind.topic, Cause: t.problem.Cause,
		Message: fmt.Sprintf("the brokers list groups and show no topic %s, which is where Kafka keeps them: it may not be seen by this user, for want of DESCRIBE on it or because the service hides it, or these servers keep groups elsewhere", t.kind.topic),
	}
}

// lookForGroups finds out whether a topic that is not shown exists nevertheless.
func (in *Inspector) lookForGroups(ctx context.Context, topic *stateTopic, brokers []kmsg.MetadataResponseBroker) {
	if topic.absent && topic.kind.topic == offsetsTopicName {
		ctx, cancel := step(ctx, 0.5)
		defer cancel()
		listing, stop := step(ctx, 0.8)
		groups := in.listGroups(listing, brokers, nil).groups
		stop()
		in.tellConcealed(ctx, topic, groups)
	}
}

// offsetsTopic reads __consumer_offsets without creating it, and the cluster's ID.
func (in *Inspector) offsetsTopic(ctx context.Context) (*offsetsTopic, *string, error) {
	return in.stateTopic(ctx, ofGroups)
}

// offsetsTopicAndBrokers reads the same, and who is live.
func (in *Inspector) offsetsTopicAndBrokers(ctx context.Context) (*offsetsTopic, *kmsg.MetadataResponse, error) {
	resp, err := in.metadata(ctx, []string{offsetsTopicName})
	if err != nil {
		return nil, nil, err
	}
	return offsetsTopicFrom(resp), resp, nil
}

func (in *Inspector) stateTopic(ctx context.Context, kind coordinatorKind) (*stateTopic, *string, error) {
	resp, err := in.metadata(ctx, []string{kind.topic})
	if err != nil {
		return nil, nil, err
	}
	return stateTopicFrom(resp, kind), resp.ClusterID, nil
}

func offsetsTopicFrom(resp *kmsg.MetadataResponse) *offsetsTopic {
	return stateTopicFrom(resp, ofGroups)
}

func stateTopicFrom(resp *kmsg.MetadataResponse, kind coordinatorKind) *stateTopic {
	topic := &stateTopic{kind: kind, partitions: map[int32]kmsg.MetadataResponseTopicPartition{}}
	code := kerr.UnknownTopicOrPartition.Code
	for _, rt := range resp.Topics {
		if rt.Topic == nil || *rt.Topic != kind.topic {
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
			Code: kind.absent, Target: kind.topic, Cause: err,
			Message: fmt.Sprintf("the topic %s does not exist yet; the brokers create it when %s asks for its coordinator", kind.topic, kind.first),
		}
	case err != nil:
		p := problemFrom(err, kind.topic, "read how many partitions "+kind.topic+" has", "DESCRIBE on the topic "+kind.topic)
		topic.hidden = p.Code == CodeNotAuthorized
		topic.problem = &p
	case len(topic.partitions) == 0:
		topic.problem = &Problem{
			Code: CodeRequestFailed, Target: kind.topic,
			Message: "the broker shows " + kind.topic + " without partitions",
		}
	default:
		count := int32(len(topic.partitions))
		topic.count = &count
	}
	return topic
}
