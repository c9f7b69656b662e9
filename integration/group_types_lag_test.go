package integration

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// lagIs waits until the lag of a group is as wanted, by partition.
func lagIs(t *testing.T, c *cluster.Cluster, group, topic string, want map[int32]int64) inspect.Group {
	t.Helper()
	var shown inspect.Group
	eventually(t, fmt.Sprintf("the lag of %s is %v", group, want), func() (bool, string) {
		answer := withLag(t, c, group)
		if len(answer.Data) != 1 || answer.Data[0].Lag == nil || answer.Err() != nil {
			return false, fmt.Sprintf("%+v", answer)
		}
		shown = answer.Data[0]
		got, sum := map[int32]int64{}, int64(0)
		for _, p := range shown.Lag.Partitions {
			if p.Lag != nil && p.Topic == topic {
				got[p.Partition] = *p.Lag
				sum += *p.Lag
			}
		}
		return maps.Equal(got, want) && shown.Lag.Records == sum, fmt.Sprint(got)
	})
	return shown
}

// kafkasLag is what the tool of Kafka itself tells: lines of group, topic, partition,
// the offset (with the leader's epoch before it, in some) and the lag.
func kafkasLag(t *testing.T, c *cluster.Cluster, tool, group, topic string) map[int32]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := c.Exec(ctx, 1, "java", "-cp", "/opt/kafka/libs/*", tool, "--bootstrap-server", c.InternalSeeds()[0], "--timeout", "60000", "--describe", "--offsets", "--group", group)
	if err != nil {
		t.Fatal(err, out)
	}
	lags := map[int32]int64{}
	for _, m := range regexp.MustCompile(`(?m)^`+group+`\s+`+topic+`\s+(\d+)\s.*?(\d+)\s*$`).FindAllStringSubmatch(out, -1) {
		partition, _ := strconv.ParseInt(m[1], 10, 32)
		lags[int32(partition)], _ = strconv.ParseInt(m[2], 10, 64)
	}
	if len(lags) == 0 {
		t.Fatalf("%s says %q", tool, out)
	}
	return lags
}

func produceTo(t *testing.T, c *cluster.Cluster, topic string, counts map[int32]int) {
	t.Helper()
	producer := newClient(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for partition, n := range counts {
		for range n {
			if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLagOfAShareGroupIsWhatKafkasOwnToolSays(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 3), unique(t, "group")
	fromTheStart(t, c, group)
	produceTo(t, c, topic, map[int32]int{0: 5, 1: 3, 2: 1})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sharer := newClient(t, c, kgo.ShareGroup(group), kgo.ConsumeTopics(topic))
	for taken := 0; taken < 9; {
		fetches := sharer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			r.Ack(kgo.AckAccept)
			taken++
		}
	}
	sharer.LeaveGroup()
	lagIs(t, c, group, topic, map[int32]int64{0: 0, 1: 0, 2: 0})

	produceTo(t, c, topic, map[int32]int{0: 4, 2: 7})
	want := map[int32]int64{0: 4, 1: 0, 2: 7}
	shown := lagIs(t, c, group, topic, want)
	if got := kafkasLag(t, c, "org.apache.kafka.tools.consumer.group.ShareGroupCommand", group, topic); !maps.Equal(got, want) {
		t.Errorf("Kafka's own tool says %v, want %v", got, want)
	}
	if *shown.Type != "share" || *shown.State != "Empty" || shown.Lag.Unknown != 0 || shown.Lag.Uncommitted != 0 {
		t.Errorf("%+v, lag %+v", shown, shown.Lag)
	}
}

// fromTheStart makes a share group read what was there before it.
func fromTheStart(t *testing.T, c *cluster.Cluster, group string) {
	t.Helper()
	groupConfig(t, c, group, "share.auto.offset.reset", "earliest")
}

// groupConfig sets a configuration of a group, which all brokers then know.
func groupConfig(t *testing.T, c *cluster.Cluster, group, name, value string) {
	t.Helper()
	const groupResource = 32
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceType(groupResource), group
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, &value
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(t.Context(), newClient(t, c))
	if err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	client := newClient(t, c)
	for _, id := range c.NodeIDs() {
		eventually(t, fmt.Sprintf("broker %d knows %s of the group", id, name), func() (bool, string) {
			ask := kmsg.NewPtrDescribeConfigsRequest()
			of := kmsg.NewDescribeConfigsRequestResource()
			of.ResourceType, of.ResourceName, of.ConfigNames = resource.ResourceType, group, []string{config.Name}
			ask.Resources = append(ask.Resources, of)
			told, err := ask.RequestWith(t.Context(), client.Broker(int(id)))
			if err != nil || len(told.Resources) != 1 || len(told.Resources[0].Configs) != 1 {
				return false, fmt.Sprintf("%v: %+v", err, told)
			}
			is := told.Resources[0].Configs[0].Value
			return is != nil && *is == value, fmt.Sprintf("%+v", told.Resources[0])
		})
	}
}

func TestLagOfAStreamsGroupIsWhatKafkasOwnToolSays(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 3), unique(t, "group")
	produceTo(t, c, topic, map[int32]int{0: 5, 1: 3, 2: 2})
	member := startStreamsMember(t, c, group, topic)
	eventually(t, "the member has its tasks", func() (bool, string) {
		rows, seen := groupsIfAny(t, c, group)
		return len(rows) == 1 && *rows[0].State == "Stable" && len(rows[0].Members) == 1 && len(rows[0].Members[0].Assigned) == 1, seen
	})
	eventually(t, "the member's commit is taken", func() (bool, string) {
		err := member.commit(t.Context(), topic, map[int32]int64{0: 1, 1: 3})
		return err == nil, fmt.Sprint(err)
	})
	want := map[int32]int64{0: 4, 1: 0}
	shown := lagIs(t, c, group, topic, want)
	if shown.Lag.Uncommitted != 1 || shown.Lag.Unknown != 0 || len(shown.Members) != 1 || *shown.Type != "streams" || time.Since(*shown.Since) > 5*patience {
		t.Errorf("%+v, lag %+v", shown, shown.Lag)
	}
	got := kafkasLag(t, c, "org.apache.kafka.tools.streams.StreamsGroupCommand", group, topic)
	for partition, lag := range want {
		if got[partition] != lag {
			t.Errorf("Kafka's own tool says %v, want %v", got, want)
		}
	}
}
