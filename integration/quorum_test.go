package integration

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestTheDynamicQuorumOfAnOlderKafka looks at Kafka 3.9.2, the first in which voters can
// be changed, and the last that knows ZooKeeper.
func TestTheDynamicQuorumOfAnOlderKafka(t *testing.T) {
	c := cluster.Start(t, cluster.WithVersion("3.9.2"), cluster.WithDynamicQuorum())
	topic := newPlacedTopic(t, c, [][]int32{{1, 2, 3}})
	in := inspect.New(newClient(t, c))
	found := controllerOf(t, in, func(c inspect.Controller) bool {
		return !slices.ContainsFunc(c.Voters, func(v inspect.QuorumNode) bool { return v.Lag == nil || v.LastCaughtUp == nil })
	}, patience)
	sameAsTool(t, c, found)
	if found.Dynamic == nil || !*found.Dynamic || found.HighWatermark == nil || len(found.Voters) != 3 {
		t.Errorf("%+v", found)
	}
	directories := map[string]bool{}
	for _, v := range found.Voters {
		if v.Directory == nil || len(v.Endpoints) != 1 || v.Endpoints[0].Listener != "CONTROLLER" || v.Endpoints[0].Port == 0 {
			t.Fatalf("voter %+v", v)
		}
		directories[*v.Directory] = true
	}
	if len(directories) != 3 {
		t.Errorf("directories %v", directories)
	}
	partitions, err := in.Partitions(t.Context(), topic)
	if err != nil || partitions.Err() != nil || len(partitions.Warnings) > 0 || partitions.Data[0].ELR == nil || *partitions.Data[0].MinISR != 2 {
		t.Errorf("%v: %+v", err, partitions)
	}
	brokers, err := in.Brokers(t.Context())
	if err != nil || brokers.Err() != nil || len(brokers.Warnings) > 0 || len(brokers.Data) != 3 {
		t.Errorf("%v: %+v", err, brokers)
	}
	groupViewsAreWhole(t, c)
	groupIsWatchedAndExplained(t, c)
	coordinators, err := in.Coordinators(t.Context(), "orders", "日本")
	if err != nil || coordinators.Err() != nil || !*coordinators.Data[0].Agrees || !*coordinators.Data[1].Agrees {
		t.Errorf("%v: %+v", err, coordinators)
	}
	g := buildGroupctl(t, c)
	for _, command := range [][]string{{"cluster", "controller"}, {"cluster", "brokers"}, {"topic", "leaders", topic}} {
		g.show(t, command...)
	}
}

// show runs groupctl as a person would, and logs what it prints.
func (g groupctl) show(t *testing.T, args ...string) {
	t.Helper()
	out, err := g.try(t, args...)
	if err != nil {
		t.Errorf("%q: %v", args, err)
	}
	t.Logf("groupctl %s\n%s", strings.Join(args, " "), out)
}

func (g groupctl) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, g.path, append([]string{"-b", strings.Join(g.c.Seeds(), ",")}, args...)...).CombinedOutput()
	return string(out), err
}
