package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/internal/kafkatest"
)

func TestBrokersThatDoNotAnswer(t *testing.T) {
	bad := kafkatest.BadBrokers(t)
	for name, address := range bad {
		for _, command := range []string{"group coordinator x", "group describe x", "cluster brokers", "cluster controller", "topic leaders", "group list", "group explain x --for 1s", "offsets dump x", "plan x", "impact --brokers-down 1", "elect preferred --execute"} {
			t.Run(name+" "+command, func(t *testing.T) {
				start := time.Now()
				result := runArgs(t, append([]string{"-b", address, "-o", "json", "--timeout", "500ms"}, strings.Fields(command)...)...)
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("took %v", took)
				}
				p := parse(t, result.stdout)
				if result.code != exitFailed || p.Data != nil || len(p.Errors) != 1 || p.Errors[0]["code"] != "BROKER_UNREACHABLE" || !strings.Contains(p.Errors[0]["message"], address) {
					t.Errorf("%+v", result)
				}
				if strings.Count(result.stderr, "\n") != 1 || strings.Contains(result.stderr, "goroutine") {
					t.Errorf("stderr %q", result.stderr)
				}
			})
		}
	}
	t.Run("watch", func(t *testing.T) {
		// Where looks fail for two seconds, it is known why.
		result := runArgs(t, "-b", bad["hangs up"], "--timeout", "6s", "watch")
		if result.code != exitFailed || !strings.Contains(result.stderr, "wants TLS or SASL") || strings.Count(result.stderr, "\n") != 1 {
			t.Errorf("%+v", result)
		}
	})
	t.Run("one of two", func(t *testing.T) {
		_, address := newCluster(t)
		first, _, _ := strings.Cut(address, ",")
		if result := runArgs(t, "-b", bad["says nothing"]+","+first, "--timeout", "4s", "topic", "leaders", "orders"); result.code != exitFound {
			t.Errorf("%+v", result)
		}
	})
	t.Run("with all the time of the world", func(t *testing.T) {
		result := runArgs(t, "-b", bad["refuses"], "--timeout", "1000h", "topic", "leaders")
		if result.code != exitFailed || !strings.Contains(result.stderr, "no broker answered at "+bad["refuses"]) {
			t.Errorf("%+v", result)
		}
	})
}

// TestInterruptedWhileNobodyAnswers: every command ends at once.
func TestInterruptedWhileNobodyAnswers(t *testing.T) {
	address := kafkatest.BadBrokers(t)["says nothing"]
	for _, command := range []string{
		"group coordinator x", "group coordinator x --transactional-id", "group describe x", "group list", "group explain x --for 1m", "offsets dump x",
		"cluster brokers", "cluster controller", "topic leaders", "impact --brokers-down 1", "elect preferred --execute", "plan x", "watch",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(300*time.Millisecond, cancel)
			var stdout, stderr bytes.Buffer
			start := time.Now()
			code := run(ctx, append([]string{"-b", address, "--timeout", "1m"}, strings.Fields(command)...), environment{&stdout, &stderr, func(string) string { return "" }})
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			want, says := exitFailed, "canceled before a broker answered at "+address
			if command == "watch" {
				want, says = exitFound, "" // it is how it ends
			}
			if code != want || !strings.Contains(stderr.String(), says) {
				t.Errorf("code %d: %s", code, stderr.String())
			}
		})
	}
}
