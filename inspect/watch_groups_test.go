package inspect_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
)

// describeClassic has brokers answer for classic groups, each with what the function says
// of it.
func describeClassic(fake *kfake.Cluster, answer func(node int32, group *kmsg.DescribeGroupsResponseGroup)) {
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, name := range req.(*kmsg.DescribeGroupsRequest).Groups {
			group := kmsg.NewDescribeGroupsResponseGroup()
			group.Group = name
			answer(fake.CurrentNode(), &group)
			resp.Groups = append(resp.Groups, group)
		}
		return resp, nil, true
	})
}

// findCoordinatorAt has all brokers say that one of them coordinates all groups.
func findCoordinatorAt(fake *kfake.Cluster, node int32) {
	fake.ControlKey(int16(kmsg.FindCoordinator), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.FindCoordinatorRequest)
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		for _, key := range asked.CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			c.Key, c.NodeID = key, node
			resp.Coordinators = append(resp.Coordinators, c)
		}
		return resp, nil, true
	})
}

// TestWatchTurnsFromACoordinatorThatIsGone has the leader of a group's partition refuse it
// until another was found, as in a failover, and that one go.
func TestWatchTurnsFromACoordinatorThatIsGone(t *testing.T) {
	t.Parallel()
	const found = 2
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("workers", 50), 0)
	denyLog(fake)
	findCoordinatorAt(fake, found)
	var gone atomic.Bool
	describeClassic(fake, func(node int32, group *kmsg.DescribeGroupsResponseGroup) {
		switch {
		case node == found:
			group.State = "Stable"
		case gone.Load():
			group.State = "PreparingRebalance"
		default:
			group.ErrorCode = kerr.NotCoordinator.Code
		}
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers"}})
	w.await(t, "there is a group", func(e watch.Event) bool {
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, func(g watch.Group) bool { return g.State == "Stable" })
	})
	gone.Store(true)
	if err := fake.RemoveNode(found); err != nil {
		t.Fatal(err)
	}
	w.await(t, "another describes the group", func(e watch.Event) bool {
		return e.Group != nil && e.Group.To != nil && *e.Group.To == "PreparingRebalance"
	})
}

// TestWatchTellsThatAGroupCanBeLookedAtAgainWhereItIsAbsent lets a group that may not be
// seen be seen when it is gone.
func TestWatchTellsThatAGroupCanBeLookedAtAgainWhereItIsAbsent(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	denyLog(fake)
	var allowed atomic.Bool
	describeClassic(fake, func(_ int32, group *kmsg.DescribeGroupsResponseGroup) {
		if group.State = "Dead"; !allowed.Load() {
			group.ErrorCode = kerr.GroupAuthorizationFailed.Code
		}
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"secret"}})
	w.await(t, "the group may not be seen", func(e watch.Event) bool {
		return e.Sight != nil && e.Sight.Part == "group secret" && e.Sight.Lost
	})
	allowed.Store(true)
	w.await(t, "the group is absent", func(e watch.Event) bool { return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, "secret") })
	w.await(t, "the group can be looked at", func(e watch.Event) bool {
		return e.Sight != nil && e.Sight.Part == "group secret" && !e.Sight.Lost
	})
}

// TestWatchWaitsForAllListsUntilAGroupIsMissed has the broker that lists a group load its
// log until the others have listed theirs twice.
func TestWatchWaitsForAllListsUntilAGroupIsMissed(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	hideOffsetsTopic(fake)
	joinGroup(t, fake, "workers", 1)
	loading := fake.CoordinatorFor("workers")
	var lists [3]atomic.Int32
	fake.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		node := fake.CurrentNode()
		lists[node].Add(1)
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		others := min(lists[(loading+1)%3].Load(), lists[(loading+2)%3].Load())
		return resp, nil, node == loading && others < 2
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers"}})
	w.await(t, "there is a group", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Groups) == 1 })
	if n := w.count(func(e watch.Event) bool { return e.Sight != nil && e.Sight.Part == "group workers" }); n != 0 {
		t.Errorf("it was told %d times that the group cannot be looked at, or can be again", n)
	}
}

// TestWatchDescribesNoMoreOftenForAGroupOfAnother: groups that the log tells of are
// described less than once a second, also while it does not turn out of which type one is
// that another broker coordinates.
func TestWatchDescribesNoMoreOftenForAGroupOfAnother(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("workers", 50), 1)
	fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition("secret", 50), 2)
	var mu sync.Mutex
	var described []time.Time
	describeClassic(fake, func(_ int32, group *kmsg.DescribeGroupsResponseGroup) {
		if group.Group == "secret" {
			group.ErrorCode = kerr.GroupAuthorizationFailed.Code
			return
		}
		group.State = "Empty"
		mu.Lock()
		defer mu.Unlock()
		described = append(described, time.Now())
	})
	startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers", "secret"}})
	const first, last = 2, 9 // until the log is read
	deadline := time.Now().Add(patience)
	for {
		mu.Lock()
		times := slices.Clone(described)
		mu.Unlock()
		if len(times) > last {
			var apart []time.Duration
			for i := first; i < last; i++ {
				apart = append(apart, times[i+1].Sub(times[i]))
			}
			slices.Sort(apart) // after one that the machine held up the next is early
			if median := apart[len(apart)/2]; median < 1400*time.Millisecond {
				t.Errorf("the group is described after %v, want at least 1.5s most often", apart)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the group was described %d times", len(times))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestWatchFindsAGroupThatBeginsWhereOtherTypesAreRefused has a group begin after the look
// at it as a classic one, at a broker that lists the requests of other types and refuses
// each group in them, as Kafka 3.9 does.
func TestWatchFindsAGroupThatBeginsWhereOtherTypesAreRefused(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(50, offsetsTopic))
	denyLog(fake)
	var began atomic.Bool
	describeClassic(fake, func(_ int32, group *kmsg.DescribeGroupsResponseGroup) {
		if group.State = "Dead"; began.Load() {
			group.State = "Stable"
		}
	})
	fake.ControlKey(int16(kmsg.ConsumerGroupDescribe), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		began.Store(true)
		resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		for _, name := range req.(*kmsg.ConsumerGroupDescribeRequest).Groups {
			group := kmsg.NewConsumerGroupDescribeResponseGroup()
			group.Group, group.ErrorCode = name, kerr.UnsupportedVersion.Code
			resp.Groups = append(resp.Groups, group)
		}
		return resp, nil, true
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{GroupNames: []string{"workers"}})
	w.await(t, "there is a group", func(e watch.Event) bool {
		return e.Group != nil && e.Group.To != nil && *e.Group.To == "Stable" ||
			e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, func(g watch.Group) bool { return g.State == "Stable" })
	})
	if lost := w.count(func(e watch.Event) bool { return e.Sight != nil && e.Sight.Lost && e.Sight.Part == "group workers" }); lost > 0 {
		t.Errorf("%d times the group was said to be out of sight", lost)
	}
}
