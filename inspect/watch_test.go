package inspect_test

import (
	"context"
	"encoding/json"
	"slices"
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
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// watching collects the events of one Watch.
type watching struct {
	mu     sync.Mutex
	events []watch.Event
}

func startWatching(t *testing.T, in *inspect.Inspector, what inspect.Watched) *watching {
	t.Helper()
	w := &watching{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event, err := range in.Watch(ctx, what) {
			if err != nil {
				t.Error(err)
				return
			}
			w.mu.Lock()
			w.events = append(w.events, event)
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// await waits for an event and returns it.
func (w *watching) await(t *testing.T, what string, is func(watch.Event) bool) watch.Event {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		w.mu.Lock()
		i := slices.IndexFunc(w.events, is)
		all := len(w.events)
		if i >= 0 {
			defer w.mu.Unlock()
			return w.events[i]
		}
		w.mu.Unlock()
		if time.Now().After(deadline) {
			w.mu.Lock()
			defer w.mu.Unlock()
			told, _ := json.MarshalIndent(w.events, "", " ")
			t.Fatalf("no event tells that %s, among %d: %s", what, all, told)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *watching) count(is func(watch.Event) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if is(e) {
			n++
		}
	}
	return n
}

func TestWatchTellsWhatIsThereAndWhatChanges(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	denyLog(fake)
	joinGroup(t, fake, "workers", 1)
	in := inspect.New(newClient(t, fake))
	w := startWatching(t, in, inspect.Watched{})
	w.await(t, "there are brokers and partitions", func(e watch.Event) bool {
		return e.Snapshot != nil && len(e.Snapshot.Brokers) == 3 && len(e.Snapshot.Partitions) >= 52
	})
	w.await(t, "there is a group", func(e watch.Event) bool {
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, func(g watch.Group) bool {
			return g.Group == "workers" && g.State == "Stable" && len(g.Members) == 1 && len(g.Members[0].Assigned) == 1
		})
	})
	joinGroup(t, fake, "workers", 2)
	e := w.await(t, "a member joined", func(e watch.Event) bool { return e.Generation != nil && len(e.Generation.Joined) == 1 })
	if e.Generation.Group != "workers" || e.Generation.Joined[0].ClientID != "member-2" || e.Generation.Members != 2 {
		t.Errorf("%+v", e.Generation)
	}
	joinGroup(t, fake, "others", 1)
	w.await(t, "a group appeared", func(e watch.Event) bool { return e.Group != nil && e.Group.Group == "others" && e.Group.From == nil })

	to := (leaderOf(t, in) + 1) % 3
	fake.MoveTopicPartition("orders", 0, to)
	e = w.await(t, "a partition is led by another", func(e watch.Event) bool { return e.Leader != nil && e.Leader.Topic == "orders" })
	if *e.Leader.To != to || e.After.IsZero() || e.At.Before(e.After) || e.At.Location() != time.UTC {
		t.Errorf("%+v", e)
	}
}

func leaderOf(t *testing.T, in *inspect.Inspector) int32 {
	t.Helper()
	answer, err := in.Partitions(testContext(t), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return *answer.Data[0].Leader
}

// TestWatchReadsTheLog has a record written to the log of a group, as its coordinator
// does, that what it answers does not show.
func TestWatchReadsTheLog(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	partition := inspect.OffsetsPartition("workers", 50)
	fake.MoveTopicPartition(offsetsTopic, partition, fake.CoordinatorFor("workers"))
	client := joinGroup(t, fake, "workers", 1)
	id, generation := client.GroupMetadata()
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers", "nobody"}})
	w.await(t, "a group is absent", func(e watch.Event) bool {
		return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, "nobody")
	})
	told := func(to int32) func(watch.Event) bool {
		return func(e watch.Event) bool {
			return e.Generation != nil && e.Generation.To != nil && *e.Generation.To == to
		}
	}
	// What is written from the snapshot on is told.
	w.await(t, "there is a group", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 })
	generation++
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", id, generation))
	w.await(t, "the log has a generation", told(generation))
	writeLog(t, fake, "workers", kafkatest.GroupRecord("workers", id, generation+3))
	e := w.await(t, "the log has another generation", told(generation+3))
	if e.Generation.Source != watch.SourceLog || *e.Generation.ToLeader != id {
		t.Errorf("%+v", e.Generation)
	}
	if *e.Generation.From != generation || *e.Generation.Unseen != 2 {
		t.Errorf("from %d, %d generations were not seen, want 2", *e.Generation.From, *e.Generation.Unseen)
	}
}

func TestWatchSaysThatTheLogMayNotBeRead(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("workers", 50), fake.CoordinatorFor("workers"))
	denyLog(fake)
	joinGroup(t, fake, "workers", 1)
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers"}})
	e := w.await(t, "the log may not be read", func(e watch.Event) bool { return e.Sight != nil && e.Sight.Part == "log" })
	if !e.Sight.Lost || e.Sight.Code != string(inspect.CodeNotAuthorized) {
		t.Errorf("%+v", e.Sight)
	}
	w.await(t, "there is a group", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 })
	joinGroup(t, fake, "workers", 2)
	e = w.await(t, "a member joined", func(e watch.Event) bool { return e.Generation != nil })
	if e.Generation.Source != watch.SourcePoll || e.Generation.To != nil {
		t.Errorf("%+v", e.Generation)
	}
}

