package main

import (
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
				if took := time.Since(start); took > 10*time.Second {
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
