package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/inspect/zk"
)

// runLonger watches for longer and longer, up to 27 times as long, until what is printed is as
// wanted: a busy machine takes longer.
func runLonger(t *testing.T, lasts time.Duration, is func(ran) bool, args ...string) (last ran) {
	t.Helper()
	for range 4 {
		if last = runArgs(t, append(args, "--for", lasts.String())...); is(last) {
			break
		}
		lasts *= 3
	}
	return last
}

func TestWatchPrintsAnObjectALine(t *testing.T) {
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	fake.MoveTopicPartition("__consumer_offsets", inspect.OffsetsPartition("workers", 50), fake.CoordinatorFor("workers"))
	shapesOf := func(printed ran) []byte {
		shapes := map[string]any{}
		for line := range strings.SplitSeq(strings.TrimSuffix(printed.stdout, "\n"), "\n") {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			if object["schema"] != "groupctl/v1/watch" {
				t.Errorf("%s", line)
			}
			if object["kind"] != "snapshot" { // what a busy machine loses sight of, and what changes
				continue
			}
			for part, value := range object["snapshot"].(map[string]any) {
				shapes[part] = shape(value)
			}
		}
		shaped, err := json.MarshalIndent(shapes, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return append(shaped, '\n')
	}
	golden := filepath.Join("testdata", "watch.shape.json")
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	result := runLonger(t, 6*time.Second, func(r ran) bool {
		return *update || r.code != exitFound || bytes.Equal(shapesOf(r), want)
	}, "-b", address, "-o", "jsonl", "watch")
	if result.code != exitFound || result.stderr != "" {
		t.Fatalf("%+v", result)
	}
	got := shapesOf(result)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		want = got
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the shape changed from\n%s\nto\n%s", want, got)
	}
}

// The controllers are another address here; the brokers know no quorum.
func TestWatchAsksTheControllersThatAreNamed(t *testing.T) {
	_, address := newCluster(t)
	controllers, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer controllers.Close()
	serveQuorum(t, controllers)
	told := func(r ran) bool { return strings.Contains(r.stdout, "controller   1, epoch 4") }
	result := runLonger(t, 4*time.Second, told, "-b", address, "watch", "elections", "--controllers", controllers.ListenAddrs()[0])
	if result.code != exitFound || !told(result) {
		t.Errorf("%+v", result)
	}
	for _, named := range []string{"kafka:port", " , "} {
		if result := runArgs(t, "-b", address, "watch", "--controllers", named); result.code != exitUsage || !strings.Contains(result.stderr, "give host:port") {
			t.Errorf("%q: %+v", named, result)
		}
	}
}

func TestWatchFailsWhereNobodyAnswers(t *testing.T) {
	result := runArgs(t, "-b", "127.0.0.1:1", "--timeout", "500ms", "watch")
	if result.code != exitFailed || !strings.Contains(result.stderr, "no broker answered at 127.0.0.1:1 within 500ms") {
		t.Errorf("%+v", result)
	}
	result = runArgs(t, "-b", "127.0.0.1:1", "watch", "--for", "500ms")
	if result.code != exitFailed || !strings.Contains(result.stderr, "no broker answered at 127.0.0.1:1 within 500ms") {
		t.Errorf("%+v", result)
	}
	result = runArgs(t, "-b", "127.0.0.1:1", "-o", "json", "watch")
	if result.code != exitUsage || !strings.Contains(result.stderr, "give -o jsonl") {
		t.Errorf("%+v", result)
	}
}

func TestWatchTellsOfNamesThatAreNotThere(t *testing.T) {
	_, address := newCluster(t)
	result := runLonger(t, 2*time.Second, func(r ran) bool { return strings.Contains(r.stdout, "no-such: ") }, "-b", address, "watch", "elections", "orders", "no-such")
	if result.code != exitFound || !strings.Contains(result.stdout, "topic        no-such: does not exist, or may not be seen\n") || strings.Contains(result.stdout, "topic        orders") {
		t.Errorf("%+v", result)
	}
	result = runLonger(t, 2*time.Second, func(r ran) bool { return strings.Contains(r.stdout, "absentTopics") }, "-b", address, "-o", "jsonl", "watch", "elections", "no-such")
	if result.code != exitFound || !strings.Contains(result.stdout, `"absentTopics":["no-such"]`) {
		t.Errorf("%+v", result)
	}
}

