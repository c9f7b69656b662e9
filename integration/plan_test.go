package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/assign/offline"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// planned is the data of a run of groupctl plan.
type planned struct {
	ID      string
	Results map[string]offline.Outcome
	Before  assign.Assignment
	Problem offline.Problem
}

func (g groupctl) plan(t *testing.T, group string, args ...string) planned {
	t.Helper()
	var p planned
	a := g.run(t, 0, &p, append([]string{"plan", group}, args...)...)
	if a.Schema != "groupctl/v1/plan" || p.ID != group {
		t.Fatalf("%+v", a)
	}
	for assignor, o := range p.Results {
		if err := assign.Validate(p.Problem.Group, assign.Plan{Assignment: o.Assignment}); err != nil {
			t.Errorf("%s: %v", assignor, err)
		}
	}
	return p
}

func TestPlanForetellsWhatAClassicGroupDoes(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 7), unique(t, "group")
	configure := func(cfg *member.Config) {
		cfg.Traits = member.Traits{Capacity: 2, Labels: map[string]string{"tier": "gold"}}
		cfg.Client = append(cfg.Client, kgo.Rack("here"))
	}
	first := startConsumer(t, c, group, topic, configure)
	startConsumer(t, c, group, topic, configure)
	before := settled(t, c, group, topic, 2, 7)

	drawing := filepath.Join(t.TempDir(), "plan.svg")
	p := g.plan(t, group, "--add-members", "1", "--settle", "--svg", drawing)
	if !p.Before.Equal(before) {
		t.Errorf("plan takes %v to be owned, and the brokers report %v", p.Before, before)
	}
	if svg, err := os.ReadFile(drawing); err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) {
		t.Errorf("the drawing: %v, %.40s", err, svg)
	}
	for _, m := range p.Problem.Group.Members {
		if m.ID != "new-1" && (m.Capacity != 2 || m.Labels["tier"] != "gold" || m.Rack != "here" || m.Generation < 1) {
			t.Errorf("what the member tells of itself is lost: %+v", m)
		}
	}
	for partition, racks := range p.Problem.Group.Topics[0].Racks {
		if len(racks) != 3 || racks[0] == "" || racks[0] == racks[1] {
			t.Errorf("partition %d has its replicas in the racks %q, want three", partition, racks)
		}
	}

	foretold := p.Results["balanced"]
	third := startConsumer(t, c, group, topic, func(cfg *member.Config) { cfg.Traits = member.Traits{} })
	after := settled(t, c, group, topic, 3, 7)
	moved := 0
	for _, m := range assign.Diff(before, after) {
		if m.From != "" {
			moved++
		}
	}
	if moved != foretold.Stats.MovedPartitions {
		t.Errorf("%d partitions moved, and %d were foretold", moved, foretold.Stats.MovedPartitions)
	}
	if got, want := after.Count(third.id()), foretold.Assignment.Count("new-1"); got != want {
		t.Errorf("the new member got %d partitions, and %d were foretold", got, want)
	}
	if foretold.Rounds != 2 || !foretold.Settled.Equal(foretold.Assignment) {
		t.Errorf("%d rounds, settled on %v", foretold.Rounds, foretold.Settled)
	}

	// On paper the first one leaves again; what it has is free to go anywhere.
	p = g.plan(t, group, "--remove", first.id(), "--assignor", "balanced", "--assignor", "sticky", "--assignor", "range")
	if len(p.Results) != 3 || len(p.Problem.Group.Members) != 2 || p.Results["sticky"].Stats.MovedPartitions != 0 {
		t.Errorf("%+v", p.Results)
	}
	if n := len(settled(t, c, group, topic, 3, 7)); n != 3 {
		t.Errorf("planning touched the group, which has %d members", n)
	}
}

func TestPlanShowsWhatAConsumerGroupWouldGetByAnotherPlan(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 6), unique(t, "group")
	producer := newClient(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for p := range 6 {
		for range 10 + 90*(p/5) { // partition 5 has 100, the others 10 each
			records = append(records, &kgo.Record{Topic: topic, Partition: int32(p), Value: []byte("x")})
		}
	}
	if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	opts := []kgo.Opt{kgo.ServerSideBalancer(), kgo.DisableAutoCommit(), kgo.Rack("here")}
	startReader(t, c, group, topic, opts...)
	startReader(t, c, group, topic, opts...)
	eventually(t, "both members of the consumer group have three partitions", func() (bool, string) {
		rows, seen := groupsIfAny(t, c, group)
		if len(rows) != 1 || len(rows[0].Members) != 2 || *rows[0].State != "Stable" {
			return false, seen
		}
		for _, m := range rows[0].Members {
			if len(m.Assigned) != 1 || len(m.Assigned[0].Partitions) != 3 {
				return false, seen
			}
		}
		return true, seen
	})

	p := g.plan(t, group, "--weights", "lag", "--tolerance", "0", "--assignor", "balanced", "--assignor", "keep")
	if got := fmt.Sprint(p.Problem.Group.Topics[0].Weights); got != "[10 10 10 10 10 100]" {
		t.Errorf("the lag is %s", got)
	}
	for _, m := range p.Problem.Group.Members {
		if m.Rack != "here" || p.Before.Count(m.ID) != 3 {
			t.Errorf("%+v owns %v", m, p.Before[m.ID])
		}
	}
	keep, balanced := p.Results["keep"].Stats, p.Results["balanced"].Stats
	if keep.MovedPartitions != 0 || keep.MaxLoad != 120 || balanced.MaxLoad != 100 || balanced.MovedPartitions != 2 {
		t.Errorf("keep %+v, balanced %+v", keep, balanced)
	}
}

func TestPlanReadsProblemsFromStandardInput(t *testing.T) {
	g := buildGroupctl(t, nil)
	command := exec.Command(g.path, "plan", "--input", "-")
	command.Stdin = strings.NewReader(`{"id":"a","topics":[{"name":"t","partitions":2}],"members":[{"id":"m","topics":["t"]}]}` + "\nnonsense\n")
	out, err := command.Output()
	if err == nil || command.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%s", out)
	}
	var result struct{ Results map[string]offline.Outcome }
	if err := json.Unmarshal(lines[0], &result); err != nil || result.Results["balanced"].Assignment.Count("m") != 2 {
		t.Errorf("%v in %s", err, lines[0])
	}
	if !bytes.HasPrefix(lines[1], []byte(`{"id":null,"error":`)) {
		t.Errorf("%s", lines[1])
	}
}
