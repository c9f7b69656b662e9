package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// apart fails the test unless the first member's last term ended before the other's last
// one began, and returns how long before.
func apart(t *testing.T, former, successor *hooked) time.Duration {
	t.Helper()
	ended, began := former.last(member.EventResigned), successor.last(member.EventLeading)
	if ended.Time.IsZero() || !ended.Time.Before(began.Time) {
		t.Errorf("a term ended %s after the next one began (%v)", ended.Time.Sub(began.Time), ended.Err)
	}
	return began.Time.Sub(ended.Time)
}

// lossy is a connection on which all that is written is lost once it is cut.
type lossy struct {
	net.Conn
	cut *atomic.Bool
}

func (l lossy) Write(p []byte) (int, error) {
	if l.cut.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

func lossyDialer(cut *atomic.Bool) kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return lossy{conn, cut}, err
	})
}

// TestALeaderThatIsCutOffIsOverBeforeAShortRebalanceTimeoutIs: who hears nothing does not
// hear either that a round began, in which it is put out long before its session ends.
func TestALeaderThatIsCutOffIsOverBeforeAShortRebalanceTimeoutIs(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	short := []kgo.Opt{kgo.SessionTimeout(25 * time.Second), kgo.RebalanceTimeout(3 * time.Second)}
	var cut atomic.Bool
	former := startHooked(t, c, group, []string{topic}, member.HooksConfig{}, append(short, lossyDialer(&cut))...)
	former.leads(t)
	cut.Store(true)
	successor := startHooked(t, c, group, []string{topic}, member.HooksConfig{}, short...)
	successor.leads(t)
	t.Logf("the term ended %s before the next one", apart(t, former, successor))
	if why := former.last(member.EventResigned).Err; !errors.Is(why, member.ErrLeaseExpired) {
		t.Errorf("it ended because of %v", why)
	}
	cut.Store(false)
}

// TestASuccessorWaitsOutWhatNoLeaseCanSee: the former leader is cut off, and hears of
// nothing meanwhile.
func TestASuccessorWaitsOutWhatNoLeaseCanSee(t *testing.T) {
	const delay = 6 * time.Second // the session timeout
	for name, succession := range map[string]struct {
		opts   []kgo.Opt
		remove func(t *testing.T, c *cluster.Cluster, group, id string)
	}{
		"an administrator removes the leader": {
			nil,
			func(t *testing.T, c *cluster.Cluster, group, id string) {
				leave := kmsg.NewPtrLeaveGroupRequest()
				leave.Group, leave.Members = group, []kmsg.LeaveGroupRequestMember{{MemberID: id}}
				if _, err := leave.RequestWith(t.Context(), newClient(t, c)); err != nil {
					t.Fatal(err)
				}
			},
		},
		"another process takes the instance id": {
			[]kgo.Opt{kgo.InstanceID("i")},
			func(*testing.T, *cluster.Cluster, string, string) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster.Shared(t)
			topic, group := newTopic(t, c, 4), unique(t, "group")
			start := func(opts ...kgo.Opt) *hooked {
				return startHooked(t, c, group, []string{topic}, member.HooksConfig{TakeoverDelay: delay}, append(opts, succession.opts...)...)
			}
			var cut atomic.Bool
			former := start(lossyDialer(&cut))
			former.leads(t)
			id := former.id()
			at := time.Now()
			cut.Store(true)
			succession.remove(t, c, group, id)
			successor := start()
			eventually(t, "the successor is elected", func() (bool, string) {
				return len(successor.all(member.EventElected)) > 0, string(successor.hooks.State())
			})
			successor.leads(t)
			elected, ended := successor.all(member.EventElected)[0].Time, former.last(member.EventResigned).Time
			if elected.Sub(at) < delay/2 && ended.Before(elected) { // or its lease may have ended
				t.Error("the former leader knew of it")
			}
			t.Logf("the term ended %s before the next one", apart(t, former, successor))
			cut.Store(false)
		})
	}
}

// TestASuccessorWaitsWhereTheClientLeavesBeforeTheHooksAreClosed: the former leader is out
// of the group while its work takes its time to stop.
func TestASuccessorWaitsWhereTheClientLeavesBeforeTheHooksAreClosed(t *testing.T) {
	t.Parallel()
	const delay = 6 * time.Second // the session timeout
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	var stopped atomic.Pointer[time.Time]
	former := startHooked(t, c, group, []string{topic}, member.HooksConfig{TakeoverDelay: delay, Lead: func(ctx context.Context, _ member.Term) error {
		<-ctx.Done()
		time.Sleep(delay / 20) // its lease leaves it twice that
		now := time.Now()
		stopped.Store(&now)
		return nil
	}})
	former.leads(t)
	successor := startHooked(t, c, group, []string{topic}, member.HooksConfig{TakeoverDelay: delay})
	share(t, topic, 4, former, successor)
	former.client.Close()
	successor.leads(t)
	began := successor.last(member.EventLeading).Time
	if waited := began.Sub(successor.all(member.EventElected)[0].Time); waited < delay {
		t.Errorf("the term began %s after the election", waited)
	}
	if at := stopped.Load(); at == nil || !at.Before(began) {
		t.Errorf("the term began at %s, and the work of the former leader stopped at %s", began, at)
	}
}

// TestALeaderIsOverBeforeAnotherIsNamedThoughItStaysInTheGroup: a member that speaks
// KIP-848 joins and leaves at once. The group is then led by whichever member the
// coordinator names, while the former leader is in it as before.
func TestALeaderIsOverBeforeAnotherIsNamedThoughItStaysInTheGroup(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 6), unique(t, "group")
	first := startHooked(t, c, group, []string{topic}, member.HooksConfig{})
	first.leads(t)
	members := []*hooked{first, startHooked(t, c, group, []string{topic}, member.HooksConfig{}), startHooked(t, c, group, []string{topic}, member.HooksConfig{})}
	share(t, topic, 6, members...)
	client := newClient(t, c)
	changes := 0
	for range 3 {
		leads := func() (who []*hooked) {
			for _, k := range members {
				if k.hooks.Leading() {
					who = append(who, k)
				}
			}
			return who
		}
		var former []*hooked
		eventually(t, "one leads", func() (bool, string) { // a round may follow on that which made all share
			former = leads()
			return len(former) == 1, fmt.Sprint(len(former))
		})
		rounds := len(former[0].all(member.EventAssigned))
		if message, err := joinAs848(t, client, group, topic); err != nil {
			t.Fatal(err, message)
		}
		var now []*hooked
		eventually(t, "one leads after the round", func() (bool, string) {
			now = leads()
			states := ""
			for _, k := range members {
				states += string(k.hooks.State()) + " "
			}
			return len(now) == 1 && len(former[0].all(member.EventAssigned)) > rounds, states
		})
		share(t, topic, 6, members...)
		if now[0] != former[0] {
			changes++
			t.Logf("the term ended %s before the next one, by %v", apart(t, former[0], now[0]), former[0].last(member.EventResigned).Err)
		}
	}
	t.Logf("%d changes of leaders", changes)
}
