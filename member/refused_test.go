package member_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func TestALeaderWhosePlanIsRefusedTellsWhatItTakes(t *testing.T) {
	cluster := fakeCluster(t, 4)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.UnknownServerError, Count: 1})
	m := startMember(t, cluster, member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
		Traits:    member.Traits{Labels: map[string]string{"long": strings.Repeat("x", 10_000)}},
	})
	settledOwners(t, 4, m)
	// The client may have joined, and lost its place, before it was attached: only the round
	// has its id then.
	lost, id := m.all(member.EventLost), m.all(member.EventElected)[0].Member
	if len(lost) != 1 || !errors.Is(lost[0].Err, kerr.UnknownServerError) || !strings.Contains(lost[0].Err.Error(), "max.message.bytes") ||
		!strings.Contains(lost[0].Err.Error(), "member "+id+" 100") {
		t.Errorf("got %+v", lost)
	}
}
