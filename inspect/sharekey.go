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
	topic     string    // as it was given
	topicID   *[16]byte // what it is as an id; nil if it can only be a name
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
	partition, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil || partition < 0 {
		return key, bad
	}
	key.group, key.topic, key.partition = parts[0], parts[1], int32(partition)
	if id, err := base64.RawURLEncoding.Strict().DecodeString(key.topic); err == nil && len(id) == 16 {
		key.topicID = (*[16]byte)(id)
	}
	return key, nil
}

func (in *Inspector) shareCoordinators(ctx context.Context, given []string) (Answer[[]Coordinator], error) {
	failed := newAnswer[[]Coordinator]()
	given, invalid := uniqueNames(ofShares.what, given)
	if invalid != nil {
		return failed.fail(*invalid)
	}
	var keys []shareKey
	names := map[string]bool{}
	for _, text := range given {
		key, problem := parseShareKey(text)
		if problem != nil {
			return failed.fail(*problem)
		}
		keys = append(keys, key)
		if canBeTopic(key.topic) {
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
		// A name of 22 characters may look like an id. It is one only if there is no topic
		// of that name.
		if id, ok := ids[key.topic]; ok {
			key.topicID = &id
		}
		if key.topicID == nil {
			p, told := refused[key.topic]
			if !told {
				p = topicProblem(key.topic, kerr.UnknownTopicOrPartition)
			}
			p.Target = key.given
			problems = append(problems, p)
			continue
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
