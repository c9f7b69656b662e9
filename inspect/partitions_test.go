package inspect_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		asked := req.(*kmsg.MetadataRequest)
		if len(asked.Topics) == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		down := kmsg.NewMetadataResponseTopicPartition()
		down.ErrorCode = kerr.LeaderNotAvailable.Code
		down.Leader = -1
		down.LeaderEpoch = 7
		down.Replicas = []int32{2, 1}
		down.OfflineReplicas = []int32{2, 1}
		bare := kmsg.NewMetadataResponseTopicPartition()
		bare.Partition = 1
		bare.Leader = 1
		bare.LeaderEpoch = -1
		hidden := kmsg.NewMetadataResponseTopicPartition()
		hidden.Partition = 2
		hidden.Leader = -1
		hidden.ErrorCode = kerr.ListenerNotFound.Code
		topic.Partitions = append(topic.Partitions, hidden, bare, down)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	answer, err := inspect.New(newClient(t, fake)).Partitions(testContext(t), "orders")
	if err != nil || len(answer.Data) != 3 {
		t.Fatal(err, answer)
	}
	down, bare := answer.Data[0], answer.Data[1]
	if down.Leader != nil || !down.Offline || *down.LeaderEpoch != 7 || *down.Preferred != 2 || len(down.ISR) != 0 || down.ISR == nil {
		t.Errorf("offline partition %+v", down)
	}
	if bare.LeaderEpoch != nil || bare.Preferred != nil || bare.Offline || bare.OfflineReplicas == nil {
		t.Errorf("partition of an old broker %+v", bare)
	}
	if got := codes(answer.Errors); !slices.Equal(got, []inspect.Code{"LISTENER_NOT_FOUND"}) {
		t.Errorf("errors %v", got)
	}
}
