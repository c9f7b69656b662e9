package inspect_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestWatchAsksAnotherBrokerForTheELRWhereOneDoesNotKnowIt: while brokers are upgraded, an
// election from the ELR is not to be told as unclean because the first broker knew of none.
func TestWatchAsksAnotherBrokerForTheELRWhereOneDoesNotKnowIt(t *testing.T) {
	t.Parallel()
	const old = 0 // asked first
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	fake.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if fake.CurrentNode() != old {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
		for _, key := range []kmsg.Key{kmsg.Produce, kmsg.ApiVersions, kmsg.Metadata} {
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: kmsg.RequestForKey(int16(key)).MaxVersion()})
		}
		return resp, nil, true
	})
	var atOld, atOthers atomic.Int32
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if len(r.Topics) != 1 || r.Topics[0].Topic == nil || *r.Topics[0].Topic != "orders" {
			return nil, nil, false
		}
		if fake.CurrentNode() == old {
			atOld.Add(1)
		}
		resp := r.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = brokersOf(fake)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = r.Topics[0].Topic
		p := kmsg.NewMetadataResponseTopicPartition()
		p.LeaderEpoch, p.Replicas, p.ISR = 3, []int32{0, 1}, []int32{0}
		topic.Partitions = append(topic.Partitions, p)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		atOthers.Add(1)
		return nil, nil, false
	})
	m := &kafkatest.Misbehaving{Key: kmsg.Metadata, Fault: kafkatest.Closes, Addresses: fake.ListenAddrs()[old : old+1]}
	client := newClient(t, fake, kgo.Dialer(m.Dial))
	startWatching(t, inspect.New(client), inspect.Watched{Elections: true, Topics: []string{"orders"}})
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	until("the broker that does not know the ELR is not asked for metadata", func() bool { return atOld.Load() >= 3 })
	if n := atOthers.Load(); n > 0 {
		t.Fatalf("another broker is asked for the ELR %d times", n)
	}
	m.Begin()
	until("the others are never asked for the ELR", func() bool { return atOthers.Load() > 0 })
}
