package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect/predict"
)

func TestImpactUsage(t *testing.T) {
	for args, says := range map[string]string{
		"-b x impact":                                             "give --brokers-down",
		"-b x impact --brokers-down one":                          "one",
		"-b x impact --brokers-down 1 2":                          `"2"`,
		"-b x impact --brokers-down 1 --crash --clean":            "one of --crash and --clean",
		"-b x impact --brokers-down 1 --rolling --one-by-one":     "leave out --one-by-one",
		"-b x impact --brokers-down 1 --rolling --brokers-back 1": "leave out --one-by-one",
		"-b x impact --rolling":                                   "give --brokers-down",
		"impact --brokers-down 1":                                 bootstrapVariable,
		"-b x impact --brokers-down 1 --brokers-back 1,,2":        "brokers-back",
	} {
		result := runArgs(t, strings.Fields(args)...)
		if result.code != exitUsage || result.stdout != "" || strings.Count(result.stderr, "\n") != 1 || !strings.Contains(result.stderr, says) {
			t.Errorf("%s: %+v", args, result)
		}
	}
}

func TestImpactOfABroker(t *testing.T) {
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	leader := fake.LeaderFor("orders", 0)
	id := string(rune('0' + leader))
	result := runArgs(t, "-b", address, "impact", "--brokers-down", id)
	if result.code != exitFound {
		t.Fatalf("%+v", result)
	}
	for _, want := range []string{"LEADERS-CHANGE", "kept: ", "orders", "REASON"} {
		if !strings.Contains(result.stdout, want) {
			t.Errorf("no %q in\n%s", want, result.stdout)
		}
	}
	for table := range strings.SplitSeq(strings.TrimSuffix(result.stdout, "\n"), "\n\n") {
		aligned(t, table)
	}
	if result := runArgs(t, "-b", address, "impact", "--brokers-back", id); result.code != exitFound || !strings.Contains(result.stderr, "warning: node "+id+" is up: its return changes nothing") {
		t.Errorf("%+v", result)
	}
	if result := runArgs(t, "-b", address, "impact", "--brokers-down", "77"); result.code != exitNotFound || !strings.Contains(result.stderr, "no such node as 77; there are 0, 1, 2") {
		t.Errorf("%+v", result)
	}
	if result := runArgs(t, "-b", address, "impact", "--racks-down", "moon"); result.code != exitNotFound || !strings.Contains(result.stderr, `no such rack as "moon"`) {
		t.Errorf("%+v", result)
	}
}

// TestImpactKeepsItsShape prints an outcome that has one of everything.
func TestImpactKeepsItsShape(t *testing.T) {
	three := []int32{1, 2, 3}
	o, err := predict.Run(predict.Cluster{
		Brokers:    []predict.Broker{{ID: 1}, {ID: 2}, {ID: 3}},
		Voters:     []predict.Voter{{ID: 1}, {ID: 2}, {ID: 3}},
		Controller: &three[0],
		Partitions: []predict.Partition{
			{Topic: predict.OffsetsTopic, Replicas: three, ISR: three, Leader: 1, MinISR: 3},
			{Topic: "one", Replicas: three[:1], ISR: three[:1], Leader: 1, MinISR: 1},
		},
		Groups: []predict.Group{{Name: "g"}},
	}, predict.Crash(1))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(shape(plain), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "impact.shape.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(append(got, '\n'), want) {
		t.Errorf("%v: the shape changed from\n%s\nto\n%s", err, want, got)
	}
	var text bytes.Buffer
	if err := writeTable(&text, false, func(t *table) { impactTables(t, &predict.Rolling{Outcome: o}) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2               1 (1 new)  2 (2 new)      1                    1           2,3   kept: 2 of 3 up, 2 needed",
		"TO  REASON\n", "\n\nOFFLINE  PARTITION  ALREADY\none      0          no\n\nUNDER-MIN-ISR", "one                 0          1     -   no-leader\n",
		"g      0          1     2\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

func TestImpactOfARollingRestart(t *testing.T) {
	fake, address := newCluster(t)
	serveQuorum(t, fake)
	result := runArgs(t, "-b", address, "impact", "--brokers-down", "0,1,2", "--rolling", "--clean")
	rounds, changes, _ := strings.Cut(result.stdout, "\n\n")
	lines := strings.Split(rounds, "\n")
	if result.code != exitFound || len(lines) != 5 || !strings.HasPrefix(lines[0], "ROUND  DOWN  LEADERS-CHANGE") || !strings.HasPrefix(lines[3], "3      2     ") || !strings.HasPrefix(lines[4], "end    -     ") {
		t.Errorf("%+v", result)
	}
	for table := range strings.SplitSeq(strings.TrimSuffix(result.stdout, "\n"), "\n\n") {
		aligned(t, table)
	}
	if !strings.Contains(changes, "TOPIC") {
		t.Errorf("no changes in\n%s", result.stdout)
	}

	result = runArgs(t, "-b", address, "-o", "json", "impact", "--brokers-down", "0,1", "--rolling")
	data := parse(t, result.stdout).Data.(map[string]any)
	all, _ := data["rounds"].([]any)
	if result.code != exitFound || data["partitions"] == nil || len(all) != 2 {
		t.Fatalf("%+v", result)
	}
	first := all[0].(map[string]any)
	for _, field := range []string{"nodes", "partitions", "coordinators", "controller", "offline", "underMinIsr"} {
		if first[field] == nil {
			t.Errorf("no %s in a round: %v", field, first)
		}
	}
	result = runArgs(t, "-b", address, "-o", "json", "impact", "--brokers-down", "0")
	if data := parse(t, result.stdout).Data.(map[string]any); len(data) != 5 {
		t.Errorf("data that are not of a rolling restart: %v", data)
	}
}

func TestImpactStepsOneByOne(t *testing.T) {
	for _, test := range []struct {
		happens happening
		steps   int
	}{
		{happening{down: []int32{1, 2}, racksDown: []string{"a"}, back: []int32{1, 2}, clean: true, oneByOne: true}, 5},
		{happening{down: []int32{1, 2}, racksDown: []string{"a"}, back: []int32{1, 2}, clean: true}, 2},
		{happening{racksDown: []string{"a", "b"}, racksBack: []string{"b", "a"}, oneByOne: true}, 4},
		{happening{racksDown: []string{"a", "b"}, racksBack: []string{"b"}}, 2},
		{happening{back: []int32{1, 2}}, 1},
		{happening{down: []int32{1, 2}, racksDown: []string{"a"}, rolling: true}, 3},
	} {
		if steps := test.happens.steps(); len(steps) != test.steps {
			t.Errorf("%+v: %d steps", test.happens, len(steps))
		}
	}
}
