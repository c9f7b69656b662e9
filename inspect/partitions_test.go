package inspect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
)

func TestPartitionsFollowALeaderAtOnce(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(3, "orders"))
	in := inspect.New(newClient(t, fake))
	for _, leader := range []int32{0, 1, 2, 0} {
		if err := fake.MoveTopicPartition("orders", 1, leader); err != nil {
			t.Fatal(err)
		}
		answer, err := in.Partitions(testContext(t), "orders")
		if err != nil || answer.Err() != nil {
			t.Fatal(err, answer.Errors)
		}
		if got := *answer.Data[1].Leader; got != leader {
			t.Errorf("leader %d, want %d: an answer from a cache", got, leader)
		}
	}
}

func TestPartitionsNeverCreateATopic(t *testing.T) {
	fake := newFake(t, kfake.AllowAutoTopicCreation(), kfake.SeedTopics(1, "orders"))
	in := inspect.New(newClient(t, fake))
	answer, err := in.Partitions(testContext(t), "missing", "orders", "not a name!")
	if err != nil {
		t.Fatal(err)
	}
	if fake.TopicInfo("missing") != nil {
		t.Error("the topic was created")
	}
	if len(answer.Data) != 1 || answer.Data[0].Topic != "orders" {
		t.Errorf("data %+v", answer.Data)
	}
	for _, p := range answer.Errors {
		if p.Code != inspect.CodeTopicNotFound {
			t.Errorf("error %+v", p)
		}
	}
	if len(answer.Errors) != 2 {
		t.Errorf("errors %+v", answer.Errors)
	}
}

func TestPartitionsOfAllTopicsLeaveOutInternalOnes(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(2, "b", "a"))
	if err := fake.CreateTopic("hidden", 1, map[string]string{"kfake.is_internal": "true"}); err != nil {
		t.Fatal(err)
	}
	in := inspect.New(newClient(t, fake))
	answer, err := in.Partitions(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	var topics []string
	for _, row := range answer.Data {
		topics = append(topics, row.Topic)
	}
	if !slices.Equal(topics, []string{"a", "a", "b", "b"}) {
		t.Errorf("topics %v", topics)
	}
	answer, err = in.Partitions(testContext(t), "hidden")
	if err != nil || len(answer.Data) != 1 {
		t.Errorf("an internal topic that is named: %v, %+v", err, answer.Data)
	}
}

func TestPartitionsThatAreOffline(t *testing.T) {
	fake := newFake(t)
	describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		down := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		down.ErrorCode = kerr.LeaderNotAvailable.Code
		down.LeaderID = -1
		down.LeaderEpoch = 7
		down.Replicas = []int32{2, 1, 5}
		down.EligibleLeaderReplicas = []int32{1}
		down.LastKnownELR = []int32{}
		down.OfflineReplicas = []int32{2, 1, 5}
		bare := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		bare.Partition = 1
		bare.LeaderID = 1
		bare.LeaderEpoch = -1
		hidden := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		hidden.Partition = 2
		hidden.LeaderID = -1
		hidden.ErrorCode = kerr.ListenerNotFound.Code
		topic.Partitions = append(topic.Partitions, hidden, bare, down)
		resp.Topics = append(resp.Topics, topic)
	})
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "orders")
	if err != nil || len(answer.Data) != 3 {
		t.Fatal(err, answer)
	}
	down, bare := answer.Data[0], answer.Data[1]
	if down.Leader != nil || !down.Offline || !down.NotPreferred() || !down.UnderReplicated || *down.LeaderEpoch != 7 || *down.Preferred != 2 || len(down.ISR) != 0 || down.ISR == nil {
		t.Errorf("offline partition %+v", down)
	}
	if !slices.Equal(down.ELR, []int32{1}) || down.LastKnownELR == nil || len(down.LastKnownELR) != 0 {
		t.Errorf("eligible leaders %v, last known %v", down.ELR, down.LastKnownELR)
	}
	if len(down.Racks) != 3 || *down.Racks[0] != *down.Racks[1] || down.Racks[2] != nil {
		t.Errorf("racks %v", down.Racks)
	}
	if bare.LeaderEpoch != nil || bare.Preferred != nil || bare.NotPreferred() || bare.Offline || bare.OfflineReplicas == nil || bare.ELR != nil {
		t.Errorf("partition of a broker that tells little %+v", bare)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{"LISTENER_NOT_FOUND"}) {
		t.Errorf("errors %v", got)
	}
	// The fake does not know that topic, so its configuration cannot be read.
	if down.MinISR != nil || down.UnderMinISR != nil {
		t.Errorf("a guess at min.insync.replicas: %+v", down)
	}
}

