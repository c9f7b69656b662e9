package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/assign/offline"
	"github.com/groupkit/groupkit/member"
)

func TestPlanReadsProblems(t *testing.T) {
	good := `{"id":"a","topics":[{"name":"t","partitions":2}],"members":[{"id":"m","topics":["t"]}]}`
	for _, test := range []struct {
		in     string
		code   int
		lines  []string
		stderr string
	}{
		{"", exitFound, nil, ""},
		{good, exitFound, []string{`"id":"a","results"`}, ""},
		{good + "\nnonsense\n\n" + good + "\n", exitFailed, []string{`"id":"a","results"`, `{"id":null,"error":`, `"id":"a","results"`}, "1 of 3 problems have no plan"},
	} {
		file := filepath.Join(t.TempDir(), "problems.jsonl")
		if err := os.WriteFile(file, []byte(test.in), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, output := range []string{"table", "json"} {
			got := runArgs(t, "plan", "--input", file, "--settle", "-o", output)
			lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
			if got.stdout == "" {
				lines = nil
			}
			if got.code != test.code || len(lines) != len(test.lines) || !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("%q: %+v", test.in, got)
				continue
			}
			for i, want := range test.lines {
				if !strings.Contains(lines[i], want) || strings.Contains(want, "results") && !strings.Contains(lines[i], `"rounds":1`) {
					t.Errorf("%q: line %d is %s", test.in, i, lines[i])
				}
			}
		}
	}
	got := runArgs(t, "plan", "--input", filepath.Join(t.TempDir(), "no\nfile"))
	if got.code != exitUsage || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "name a file that exists") {
		t.Errorf("%+v", got)
	}
}

func TestPlanUsage(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"plan", "needs one group"},
		{"plan -b x:1 a b", "2 groups were given"},
		{"plan --input f group", "not both"},
		{"plan --input f --assignor range", "--assignor is for a group"},
		{"plan --input f --pin x", "--pin is for a group"},
		{"plan --input f -o yaml", `"yaml"`},
		{"plan -b x:1 g --weights size", `"size" are not known`},
		{"plan -b x:1 g --assignor best", `"best" is not known; name one of balanced`},
		{"plan -b x:1 g --max-moves 0", "--max-moves is 0"},
		{"plan -b x:1 g --max-moves -1", "--max-moves is -1"},
		{"plan -b x:1 g --tolerance -1", "the tolerance is -1"},
		{"plan -b x:1 g --tolerance NaN", "the tolerance is NaN"},
		{"plan -b x:1 g --add-members -1", "--add-members is -1"},
		{"plan -b x:1 g --co-partition t", "does not name two topics"},
		{"plan -b x:1 g --svg=", "--svg names no file"},
		{"plan -b x:1 g --pin t", "is not understood"},
		{"plan -b x:1 g --pin t=i", "is not understood"},
		{"plan -b x:1 g --pin t:3-1=instance:i", "is not understood"},
		{"plan -b x:1 g --pin t:0-2147483646=instance:i", "is not understood"},
		{"plan -b x:1 g --pin t=label:gold", "is not understood"},
		{"plan g", bootstrapVariable},
	} {
		got := runArgs(t, strings.Fields(test.args)...)
		if got.code != exitUsage || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, test.says) {
			t.Errorf("%s: %+v", test.args, got)
		}
	}
}