func TestWatchGoesOnWhereThereIsNothingToShow(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(50, "__consumer_offsets"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	address := fake.ListenAddrs()[0]
	result := runArgs(t, "-b", address, "--timeout", "2s", "watch", "groups", "--for", "4s")
	if result.code != exitFound || result.stdout != "" && result.stderr != "" || result.stdout == "" && !strings.Contains(result.stderr, "nothing to show so far") {
		t.Errorf("without groups: %+v", result)
	}
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, group := range req.(*kmsg.DescribeGroupsRequest).Groups {
			refused := kmsg.NewDescribeGroupsResponseGroup()
			refused.Group, refused.ErrorCode = group, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, refused)
		}
		return resp, nil, true
	})
	result = runLonger(t, 5*time.Second, func(r ran) bool { return strings.Contains(r.stdout, "not authorized") }, "-b", address, "--timeout", "30s", "watch", "groups", "secret")
	if result.code != exitFound || !strings.Contains(result.stdout, "not authorized") {
		t.Errorf("a group that may not be seen: %+v", result)
	}
}

// interrupting ends a run at its first output, as signal.NotifyContext does.
type interrupting struct {
	text      strings.Builder
	interrupt context.CancelCauseFunc
}

func (w *interrupting) Write(p []byte) (int, error) {
	w.interrupt(errors.New("interrupt signal received"))
	return w.text.Write(p)
}

