package member_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func TestReplanOfAFollowerBringsAboutARoundOfWhichTheLeaderKnowsNoReason(t *testing.T) {
	for name, eager := range map[string]bool{"cooperative": false, "eager": true} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeCluster(t, 4)
			cfg := member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}, Eager: eager}}, ReplanInterval: time.Millisecond}
			leader := startMember(t, cluster, cfg, kgo.HeartbeatInterval(20*time.Millisecond))
			eventually(t, "the first leads", leader.hooks.Leading)
			follower := startMember(t, cluster, cfg, kgo.HeartbeatInterval(20*time.Millisecond))
			half := func(m *testMember) bool {
				owned, _ := m.assigned()
				return len(owned) == 1 && len(owned[0].Partitions) == 2
			}
			eventually(t, "both have half", func() bool { return half(leader) && half(follower) })
			follower.hooks.Replan("not heard")
			eventually(t, "a round for a reason that is not known", func() bool {
				plans := leader.all(member.EventPlanned)
				return plans[len(plans)-1].Reason == string(member.CauseUnknown)
			})
		})
	}
}

func TestReplanIsLimitedAndTellsItsReason(t *testing.T) {
	cluster := fakeCluster(t, 4)
	const interval = 500 * time.Millisecond
	m := startMember(t, cluster, member.HooksConfig{ReplanInterval: interval}, kgo.HeartbeatInterval(20*time.Millisecond))
	eventually(t, "the member leads", m.hooks.Leading)
	forced := func() (events []member.Event) {
		for _, e := range m.all(member.EventPlanned) {
			if strings.HasPrefix(e.Reason, "forced: ") {
				events = append(events, e)
			}
		}
		return events
	}
	m.hooks.Replan("at once")
	eventually(t, "the first round", func() bool { return len(forced()) == 1 })
	for range 100 {
		m.hooks.Replan("later")
		m.hooks.Replan("together")
	}
	eventually(t, "the second round", func() bool { return len(forced()) == 2 })
	m.hooks.Replan("last")
	eventually(t, "the third round", func() bool { return len(forced()) == 3 })
	events := forced()
	for i, want := range []string{"forced: at once", "forced: later; forced: together", "forced: last"} {
		if events[i].Reason != want {
			t.Errorf("round %d: %q, want %q", i, events[i].Reason, want)
		}
		// The rounds are some heartbeats after the calls.
		if i > 0 && events[i].Time.Sub(events[i-1].Time) < interval/2 {
			t.Errorf("round %d came %s after the one before", i, events[i].Time.Sub(events[i-1].Time))
		}
	}
	joining := m.all(member.EventJoining)
	if !slices.ContainsFunc(joining, func(e member.Event) bool { return e.Reason == "later; together" }) {
		t.Errorf("no JoinGroup tells the reason: %v", joining)
	}
}

// Who leads brings about a round to announce itself, or not to any more; in others that
// would cost the group a round for nothing.
func TestAnnouncementsAreSwitchedByTheLeaderInOneRound(t *testing.T) {
	cluster := fakeCluster(t, 4)
	leader := startRun(t, cluster, nil, ignore)
	eventually(t, "the first leads", leader.Leading)
	beats := make(chan struct{}, 1000)
	follower := startRun(t, cluster, nil, ignore, kgo.WithHooks(heartbeats(beats)))
	eventually(t, "both have half", func() bool { return leader.Health().Owned == 2 && follower.Health().Owned == 2 })
	joins := func() int { return len(follower.all(member.EventJoining)) }
	// quiet has some heartbeats go by, the first of which may be under way. A round that
	// is forced begins before the next.
	quiet := func() {
		for len(beats) > 0 {
			<-beats
		}
		for range 5 {
			<-beats
		}
	}
	quiet()
	before := joins()
	follower.SetAnnounce(true)
	quiet()
	if n := joins() - before; n != 0 {
		t.Errorf("the follower brought about %d rounds", n)
	}
	announced := func() string {
		assigned := follower.all(member.EventAssigned)
		return assigned[len(assigned)-1].LeaderID
	}
	id, _ := leader.Client().GroupMetadata()
	leader.SetAnnounce(true)
	eventually(t, "the leader announces itself", func() bool { return announced() == id })
	leader.SetAnnounce(true)
	leader.SetAnnounce(false)
	eventually(t, "it does not any more", func() bool { return announced() == "" })
}

// heartbeats tells of each heartbeat that was answered.
type heartbeats chan struct{}

func (h heartbeats) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key != int16(kmsg.Heartbeat) || e2e.Err() != nil {
		return
	}
	select {
	case h <- struct{}{}:
	default: // nobody waits for it
	}
}
