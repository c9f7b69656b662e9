package cluster

import (
	"fmt"
	"strings"
	"testing"
)

// TestDigest keeps warnings, errors with their traces, and the last lines.
func TestDigest(t *testing.T) {
	var log strings.Builder
	log.WriteString("[2026-01-01 00:00:00,001] WARN early (kafka.X)\n")
	for i := range 40 {
		fmt.Fprintf(&log, "[2026-01-01 00:00:01,%03d] INFO routine %d (kafka.X)\n", i, i)
		if i == 20 {
			log.WriteString("[2026-01-01 00:00:02,000] ERROR broken (kafka.X)\njava.io.IOException: no\n\tat kafka.X.y(X.scala:1)\n")
		}
	}
	log.WriteString("[2026-01-01 00:00:03,000] INFO " + strings.Repeat("wide ", 1000) + "\n")
	got := strings.Split(strings.TrimRight(digest(log.String()), "\n"), "\n")
	if len(got) != 4+failureLogLast || !strings.Contains(got[0], "early") || !strings.Contains(got[1], "broken") || !strings.Contains(got[3], "at kafka.X.y") {
		t.Errorf("%d lines: %q", len(got), got)
	}
	if last := got[len(got)-1]; !strings.Contains(last, "wide") || len(last) > failureLogWidth+len("…") {
		t.Errorf("%q", last)
	}
	many := digest(strings.Repeat("[2026-01-01 00:00:00,001] WARN again (kafka.X)\n", 300))
	if n := strings.Count(many, "\n"); n != failureLogWarnings+failureLogLast {
		t.Errorf("%d lines of 300", n)
	}
}
