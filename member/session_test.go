package member_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/member"
)

// A member whose heartbeats are not answered ends its handlers before its session can
// have ended at the coordinator, and lets them go on when it is answered again.
func TestHandlersEndBeforeTheSessionDoes(t *testing.T) {
	const session = 5 * time.Second // a tenth of it is what a busy machine may be late
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	type ending struct {
		at    time.Time
		cause error
	}
	ended := make(chan ending, 1)
	var calls, again atomic.Int32
	r := startRun(t, cluster, nil, func(ctx context.Context, records []*kgo.Record) error {
		if calls.Add(1) > 1 {
			again.Add(int32(len(records)))
			return nil
		}
		<-ctx.Done()
		ended <- ending{time.Now(), context.Cause(ctx)}
		return ctx.Err()
	}, kgo.SessionTimeout(session))
	eventually(t, "the handler runs", func() bool { return calls.Load() == 1 })

	silent := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	lastAnswered := time.Now() // at the latest
	select {
	case e := <-ended:
		if lasted := e.at.Sub(lastAnswered); lasted > session {
			t.Errorf("the handler went on for %s after the last heartbeat, the session is %s", lasted, session)
		}
		// kgo gives up about then too.
		if !errors.Is(e.cause, member.ErrLeaseExpired) && !errors.Is(e.cause, member.ErrLost) {
			t.Errorf("the context ended because: %v", e.cause)
		}
	case <-time.After(10 * session):
		t.Fatal("the handler's context does not end")
	}
	// Health may be fine again: a member that is lost joins anew.
	eventually(t, "it is told", func() bool { return len(r.all(member.EventFenced))+len(r.all(member.EventLost)) > 0 })
	silent.Remove()
	var book ledger
	book.add([]*kgo.Record{{Offset: 0}})
	eventually(t, "the handler is called again, and its record committed", func() bool {
		return again.Load() > 0 && book.check(t, r.Client())[0] == 1
	})
}

// The second process with an instance id takes its place, the first one is fenced, says
// so, and does not fight over it.
func TestADuplicateInstanceFencesExactlyOne(t *testing.T) {
	cluster := fakeCluster(t, 2)
	first := startRun(t, cluster, nil, ignore, kgo.InstanceID("i"))
	eventually(t, "the first is in the group", func() bool { return first.Health().Ready() })
	second := startRun(t, cluster, nil, ignore, kgo.InstanceID("i"))
	err := first.wait(t)
	if !errors.Is(err, member.ErrFenced) || !errors.Is(err, kerr.FencedInstanceID) {
		t.Errorf("Run returned %v", err)
	}
	if h := first.Health(); h.State != member.HealthFenced || !errors.Is(h.Err, member.ErrFenced) {
		t.Errorf("health: %v", h)
	}
	if err := first.Run(t.Context(), ignore); !errors.Is(err, member.ErrFenced) {
		t.Errorf("Run again returned %v", err)
	}
	eventually(t, "the second has the partitions", func() bool { h := second.Health(); return h.Ready() && h.Owned == 2 })
	shut(t, first.Member)
	if h := second.Health(); !h.Ready() || h.Owned != 2 || len(second.all(member.EventLost)) > 0 {
		t.Errorf("the second is disturbed: %v", h)
	}
}

// Close keeps a static member's place, so that nothing moves when it comes back; Leave
// gives it up.
func TestAStaticMembersPlace(t *testing.T) {
	const partitions = 4
	cluster := fakeCluster(t, partitions)
	other := startRun(t, cluster, nil, ignore, kgo.InstanceID("other"))
	static := startRun(t, cluster, nil, ignore, kgo.InstanceID("static"))
	half := func() bool { return other.Health().Owned == partitions/2 && static.Health().Owned == partitions/2 }
	eventually(t, "each has half", half)
	before := static.Partitions()

	shut(t, static.Member)
	static = startRun(t, cluster, nil, ignore, kgo.InstanceID("static"))
	eventually(t, "it is back", half)
	for i, p := range static.Partitions() {
		if p.Topic != before[i].Topic || p.Partition != before[i].Partition {
			t.Errorf("it had %v and has %v", before, static.Partitions())
		}
	}
	if err := static.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "the other has all", func() bool { return other.Health().Owned == partitions })
	if took := time.Since(began); took > 3*time.Second { // the session is 6 s
		t.Errorf("that took %s", took)
	}
}

