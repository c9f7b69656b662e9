package inspect_test

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
)

// refuseGroups has all brokers say that they coordinate none, as they do where there is
// no __consumer_offsets.
func refuseGroups(fake *kfake.Cluster) {
	refuse := func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		switch r := req.(type) {
		case *kmsg.DescribeGroupsRequest:
			resp := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
			for _, name := range r.Groups {
				group := kmsg.NewDescribeGroupsResponseGroup()
				group.Group, group.ErrorCode = name, kerr.NotCoordinator.Code
				resp.Groups = append(resp.Groups, group)
			}
			return resp, nil, true
		case *kmsg.ConsumerGroupDescribeRequest:
			resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
			for _, name := range r.Groups {
				group := kmsg.NewConsumerGroupDescribeResponseGroup()
				group.Group, group.ErrorCode = name, kerr.NotCoordinator.Code
				resp.Groups = append(resp.Groups, group)
			}
			return resp, nil, true
		}
		return nil, nil, false
	}
	fake.ControlKey(int16(kmsg.DescribeGroups), refuse)
	fake.ControlKey(int16(kmsg.ConsumerGroupDescribe), refuse)
}

// TestWatchCreatesNoTopic: FindCoordinator would, where __consumer_offsets is absent, and
// where it is hidden it may be.
func TestWatchCreatesNoTopic(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*kfake.Cluster){
		"absent": func(*kfake.Cluster) {}, "hidden": hideOffsetsTopic,
	} {
		for _, what := range []inspect.Watched{{GroupNames: []string{"nobody"}}, {Elections: true, GroupNames: []string{"nobody"}}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				fake := newFake(t)
				set(fake)
				refuseGroups(fake)
				sent := countFindCoordinator(fake)
				w := startWatching(t, inspect.New(newClient(t, fake)), what)
				if name == "absent" {
					w.await(t, "the group is absent", func(e watch.Event) bool {
						return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, "nobody")
					})
				} else {
					w.await(t, "it cannot be told whether the group exists", func(e watch.Event) bool {
						return e.Sight != nil && e.Sight.Part == "group nobody" && e.Sight.Lost && e.Sight.Code == string(inspect.CodeNotAuthorized)
					})
				}
				if n := sent.Load(); n != 0 {
					t.Errorf("FindCoordinator was sent %d times", n)
				}
			})
		}
	}
}

// TestWatchTellsOfLagWhereTheOffsetsTopicIsHidden, and that the log is not read. It
// creates no topic of which an offset is left, though the client may.
func TestWatchTellsOfLagWhereTheOffsetsTopicIsHidden(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	hideOffsetsTopic(fake)
	joinGroup(t, fake, "workers", 1)
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, asked := range req.(*kmsg.OffsetFetchRequest).Groups {
			group := kmsg.NewOffsetFetchResponseGroup()
			group.Group = asked.Group
			for _, name := range []string{"deleted", "orders"} {
				topic := kmsg.NewOffsetFetchResponseGroupTopic()
				topic.Topic = name
				p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				topic.Partitions = append(topic.Partitions, p)
				group.Topics = append(group.Topics, topic)
			}
			resp.Groups = append(resp.Groups, group)
		}
		return resp, nil, true
	})
	var creating atomic.Int32
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if r.AllowAutoTopicCreation && slices.ContainsFunc(r.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.Topic != nil && *t.Topic == "deleted" }) {
			creating.Add(1)
		}
		return nil, nil, false
	})
	ends := make(chan struct{})
	var once sync.Once
	fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if slices.ContainsFunc(req.(*kmsg.ListOffsetsRequest).Topics, func(t kmsg.ListOffsetsRequestTopic) bool { return t.Topic == "orders" }) {
			once.Do(func() { close(ends) })
		}
		return nil, nil, false
	})
	w := startWatching(t, inspect.New(newClient(t, fake, kgo.AllowAutoTopicCreation())), inspect.Watched{})
	w.await(t, "the log may not be read", func(e watch.Event) bool {
		return e.Sight != nil && e.Sight.Part == "log" && e.Sight.Lost && e.Sight.Code == string(inspect.CodeNotAuthorized)
	})
	select {
	case <-ends:
	case <-time.After(patience):
		t.Error("lag is never looked at")
	}
	if n := creating.Load(); n > 0 {
		t.Errorf("the topic of an old offset was asked for %d times so that it may be created", n)
	}
}

// TestWatchAsksForTheELRFarIntoATopic: brokers answer for a part of a large one at a time.
func TestWatchAsksForTheELRFarIntoATopic(t *testing.T) {
	t.Parallel()
	const count, behind = 2500, 2300
	fake := newFake(t, kfake.SeedTopics(count, "orders"))
	var looks, asked atomic.Int32
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if len(r.Topics) != 1 || *r.Topics[0].Topic != "orders" {
			return nil, nil, false
		}
		looks.Add(1)
		resp := r.ResponseKind().(*kmsg.MetadataResponse)
		broker := kmsg.NewMetadataResponseBroker()
		host, port, _ := net.SplitHostPort(fake.ListenAddrs()[0])
		number, _ := strconv.Atoi(port)
		broker.Host, broker.Port = host, int32(number)
		resp.Brokers = append(resp.Brokers, broker)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = r.Topics[0].Topic
		for p := range int32(count) {
			one := kmsg.NewMetadataResponseTopicPartition()
			one.Partition, one.Replicas, one.ISR = p, []int32{0, 1}, []int32{0, 1}
			if one.LeaderEpoch = 3; p == behind {
				one.ISR = []int32{0}
			}
			topic.Partitions = append(topic.Partitions, one)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked.Add(1)
		r := req.(*kmsg.DescribeTopicPartitionsRequest)
		resp := r.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic = &r.Topics[0].Topic
		from := int32(0)
		if r.Cursor != nil {
			from = r.Cursor.Partition
		}
		for p := from; p < min(from+r.ResponsePartitionLimit, count); p++ {
			one := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
			one.Partition, one.LeaderEpoch, one.Replicas, one.ISR = p, 3, []int32{0, 1}, []int32{0}
			topic.Partitions = append(topic.Partitions, one)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Elections: true, Topics: []string{"orders"}})
	deadline := time.Now().Add(patience)
	for (looks.Load() < 4 || asked.Load() == 0) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if l, n := looks.Load(), asked.Load(); l < 4 || n != 1 {
		t.Errorf("at %d looks the ELR was asked for %d times, want once", l, n)
	}
}
