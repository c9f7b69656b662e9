package member

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
)

// A client in the group that was not attached is told of once, in an event and in the log,
// and what does not work without.
func TestAClientThatIsNotAttachedIsToldOf(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*testing.T, *Hooks)
		told      int
	}{
		"it is left at that": {func(*testing.T, *Hooks) {}, 1},
		"another round":      {func(_ *testing.T, h *Hooks) { h.synced("balanced", nil, announcement{}) }, 1},
		"Attach is called": {func(t *testing.T, h *Hooks) {
			client, err := kgo.NewClient(append(h.Opts(), kgo.ConsumerGroup("g"))...) // which is never in the group
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			if err := h.Attach(client); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"the hooks are closed": {func(_ *testing.T, h *Hooks) { h.Close() }, 0},
		"the client is closed": {func(_ *testing.T, h *Hooks) { clientHook{h}.OnClientClosed(nil) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				var told []Event
				h, err := NewHooks(HooksConfig{
					Protocols: []Protocol{{Assignor: assign.Balanced{}}},
					Logger:    slog.New(slog.NewTextHandler(&log, nil)),
					OnEvent: func(e Event) {
						if e.Kind == EventUnattached {
							told = append(told, e)
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(h.Close)
				time.Sleep(time.Hour) // in no group
				h.synced("balanced", nil, announcement{})
				c.meanwhile(t, h)
				time.Sleep(attachPatience)
				synctest.Wait()
				h.synced("balanced", nil, announcement{})
				time.Sleep(attachPatience)
				synctest.Wait()
				h.events.Lock()
				defer h.events.Unlock()
				if len(told) != c.told {
					t.Fatalf("told %v, want it %d times", told, c.told)
				}
				for _, e := range told {
					if !strings.Contains(e.Err.Error(), "Hooks.Attach was not called: Lead does not run") {
						t.Errorf("told %v", e.Err)
					}
				}
				if n := strings.Count(log.String(), `level=WARN msg="group member unattached"`); n != c.told {
					t.Errorf("logged %d times:\n%s", n, log.String())
				}
			})
		})
	}
}