// A topic that is deleted and created again is subscribed to again, or stops Run.
func TestATopicThatIsCreatedAgain(t *testing.T) {
	t.Parallel() // with itself: kgo takes seconds to notice
	for name, action := range map[string]member.RecreatedAction{"resubscribe": member.RecreatedResubscribe, "stop": member.RecreatedStop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			createdAgain(t, action)
		})
	}
}

func createdAgain(t *testing.T, action member.RecreatedAction) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 3)
	var book ledger
	r := startRun(t, cluster, func(cfg *member.Config) { cfg.OnRecreated = action }, func(_ context.Context, records []*kgo.Record) error {
		book.add(records)
		return nil
	}, kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(200*time.Millisecond))
	committedAt(t, r, 3)
	recreate(t, cluster)
	produce(t, cluster, 1, 5)
	if e := r.await(t, member.EventRecreated); e.Topic != "t" || !errors.Is(e.Err, member.ErrRecreated) {
		t.Errorf("got %+v", e)
	}
	if action == member.RecreatedStop {
		if err := r.wait(t); !errors.Is(err, member.ErrRecreated) {
			t.Errorf("Run returned %v", err)
		}
		return
	}
	eventually(t, "the new topic's records are handled", func() bool { return book.total() == 5 })
	committedAt(t, r, 5)
}

// recreate deletes topic "t" and creates it again, with one partition.
func recreate(t *testing.T, cluster *kfake.Cluster) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	drop := kmsg.NewPtrDeleteTopicsRequest()
	name := "t"
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	drop.Topics, drop.TopicNames = append(drop.Topics, topic), []string{name}
	if _, err := drop.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = name, 1, 1
	create.Topics = append(create.Topics, one)
	resp, err := create.RequestWith(t.Context(), client)
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}

// Between JoinGroup and SyncGroup the coordinator acknowledges heartbeats, and puts a
// member out that does not sync within the rebalance timeout, a follower like a leader.
func TestHandlersEndBeforeAMemberThatDoesNotSyncIsPutOut(t *testing.T) {
	const rebalance = 3 * time.Second
	cluster := fakeCluster(t, 2)
	idle := func(context.Context, []*kgo.Record) error { return nil }
	options := []kgo.Opt{kgo.RebalanceTimeout(rebalance), kgo.SessionTimeout(20 * time.Second), kgo.HeartbeatInterval(50 * time.Millisecond)}
	a := startRun(t, cluster, nil, idle, options...)
	eventually(t, "the first leads", a.Leading)
	var calls atomic.Int32
	ended := make(chan time.Time, 1)
	b := startRun(t, cluster, nil, func(ctx context.Context, _ []*kgo.Record) error {
		if calls.Add(1) == 1 {
			<-ctx.Done()
			ended <- time.Now()
		}
		return ctx.Err()
	}, options...)
	eventually(t, "each has one partition", func() bool { return a.Health().Owned == 1 && b.Health().Owned == 1 })
	produce(t, cluster, 2, 1)
	eventually(t, "the second handles a record", func() bool { return calls.Load() == 1 })
	follower, _ := b.Client().GroupMetadata()

	var joined atomic.Pointer[time.Time] // after the answer to its JoinGroup
	cluster.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		lost := req.(*kmsg.SyncGroupRequest).MemberID == follower && joined.Load() == nil
		if lost {
			now := time.Now()
			joined.CompareAndSwap(nil, &now)
		}
		return nil, nil, lost
	})
	startRun(t, cluster, nil, idle, options...)
	select {
	case at := <-ended:
		if from := joined.Load(); from == nil || at.Sub(*from) > rebalance {
			t.Errorf("the handler ended at %v, and joined at %v; the rebalance timeout is %s", at, from, rebalance)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the handler was not ended, and the second is put out after the rebalance timeout")
	}
}
