package integration

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// controllerDeadline is how long the answer may name the controller that died.
const controllerDeadline = 20 * time.Second

// controllerIsReplaced kills the node that is the active controller.
func controllerIsReplaced(t *testing.T, c *cluster.Cluster) {
	in := inspect.New(newClient(t, c))
	before := controllerOf(t, in, func(inspect.Controller) bool { return true }, patience)
	sameAsTool(t, c, before)
	if len(before.Voters) != 3 || len(before.Observers) != 0 || *before.Mode != "kraft" || *before.Source != "DescribeQuorum" {
		t.Errorf("controller %+v", before)
	}
	for _, voter := range before.Voters {
		if voter.Node == *before.Node && (voter.Lag == nil || *voter.Lag != 0 || voter.LogEndOffset == nil) {
			t.Errorf("the controller lags behind itself: %+v", voter)
		}
	}
	controllerOf(t, in, func(now inspect.Controller) bool {
		for _, voter := range now.Voters {
			if voter.Lag == nil || *voter.Lag > 1000 {
				return false
			}
		}
		return true
	}, patience)

	killed := *before.Node
	kill(t, c, killed)
	died := time.Now()
	after := controllerOf(t, in, func(now inspect.Controller) bool { return *now.Node != killed }, controllerDeadline)
	t.Logf("controller %d was replaced by %d within %v", killed, *after.Node, time.Since(died).Round(time.Millisecond))
	if *after.Epoch <= *before.Epoch {
		t.Errorf("epoch %d after %d", *after.Epoch, *before.Epoch)
	}
	sameAsTool(t, c, after)
}

// controllerOf asks until there is a controller that is as wanted.
func controllerOf(t *testing.T, in *inspect.Inspector, wanted func(inspect.Controller) bool, within time.Duration) inspect.Controller {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		answer, err := in.Controller(ctx)
		cancel()
		if err == nil && answer.Data.Node != nil && wanted(answer.Data) {
			return answer.Data
		}
		if time.Now().After(deadline) {
			t.Fatalf("no controller as wanted within %v; last seen: %v %s %v", within, err, show(answer.Data.Node), answer.Errors)
		}
	}
}

var toolsLeader = regexp.MustCompile(`LeaderId:\s+(\d+)\s+LeaderEpoch:\s+(\d+)`)

// sameAsTool compares with Kafka's own tool, run inside a node that is up.
func sameAsTool(t *testing.T, c *cluster.Cluster, controller inspect.Controller) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := c.Exec(ctx, *controller.Node, "java", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.MetadataQuorumCommand",
		"--bootstrap-server", c.InternalSeeds()[slotOf(c, *controller.Node)], "describe", "--status")
	if err != nil {
		t.Fatal(err, out)
	}
	match := toolsLeader.FindStringSubmatch(out)
	if match == nil {
		t.Fatalf("Kafka's tool says %q", out)
	}
	if match[1] != fmt.Sprint(*controller.Node) || match[2] != strconv.Itoa(int(*controller.Epoch)) {
		t.Errorf("controller %d of epoch %d; Kafka's tool says %s of %s", *controller.Node, *controller.Epoch, match[1], match[2])
	}
}

func slotOf(c *cluster.Cluster, node int32) int {
	for i, id := range c.NodeIDs() {
		if id == node {
			return i
		}
	}
	return 0
}
