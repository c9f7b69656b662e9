package integration

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// controllerDeadline is how long after its death a controller's successor may take to
// be shown.
const controllerDeadline = 20 * time.Second

// controllerIsReplaced kills the node that is the active controller.
func controllerIsReplaced(t *testing.T, c *cluster.Cluster) {
	in := inspect.New(newClient(t, c))
	// A node that asks before it knows its place is shown as an observer for a moment.
	before := controllerOf(t, in, func(c inspect.Controller) bool { return len(c.Voters) == 3 && len(c.Observers) == 0 }, patience)
	before = sameAsTool(t, c, in, before)
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
	late := measureDelays(t, c)
	killing := time.Now()
	kill(t, c, killed)
	after, shown := successorOf(t, c, killed)
	took := shown.Sub(killing)
	busy := late.between(killing, shown)
	t.Logf("controller %d was replaced by %d, as shown after %v, of which brokers were late by %v", killed, *after.Node, took.Round(time.Millisecond), busy.Round(time.Millisecond))
	if took-busy > controllerDeadline {
		t.Errorf("the new controller was shown after %v, and not within %v", took-busy, controllerDeadline)
	}
	if *after.Epoch <= *before.Epoch {
		t.Errorf("epoch %d after %d", *after.Epoch, *before.Epoch)
	}
	sameAsTool(t, c, inspect.New(newClient(t, c)), after)
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

// successorOf asks again and again who is the controller, until somebody else is, and
// says when that answer came. Each attempt has a client of its own, as a run of groupctl
// has, and does not wait for the one before: brokers may hold a question back for as
// long as they try to reach a controller that is dead.
//
// Nobody may ask while the controller is dying. A broker that has a question to forward
// then fails to connect several times in a row, and waits longer each time: half a
// minute in the end (socket.connection.setup.timeout.max.ms).
func successorOf(t *testing.T, c *cluster.Cluster, dead int32) (inspect.Controller, time.Time) {
	t.Helper()
	type sighting struct {
		controller inspect.Controller
		at         time.Time
	}
	const every, attempt = 500 * time.Millisecond, 15 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	first := make(chan sighting, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	ask := func() {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.DialTimeout(2*time.Second))
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		answer, err := inspect.New(client).Controller(ctx)
		if err == nil && answer.Data.Node != nil && *answer.Data.Node != dead {
			select {
			case first <- sighting{answer.Data, time.Now()}:
			default: // another attempt was first
			}
		}
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		asking.Go(ask)
		select {
		case seen := <-first:
			return seen.controller, seen.at
		case <-ticks.C:
		case <-ctx.Done():
			t.Fatalf("nobody but %d was shown as the controller within %v", dead, patience)
		}
	}
}

var toolsLeader = regexp.MustCompile(`LeaderId:\s+(\d+)\s+LeaderEpoch:\s+(\d+)`)

// sameAsTool compares with Kafka's own tool, run inside a node that is up, and returns what
// both say. Where a busy machine has the controller change meanwhile, it looks again.
func sameAsTool(t *testing.T, c *cluster.Cluster, in *inspect.Inspector, controller inspect.Controller) inspect.Controller {
	t.Helper()
	eventually(t, "the controller is the one that Kafka's tool tells", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := c.Exec(ctx, *controller.Node, "java", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.MetadataQuorumCommand",
			"--bootstrap-server", c.InternalSeeds()[slotOf(c, *controller.Node)], "describe", "--status")
		match := toolsLeader.FindStringSubmatch(out)
		same := err == nil && match != nil && match[1] == fmt.Sprint(*controller.Node) && match[2] == strconv.Itoa(int(*controller.Epoch))
		seen := fmt.Sprintf("controller %d of epoch %d; %v, Kafka's tool says %q", *controller.Node, *controller.Epoch, err, out)
		if !same {
			controller = controllerOf(t, in, func(inspect.Controller) bool { return true }, patience)
		}
		return same, seen
	})
	return controller
}

func slotOf(c *cluster.Cluster, node int32) int {
	for i, id := range c.NodeIDs() {
		if id == node {
			return i
		}
	}
	return 0
}
