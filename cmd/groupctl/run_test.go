package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

type ran struct {
	code           int
	stdout, stderr string
}

func runWith(t *testing.T, getenv func(string) string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	code := run(ctx, args, environment{stdout: &stdout, stderr: &stderr, getenv: getenv})
	return ran{code, stdout.String(), stderr.String()}
}

func runArgs(t *testing.T, args ...string) ran {
	t.Helper()
	return runWith(t, func(string) string { return "" }, args...)
}

// newCluster is a fake cluster with a classic group of one member, "workers", whose
// record is in the log.
func newCluster(t *testing.T) (*kfake.Cluster, string) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("fake"), kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, "__consumer_offsets"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"), kgo.InstanceID("one"), kgo.ClientID("reader"))
	if err != nil {
		t.Fatal(err)
	}
	polling, stop := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			client.PollFetches(polling)
		}
	}()
	t.Cleanup(func() { stop(); <-polled; client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if _, err := fake.WaitGroupStable(ctx, "workers", 1); err != nil {
		t.Fatal(err)
	}
	member, generation := client.GroupMetadata()
	kafkatest.WriteLog(t, fake, inspect.OffsetsPartition("workers", 50), kafkatest.GroupRecord("workers", member, generation))
	return fake, strings.Join(fake.ListenAddrs(), ",")
}

// serveQuorum makes the fake answer DescribeQuorum, which it does not know.
func serveQuorum(t *testing.T, fake *kfake.Cluster) {
	t.Helper()
	answer := kmsg.NewPtrDescribeQuorumResponse()
	topic := kmsg.NewDescribeQuorumResponseTopic()
	topic.Topic = "__cluster_metadata"
	partition := kmsg.NewDescribeQuorumResponseTopicPartition()
	partition.LeaderID, partition.LeaderEpoch = 1, 4
	for node, end := range []int64{90, 100, -1} {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset = int32(node), end
		partition.CurrentVoters = append(partition.CurrentVoters, state)
	}
	state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	state.ReplicaID, state.LogEndOffset = 7, 99
	partition.Observers = append(partition.Observers, state)
	topic.Partitions = append(topic.Partitions, partition)
	answer.Topics = append(answer.Topics, topic)
	kafkatest.ServeQuorum(t, fake, answer)
}

type printed struct {
	Schema           *string
	ClusterID        *string `json:"clusterId"`
	ObservedAt       time.Time
	Data             any
	Warnings, Errors []map[string]string
}

func parse(t *testing.T, out string) printed {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(out))
	var p printed
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if decoder.More() {
		t.Fatalf("more than one object: %q", out)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schema", "clusterId", "observedAt", "data", "warnings", "errors"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("the envelope has no %q: %s", key, out)
		}
	}
	if len(keys) != 6 {
		t.Errorf("the envelope has %d keys: %s", len(keys), out)
	}
	if p.Warnings == nil || p.Errors == nil {
		t.Errorf("warnings or errors are null: %s", out)
	}
	return p
}

// shape reduces JSON to its names and kinds, so that it can be compared.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		shaped := map[string]any{}
		for key, value := range v {
			shaped[key] = shape(value)
		}
		return shaped
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{shape(v[0])}
	case nil:
		return "null"
	case float64:
		return "number"
	case bool:
		return "boolean"
	}
	return fmt.Sprintf("%T", v)
}

func TestJSONKeepsItsShape(t *testing.T) {
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	for name, args := range map[string][]string{
		"group-coordinator":  {"group", "coordinator", "workers"},
		"group-describe":     {"group", "describe", "workers"},
		"group-list":         {"group", "list", "--type", "classic", "--lag"},
		"offsets-dump":       {"offsets", "dump", "workers"},
		"group-explain":      {"group", "explain", "workers", "--for", "100ms", "--since", "2026-01-31T12:00:00Z"},
		"cluster-brokers":    {"cluster", "brokers"},
		"cluster-controller": {"cluster", "controller"},
		"topic-leaders":      {"topic", "leaders", "orders"},
	} {
		t.Run(name, func(t *testing.T) {
			result := runArgs(t, append([]string{"-b", address, "-o", "json"}, args...)...)
			if result.code != exitFound {
				t.Fatalf("%+v", result)
			}
			p := parse(t, result.stdout)
			if *p.Schema != "groupctl/v1/"+name || *p.ClusterID != "fake" || time.Since(p.ObservedAt) > time.Minute {
				t.Errorf("envelope %+v", p)
			}
			if strings.Contains(result.stdout, ": -1") {
				t.Errorf("-1 is shown for unknown: %s", result.stdout)
			}
			got, err := json.MarshalIndent(shape(p.Data), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".shape.json")
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(append(got, '\n'), want) {
				t.Errorf("the shape changed from\n%s\nto\n%s", want, got)
			}
		})
	}
}

