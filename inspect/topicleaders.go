package inspect

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leadersFound are the topics that were asked for, and their leaders.
type leadersFound struct {
	byName map[string]*leadersOfTopic
	// names are those of the topics asked for by ID. One that may not be seen is
	// named by the text of its ID; one that was deleted is left out.
	names map[[16]byte]string
	err   error // why nothing is known
}

// readLeaders asks for topics by name and by ID.
func (in *Inspector) readLeaders(ctx context.Context, names []string, ids map[[16]byte]bool) leadersFound {
	found := leadersFound{byName: make(map[string]*leadersOfTopic, len(names)+len(ids)), names: map[[16]byte]string{}}
	if len(ids) > 0 {
		resp, err := anyBroker[*kmsg.MetadataResponse](ctx, in, func() kmsg.Request {
			req := kmsg.NewPtrMetadataRequest()
			req.Topics = make([]kmsg.MetadataRequestTopic, 0, len(ids))
			for id := range ids {
				topic := kmsg.NewMetadataRequestTopic()
				topic.TopicID = id
				req.Topics = append(req.Topics, topic)
			}
			return req
		})
		if err != nil {
			found.err = err
		} else {
			found.add(resp)
		}
	}
	var missing []string
	for _, name := range names {
		switch {
		case found.byName[name] != nil:
		case !canBeTopic(name):
			// A member made it up. Brokers are not asked for it.
			found.byName[name] = &leadersOfTopic{err: kerr.UnknownTopicOrPartition}
		default:
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return found
	}
	resp, err := in.metadata(ctx, missing)
	if err == nil {
		found.add(resp)
	} else {
		found.err = err
	}
	for _, name := range missing {
		if found.byName[name] == nil {
			if err == nil {
				err = errLeftOut
			}
			found.byName[name] = &leadersOfTopic{err: err}
		}
	}
	return found
}

func (f *leadersFound) add(resp *kmsg.MetadataResponse) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		topic := &leadersOfTopic{err: kerr.ErrorForCode(t.ErrorCode)}
		name := topicID(t.TopicID)
		switch {
		case t.Topic != nil && *t.Topic != "":
			name = *t.Topic
		case topic.err == nil || topic.err == kerr.UnknownTopicID:
			continue // it was deleted
		}
		for _, p := range t.Partitions {
			// Numbers are dense; one made up is not to cost memory.
			if p.Partition < 0 || int(p.Partition) >= len(t.Partitions) {
				continue
			}
			for int(p.Partition) >= len(topic.leaders) {
				topic.leaders = append(topic.leaders, -1)
			}
			topic.leaders[p.Partition] = p.Leader
		}
		f.byName[name] = topic
		f.names[t.TopicID] = name
	}
}

// canBeTopic tells whether a topic can have that name, by the rules of
// org.apache.kafka.common.internals.Topic.
func canBeTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		letterOrDigit := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letterOrDigit && c != '.' && c != '_' && c != '-'
	})
}