func TestPartitionsOfABrokerWhosePagesDoNotEnd(t *testing.T) {
	fake := newFake(t)
	pages := 0
	describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
		pages++
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		resp.Topics = append(resp.Topics, topic)
		resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: fmt.Sprintf("topic-%09d", pages)}
	})
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t))
	if err != nil || len(answer.Errors) != 1 || !strings.Contains(answer.Errors[0].Message, "do not end: 10000 were read") || pages != 10_000 {
		t.Errorf("%v, %+v after %d pages", err, answer.Errors, pages)
	}
}

func TestPartitionsBelowTheirMinISR(t *testing.T) {
	fake := newFake(t)
	for topic, least := range map[string]string{"one": "1", "two": "2", "many": "9"} {
		if err := fake.CreateTopic(topic, 1, map[string]string{"min.insync.replicas": least}); err != nil {
			t.Fatal(err)
		}
	}
	describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
		for _, name := range []string{"many", "one", "two"} {
			topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
			topic.Topic = &name
			partition := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			partition.LeaderID, partition.Replicas, partition.ISR = 1, []int32{1, 2}, []int32{1}
			whole := partition
			whole.Partition, whole.ISR = 1, []int32{2, 1}
			topic.Partitions = append(topic.Partitions, partition, whole)
			resp.Topics = append(resp.Topics, topic)
		}
	})
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "two", "one", "many")
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 6 {
		t.Fatal(err, answer)
	}
	var got []bool
	for _, row := range answer.Data {
		got = append(got, *row.UnderMinISR)
	}
	// Nine can never be in sync of two: brokers take that for two.
	if want := []bool{true, false, false, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("below: %v, want %v", got, want)
	}
	if *answer.Data[0].MinISR != 2 || *answer.Data[4].MinISR != 9 {
		t.Errorf("rows %+v", answer.Data)
	}
}

func TestPartitionsWithoutTheRightToReadConfigurations(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "a", "b", "c", "d", "e"))
	fake.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceName, resource.ResourceType = asked.ResourceName, asked.ResourceType
			resource.ErrorCode = kerr.TopicAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, resource)
		}
		return resp, nil, true
	})
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Data) != 5 {
		t.Fatal(err, answer)
	}
	if len(answer.Warnings) != 1 || answer.Warnings[0].Code != inspect.CodeNotAuthorized || answer.Warnings[0].Target != "cluster" ||
		!strings.Contains(answer.Warnings[0].Message, "DESCRIBE_CONFIGS") || !strings.Contains(answer.Warnings[0].Message, `"a", "b", "c" and 2 more`) {
		t.Errorf("warnings %+v", answer.Warnings)
	}
	if row := answer.Data[0]; row.MinISR != nil || row.UnderMinISR != nil || *row.Leader < 0 {
		t.Errorf("row %+v", row)
	}
}

func TestPartitionsThatLeaveConfigurationsUnread(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	read := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Observe: true, Count: -1})
	answer, err := inspect.New(newClient(t, fake), inspect.SkipMinISR()).Partitions(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 1 || answer.Data[0].MinISR != nil {
		t.Fatal(err, answer)
	}
	if hits := read.Hits(); hits != 0 {
		t.Errorf("configurations were read %d times", hits)
	}
}

