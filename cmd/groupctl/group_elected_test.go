package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/member"
)

// TestDescribeShowsWhoIsElected has two candidates, of which the second takes over: the
// first leads the group on, and counts.
func TestDescribeShowsWhoIsElected(t *testing.T) {
	fake, address := newCluster(t)
	candidate := func(payload string, priority int32) *member.Election {
		election, err := member.Elect("reports", member.ElectionConfig{
			Client:  []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ClientID(payload)},
			Payload: []byte(payload), Priority: priority,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = election.Close(context.Background()) })
		return election
	}
	first := candidate("first", 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := first.WaitLeader(ctx); err != nil {
		t.Fatal(err)
	}
	second := candidate("second", 1)
	for leader := range second.Leaders(ctx) {
		if string(leader.Payload) == "second" {
			break
		}
	}
	if ctx.Err() != nil {
		t.Fatal("the second candidate does not take over")
	}

	result := runArgs(t, "-b", address, "group", "describe", "reports")
	lines := strings.Split(result.stdout, "\n")
	if result.code != exitFound || len(lines) < 6 || !strings.HasSuffix(lines[0], "PAYLOAD") || !strings.Contains(lines[0], "ELECTED") || !strings.HasSuffix(lines[1], "second") {
		t.Fatalf("%+v", result)
	}
	head, rows := strings.Fields(lines[3]), [][]string{strings.Fields(lines[4]), strings.Fields(lines[5])}
	if strings.Join(head, " ") != "MEMBER ELECTED PRIORITY PAYLOAD HOST" {
		t.Errorf("%q", head)
	}
	for i, want := range []string{"no 0 first", "yes 1 second"} {
		if got := strings.Join(rows[i][1:4], " "); got != want {
			t.Errorf("%q, want %q in\n%s", got, want, result.stdout)
		}
	}
	wide := runArgs(t, "-b", address, "-o", "wide", "group", "describe", "reports", "workers")
	if wide.code != exitFound || !strings.Contains(wide.stdout, "COUNTS") || !strings.Contains(wide.stdout, "LEADS") || !strings.Contains(wide.stdout, "CANDIDATE") || !strings.Contains(wide.stdout, "orders[0-1]") {
		t.Errorf("%+v", wide)
	}
	result = runArgs(t, "-b", address, "-o", "json", "group", "describe", "reports")
	var answer struct{ Data []inspect.Group }
	if err := json.Unmarshal([]byte(result.stdout), &answer); err != nil || result.code != exitFound {
		t.Fatalf("%v: %+v", err, result)
	}
	got, err := json.MarshalIndent(shape(parse(t, result.stdout).Data), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "group-describe-election.shape.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != string(got)+"\n" {
		t.Errorf("%v: the shape changed from\n%s\nto\n%s", err, want, got)
	}
	leader, _ := second.Leader()
	if g := answer.Data[0]; *g.Elected.Member != leader.Member || g.Elected.Ballot != leader.Fence.Number || *g.Elected.PayloadText != "second" || string(g.Elected.Payload) != "second" || g.Elected.Priority != 1 {
		t.Errorf("%+v, want %+v", g.Elected, leader)
	}
}

func TestElectionsInWords(t *testing.T) {
	who := "web-12345678-1234-1234-1234-123456789012"
	elected := func(ballot int64, payload string) *inspect.Elected {
		return &inspect.Elected{Member: &who, Ballot: ballot, Payload: []byte(payload)}
	}
	asked := elected(7, "x")
	asked.HandsOver = true
	nobody := &inspect.Elected{Ballot: 7}
	for _, c := range []struct {
		before, now *inspect.Elected
		want        string
	}{
		{nil, elected(7, "10.0.0.7:8080"), "elected web-12345678, ballot 7, payload 10.0.0.7:8080"},
		{elected(7, "x"), elected(7, "x"), "elected as before"},
		{elected(7, "x"), asked, "elected as before, asked to hand over"},
		{elected(7, "x"), elected(7, "y"), "elected web-12345678, ballot 7, payload y"},
		{elected(7, ""), nobody, "nobody elected"},
		{nobody, nobody, "nobody elected, as before"},
		{nil, elected(7, "\xff\x1b"), "elected web-12345678, ballot 7, payload base64:/xs="},
		{nil, elected(7, "a\x1b[31m"), `elected web-12345678, ballot 7, payload a\x1b[31m`},
		{nil, elected(7, strings.Repeat("é", 200)), "elected web-12345678, ballot 7, payload " + strings.Repeat("é", 30) + "…"},
	} {
		if got := verdictText(c.before, c.now, shortName); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}

	counts := "other"
	entry := inspect.LogEntry{Kind: inspect.LogGeneration, Generation: &inspect.LoggedGeneration{
		Generation: 4, Leader: &counts, Elected: elected(7, "x"), Assignor: new("groupkit-election-v1"), Members: make([]inspect.LoggedMember, 2),
	}}
	if got, want := (historyWords{member: shortName}).entry(&entry), "4, 2 members, elected web-12345678, ballot 7, payload x, votes counted by other"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	change := watch.Event{Kind: watch.KindGeneration, Generation: &watch.GenerationChange{
		Group: "g", Members: 2, FromElected: elected(7, "x"), ToElected: elected(8, "x"), ToLeader: &counts, Source: watch.SourceLog,
	}}
	if got := watchLines(change)[0].text; !strings.HasSuffix(got, "2 members, elected web-12345678, ballot 8, payload x") {
		t.Error(got)
	}
	first := watch.Event{Kind: watch.KindSnapshot, Snapshot: &watch.Snapshot{Groups: []watch.Group{{Group: "g", Type: "classic", State: "Stable", Elected: elected(7, "x")}}}}
	if got := watchLines(first)[0].text; got != "g: classic, Stable, 0 members, elected web-12345678, ballot 7, payload x" {
		t.Error(got)
	}
}
