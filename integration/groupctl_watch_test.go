package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// watching is a run of groupctl watch and what it has printed so far.
type watching struct {
	command *exec.Cmd
	stderr  bytes.Buffer

	mu     sync.Mutex
	stdout bytes.Buffer
}

func (w *watching) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stdout.Write(p)
}

func (w *watching) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stdout.String()
}

func (g groupctl) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	w := &watching{}
	w.command = exec.CommandContext(t.Context(), g.path, append([]string{"-b", strings.Join(g.c.Seeds(), ",")}, args...)...)
	w.command.Stdout, w.command.Stderr = w, &w.stderr
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// interrupt ends a watch as ^C does: it succeeds, and its last line is whole.
func (w *watching) interrupt(t *testing.T) string {
	t.Helper()
	if err := w.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := w.command.Wait()
	out := w.text()
	if err != nil || w.stderr.Len() > 0 || !strings.HasSuffix(out, "\n") {
		t.Errorf("%q, interrupted: %v, %s, after\n%s", w.command.Args, err, &w.stderr, out)
	}
	return out
}

// events are the lines that were printed, each of which has to be an object of its own.
func events(t *testing.T, out string) []watch.Event {
	t.Helper()
	var all []watch.Event
	for line := range strings.Lines(out) {
		var object struct {
			Schema string `json:"schema"`
			watch.Event
		}
		if err := json.Unmarshal([]byte(line), &object); err != nil || object.Schema != "groupctl/v1/watch" || object.Kind == "" || object.At.IsZero() {
			t.Errorf("%v in %q", err, line)
		}
		all = append(all, object.Event)
	}
	return all
}

// TestGroupctlWatchesAMemberJoin watches a group as text and as objects, while a member
// joins, until it is interrupted.
func TestGroupctlWatchesAMemberJoin(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	ctl := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	eager := kgo.Balancers(kgo.RangeBalancer()) // who joins then makes one generation, not two
	first := startReader(t, c, group, topic, eager, kgo.ClientID("first"))
	settled(t, c, group, topic, 1, 4)
	lines := ctl.watch(t, "watch", "groups", group)
	objects := ctl.watch(t, "-o", "jsonl", "watch", "groups", group)
	seen := func(w *watching, what string, text func() string) {
		t.Helper()
		eventually(t, what, func() (bool, string) { return strings.Contains(w.text(), text()), text() + " in " + w.text() })
	}
	seen(lines, "the group is there", func() string { return group + ": classic, Stable, 1 member, range" })
	seen(objects, "the group is there", func() string { return `"kind":"snapshot"` })

	second := startReader(t, c, group, topic, eager, kgo.ClientID("second"))
	settled(t, c, group, topic, 2, 4)
	leader, _ := first.is(t, second)
	joined, last := second.is(t)
	seen(lines, "the member joined", func() string { return ", +" + joined[:len("second-12345678")] + "@" })
	seen(lines, "its generation", func() string { return fmt.Sprintf("%d, not stable for ", last) })
	seen(objects, "its generation", func() string { return fmt.Sprintf(`"to":%d,`, last) })
	lines.interrupt(t)
	joins := 0
	for _, e := range events(t, objects.interrupt(t)) {
		g := e.Generation
		if g == nil {
			continue
		}
		for _, m := range g.Joined {
			joins++
			if g.Group != group || m.ID != joined || m.ClientID != "second" || g.To == nil || *g.To != last || g.Members != 2 || g.ToLeader == nil || *g.ToLeader != leader {
				t.Errorf("%+v joined in %+v, want %s in generation %d led by %s", m, g, joined, last, leader)
			}
		}
	}
	if joins != 1 {
		t.Errorf("%d joins are told", joins)
	}
}

// preferredElectionIsWatched watches a topic as text and as objects, while groupctl elects
// the leader that is preferred.
func preferredElectionIsWatched(t *testing.T, c *cluster.Cluster) {
	ctl := buildGroupctl(t, c)
	topic := newPlacedTopic(t, c, [][]int32{{1, 2, 3}})
	client := newClient(t, c)
	in := inspect.New(client)
	t.Cleanup(func() { _, _ = kadm.NewClient(client).DeleteTopics(context.Background(), topic) })
	leadersOf(t, in, topic, func(rows []inspect.Partition) bool { return len(rows) == 1 && len(rows[0].ISR) == 3 })
	var moves kadm.AlterPartitionAssignmentsReq
	moves.Assign(topic, 0, []int32{2, 1, 3})
	if _, err := kadm.NewClient(client).AlterPartitionAssignments(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	before := leadersOfAll(t, c, topic, func(rows []inspect.Partition) bool {
		return len(rows) == 1 && rows[0].NotPreferred() && *rows[0].Leader == 1 && len(rows[0].ISR) == 3
	})[0]
	var notPreferred []inspect.Partition
	eventually(t, "groupctl finds it", func() (bool, string) {
		_, err := ctl.ask(t, 0, &notPreferred, "topic", "leaders", "--not-preferred", topic)
		return err == nil && len(notPreferred) == 1, fmt.Sprintf("%v, %+v", err, notPreferred)
	})

	lines := ctl.watch(t, "watch", "elections", topic)
	objects := ctl.watch(t, "-o", "jsonl", "watch", "elections", topic)
	for _, w := range []*watching{lines, objects} {
		eventually(t, "the partition and the controller are there", func() (bool, string) {
			out := w.text()
			return strings.Contains(out, "partition") && strings.Contains(out, "controller"), out
		})
	}
	ctl.run(t, 0, nil, "elect", "preferred", topic, "--execute")
	eventually(t, "the election is told", func() (bool, string) {
		return strings.Contains(lines.text(), topic+"-0: 1 → 2, epoch "), lines.text()
	})
	eventually(t, "the election is told", func() (bool, string) { return strings.Contains(objects.text(), `"kind":"leader"`), objects.text() })
	if out := lines.interrupt(t); !strings.Contains(out, "preferred election") {
		t.Errorf("the cause is not told:\n%s", out)
	}
	elections := 0
	for _, e := range events(t, objects.interrupt(t)) {
		if l := e.Leader; l != nil {
			elections++
			if l.Topic != topic || *l.From != 1 || *l.To != 2 || l.Cause != watch.CausePreferred || l.FromEpoch == nil || *l.FromEpoch != *before.LeaderEpoch {
				t.Errorf("%+v, of %+v", l, before)
			}
		}
	}
	if elections != 1 {
		t.Errorf("%d elections are told", elections)
	}
}
