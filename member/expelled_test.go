package member_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/groupkit/groupkit/member"
)

// An administrator removes a member while it handles a record, another gets the partition
// and commits, and then the first joins anew. It must not commit over the other.
func TestAMemberThatWasPutOutCommitsNothingOverItsSuccessor(t *testing.T) {
	const records, under = 60, 10
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, records)

	handles, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	first := startRun(t, cluster, func(cfg *member.Config) {
		cfg.MaxBatch, cfg.CommitInterval, cfg.DrainTimeout = 1, time.Millisecond, time.Second
	}, member.Each(func(ctx context.Context, record *kgo.Record) error {
		if record.Offset == under {
			once.Do(func() {
				close(handles)
				<-ctx.Done()
				ended <- context.Cause(ctx)
			})
		}
		return nil // the record under way is handled all the same
	}), kgo.SessionTimeout(30*time.Second), kgo.HeartbeatInterval(29*time.Second))
	<-handles
	eventually(t, "what was handled is committed", func() bool {
		ps := first.Partitions()
		return len(ps) == 1 && ps[0].Committed == under
	})

	second := startRun(t, cluster, nil, func(context.Context, []*kgo.Record) error { return nil })
	eventually(t, "another is in the group", func() bool { return second.Health().Ready() })
	id, _ := first.Client().GroupMetadata()
	remove(t, second.Client(), id)
	eventually(t, "the other has handled and committed everything", func() bool {
		ps := second.Partitions()
		return len(ps) == 1 && ps[0].Committed == records
	})
	var backwards atomic.Int64
	backwards.Store(-1)
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range req.(*kmsg.OffsetCommitRequest).Topics {
			for _, p := range topic.Partitions {
				if p.Offset < records {
					backwards.Store(p.Offset)
				}
			}
		}
		return nil, nil, false
	})

	first.Client().ForceRebalance() // as kgo does where a commit is refused
	if why := <-ended; !errors.Is(why, member.ErrLost) {
		t.Errorf("the handler's context ended for %v", why)
	}
	lost := first.await(t, member.EventLost)
	if !errors.Is(lost.Err, member.ErrLost) || !errors.Is(lost.Err, kerr.UnknownMemberID) || lost.Member != id {
		t.Errorf("lost is told by %+v", lost)
	}
	eventually(t, "it is in the group again", func() bool { return first.Health().Ready() })
	produce(t, cluster, 1, records)
	eventually(t, "all is handled and committed", func() bool {
		for _, ps := range [][]member.PartitionStatus{first.Partitions(), second.Partitions()} {
			if len(ps) == 1 && ps[0].Committed == 2*records {
				return true
			}
		}
		return false
	})
	if at := backwards.Load(); at >= 0 {
		t.Errorf("%d was committed after %d", at, records)
	}
	if n := len(first.all(member.EventLost)); n != 1 {
		t.Errorf("it was told %d times that the member is out", n)
	}
}

// The same in a client of the user's own: it is told by OnPartitionsLost.
func TestAClientWithHooksIsToldThatItWasPutOut(t *testing.T) {
	cluster := fakeCluster(t, 2)
	lost := make(chan map[string][]int32, 10)
	m := startMember(t, cluster, member.HooksConfig{}, kgo.SessionTimeout(30*time.Second), kgo.HeartbeatInterval(29*time.Second),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { lost <- partitions }))
	settledOwners(t, 2, m)
	eventually(t, "it leads", m.hooks.Leading)
	id, _ := m.client.GroupMetadata()
	remove(t, m.client, id) // which ends the term, and brings about a round
	if partitions := <-lost; len(partitions["t"]) != 2 {
		t.Errorf("%v are lost", partitions)
	}
	// Where the answer to SyncGroup says so first, the client calls back before the event.
	eventually(t, "the event is told", func() bool { return len(m.all(member.EventLost)) > 0 })
	told := m.all(member.EventLost)
	if len(told) != 1 || told[0].Member != id || !errors.Is(told[0].Err, kerr.UnknownMemberID) {
		t.Errorf("got %+v", told)
	}
	eventually(t, "it is in the group again and leads", m.hooks.Leading)
	settledOwners(t, 2, m)
	if again, _ := m.client.GroupMetadata(); again == id {
		t.Error("it has the id that it had")
	}
}