func TestTablesAreAligned(t *testing.T) {
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	for _, test := range []struct {
		args []string
		has  []string
	}{
		{[]string{"group", "coordinator", "workers", "b\nb\x1b[31m"}, []string{"AGREES", "workers", `b\nb\x1b[31m`}},
		{[]string{"group", "describe", "workers"}, []string{"GENERATION", "classic", "Stable", "INSTANCE", "one", "orders[0-1]", "LEADS", "UNCOMMITTED"}},
		{[]string{"-o", "wide", "group", "describe", "workers"}, []string{"LEADER", "OFFSETS-PARTITION", "LOST", "TOPICS"}},
		{[]string{"group", "describe", "workers", "--partitions"}, []string{"COMMITTED", "STABLE"}},
		{[]string{"group", "list"}, []string{"COORDINATOR", "workers", "classic", "Stable"}},
		{[]string{"group", "list", "--lag", "--state", "stable"}, []string{"LAG", "workers"}},
		{[]string{"offsets", "dump", "workers"}, []string{"LOG-END", "generation", "1 member, led by"}},
		{[]string{"cluster", "controller"}, []string{"EPOCH", "kraft", "observer", "leader"}},
		{[]string{"cluster", "brokers"}, []string{"SKEW", "127.0.0.1:", "%"}},
		{[]string{"topic", "leaders", "orders"}, []string{"PREFERRED", "orders", "ok"}},
	} {
		result := runArgs(t, append([]string{"-b", address}, test.args...)...)
		if result.code != exitFound {
			t.Errorf("%v: %+v", test.args, result)
		}
		for _, want := range test.has {
			if !strings.Contains(result.stdout, want) {
				t.Errorf("%v: no %q in\n%s", test.args, want, result.stdout)
			}
		}
		if strings.ContainsAny(result.stdout, "\t\x1b") {
			t.Errorf("%v: control characters in %q", test.args, result.stdout)
		}
		for table := range strings.SplitSeq(strings.TrimSuffix(result.stdout, "\n"), "\n\n") {
			aligned(t, table)
		}
	}
}

// aligned checks that each column begins where its heading does.
func aligned(t *testing.T, table string) {
	t.Helper()
	head, rows, _ := strings.Cut(table, "\n")
	if rows == "" {
		t.Errorf("no rows in %q", table)
	}
	for row := range strings.SplitSeq(rows, "\n") {
		for i := range head {
			if head[i] == ' ' || i > 0 && head[i-1] != ' ' {
				continue
			}
			if i >= len(row) || row[i] == ' ' || i > 0 && row[i-1] != ' ' {
				t.Errorf("not aligned at column %d:\n%s\n%s", i, head, row)
				break
			}
		}
	}
}

