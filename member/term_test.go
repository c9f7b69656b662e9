package member

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
)

// The user may take a while to hear of the end of a term, and the client may have found out
// by then that it is not in the group, and have joined anew: no round is called then.
func TestALeaderThatIsUnknownCallsNoRoundWhereItJoinedAnew(t *testing.T) {
	for name, c := range map[string]struct {
		member string // whose term it is
		calls  bool
	}{
		"the client has the id of the term": {"", true}, // it has none, for it has not joined
		"the client has another id":         {"was", false},
	} {
		t.Run(name, func(t *testing.T) {
			hooks, err := NewHooks(HooksConfig{Protocols: []Protocol{{Assignor: assign.Balanced{}}}})
			if err != nil {
				t.Fatal(err)
			}
			defer hooks.Close()
			client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			hooks.client, hooks.settings.interval = client, time.Hour
			lost := hooks.newTerm(&round{hooks: hooks, protocol: hooks.cfg.Protocols[0], info: kgo.BalanceInfo{Group: "g", Generation: 1, LeaderID: c.member}})
			hooks.term = lost
			hooks.lose(lost, client, fmt.Errorf("%w: %w", ErrLost, kerr.UnknownMemberID))
			hooks.mu.Lock()
			defer hooks.mu.Unlock()
			if called := hooks.calling != nil; called != c.calls {
				t.Errorf("a round is called: %v, want %v", called, c.calls)
			}
			hooks.cancelCallLocked()
			if hooks.term != nil {
				t.Error("the term is on")
			}
		})
	}
}
