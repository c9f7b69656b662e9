package inspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

// Sizes of the cluster whose groups are described, and the memory that this may take
// in a process of its own. GROUPKIT_FULL=1 makes it the large one.
const (
	fullGroups, fullPartitions       = 10_000, 100_000
	reducedGroups, reducedPartitions = 1_000, 10_000
	memoryLimit                      = 200_000_000
)

// memoryAddress is how the test tells its second process where the brokers are.
const memoryAddress = "GROUPKIT_MEMORY_TEST_BROKERS"

// measured is what the second process reports.
type measured struct {
	Groups, Rows int
	Records      int64
	Peak         int64 // bytes resident
	Took         time.Duration
}

func TestMemoryOfManyGroupsAndPartitions(t *testing.T) {
	if address := os.Getenv(memoryAddress); address != "" {
		describeAll(t, address)
		return
	}
	groups, partitions := reducedGroups, reducedPartitions
	if os.Getenv("GROUPKIT_FULL") != "" {
		groups, partitions = fullGroups, fullPartitions
	}
	fake := manyGroups(t, groups, partitions)
	command := exec.Command(os.Args[0], "-test.run=^TestMemoryOfManyGroupsAndPartitions$", "-test.v")
	command.Env = append(os.Environ(), memoryAddress+"="+strings.Join(fake.ListenAddrs(), ","))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got measured
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, "measured "); ok {
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d groups, lag in %d partitions of %d: %v, at most %d MiB resident", got.Groups, got.Rows, partitions, got.Took.Round(time.Millisecond), got.Peak>>20)
	if got.Groups != groups || got.Rows != partitions || got.Records != 0 {
		t.Errorf("%+v, want %d groups and %d partitions", got, groups, partitions)
	}
	if got.Peak > memoryLimit || got.Peak == 0 {
		t.Errorf("%d bytes resident, want at most %d", got.Peak, memoryLimit)
	}
}

// describeAll is the second process.
func describeAll(t *testing.T, address string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(address, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	answer, err := inspect.New(client).DescribeGroups(ctx, inspect.GroupDetails{Lag: true})
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Err())
	}
	got := measured{Groups: len(answer.Data), Took: time.Since(start)}
	for _, g := range answer.Data {
		got.Rows += len(g.Lag.Partitions)
		got.Records += g.Lag.Records
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			got.Peak = kilobytes << 10
		}
	}
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("measured %s\n", encoded)
}

// manyGroups is a cluster with so many partitions, and groups of one member that share
// them evenly.
func manyGroups(t *testing.T, groups, partitions int) *kfake.Cluster {
	t.Helper()
	const inTopic = 100
	each := partitions / groups
	var topics []string
	for i := range partitions / inTopic {
		topics = append(topics, fmt.Sprintf("topic-%d", i))
	}
	fake := newFake(t, kfake.SeedTopics(inTopic, topics...), kfake.SeedTopics(50, offsetsTopic))
	share := func(group string) (topic string, partitions []int32) {
		n, _ := strconv.Atoi(strings.TrimPrefix(group, "group-"))
		first := n * each
		for p := range each {
			partitions = append(partitions, int32((first+p)%inTopic))
		}
		return topics[first/inTopic], partitions
	}
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		for i := range groups {
			g := kmsg.NewListGroupsResponseGroup()
			g.Group, g.GroupType, g.GroupState, g.ProtocolType = fmt.Sprintf("group-%d", i), "classic", "Stable", "consumer"
			if fake.CoordinatorFor(g.Group) == fake.CurrentNode() {
				resp.Groups = append(resp.Groups, g)
			}
		}
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, group := range req.(*kmsg.DescribeGroupsRequest).Groups {
			topic, partitions := share(group)
			// It subscribes to a topic that is not there, so that it lags in what
			// it is assigned and nowhere else.
			metadata, _ := memberBytes("absent")
			_, assignment := memberBytes(topic, partitions...)
			one := describedMember("consumer-"+group+"-1-0e6f2f5d-62f5-4c05-9de6-4c9a7f2a1f01", metadata, assignment)
			one.ClientID, one.ClientHost = "consumer-1", "/10.0.0.7"
			g := describedGroup("Stable", "consumer", one)
			g.Group = group
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil, true
	})
	ids := map[string][16]byte{}
	for _, topic := range topics {
		ids[topic] = fake.TopicInfo(topic).TopicID
	}
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, asked := range req.(*kmsg.OffsetFetchRequest).Groups {
			topic, partitions := share(asked.Group)
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group = asked.Group
			of := kmsg.NewOffsetFetchResponseGroupTopic()
			of.Topic, of.TopicID = topic, ids[topic]
			for _, p := range partitions {
				one := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				one.Partition = p
				of.Partitions = append(of.Partitions, one)
			}
			g.Topics = append(g.Topics, of)
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil, true
	})
	return fake
}