func TestDescribeNamesTheGroupInEachRowOnlyWhereThereAreSeveral(t *testing.T) {
	_, address := newCluster(t)
	for _, partitions := range []string{"--partitions=false", "--partitions"} {
		one := runArgs(t, "-b", address, "group", "describe", "workers", partitions)
		if one.code != exitFound || strings.Count(one.stdout, "GROUP") != 1 || strings.Count(one.stdout, "workers") != 1 {
			t.Errorf("%+v", one)
		}
	}
	var b strings.Builder
	groups := []inspect.Group{{Group: "a", Lag: &inspect.GroupLag{Partitions: []inspect.PartitionLag{{Topic: "t"}}}}, {Group: "b"}}
	if err := writeTable(&b, false, func(t *table) { groupTables(t, groups, false) }); err != nil || !strings.Contains(b.String(), "\na      t      1 ") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestExitCodes(t *testing.T) {
	fake, address := newCluster(t)
	fake.Fault(kfake.Fault{Group: "secret", Err: kerr.GroupAuthorizationFailed, Count: -1})
	for _, test := range []struct {
		args   string
		code   int
		stderr string
		data   bool
	}{
		{"group coordinator nobody", exitFound, "", true},
		{"group coordinator secret", exitPartial, "DESCRIBE on the group", true},
		{"group describe workers", exitFound, "", true},
		{"group describe nobody", exitNotFound, `"nobody" does not exist`, false},
		{"group describe nobody none", exitNotFound, `"none" does not exist`, false},
		{"group describe workers nobody", exitPartial, `"nobody" does not exist`, true},
		{"group describe secret", exitFailed, "not authorized", false},
		{"group describe workers secret", exitPartial, "not authorized", true},
		{"group list", exitFound, "", true},
		{"group list --type share", exitFound, "", false},
		{"group list --type wrong", exitUsage, `no type of group "wrong"`, false},
		{"offsets dump nobody", exitNotFound, `no record of the group "nobody"`, false},
		{"offsets dump workers --kind wrong", exitUsage, `no kind of entry "wrong"`, false},
		{"offsets dump workers --since soon", exitUsage, "neither a duration", false},
		{"topic leaders", exitFound, "", true},
		{"topic leaders orders", exitFound, "", true},
		{"topic leaders nothing", exitNotFound, `"nothing" does not exist`, false},
		{"topic leaders orders nothing", exitPartial, `"nothing" does not exist`, true},
		{"topic leaders --offline", exitFound, "", false},
		{"topic leaders --offline nothing", exitNotFound, `"nothing" does not exist`, false},
		{"topic leaders --offline orders nothing", exitPartial, `"nothing" does not exist`, false},
		{"cluster brokers", exitFound, "", true},
		{"cluster controller", exitFailed, "DescribeQuorum", false},
	} {
		result := runArgs(t, append([]string{"-b", address, "-o", "json"}, strings.Fields(test.args)...)...)
		if result.code != test.code {
			t.Errorf("%s: exit %d, want %d: %s", test.args, result.code, test.code, result.stderr)
		}
		if !strings.Contains(result.stderr, test.stderr) {
			t.Errorf("%s: stderr %q, want %q in it", test.args, result.stderr, test.stderr)
		}
		p := parse(t, result.stdout)
		if rows, ok := p.Data.([]any); ok && (len(rows) > 0) != test.data {
			t.Errorf("%s: data %v", test.args, p.Data)
		}
		plain := runArgs(t, append([]string{"-b", address}, strings.Fields(test.args)...)...)
		if plain.code != test.code || (plain.stdout != "") != (test.code == exitFound || test.code == exitPartial) {
			t.Errorf("%s: as a table: %+v", test.args, plain)
		}
		if (test.code == exitFound) != (len(p.Errors) == 0) {
			t.Errorf("%s: exit %d with errors %v", test.args, test.code, p.Errors)
		}
	}
}

// TestDescribeTellsUnknownOffsetsFromNone has a coordinator that may not show them.
func TestDescribeTellsUnknownOffsetsFromNone(t *testing.T) {
	fake, address := newCluster(t)
	shows := func(want string) ran {
		t.Helper()
		result := runArgs(t, "-b", address, "group", "describe", "workers", "--partitions")
		sums := runArgs(t, "-b", address, "group", "describe", "workers")
		if !strings.Contains(sums.stdout, want) {
			t.Errorf("%+v", sums)
		}
		return result
	}
	if result := shows("orders  2           -    -     2"); result.code != exitFound || !strings.Contains(result.stdout, "orders  0          -    none ") {
		t.Errorf("%+v", result)
	}
	fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, group := range req.(*kmsg.OffsetFetchRequest).Groups {
			refused := kmsg.NewOffsetFetchResponseGroup()
			refused.Group, refused.ErrorCode = group.Group, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, refused)
		}
		return resp, nil, true
	})
	if result := shows("orders  2           -    -     2\n"); result.code != exitPartial || !strings.Contains(result.stdout, "orders  0          -    -  ") {
		t.Errorf("%+v", result)
	}
}
