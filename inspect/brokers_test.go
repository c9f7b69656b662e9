package inspect_test

import (
	"math"
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestOneBrokerOfManyIsUp has a broker that takes eight others for live which refuse
// connections, as it does until the controller has noticed.
func TestOneBrokerOfManyIsUp(t *testing.T) {
	fake := newFake(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	addresses := append(fake.ListenAddrs(), slices.Repeat([]string{kafkatest.BadBrokers(t)["refuses"]}, 8)...)
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		for node, address := range addresses {
			broker := kmsg.NewMetadataResponseBroker()
			host, port, _ := net.SplitHostPort(address)
			number, _ := strconv.Atoi(port)
			broker.NodeID, broker.Host, broker.Port = int32(node), host, int32(number)
			resp.Brokers = append(resp.Brokers, broker)
		}
		for _, asked := range req.(*kmsg.MetadataRequest).Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = asked.Topic
			topic.Partitions = append(topic.Partitions, kmsg.NewMetadataResponseTopicPartition())
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	in := inspect.New(newClient(t, fake, kgo.RequestRetries(1)))
	for range 3 {
		answer, err := in.Brokers(testContext(t))
		if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 9 || answer.Data[0].Leads == nil {
			t.Fatalf("%v, %v, %v", err, answer.Errors, answer.Warnings)
		}
		coordinators, err := in.Coordinators(testContext(t), "workers")
		if err != nil || coordinators.Err() != nil || coordinators.Data[0].Coordinator == nil {
			t.Fatalf("%v, %v", err, coordinators.Errors)
		}
	}
}

func TestBrokersAndWhatTheyLead(t *testing.T) {
	fake := newFake(t, kfake.SeedTopics(4, "orders"), kfake.SeedTopics(2, offsetsTopic))
	for topic, partitions := range map[string]int32{"orders": 4, offsetsTopic: 2} {
		for p := range partitions {
			if err := fake.MoveTopicPartition(topic, p, p%2); err != nil {
				t.Fatal(err)
			}
		}
	}
	answer, err := inspect.New(newClient(t, fake)).Brokers(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(err, answer.Errors, answer.Warnings)
	}
	if len(answer.Data) != 3 {
		t.Fatalf("brokers %+v", answer.Data)
	}
	for i, b := range answer.Data {
		leads, skew := 3, 0.5
		if i == 2 {
			leads, skew = 0, -1
		}
		if b.ID != int32(i) || !b.Up || *b.Host != "127.0.0.1" || *b.Port == 0 || b.Rack == nil || *b.Leads != leads || math.Abs(*b.Skew-skew) > 1e-9 || *b.Replicas != 6 {
			t.Errorf("broker %d: leads %d, skew %v, %+v", i, *b.Leads, *b.Skew, b)
		}
	}
}

func TestBrokersThatAreDown(t *testing.T) {
	fake := newFake(t)
	fake.ControlKey(int16(kmsg.DescribeCluster), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
		if !req.(*kmsg.DescribeClusterRequest).IncludeFencedBrokers {
			t.Error("fenced brokers are not asked for")
		}
		for _, b := range []struct {
			id     int32
			fenced bool
		}{{1, false}, {7, true}, {2, true}} {
			broker := kmsg.NewDescribeClusterResponseBroker()
			broker.NodeID, broker.Host, broker.Port, broker.Rack, broker.IsFenced = b.id, "far", 9092, kmsg.StringPtr("r7"), b.fenced
			resp.Brokers = append(resp.Brokers, broker)
		}
		return resp, nil, true
	})
	describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		partition := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		partition.LeaderID, partition.Replicas, partition.ISR = 1, []int32{7, 1, 9}, []int32{1}
		topic.Partitions = append(topic.Partitions, partition)
		resp.Topics = append(resp.Topics, topic)
	})
	answer, err := inspect.New(newClient(t, fake)).Brokers(testContext(t))
	if err != nil || answer.Err() != nil {
		t.Fatal(err, answer.Errors)
	}
	var ids []int32
	for _, b := range answer.Data {
		ids = append(ids, b.ID)
	}
	if !slices.Equal(ids, []int32{0, 1, 2, 7, 9}) {
		t.Fatalf("brokers %v", ids)
	}
	fenced, unknown := answer.Data[3], answer.Data[4]
	if fenced.Up || *fenced.Host != "far" || *fenced.Rack != "r7" || *fenced.Preferred != 1 || *fenced.Leads != 0 || fenced.Skew != nil {
		t.Errorf("fenced broker %+v", fenced)
	}
	if unknown.Up || unknown.Host != nil || unknown.Port != nil || *unknown.Replicas != 1 {
		t.Errorf("broker that only a replica tells of %+v", unknown)
	}
	// Between two answers a broker may go down or come up: what is alive counts.
	if !answer.Data[2].Up {
		t.Errorf("broker %+v", answer.Data[2])
	}
}

func TestBrokersInPart(t *testing.T) {
	t.Run("partitions may not be read", func(t *testing.T) {
		fake := newFake(t)
		describePartitions(fake, func(resp *kmsg.DescribeTopicPartitionsResponse) {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: "again"}
		})
		answer, err := inspect.New(newClient(t, fake)).Brokers(testContext(t))
		if err != nil || len(answer.Data) != 3 || len(answer.Errors) != 1 {
			t.Fatal(err, answer)
		}
		if b := answer.Data[0]; b.Leads != nil || b.Skew != nil || b.Host == nil {
			t.Errorf("broker %+v", b)
		}
	})
	t.Run("of an old cluster", func(t *testing.T) {
		fake := newFake(t, kfake.SeedTopics(3, "orders"), kfake.MaxVersions(kversion.V2_4_0()))
		answer, err := inspect.New(newClient(t, fake)).Brokers(testContext(t))
		if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 || len(answer.Data) != 3 || answer.Data[0].Leads == nil {
			t.Fatal(err, answer)
		}
	})
}
