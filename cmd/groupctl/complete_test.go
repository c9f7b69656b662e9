package main

import (
	"strings"
	"testing"
	"time"
)

func TestCompletion(t *testing.T) {
	_, address := newCluster(t)
	for args, want := range map[string]string{
		"group describe ":            "workers :4",
		"group describe workers ":    ":4",
		"group describe x":           ":4",
		"offsets dump w":             "workers :4",
		"topic leaders or":           "orders :4",
		"group coordinator --share ": ":4",
		"group list --type ":         "classic consumer share streams :4",
		"elect preferred or":         "orders :4",
		"watch ":                     "elections groups :4",
		"watch groups w":             "workers :4",
		"watch elections or":         "orders :4",
		"watch groups workers ":      ":4",
		"-o ":                        "table wide json jsonl :4",
		"cluster brokers ":           ":4",
		"cluster controller --sasl ": "plain scram-sha-256 scram-sha-512 :4",
		"group list --config ":       ":0", // a file
	} {
		words := strings.Split(args, " ")
		result := runArgs(t, append([]string{"__complete", "-b", address}, words...)...)
		if got := strings.Join(strings.Fields(result.stdout), " "); result.code != exitFound || got != want {
			t.Errorf("%q is completed by %q, want %q; %s", args, got, want, result.stderr)
		}
	}
}

func TestCompletionDoesNotWaitForBrokers(t *testing.T) {
	began := time.Now()
	result := runArgs(t, "__complete", "-b", "127.0.0.1:1", "group", "describe", "")
	if took := time.Since(began); took > 7*time.Second || strings.TrimSpace(result.stdout) != ":4" {
		t.Errorf("after %v: %+v", took, result)
	}
}