func TestPartitionsComeInPages(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1500, "a", "b", "c"), kfake.SeedTopics(1, "d"))
	pages := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeTopicPartitions}, Observe: true, Count: -1})
	in := inspect.New(newClient(t, fake))
	for _, topics := range [][]string{nil, {"d", "b", "c", "a", "missing"}, {"b"}} {
		answer, err := in.Partitions(testContext(t), topics...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		next := int32(0)
		for _, row := range answer.Data {
			if len(got) == 0 || got[len(got)-1] != row.Topic {
				got = append(got, row.Topic)
				next = 0
			}
			if row.Partition != next {
				t.Fatalf("%s-%d comes where %d should", row.Topic, row.Partition, next)
			}
			next++
		}
		want, rows := []string{"a", "b", "c", "d"}, 4501
		if topics != nil {
			want = slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return topic == "missing" })
		}
		if len(topics) == 1 {
			rows = 1500
		}
		if !slices.Equal(got, want) || len(answer.Data) != rows {
			t.Errorf("topics %v with %d rows, want %v with %d", got, len(answer.Data), want, rows)
		}
	}
	if got := pages.Hits(); got != 3+3+1 {
		t.Errorf("%d requests", got)
	}
}

func TestPartitionsOfPagesThatDoNotAdvance(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(1, "orders", "payments"))
	for name, next := range map[string][]string{
		"the same again":  {"orders", "orders"},
		"never asked for": {"nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cursor := range next {
				fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
					resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
					topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
					topic.Topic = kmsg.StringPtr("orders")
					partition := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
					partition.Partition = 8
					topic.Partitions = append(topic.Partitions, partition)
					resp.Topics = append(resp.Topics, topic)
					resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: cursor}
					return resp, nil, true
				})
			}
			answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "orders", "payments")
			if err != nil || len(answer.Data) != 1 || answer.Data[0].Partition != 8 {
				t.Fatalf("%v: what was read is lost: %+v", err, answer)
			}
			if len(answer.Errors) != 1 || answer.Errors[0].Target != "payments" || !strings.Contains(answer.Errors[0].Message, "do not advance") {
				t.Errorf("errors %+v", answer.Errors)
			}
		})
	}
}

func TestPartitionsOfBrokersThatDoNotKnowEligibleLeaders(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(3, "orders"), kfake.MaxVersions(kversion.V3_3_0()))
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "orders", "missing")
	if err != nil || len(answer.Data) != 3 {
		t.Fatal(err, answer)
	}
	if row := answer.Data[2]; row.ELR != nil || row.LastKnownELR != nil || len(row.ISR) == 0 || *row.MinISR != 1 || *row.UnderMinISR || len(row.Racks) != len(row.Replicas) {
		t.Errorf("row %+v", row)
	}
	if got := codes(answer.Warnings); !slices.Equal(got, []inspect.Code{inspect.CodeUnsupported}) {
		t.Errorf("warnings %v", answer.Warnings)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{inspect.CodeTopicNotFound}) {
		t.Errorf("errors %v", answer.Errors)
	}
}

// While a cluster is upgraded, or migrates to KRaft, the client may take either kind.
func TestPartitionsWhereOnlySomeBrokersKnowEligibleLeaders(t *testing.T) {
	fake := newFake(t, kfake.NumBrokers(3), kfake.SeedTopics(3, "orders"))
	fake.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if fake.CurrentNode() != 1 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
		for _, key := range []kmsg.Key{kmsg.Produce, kmsg.ApiVersions, kmsg.Metadata, kmsg.DescribeConfigs} {
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: kmsg.RequestForKey(int16(key)).MaxVersion()})
		}
		return resp, nil, true
	})
	kinds := map[bool]int{}
	for range 40 {
		answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "orders")
		if err != nil || len(answer.Data) != 3 || answer.Err() != nil {
			t.Fatalf("%v: %+v", err, answer)
		}
		kinds[len(answer.Warnings) > 0]++
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Errorf("the client took one kind of broker only: %v", kinds)
	}
}

// describePartitions changes every answer to DescribeTopicPartitions.
func describePartitions(fake *kfake.Cluster, fill func(*kmsg.DescribeTopicPartitionsResponse)) {
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		fill(resp)
		return resp, nil, true
	})
}
