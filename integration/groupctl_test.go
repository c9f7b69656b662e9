package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// groupctl is the program, built, and a cluster to ask.
type groupctl struct {
	path string
	c    *cluster.Cluster
}

// buildGroupctl builds to one place for all tests: where nothing changed since the last
// of them, there is nothing to link.
func buildGroupctl(t *testing.T, c *cluster.Cluster) groupctl {
	t.Helper()
	path, err := filepath.Abs("../.cache/integration/groupctl")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", path, "./cmd/groupctl")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return groupctl{path, c}
}

// answer is the envelope of one run.
type answer struct {
	Schema     string
	ClusterID  *string `json:"clusterId"`
	ObservedAt time.Time
	Data       json.RawMessage
	Warnings   []inspect.Problem
	Errors     []inspect.Problem
}

// run asks for JSON and checks what every run promises. data may be nil. A loaded machine
// is given more time than people are asked to wait, unless args say how much.
func (g groupctl) run(t *testing.T, code int, data any, args ...string) answer {
	t.Helper()
	a, err := g.ask(t, code, data, args...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask is run where it may be too early for the answer: its error tells of another exit code.
func (g groupctl) ask(t *testing.T, code int, data any, args ...string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, g.path, append([]string{"-b", strings.Join(g.c.Seeds(), ","), "-o", "json", "--timeout", "1m"}, args...)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	start := time.Now()
	err := command.Run()
	took := time.Since(start)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		return answer{}, fmt.Errorf("%q: exit %d after %v, want %d: %s%s", args, got, took, code, &stdout, &stderr)
	}
	var a answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatalf("%q: %v in %s", args, err, &stdout)
	}
	if strings.Contains(stdout.String(), ": -1,") || strings.Contains(stdout.String(), ": -1\n") {
		t.Errorf("%q: -1 for unknown in %s", args, &stdout)
	}
	if data != nil {
		if err := json.Unmarshal(a.Data, data); err != nil {
			t.Fatalf("%q: %v in %s", args, err, a.Data)
		}
	}
	return a, nil
}

func (g groupctl) describe(t *testing.T, group string) (inspect.Group, answer) {
	t.Helper()
	var rows []inspect.Group
	a := g.run(t, 0, &rows, "group", "describe", "--", group)
	if len(rows) != 1 || rows[0].Group != group || a.Schema != "groupctl/v1/group-describe" || a.ClusterID == nil {
		t.Fatalf("%+v", a)
	}
	return rows[0], a
}

func TestGroupctlShowsTheLeaderThatTheMembersSee(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 5), "-"+unique(t, "grüppe ☕")
	first := startConsumer(t, c, group, topic, nil)
	first.leads(t)
	startConsumer(t, c, group, topic, nil)
	settled(t, c, group, topic, 2, 5)

	var shown inspect.Group
	eventually(t, "groupctl shows the leader and the generation", func() (bool, string) {
		var a answer
		shown, a = g.describe(t, group)
		id, generation := first.Client().GroupMetadata()
		return len(a.Warnings) == 0 && shown.Leader != nil && *shown.Leader == id && shown.Generation != nil && *shown.Generation == generation, fmt.Sprintf("%+v", shown)
	})
	if *shown.Type != "classic" || *shown.State != "Stable" || *shown.ProtocolType != "consumer" || len(shown.Members) != 2 {
		t.Errorf("group %+v", shown)
	}
	partitions := 0
	for _, m := range shown.Members {
		if !slices.Equal(m.Topics, []string{topic}) || m.Host == "" {
			t.Errorf("member %+v", m)
		}
		for _, tp := range m.Assigned {
			partitions += len(tp.Partitions)
		}
	}
	if partitions != 5 {
		t.Errorf("%d partitions are assigned: %+v", partitions, shown.Members)
	}
	if *shown.OffsetsPartition != inspect.OffsetsPartition(group, 50) {
		t.Errorf("offsets partition %d", *shown.OffsetsPartition)
	}
	coordinator, err := inspect.New(newClient(t, c)).Coordinators(t.Context(), group)
	if err != nil || coordinator.Err() != nil || *shown.Coordinator != *coordinator.Data[0].Coordinator {
		t.Errorf("%v: coordinator %d, want %+v", err, *shown.Coordinator, coordinator)
	}
}

