package integration

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/integration/cluster"
)

// demoNames are what the names of the demo's topics and groups begin with.
const demoNames = "groupctl-demo-"

func TestDemoOnRealBrokers(t *testing.T) {
	g := buildGroupctl(t, cluster.Shared(t))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, g.path, "demo", "--brokers", strings.Join(g.c.Seeds(), ","))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	began := time.Now()
	if err := command.Run(); err != nil {
		t.Errorf("%v: %s", err, &stderr)
	}
	t.Logf("it took %s", time.Since(began).Round(time.Millisecond))
	if n := strings.Count(stdout.String(), "\n  SEEN  "); n != 9 {
		t.Errorf("evidence of %d steps, want 9", n)
	}
	if !strings.Contains(stdout.String(), "the controller is node ") {
		t.Error("no controller is told")
	}
	if strings.Contains(stdout.String(), "kfake") {
		t.Error("it tells of a cluster in its process")
	}
	nothingLeft(t, g.c)
	if t.Failed() {
		t.Log(stdout.String())
	}
}

// An interrupted demo removes what it made too, with a leader in the group who never
// said that it leaves.
func TestDemoInterrupted(t *testing.T) {
	g := buildGroupctl(t, cluster.Shared(t))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, g.path, "demo", "--brokers", strings.Join(g.c.Seeds(), ","))
	told := &watched{word: "is cut off", seen: make(chan struct{})}
	command.Stdout = told
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told.seen:
	case <-ctx.Done():
		t.Error("the demo did not come to kill a leader")
	}
	interrupted := time.Now()
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	// Members and the cluster get 8 seconds to clean up.
	if took := time.Since(interrupted); took > 30*time.Second {
		t.Errorf("it took %s to end", took)
	}
	nothingLeft(t, g.c)
	if t.Failed() {
		t.Log(told.all.String())
	}
}

func nothingLeft(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	admin := kadm.NewClient(newClient(t, c))
	// A broker that has not heard of the removal yet may be the one that answers.
	eventually(t, "nothing of the demo is left", func() (ok bool, seen string) {
		topics, err := admin.ListTopics(t.Context())
		if err != nil {
			return false, err.Error()
		}
		groups, err := admin.ListGroups(t.Context())
		if err != nil {
			return false, err.Error()
		}
		left := slices.DeleteFunc(append(topics.Names(), groups.Groups()...), func(name string) bool {
			return !strings.HasPrefix(name, demoNames)
		})
		return len(left) == 0, strings.Join(left, ", ")
	})
}

// watched tells when a word was written.
type watched struct {
	word string
	seen chan struct{}
	all  bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	before := bytes.Contains(w.all.Bytes(), []byte(w.word))
	w.all.Write(p)
	if !before && bytes.Contains(w.all.Bytes(), []byte(w.word)) {
		close(w.seen)
	}
	return len(p), nil
}
