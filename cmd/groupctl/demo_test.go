package main

import (
	"strings"
	"testing"
	"time"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	// Nothing listens at the address in the environment, which is not for the demo.
	got := runWith(t, func(name string) string {
		return map[string]string{bootstrapVariable: "127.0.0.1:1"}[name]
	}, "demo")
	if got.code != exitFound || got.stderr != "" {
		t.Errorf("exit %d, stderr %q", got.code, got.stderr)
	}
	if !strings.Contains(got.stdout, "All 9 steps were seen to happen") || strings.Contains(got.stdout, "\x1b") {
		t.Error(got.stdout)
	}
}

func TestDemoWithoutBrokers(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"demo", "--brokers", "127.0.0.1:1"},
		{"demo", "-b", "127.0.0.1:1"},
	} {
		began := time.Now()
		got := runArgs(t, args...)
		if got.code != exitFailed || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "no broker answered at 127.0.0.1:1") {
			t.Errorf("%q: exit %d, stderr %q", args, got.code, got.stderr)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%q: it took %s", args, took)
		}
	}
}

func TestDemoUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"demo", "orders"},
		{"demo", "--nonsense"},
		{"demo", "--brokers", ","},
		{"demo", "--brokers", "a:1", "-b", "b:1"},
		{"demo", "-o", "json"},
		{"demo", "--timeout", "0s"},
	} {
		if got := runArgs(t, args...); got.code != exitUsage || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: exit %d, stderr %q", args, got.code, got.stderr)
		}
	}
}