func TestGroupctlForgetsALeaderThatIsGone(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic, group := newTopic(t, c, 2), unique(t, "group")
	only := startConsumer(t, c, group, topic, nil)
	only.leads(t)
	settled(t, c, group, topic, 1, 2)
	_, generation := only.Client().GroupMetadata()
	only.leave(t)
	eventually(t, "the group is empty", func() (bool, string) {
		shown, _ := g.describe(t, group)
		return *shown.State == "Empty" && shown.Leader == nil && len(shown.Members) == 0 && shown.Generation != nil && *shown.Generation > generation, fmt.Sprintf("%+v", shown)
	})
	if _, err := kadm.NewClient(newClient(t, c)).DeleteGroup(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	a := g.run(t, 3, nil, "group", "describe", group)
	if string(a.Data) != "[]" || len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeGroupNotFound {
		t.Errorf("a deleted group: %+v", a)
	}
	again := startConsumer(t, c, group, topic, nil)
	again.leads(t)
	settled(t, c, group, topic, 1, 2)
	eventually(t, "the group made anew shows its own leader", func() (bool, string) {
		shown, _ := g.describe(t, group)
		return shown.Leader != nil && *shown.Leader == again.id(), fmt.Sprintf("%+v", shown)
	})
}

func TestGroupctlShowsGroupsByTheirRealType(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic := newTopic(t, c, 4)
	t.Run("consumer", func(t *testing.T) {
		group := unique(t, "group")
		r := startReader(t, c, group, topic, kgo.ServerSideBalancer())
		var shown inspect.Group
		eventually(t, "the consumer group is stable", func() (bool, string) {
			_, epoch := r.client.GroupMetadata()
			rows, seen := groupsIfAny(t, c, group)
			if len(rows) != 1 {
				return false, seen
			}
			shown = rows[0]
			return *shown.State == "Stable" && len(shown.Members) == 1 && len(shown.Members[0].Assigned) == 1 && *shown.Generation == epoch, fmt.Sprintf("%+v, epoch %d", shown, epoch)
		})
		shown, a := g.describe(t, group)
		if *shown.Type != "consumer" || shown.Leader != nil || *shown.ProtocolType != "consumer" || *shown.Assignor != "uniform" || len(a.Warnings) > 0 {
			t.Errorf("group %+v, warnings %v", shown, a.Warnings)
		}
		if m := shown.Members[0]; !slices.Equal(m.Topics, []string{topic}) || !slices.Equal(m.Assigned[0].Partitions, []int32{0, 1, 2, 3}) {
			t.Errorf("member %+v", m)
		}
	})
	t.Run("share", func(t *testing.T) {
		group := unique(t, "group")
		client := newClient(t, c, kgo.ShareGroup(group), kgo.ConsumeTopics(topic))
		polling, stop := context.WithCancel(context.Background())
		polled := make(chan struct{})
		go func() {
			defer close(polled)
			for polling.Err() == nil {
				client.PollFetches(polling)
			}
		}()
		t.Cleanup(func() { stop(); <-polled })
		eventually(t, "the share group has a member", func() (bool, string) {
			rows, seen := groupsIfAny(t, c, group)
			return len(rows) == 1 && len(rows[0].Members) == 1 && len(rows[0].Members[0].Assigned) == 1, seen
		})
		shown, a := g.describe(t, group)
		if *shown.Type != "share" || shown.Leader != nil || *shown.ProtocolType != "share" || shown.Generation == nil || len(a.Warnings) > 0 {
			t.Errorf("group %+v, warnings %v", shown, a.Warnings)
		}
	})
	t.Run("offsets only", func(t *testing.T) {
		group := unique(t, "group")
		admin := kadm.NewClient(newClient(t, c))
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 0, LeaderEpoch: -1})
		if err := commitOffsets(t.Context(), admin, group, offsets); err != nil {
			t.Fatal(err)
		}
		shown, a := g.describe(t, group)
		if *shown.Type != "classic" || *shown.State != "Empty" || shown.Leader != nil || shown.Members == nil || len(a.Warnings) > 0 {
			t.Errorf("group %+v, warnings %v", shown, a.Warnings)
		}
	})
}

