package member_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
