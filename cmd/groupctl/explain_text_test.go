package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
)

// TestADiagnosisReadsWell holds what is printed of a diagnosis with all that there may be
// in one to a file.
func TestADiagnosisReadsWell(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var seen []explain.Observation
	record := func(after time.Duration, generation int32, ids ...string) {
		g := &watch.GroupRecord{Group: "orders", Written: begin.Add(after), Generation: generation}
		for _, id := range ids {
			client, _, _ := strings.Cut(id, "-")
			g.Members = append(g.Members, watch.Member{MemberRef: watch.MemberRef{ID: id, ClientID: client, Host: "/10.0.0.1"}, Topics: []string{"orders"}, RebalanceTimeout: watch.Millis(time.Minute)})
		}
		seen = append(seen, explain.Observation{At: g.Written, Source: explain.SourceLog, Record: g})
	}
	record(0, 1, "a-1", "b-1")
	for i := range int32(3) {
		after := time.Duration(i) * time.Minute
		record(after+10*time.Second, 2+2*i, "a-1", "b-1", "x-"+string('1'+i))
		record(after+40*time.Second, 3+2*i, "a-1", "b-1")
	}
	record(4*time.Minute, 8, "a-1", "b-1", "c-1")
	for i := range int32(8) {
		record(5*time.Minute+time.Duration(i)*time.Minute, 10+i, "a-1", "b-1", "c-1")
	}
	look := &watch.Group{Group: "orders", Type: "classic", State: "Stable"}
	seen = append(seen, explain.Observation{At: begin.Add(14 * time.Minute), Source: explain.SourcePoll, Look: look})
	var out bytes.Buffer
	if err := writeTable(&out, false, func(t *table) { diagnosisText(t, explain.Diagnose("orders", seen, explain.Limits{})) }); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/group-explain.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("%s differs; see it, and run with -update:\n%s", golden, out.String())
	}
}
