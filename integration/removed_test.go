package integration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// removedByAnAdministrator removes a member while it handles a record. Another gets the partition and commits; then the
// first hears of it, and joins anew. No commit of the group goes back.
func removedByAnAdministrator(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const records, under = 60, 10
	topic, group := newTopic(t, c, 1), unique(t, "group")
	produce(t, c, topic, records)
	b := newBook()
	handles, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	first := startHandler(t, c, group, topic, "first", func(cfg *member.Config) {
		cfg.GroupProtocol, cfg.DrainTimeout = protocol, time.Second
		// It hears late that it was removed, and is not put out before.
		cfg.Client = append(cfg.Client, kgo.SessionTimeout(4*session), kgo.HeartbeatInterval(session-time.Second))
	}, func(ctx context.Context, record *kgo.Record) error {
		if record.Offset == under {
			once.Do(func() {
				close(handles)
				<-ctx.Done()
				ended <- context.Cause(ctx)
			})
		}
		b.add("first", record, time.Now())
		return nil // what was under way is handled all the same
	})
	select {
	case <-handles:
	case <-time.After(patience):
		t.Fatal("nothing is handled")
	}
	id, _ := first.Client().GroupMetadata()
	second := startRunner(t, c, group, topic, b, func(cfg *member.Config) { cfg.GroupProtocol = protocol })
	eventually(t, "another is in the group, and kgo has looked whether a round follows, which it does half a second after each", func() (bool, string) {
		told := first.told()
		settled := time.Since(told[len(told)-1].Time)
		return second.Health().Ready() && settled > time.Second, fmt.Sprint(second.Health(), settled)
	})
	if protocol == member.ConsumerProtocol {
		first.wire.sever() // the brokers' heartbeat interval is so short that it would be back first
	}
	remove(t, c, group, id, protocol)
	eventually(t, "the other has the partition, and has committed everything", func() (bool, string) {
		ps := second.Partitions()
		return len(ps) == 1 && ps[0].Committed == records, fmt.Sprint(ps)
	})

	first.wire.mend()
	first.Client().ForceRebalance() // as kgo does where a commit is refused
	select {
	case why := <-ended:
		if !errors.Is(why, member.ErrLost) && !(protocol == member.ConsumerProtocol && errors.Is(why, member.ErrLeaseExpired)) {
			t.Errorf("the handler's context ended for %v", why)
		}
	case <-time.After(patience):
		t.Fatal("the handler's context does not end")
	}
	eventually(t, "it is told that the member is out, and in again", func() (bool, string) {
		return len(first.all(member.EventLost)) > 0 && first.Health().Ready(), first.Health().String()
	})
	for _, e := range first.all(member.EventLost) {
		if !errors.Is(e.Err, member.ErrLost) && !errors.Is(e.Err, kerr.UnknownMemberID) {
			t.Errorf("it is out for %v", e.Err)
		}
	}
	produce(t, c, topic, records)
	eventually(t, "everything is committed", func() (bool, string) {
		at := committed(t, c, group)
		return at == 2*records, fmt.Sprint(at)
	})
	first.close(t)
	second.close(t)
	highest := int64(-1)
	for _, e := range offsetsLog(t, c, group) {
		if e.Commit == nil || e.Commit.Offset == nil {
			continue
		}
		if *e.Commit.Offset < highest {
			t.Errorf("%d was committed after %d", *e.Commit.Offset, highest)
		}
		highest = max(highest, *e.Commit.Offset)
	}
	if highest != 2*records {
		t.Errorf("the log ends at the commit of %d", highest)
	}
}

// remove takes a member out of its group, as an administrator can.
func remove(t *testing.T, c *cluster.Cluster, group, id string, protocol member.GroupProtocol) {
	t.Helper()
	var code int16
	if protocol == member.ConsumerProtocol { // LeaveGroup removes no such member
		heartbeat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		heartbeat.Group, heartbeat.MemberID, heartbeat.MemberEpoch = group, id, -1
		resp, err := heartbeat.RequestWith(t.Context(), newClient(t, c))
		if err != nil {
			t.Fatal(err)
		}
		code = resp.ErrorCode
	} else {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group, leave.Members = group, []kmsg.LeaveGroupRequestMember{{MemberID: id}}
		resp, err := leave.RequestWith(t.Context(), newClient(t, c))
		if err != nil {
			t.Fatal(err)
		}
		code = resp.ErrorCode
		for _, left := range resp.Members {
			code += left.ErrorCode
		}
	}
	if err := kerr.ErrorForCode(code); err != nil {
		t.Fatal(err)
	}
}
