package inspect

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareKey is the name by which Kafka places the coordinator of one partition of a share
// group: "group:topicId:partition", with the topic's id in base64 as Kafka writes UUIDs
// (SharePartitionKey.asCoordinatorKey).
func ShareKey(group string, topicID [16]byte, partition int32) string {
	return fmt.Sprintf("%s:%s:%d", group, base64.RawURLEncoding.EncodeToString(topicID[:]), partition)
}

// shareKey is what was given, taken apart. Kafka knows no coordinator of a share group
// whose name is blank or has a colon, since it splits keys there
// (SharePartitionKey.getInstance).
type shareKey struct {
	given     string
	group     string
	topic     string    // the name, empty if the id was given
	topicID   *[16]byte // nil until the name is looked up
	partition int32
}

// blanks are what Java's String.trim takes away.
const blanks = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

func parseShareKey(text string) (shareKey, *Problem) {
	key := shareKey{given: text}
	bad := &Problem{
		Code: CodeInvalidName, Target: text,
		Message: fmt.Sprintf("%q is no key of a share group's partition; give GROUP:TOPIC:PARTITION, with the topic's name or id, and a group that is not blank and has no colon", text),
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 || strings.Trim(parts[0], blanks) == "" || parts[1] == "" {
		return key, bad
	}
	topic := parts[1]
	partition, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil || partition < 0 {
		return key, bad
	}
	key.group, key.partition = parts[0], int32(partition)
	if id, err := base64.RawURLEncoding.DecodeString(topic); err == nil && len(id) == 16 {
		key.topicID = (*[16]byte)(id)
	} else {
		key.topic = topic
	}
	return key, nil
}

func (in *Inspector) shareCoordinators(ctx context.Context, given []string) (Answer[[]Coordinator], error) {
	failed := newAnswer[[]Coordinator]()
	var keys []shareKey
	names := map[string]bool{}
	for _, text := range given {
		key, problem := parseShareKey(text)
		if problem != nil {
			return failed.fail(*problem)
		}
		keys = append(keys, key)
		if key.topicID == nil {
			names[key.topic] = true
		}
	}
	var ids map[string][16]byte
	var refused map[string]Problem
	if len(names) > 0 {
		resp, err := in.metadata(ctx, sortedKeys(names))
		if err != nil {
			return failed.fail(in.unreachable(err))
		}
		ids, refused = topicIDs(resp)
	}
	var problems []Problem
	var written []string
	for _, key := range keys {
		if key.topicID == nil {
			id, ok := ids[key.topic]
			if !ok {
				p, told := refused[key.topic]
				if !told {
					p = topicProblem(key.topic, kerr.UnknownTopicOrPartition)
				}
				p.Target = key.given
				problems = append(problems, p)
				continue
			}
			key.topicID = &id
		}
		written = append(written, ShareKey(key.group, *key.topicID, key.partition))
	}
	answer, err := in.coordinators(ctx, ofShares, written)
	answer.missing(problems...)
	return answer, err
}

// topicIDs reads the ids of topics, and why there is none.
func topicIDs(resp *kmsg.MetadataResponse) (ids map[string][16]byte, refused map[string]Problem) {
	ids, refused = map[string][16]byte{}, map[string]Problem{}
	for _, topic := range resp.Topics {
		switch err := kerr.ErrorForCode(topic.ErrorCode); {
		case topic.Topic == nil:
		case err != nil:
			refused[*topic.Topic] = topicProblem(*topic.Topic, err)
		case topic.TopicID == [16]byte{}:
			refused[*topic.Topic] = Problem{
				Code: CodeUnsupported, Target: *topic.Topic,
				Message: fmt.Sprintf("the brokers tell no id of the topic %q, so they are too old for share groups", *topic.Topic),
			}
		default:
			ids[*topic.Topic] = topic.TopicID
		}
	}
	return ids, refused
}