// Where a heartbeat tells a leader first that it is out, it joins once, and leaves the group
// no second time.
func TestALeaderThatWasPutOutJoinsOnce(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 4)
	// Heartbeats of its lease come three times in a session, and the client's less often.
	leader := startMember(t, cluster, member.HooksConfig{}, kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(4*time.Second))
	eventually(t, "it leads", leader.hooks.Leading)
	other := startMember(t, cluster, member.HooksConfig{})
	// Before both have half the leader may still have to join again, to give up what the
	// other gets: then the answer to JoinGroup would tell it first.
	half := func(m *testMember) bool {
		assigned, _ := m.assigned()
		return len(assigned) == 1 && len(assigned[0].Partitions) == 2
	}
	eventually(t, "each has half", func() bool { return half(leader) && half(other) })
	id, before := leader.client.GroupMetadata()
	remove(t, other.client, id) // which leaves the other in the group, and brings about a round there
	var left, anew atomic.Int32
	cluster.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		left.Add(1)
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if req.(*kmsg.JoinGroupRequest).MemberID == "" {
			anew.Add(1)
		}
		return nil, nil, false
	})
	eventually(t, "it is told", func() bool { return len(leader.all(member.EventLost)) > 0 })
	eventually(t, "it is in the group again, and each has half", func() bool {
		told := leader.all(member.EventAssigned)
		return told[len(told)-1].Member != id && half(leader) && half(other)
	})
	if l, j := left.Load(), anew.Load(); l != 0 || j != 1 {
		_, after := leader.client.GroupMetadata()
		t.Errorf("it left the group %d times and joined anew %d times, in generations %d to %d", l, j, before, after)
	}
}

// A commit that a client of the user's own waits with until the round is over, in which it
// is a member again, is not accepted over what another has committed.
func TestACommitThatWaitsForTheRoundOfAMemberThatWasPutOutIsRefused(t *testing.T) {
	const committed = 60
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, committed)
	m := startMember(t, cluster, member.HooksConfig{}, kgo.SessionTimeout(30*time.Second), kgo.HeartbeatInterval(20*time.Second), kgo.DisableAutoCommit())
	var polled []*kgo.Record
	for len(polled) == 0 {
		polled = m.client.PollRecords(t.Context(), 10).Records()
	}
	id, _ := m.client.GroupMetadata()
	admin, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	remove(t, admin, id)
	var offsets kadm.Offsets
	offsets.AddOffset("t", 0, committed, -1) // as a successor would
	if err := kadm.NewClient(admin).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	syncs, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cluster.ControlKey(int16(kmsg.SyncGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		once.Do(func() {
			close(syncs)
			cluster.SleepControl(func() { <-held })
		})
		return nil, nil, false
	})
	m.client.ForceRebalance()
	<-syncs
	answer := make(chan error, 1)
	go func() { answer <- m.client.CommitRecords(context.Background(), polled...) }()
	select {
	case err := <-answer:
		t.Errorf("the commit did not wait: %v", err)
	case <-time.After(300 * time.Millisecond): // it has come to where it waits
	}
	close(held)
	if err := <-answer; err == nil {
		t.Error("the commit was accepted")
	}
	now, err := kadm.NewClient(admin).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := now.Lookup("t", 0); at.At != committed {
		t.Errorf("%d is committed after %d", at.At, committed)
	}
}

// Where brokers do not know KIP-848, kgo's own assignor serves, and Hooks have no say in it.
func TestAMemberThatFellBackAndWasPutOutStartsFromWhatIsCommitted(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.GroupMinSessionTimeout(100*time.Millisecond), kfake.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	produce(t, cluster, 1, 10)
	var handled atomic.Int64
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.GroupProtocol, cfg.Protocols = member.ConsumerProtocol, nil
	}, member.Each(func(context.Context, *kgo.Record) error { handled.Add(1); return nil }), kgo.SessionTimeout(30*time.Second), kgo.HeartbeatInterval(5*time.Second))
	committed := func(n int64) func() bool {
		return func() bool {
			ps := r.Partitions()
			return len(ps) == 1 && ps[0].Committed == n
		}
	}
	eventually(t, "ten are committed", committed(10))
	id, _ := r.Client().GroupMetadata()
	remove(t, r.Client(), id)
	r.Client().ForceRebalance()
	lost := r.await(t, member.EventLost)
	if !errors.Is(lost.Err, member.ErrLost) || !errors.Is(lost.Err, kerr.UnknownMemberID) {
		t.Errorf("lost is told by %+v", lost)
	}
	produce(t, cluster, 1, 10)
	eventually(t, "twenty are committed", committed(20))
	if n := handled.Load(); n != 20 {
		t.Errorf("%d records were handled, want 20", n)
	}
	if failed := r.all(member.EventCommitFailed); len(failed) > 3 {
		t.Errorf("commits failed %d times, at last: %v", len(failed), failed[len(failed)-1].Err)
	}
}

// remove takes a member out of the group, as an administrator can.
func remove(t *testing.T, client *kgo.Client, id string) {
	t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = "g"
	removed := kmsg.NewLeaveGroupRequestMember()
	removed.MemberID = id
	req.Members = append(req.Members, removed)
	if left, err := req.RequestWith(t.Context(), client); err != nil || len(left.Members) != 1 || left.Members[0].ErrorCode != 0 {
		t.Fatal(left, err)
	}
}
