package inspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
)

// costTask is what the second process of a test of costs is to do, at costAddress.
const (
	costTask    = "GROUPKIT_COST_TEST_TASK"
	costAddress = "GROUPKIT_COST_TEST_BROKERS"
)

// cost is what the second process reports.
type cost struct {
	Groups, Partitions int
	Peak               int64 // bytes resident
	Took               time.Duration
	CPU                float64 // of one core, once all is told
}

// TestMemoryOfAWatchAndAPrediction holds a watch of many groups and partitions, and what a
// prediction gathers, to the memory that views may take, each in a process of its own.
// GROUPKIT_FULL=1 makes the cluster the large one.
func TestMemoryOfAWatchAndAPrediction(t *testing.T) {
	if task := os.Getenv(costTask); task != "" {
		runCostTask(t, task)
		return
	}
	groups, partitions := reducedGroups, reducedPartitions
	if os.Getenv("GROUPKIT_FULL") != "" {
		groups, partitions = fullGroups, fullPartitions
	}
	fake := manyGroups(t, groups, partitions)
	for _, task := range []string{"watch", "predict"} {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		command.Env = append(os.Environ(), costTask+"="+task, costAddress+"="+strings.Join(fake.ListenAddrs(), ","))
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", task, err, out)
		}
		var got cost
		for line := range strings.Lines(string(out)) {
			if text, ok := strings.CutPrefix(line, "cost "); ok {
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("%s: %d groups, %d partitions: %v until all were told, %.1f%% of a core from then on, at most %d MiB resident",
			task, got.Groups, got.Partitions, got.Took.Round(time.Millisecond), 100*got.CPU, got.Peak>>20)
		if got.Groups != groups || got.Partitions < partitions {
			t.Errorf("%s: %+v, want %d groups and %d partitions", task, got, groups, partitions)
		}
		if got.Peak > memoryLimit || got.Peak == 0 {
			t.Errorf("%s: %d bytes resident, want at most %d", task, got.Peak, memoryLimit)
		}
	}
}

func runCostTask(t *testing.T, task string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv(costAddress), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	in := inspect.New(client)
	var got cost
	start := time.Now()
	if task == "predict" {
		outcome, err := in.Predict(ctx, predict.Crash(2))
		if err != nil {
			t.Fatal(err)
		}
		state, err := in.ElectionState(ctx) // the same again, for what it holds
		if err != nil {
			t.Fatal(err)
		}
		got.Groups, got.Partitions, got.Took = len(state.Data.Groups), len(state.Data.Partitions), time.Since(start)
		_ = outcome
	} else {
		got = watchAll(ctx, t, in)
	}
	if got.Peak, err = peakResident(); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("cost %s\n", encoded)
}

// watchAll watches until all is told, and for a while after that, lag included.
func watchAll(ctx context.Context, t *testing.T, in *inspect.Inspector) cost {
	const goesOn = 12 * time.Second
	wanted := reducedGroups
	if os.Getenv("GROUPKIT_FULL") != "" {
		wanted = fullGroups
	}
	var got cost
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var spent time.Duration
	for e, err := range in.Watch(ctx, inspect.Watched{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Snapshot != nil:
			got.Groups += len(e.Snapshot.Groups)
			got.Partitions += len(e.Snapshot.Partitions)
		case e.Group != nil && e.Group.From == nil:
			got.Groups++
		}
		if got.Groups == wanted && got.Partitions > 0 && got.Took == 0 {
			got.Took, spent = time.Since(start), processorTime(t)
			time.AfterFunc(goesOn, cancel)
		}
	}
	got.CPU = float64(processorTime(t)-spent) / float64(goesOn)
	return got
}

func processorTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakResident is the most memory that this process had resident, in bytes.
func peakResident() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, nil
}
