package member

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnnouncementsSurviveTheWireAndForeignUserDataAnnouncesNobody(t *testing.T) {
	long := announcement{Leader: "me", Reason: strings.Repeat("é", 1000)}
	if got := parseAnnouncement(long.encode()); got.Leader != "me" || len(got.Reason) > maxAnnouncedReason+5 || !strings.HasSuffix(got.Reason, "é …") {
		t.Errorf("got %+v", got)
	}
	for _, data := range [][]byte{nil, {0}, []byte("gk"), []byte("gk\x01"), []byte("gk\x01[]"), []byte("gk\x02{\"leader\":\"x\"}"),
		[]byte("gk\x01{\"leader\":\"" + strings.Repeat("x", maxAnnouncement) + "\"}")} {
		if got := parseAnnouncement(data); got != (announcement{}) {
			t.Errorf("%.20q announces %+v", data, got)
		}
	}
}

func TestALeaderAnnouncesItselfOnlyWhereAsked(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	follower := newLeader(t, HooksConfig{})
	userData := func() []byte {
		l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
		r, _, err := l.balancer.MemberBalancer([]kmsg.JoinGroupResponseMember{*joined("me", l.says()), *joined("you", l.says())})
		if err != nil {
			t.Fatal(err)
		}
		r.(*round).info.LeaderID = "me"
		for _, a := range r.Balance(map[string]int32{"t": 2}).IntoSyncAssignment() {
			var wire kmsg.ConsumerMemberAssignment
			if err := wire.ReadFrom(a.MemberAssignment); err != nil {
				t.Fatal(err)
			}
			if a.MemberID == "you" {
				if _, err := follower.balancer.ParseSyncAssignment(a.MemberAssignment); err != nil {
					t.Fatal(err)
				}
				return wire.UserData
			}
		}
		t.Fatal("nothing is sent to the other member")
		return nil
	}
	if got := userData(); got != nil {
		t.Errorf("%q is announced, and nobody asked", got)
	}
	l.hooks.SetAnnounce(true)
	if got := userData(); parseAnnouncement(got) != (announcement{Leader: "me", Reason: "forced: announcements were switched; first"}) {
		t.Errorf("got %q", got)
	}
	if told := follower.of(EventAssigned); told[0].LeaderID != "" || told[1].LeaderID != "me" || !strings.Contains(told[1].Reason, "first") {
		t.Errorf("the follower was told %+v", told)
	}
	l.hooks.SetAnnounce(false)
	if got := userData(); got != nil {
		t.Errorf("%q is announced still", got)
	}
}