func TestWatchEndsWellWhenItIsInterrupted(t *testing.T) {
	_, address := newCluster(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	stdout, stderr := &interrupting{interrupt: interrupt}, &strings.Builder{}
	code := run(ctx, []string{"-b", address, "watch", "elections"}, environment{stdout: stdout, stderr: stderr, getenv: func(string) string { return "" }})
	if code != exitFound || stderr.Len() > 0 || stdout.text.Len() == 0 {
		t.Errorf("exit %d, %q, after %q", code, stderr, stdout.text.String())
	}
}

func TestEventsOfZooKeeperOnALine(t *testing.T) {
	n := func(n int32) *int32 { return &n }
	event := zk.Event{Kind: zk.ControllerChanged, At: time.Date(2026, 1, 2, 17, 4, 5, 123e6, time.FixedZone("", 2*3600)), From: n(1), To: n(3), Missed: 1}
	event.Controller.Epoch, event.Controller.Mode = n(7), new("zookeeper")
	if got, want := eventLine(event), "15:04:05.123Z  controller 1 → 3, epoch 7, held by zookeeper; not seen: 1 election in between"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var out strings.Builder
	if err := writeEventLine(&out, "groupctl/v1/cluster-controller-watch", event); err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(out.String()), &object); err != nil || object["schema"] != "groupctl/v1/cluster-controller-watch" || object["kind"] != "controllerChanged" || object["to"] != 3.0 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestAMemberInFewWords(t *testing.T) {
	instance := "pod-0"
	for want, m := range map[string]watch.MemberRef{
		"worker-a-310c3349@10.0.0.7": {ID: "worker-a-310c3349-77fe-4156-9d32-602b2dead304", ClientID: "worker-a", Host: "/10.0.0.7"},
		"settler/Ay7lCWee@10.0.0.7":  {ID: "Ay7lCWee8LNj6Tg63cLGbg==", ClientID: "settler", Host: "/10.0.0.7"},
		"pod-0@10.0.0.7":             {ID: "pod-0-310c3349-77fe-4156-9d32-602b2dead304", Instance: &instance, ClientID: "worker-a", Host: "/10.0.0.7"},
	} {
		if got := whoText(m); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestEventsOnALine(t *testing.T) {
	n := func(n int32) *int32 { return &n }
	s := func(s string) *string { return &s }
	at := time.Date(2026, 1, 2, 17, 4, 5, 123e6, time.FixedZone("", 2*3600))
	instance := "inst"
	for _, test := range []struct {
		event watch.Event
		want  string
	}{
		{watch.Event{Kind: watch.KindBroker, Broker: &watch.BrokerChange{Node: 2}}, "broker       2 is gone"},
		{watch.Event{Kind: watch.KindController, Controller: &watch.ControllerChange{From: n(1), To: n(3), FromEpoch: n(4), ToEpoch: n(6), Unseen: 1}}, "controller   1 → 3, epoch 4 → 6"},
		{watch.Event{Kind: watch.KindLeader, Leader: &watch.LeaderChange{Topic: "orders", Partition: 3, From: n(2), FromEpoch: n(7), ToEpoch: n(8), Cause: watch.CauseBrokerGone, Evidence: []string{"a", "b"}}}, "leader       orders-3: 2 → none, epoch 7 → 8, broker gone: a; b"},
		{watch.Event{Kind: watch.KindISR, ISR: &watch.ISRChange{Topic: "orders", Partition: 3, Left: []int32{2}, ISR: []int32{1, 3}, Replicas: []int32{1, 2, 3}}}, "isr          orders-3: 2 left; in sync are 1,3 of 1,2,3"},
		{watch.Event{Kind: watch.KindGroup, Group: &watch.GroupChange{Group: "g\x1b", From: s("Stable"), To: s("PreparingRebalance")}}, `group        g\x1b: Stable → PreparingRebalance`},
		{watch.Event{Kind: watch.KindGeneration, Generation: &watch.GenerationChange{
			Group: "g", From: n(3), To: n(5), Unseen: n(1), Members: 2, Source: watch.SourceLog,
			Joined: []watch.MemberRef{{ID: "a-1", Host: "/10.0.0.7"}}, Left: []watch.MemberRef{{ID: "b-1", Instance: &instance, Host: "/10.0.0.8"}},
			FromLeader: s("b-1"), ToLeader: s("a-1"), NotStable: watch.Span{AtMost: watch.Millis(1500 * time.Millisecond)},
		}}, "generation   g: generation 3 → 5 (1 not seen), not stable for at most 1.5s, +a-1@10.0.0.7, -inst@10.0.0.8, 2 members, led by a-1"},
		{watch.Event{Kind: watch.KindGeneration, Generation: &watch.GenerationChange{Group: "g", Source: watch.SourcePoll, Members: 1}}, "generation   g: rebalanced, generation ?, not stable for 0s, 1 member"},
		{watch.Event{Kind: watch.KindLag, Lag: &watch.LagChange{Group: "g", Topic: "orders", Partition: 1, Stalled: true, Committed: 5, End: 8, Lag: 3, For: watch.Millis(time.Minute)}}, "lag          g: orders-1 stands at 5 for 1m0s, 3 records behind"},
		{watch.Event{Kind: watch.KindSight, Sight: &watch.SightChange{Part: "groups", Node: n(2), Lost: true, Message: "no answer"}}, "sight        groups of broker 2 cannot be looked at: no answer"},
	} {
		test.event.At = at
		var out strings.Builder
		if err := (&eventLines{out: &out}).write(test.event); err != nil {
			t.Fatal(err)
		}
		if want := "15:04:05.1Z  " + test.want + "\n"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}

// A group that was looked at before the partitions may be told after them. Where the clock
// is set back, lines have the time that it shows then.
func TestTimesOfLinesGoForwards(t *testing.T) {
	var out bytes.Buffer
	lines := eventLines{out: &out}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, offset := range []time.Duration{2 * time.Second, time.Second, 3 * time.Second, -time.Hour, time.Second - time.Hour} {
		event := watch.Event{Kind: watch.KindBroker, At: start.Add(offset), Broker: &watch.BrokerChange{Node: int32(i), Up: true}}
		if err := lines.write(event); err != nil {
			t.Fatal(err)
		}
	}
	if want := "03:04:07.0Z  broker       0 is up\n03:04:07.0Z  broker       1 is up\n03:04:08.0Z  broker       2 is up\n" +
		"02:04:05.0Z  broker       3 is up\n02:04:06.0Z  broker       4 is up\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}
