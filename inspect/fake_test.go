package inspect_test

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

const offsetsTopic = "__consumer_offsets"

// patience is how long a condition may take to come about. It is long, for the machine may
// be busy; a test that passes does not wait for it.
const patience = 2 * time.Minute

// computing is held by tests that need much processor time.
var computing sync.Mutex

// byTurns keeps a test that needs much processor time from running beside another.
func byTurns(t *testing.T) {
	t.Helper()
	computing.Lock()
	t.Cleanup(computing.Unlock)
}

func newFake(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.ClusterID("fake")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

func newClient(t testing.TB, fake *kfake.Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// writeLog appends records to the partition of __consumer_offsets that belongs
// to a group.
func writeLog(t testing.TB, fake *kfake.Cluster, group string, records ...kgo.Record) {
	t.Helper()
	kafkatest.WriteLog(t, fake, inspect.OffsetsPartition(group, 50), records...)
}

// commitRecord is what fills the log between the records of groups.
func commitRecord(group string, n int) kgo.Record {
	key := kmsg.NewOffsetCommitKey()
	key.Version = 1
	key.Group = group
	key.Topic = "orders"
	key.Partition = int32(n % 8)
	value := kmsg.NewOffsetCommitValue()
	value.Version = 3
	value.Offset = int64(n)
	return kgo.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)}
}

// joinGroup starts a consumer and waits until the group has so many members.
func joinGroup(t testing.TB, fake *kfake.Cluster, group string, members int, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client := newClient(t, fake, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics("orders"), kgo.ClientID("member-" + strconv.Itoa(members)),
	}, options...)...)
	polling, stop := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			client.PollFetches(polling)
		}
	}()
	t.Cleanup(func() { stop(); <-polled })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := fake.WaitGroupStable(ctx, group, members); err != nil {
		t.Fatal(err)
	}
	return client
}

func codes(problems []inspect.Problem) []inspect.Code {
	all := []inspect.Code{}
	for _, p := range problems {
		all = append(all, p.Code)
	}
	return all
}

// hideOffsetsTopic answers as to somebody without DESCRIBE on __consumer_offsets.
func hideOffsetsTopic(fake *kfake.Cluster) {
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.MetadataRequest)
		if len(asked.Topics) != 1 || *asked.Topics[0].Topic != offsetsTopic {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = brokersOf(fake)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = asked.Topics[0].Topic
		topic.ErrorCode = kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
}

// failListing makes some brokers fail to list groups.
func failListing(fake *kfake.Cluster, err *kerr.Error, nodes ...int32) {
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !slices.Contains(nodes, fake.CurrentNode()) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		resp.ErrorCode = err.Code
		return resp, nil, true
	})
}

// brokersOf is how metadata tells the brokers.
func brokersOf(fake *kfake.Cluster) []kmsg.MetadataResponseBroker {
	var brokers []kmsg.MetadataResponseBroker
	for node, address := range fake.ListenAddrs() {
		broker := kmsg.NewMetadataResponseBroker()
		host, port, _ := net.SplitHostPort(address)
		number, _ := strconv.Atoi(port)
		broker.NodeID, broker.Host, broker.Port = int32(node), host, int32(number)
		brokers = append(brokers, broker)
	}
	return brokers
}