// groupsIfAny describes a group that may not exist yet, or of which not all can be told yet.
func groupsIfAny(t *testing.T, c *cluster.Cluster, group string) ([]inspect.Group, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	a, err := inspect.New(client).Groups(ctx, group)
	seen := fmt.Sprintf("%v, %+v", err, a)
	if err != nil || a.Err() != nil {
		return nil, seen
	}
	return a.Data, seen
}

func TestGroupctlShowsTheClusterAndItsTopics(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic := newTopic(t, c, 3)

	var controller inspect.Controller
	if a := g.run(t, 0, &controller, "cluster", "controller"); a.Schema != "groupctl/v1/cluster-controller" || len(controller.Voters) != 3 || controller.Node == nil || *controller.Mode != "kraft" {
		t.Errorf("%+v", a)
	}
	var partitions []inspect.Partition
	g.run(t, 0, &partitions, "topic", "leaders", topic)
	if len(partitions) != 3 || partitions[0].Leader == nil || *partitions[0].Preferred != partitions[0].Replicas[0] || len(partitions[0].Replicas) != 3 {
		t.Errorf("%+v", partitions)
	}
	g.run(t, 0, &partitions, "topic", "leaders")
	for _, p := range partitions {
		if strings.HasPrefix(p.Topic, "__") {
			t.Errorf("an internal topic is shown unasked: %+v", p)
		}
	}
	g.run(t, 0, &partitions, "topic", "leaders", "__consumer_offsets")
	if len(partitions) != 50 {
		t.Errorf("__consumer_offsets has %d partitions", len(partitions))
	}
	var coordinators []inspect.Coordinator
	g.run(t, 0, &coordinators, "group", "coordinator", "--", "no such group", "", "-x", "日本")
	for _, row := range coordinators {
		if row.Agrees == nil || !*row.Agrees || *row.PartitionCount != 50 {
			t.Errorf("%+v", row)
		}
	}
	if len(coordinators) != 4 {
		t.Errorf("%+v", coordinators)
	}
}

func TestGroupctlSaysWhatIsMissing(t *testing.T) {
	c := cluster.Shared(t)
	g := buildGroupctl(t, c)
	topic := newTopic(t, c, 1)
	missing := unique(t, "missing")
	for _, test := range []struct {
		code int
		args []string
		want inspect.Code
	}{
		{3, []string{"topic", "leaders", missing}, inspect.CodeTopicNotFound},
		{5, []string{"topic", "leaders", topic, missing}, inspect.CodeTopicNotFound},
		{3, []string{"topic", "leaders", "not a topic"}, inspect.CodeTopicNotFound},
		{3, []string{"group", "describe", missing}, inspect.CodeGroupNotFound},
		{2, []string{"group", "describe"}, "USAGE"},
		{2, []string{"group", "frobnicate"}, "USAGE"},
	} {
		if a := g.run(t, test.code, nil, test.args...); len(a.Errors) != 1 || a.Errors[0].Code != test.want {
			t.Errorf("%q: %+v", test.args, a)
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	a := g.run(t, 1, nil, "topic", "leaders", "-b", closed.Addr().String())
	if len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeUnreachable || string(a.Data) != "null" {
		t.Errorf("%+v", a)
	}
}