// TestWatchTellsOfGroupsWhereReadingTheLogIsRefused lets the end of the log be found, as
// DESCRIBE does without READ.
func TestWatchTellsOfGroupsWhereReadingTheLogIsRefused(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, offsetsTopic))
	fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("workers", 50), fake.CoordinatorFor("workers"))
	joinGroup(t, fake, "workers", 1)
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.FetchRequest)
		if asked.SessionEpoch != -1 || len(asked.Topics) != 1 || asked.MaxBytes != 4<<20 {
			return nil, nil, false // not the log
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = asked.Topics[0].Topic, asked.Topics[0].TopicID
		for _, p := range asked.Topics[0].Partitions {
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers"}})
	w.await(t, "the log may not be read", func(e watch.Event) bool { return e.Sight != nil && e.Sight.Code == string(inspect.CodeNotAuthorized) })
	w.await(t, "there is a group", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 })
	if n := w.count(func(e watch.Event) bool { return e.Sight != nil }); n != 1 {
		t.Errorf("%d events of what can be looked at, want 1", n)
	}
}

// TestWatchAsksControllersAndBrokersWhereNoneAnswers: what they say counts by its epoch.
func TestWatchAsksControllersAndBrokersWhereNoneAnswers(t *testing.T) {
	t.Parallel()
	fake, controllers := newFake(t), newFake(t)
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	kafkatest.ServeQuorum(t, controllers, quorumAnswer(func(_ *kmsg.DescribeQuorumResponse, p *kmsg.DescribeQuorumResponseTopicPartition) {
		p.LeaderID, p.LeaderEpoch = 3, 11
	}))
	asked := &quorumCounter{}
	in := inspect.New(newClient(t, fake, kgo.WithHooks(asked)))
	w := startWatching(t, in, inspect.Watched{Elections: true, Controllers: newClient(t, controllers)})
	w.await(t, "a controller is known from controllers", func(e watch.Event) bool {
		return e.Snapshot != nil && e.Snapshot.Controller != nil && *e.Snapshot.Controller.Node == 3 || e.Controller != nil && *e.Controller.To == 3
	})
	before := asked.n.Load()
	controllers.Close()
	deadline := time.Now().Add(patience)
	for asked.n.Load() < before+2 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if now := asked.n.Load(); now < before+2 {
		t.Errorf("brokers were asked %d times, and %d when no controller answered any more", before, now)
	}
	if n := w.count(func(e watch.Event) bool { return e.Controller != nil && *e.Controller.To != 3 }); n > 0 {
		t.Error("an epoch that is over is told as new")
	}
}

// quorumCounter counts who was asked for the controller.
type quorumCounter struct{ n atomic.Int32 }

func (c *quorumCounter) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == int16(kmsg.DescribeQuorum) && err == nil {
		c.n.Add(1)
	}
}

func TestWatchEndsWithTheLoopAndWithTheContext(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	in := inspect.New(newClient(t, fake))
	for range in.Watch(t.Context(), inspect.Watched{}) {
		break
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, err := range in.Watch(ctx, inspect.Watched{}) {
		if err != nil {
			t.Error(err)
		}
	}
	n := 0
	for _, err := range in.Watch(t.Context(), inspect.Watched{GroupNames: []string{"\xff"}}) {
		if n++; err == nil || n > 1 {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if n != 1 {
		t.Error("a name that is none makes no error")
	}
}

// denyLog answers as to somebody without READ on __consumer_offsets.
func denyLog(fake *kfake.Cluster) {
	fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.ListOffsetsRequest)
		if asked.Topics[0].Topic != offsetsTopic {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = offsetsTopic
		for _, p := range asked.Topics[0].Partitions {
			partition := kmsg.NewListOffsetsResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
}