func TestPinFlags(t *testing.T) {
	for text, want := range map[string]assign.Pin{
		"t=instance:i":              {Topic: "t", Instance: "i"},
		"t=label:tier=gold":         {Topic: "t", Label: "tier=gold"},
		"t:0,2-4=instance:i:j=k":    {Topic: "t", Partitions: []int32{0, 2, 3, 4}, Instance: "i:j=k"},
		"orders.eu:7=label:a=b=c:d": {Topic: "orders.eu", Partitions: []int32{7}, Label: "a=b=c:d"},
	} {
		if got, ok := parsePin(text); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
}

func TestMovesInWords(t *testing.T) {
	from := func(ids ...string) (moves []assign.Move) {
		for _, id := range ids {
			moves = append(moves, assign.Move{From: id, To: "x"})
		}
		return moves
	}
	for _, test := range []struct {
		moves []assign.Move
		moved int
		want  string
	}{
		{nil, 0, "nothing moves"},
		{from(""), 0, "nothing moves"},
		{from("a"), 1, "1 partition moves"},
		{from("a", "b", "left"), 2, "2 partitions move, 1 partition is taken over"},
		{from("left", "left"), 0, "2 partitions are taken over"},
	} {
		if got := movesInWords(test.moves, test.moved); got != test.want {
			t.Errorf("%v: %s, want %s", test.moves, got, test.want)
		}
	}
}

// planned is the data of the envelope, as its readers see it.
type planned struct {
	ID      string
	Results map[string]offline.Outcome
	Before  assign.Assignment
	Problem json.RawMessage
}

// planJSON runs plan with -o json. What it answers has to be a plan that holds for the
// problem it answers with, and the plan that --input gives for that.
func planJSON(t *testing.T, address string, args ...string) (planned, offline.Problem, printed) {
	t.Helper()
	got := runArgs(t, append([]string{"-b", address, "-o", "json", "plan"}, args...)...)
	if got.code != exitFound {
		t.Fatalf("%q: %+v", args, got)
	}
	envelope := parse(t, got.stdout)
	var data struct{ Data planned }
	if err := json.Unmarshal([]byte(got.stdout), &data); err != nil {
		t.Fatal(err)
	}
	problem, err := offline.Parse(data.Data.Problem)
	if err != nil {
		t.Fatalf("%v: %s", err, data.Data.Problem)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data.Data.Problem); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "problem.jsonl")
	if err := os.WriteFile(file, line.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again := runArgs(t, "plan", "--input", file)
	var offlineLine planned
	if err := json.Unmarshal([]byte(again.stdout), &offlineLine); err != nil {
		t.Fatalf("%v: %+v", err, again)
	}
	for assignor, o := range data.Data.Results {
		if err := assign.Validate(problem.Group, assign.Plan{Assignment: o.Assignment}); err != nil {
			t.Errorf("%s: %v", assignor, err)
		}
		if !o.Assignment.Equal(offlineLine.Results[assignor].Assignment) {
			t.Errorf("%s: %v live and %v from --input", assignor, o.Assignment, offlineLine.Results[assignor].Assignment)
		}
	}
	return data.Data, problem, envelope
}

func TestPlanOfALiveGroup(t *testing.T) {
	_, address := newCluster(t)
	t.Run("as it is", func(t *testing.T) {
		p, problem, envelope := planJSON(t, address, "workers", "--assignor", "range", "--assignor", "balanced", "--settle")
		if *envelope.Schema != "groupctl/v1/plan" || p.ID != "workers" || len(p.Results) != 2 || len(problem.Group.Members) != 1 {
			t.Errorf("%+v", p)
		}
		if o := p.Results["balanced"]; o.Stats.MovedPartitions != 0 || o.Rounds != 1 || !o.Assignment.Equal(p.Before) || !o.Settled.Equal(p.Before) {
			t.Errorf("%+v", o)
		}
		if m := problem.Group.Members[0]; m.Instance != "one" || !slices.Equal(m.Topics, []string{"orders"}) || len(m.Owned) != 1 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("one more", func(t *testing.T) {
		p, _, _ := planJSON(t, address, "workers", "--add-members", "1", "--settle")
		if o := p.Results["balanced"]; o.Stats.MovedPartitions != 1 || o.Rounds != 2 || o.Assignment.Count("new-1") != 1 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("another instead", func(t *testing.T) {
		p, problem, _ := planJSON(t, address, "workers", "--add-members", "2", "--remove", "one")
		if o := p.Results["balanced"]; o.Stats.MovedPartitions != 0 || o.Assignment.Count("new-1") != 1 || len(problem.Group.Members) != 2 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("by its options", func(t *testing.T) {
		p, problem, envelope := planJSON(t, address, "workers", "--add-members", "1", "--pin", "orders:0=instance:gone", "--max-moves", "1",
			"--tolerance", "0", "--per-topic=false", "--racks=false", "--follower-fetching", "--co-partition", "orders,payments")
		if w := envelope.Warnings; len(w) != 1 || !strings.Contains(w[0]["message"], `--co-partition names the topic "payments"`) {
			t.Errorf("%+v", w)
		}
		if unmet := p.Results["balanced"].Unmet; len(unmet) != 1 || unmet[0].Constraint != assign.ConstraintPin {
			t.Errorf("%+v", unmet)
		}
		want := offline.Options{MaxMoves: 1, FollowerFetching: true, CoPartition: [][]string{{"orders", "payments"}}, Pins: []assign.Pin{{Topic: "orders", Partitions: []int32{0}, Instance: "gone"}}}
		if !reflect.DeepEqual(problem.Options, want) {
			t.Errorf("%+v", problem.Options)
		}
	})
	t.Run("for people", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "plan.svg")
		got := runArgs(t, "-b", address, "plan", "workers", "--add-members", "1", "--settle", "--assignor", "balanced", "--assignor", "failover",
			"--pin", "orders:0=instance:gone", "--svg", file)
		for _, want := range []string{"workers  classic  Stable", "AFTER BALANCED", "AFTER FAILOVER", "████", "joins", "ROUNDS", "orders-1", "one   new-1", "no member that may have it"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("no %q in\n%s", want, got.stdout)
			}
		}
		if got.code != exitFound || strings.ContainsAny(got.stdout, "\t\x1b") {
			t.Errorf("%+v", got)
		}
		svg, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(svg, []byte("After balanced: 1 partition moves")) || !bytes.Contains(svg, []byte("After failover: nothing moves")) {
			t.Errorf("%v, %.200s", err, svg)
		}
		if got := runArgs(t, "-b", address, "plan", "workers", "--svg", filepath.Join(file, "x")); got.code != exitFailed || !strings.Contains(got.stderr, "cannot write the picture") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("its shape", func(t *testing.T) {
		got := runArgs(t, "-b", address, "-o", "json", "plan", "workers", "--settle", "--pin", "orders:0=instance:gone")
		data := parse(t, got.stdout).Data.(map[string]any)
		for _, key := range []string{"before"} { // keyed by member id
			data[key] = "by member"
		}
		for _, o := range data["results"].(map[string]any) {
			o.(map[string]any)["assignment"], o.(map[string]any)["settled"] = "by member", "by member"
		}
		shaped, err := json.MarshalIndent(shape(data), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "plan.shape.json")
		if *update {
			if err := os.WriteFile(golden, append(shaped, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != string(shaped)+"\n" {
			t.Errorf("%v: the shape changed from\n%s\nto\n%s", err, want, shaped)
		}
	})
}

func TestPlanSaysWhyThereIsNone(t *testing.T) {
	fake, address := newCluster(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "orders", At: 1, LeaderEpoch: -1})
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), "empty", offsets); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"nobody", exitNotFound, `"nobody" does not exist`},
		{"empty", exitFailed, "has no members"},
		{"workers --remove two", exitNotFound, `no member "two" to remove; it has`},
		{"workers --remove one", exitUsage, "no member is left"},
	} {
		got := runArgs(t, append([]string{"-b", address, "-o", "json", "plan"}, strings.Fields(test.args)...)...)
		p := parse(t, got.stdout)
		if got.code != test.code || p.Data != nil || len(p.Errors) != 1 || !strings.Contains(p.Errors[0]["message"], test.says) {
			t.Errorf("%s: %+v", test.args, got)
		}
		if got = runArgs(t, append([]string{"-b", address, "plan"}, strings.Fields(test.args)...)...); got.stdout != "" || got.code != test.code || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: as a table: %+v", test.args, got)
		}
	}
}

func TestPlanHeedsWhatMembersTell(t *testing.T) {
	fake, address := newCluster(t)
	start := func(id string, traits member.Traits) {
		m, err := member.New(member.Config{
			Group: "traits", Topics: []string{"orders"},
			HooksConfig: member.HooksConfig{Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}, Traits: traits},
			Client:      []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...), kgo.InstanceID(id), kgo.Rack("rack-" + id), kgo.HeartbeatInterval(50 * time.Millisecond)},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx, func(context.Context, []*kgo.Record) error { return nil }) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	start("gold", member.Traits{Capacity: 3, Labels: map[string]string{"tier": "gold"}})
	start("old", member.Traits{Draining: true})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := fake.WaitGroupStable(ctx, "traits", 2); err != nil {
		t.Fatal(err)
	}
	_, problem, _ := planJSON(t, address, "traits")
	byInstance := make(map[string]assign.Member)
	for _, m := range problem.Group.Members {
		byInstance[m.Instance] = m
	}
	if m := byInstance["gold"]; m.Capacity != 3 || m.Labels["tier"] != "gold" || m.Draining || m.Rack != "rack-gold" {
		t.Errorf("%+v", m)
	}
	if m := byInstance["old"]; !m.Draining || m.Rack != "rack-old" {
		t.Errorf("%+v", m)
	}
}

func TestPlanOfAConsumerGroupByItsLag(t *testing.T) {
	fake, address := newCluster(t)
	seeds := kgo.SeedBrokers(fake.ListenAddrs()...)
	producer, err := kgo.NewClient(seeds, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for p, n := range []int{30, 10} {
		for range n {
			record := &kgo.Record{Topic: "orders", Partition: int32(p), Value: []byte("x")}
			if err := producer.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 5, LeaderEpoch: -1})
	if err := kadm.NewClient(producer).CommitAllOffsets(t.Context(), "new", offsets); err != nil {
		t.Fatal(err)
	}
	reader, err := kgo.NewClient(seeds, kgo.ConsumerGroup("new"), kgo.ConsumeTopics("orders"), kgo.ServerSideBalancer(), kgo.DisableAutoCommit(), kgo.Rack("r1"))
	if err != nil {
		t.Fatal(err)
	}
	polling, stop := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			reader.PollFetches(polling)
		}
	}()
	defer func() { stop(); <-polled; reader.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := fake.WaitGroupStable(ctx, "new", 1); err != nil {
		t.Fatal(err)
	}
	p, problem, _ := planJSON(t, address, "new", "--weights", "lag", "--add-members", "1")
	if got := fmt.Sprint(problem.Group.Topics[0].Weights); got != "[25 10]" {
		t.Errorf("weights %s", got)
	}
	// What members own is for the tests on real brokers: kfake tells it by the topic's id alone.
	if m := problem.Group.Members[0]; m.Rack != "r1" || !slices.Equal(m.Topics, []string{"orders"}) {
		t.Errorf("%+v", m)
	}
	if o := p.Results["balanced"]; o.Stats.MaxLoad != 25 {
		t.Errorf("%+v", o)
	}
	table := runArgs(t, "-b", address, "plan", "new", "--weights", "lag", "--add-members", "1")
	if !strings.Contains(table.stdout, "new    consumer") || !strings.Contains(table.stdout, "25 in 1") || !strings.Contains(table.stdout, "records of lag") {
		t.Errorf("%+v", table)
	}
}
