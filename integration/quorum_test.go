package integration

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestTheDynamicQuorumOfAnOlderKafka looks at Kafka 3.9.2, the first in which voters can
// be changed, and the last that knows ZooKeeper.
func TestTheDynamicQuorumOfAnOlderKafka(t *testing.T) {
	const withConsumerGroups, without = 2, 3
	c := cluster.Start(t, cluster.WithVersion("3.9.2"), cluster.WithDynamicQuorum(),
		// As while brokers are told of KIP-848 one after the other.
		cluster.WithNodeProperty(withConsumerGroups, "group.coordinator.rebalance.protocols", "classic,consumer"))
	topic := newPlacedTopic(t, c, [][]int32{{1, 2, 3}})
	in := inspect.New(newClient(t, c))
	found := controllerOf(t, in, func(c inspect.Controller) bool {
		return !slices.ContainsFunc(c.Voters, func(v inspect.QuorumNode) bool { return v.Lag == nil || v.LastCaughtUp == nil })
	}, patience)
	found = sameAsTool(t, c, in, found)
	votersAreDynamic(t, found)
	sameReplication(t, c, in)
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
	consumerGroupsOfAnOlderKafka(t, c, withConsumerGroups, without)
	coordinatorOf(t, in, "orders")
	coordinatorOf(t, in, "日本")
	g := buildGroupctl(t, c)
	for _, command := range [][]string{{"cluster", "controller"}, {"cluster", "brokers"}, {"topic", "leaders", topic}} {
		g.show(t, command...)
	}
}

// votersAreDynamic looks for what there is of voters that can change: a directory of its
// own and an endpoint for each of three.
func votersAreDynamic(t *testing.T, found inspect.Controller) {
	t.Helper()
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
}

// sameReplication compares every node of the quorum with Kafka's own tool, between two
// looks at it: the log grows meanwhile. A quorum that changes meanwhile is looked at again.
func sameReplication(t *testing.T, c *cluster.Cluster, in *inspect.Inspector) (found inspect.Controller) {
	t.Helper()
	eventually(t, "the quorum is as Kafka's tool tells", func() (ok bool, differs string) {
		found, differs = replicationBesideTool(t, c, in)
		return differs == "", differs
	})
	return found
}

func replicationBesideTool(t *testing.T, c *cluster.Cluster, in *inspect.Inspector) (after inspect.Controller, differs string) {
	t.Helper()
	heard := func(c inspect.Controller) bool {
		return !slices.ContainsFunc(slices.Concat(c.Voters, c.Observers), func(n inspect.QuorumNode) bool { return n.Lag == nil || n.LastCaughtUp == nil || n.LastFetch == nil })
	}
	before := controllerOf(t, in, heard, patience)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := c.Exec(ctx, *before.Node, "java", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.MetadataQuorumCommand",
		"--bootstrap-server", c.InternalSeeds()[slotOf(c, *before.Node)], "describe", "--replication")
	if err != nil {
		return after, fmt.Sprint(err, out)
	}
	after = controllerOf(t, in, heard, patience)
	told := map[string][]string{} // by role and node: all that the tool has
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 7 && f[0] != "NodeId" {
			told[f[6]+" "+f[0]] = f
		}
	}
	check := func(role string, before, after inspect.QuorumNode) {
		f := told[fmt.Sprint(role, " ", before.Node)]
		if f == nil {
			differs += fmt.Sprintf("Kafka's tool has no %s %d:\n%s", role, before.Node, out)
			return
		}
		delete(told, fmt.Sprint(role, " ", before.Node))
		end, errEnd := strconv.ParseInt(f[2], 10, 64)
		caught, errCaught := strconv.ParseInt(f[5], 10, 64)
		if errEnd != nil || errCaught != nil || before.Directory == nil || f[1] != *before.Directory ||
			end < *before.LogEndOffset || end > *after.LogEndOffset || caught < before.LastCaughtUp.UnixMilli() || caught > after.LastCaughtUp.UnixMilli() {
			differs += fmt.Sprintf("%s %+v, then %+v; between the two Kafka's tool says\n%s", role, before, after, out)
		}
	}
	if *before.Node != *after.Node || *before.Epoch != *after.Epoch || len(before.Voters) != len(after.Voters) || len(before.Observers) != len(after.Observers) {
		return after, fmt.Sprintf("the quorum changed: %+v, %+v", before, after)
	}
	for i, v := range before.Voters {
		role := "Follower"
		if v.Node == *before.Node {
			role = "Leader"
		}
		check(role, v, after.Voters[i])
	}
	for i, o := range before.Observers {
		check("Observer", o, after.Observers[i])
	}
	if len(told) > 0 {
		differs += fmt.Sprintf("only Kafka's tool has %v", told)
	}
	return after, differs
}

// controllerObserves takes a controller's vote away.
func controllerObserves(t *testing.T, c *cluster.Cluster) {
	client := newClient(t, c)
	in := inspect.New(client)
	before := controllerOf(t, in, func(inspect.Controller) bool { return true }, patience)
	votersAreDynamic(t, before)
	removed := *before.Node%3 + 1
	directory, err := base64.RawURLEncoding.DecodeString(*before.Voters[removed-1].Directory)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID = removed
	copy(req.VoterDirectoryID[:], directory)
	eventually(t, "the controller takes the vote away", func() (bool, string) {
		resp, err := req.RequestWith(t.Context(), client)
		if err != nil {
			return false, err.Error()
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		// It may have been taken away though the answer was lost.
		return err == nil || errors.Is(err, kerr.VoterNotFound), fmt.Sprint(err)
	})
	controllerOf(t, in, func(c inspect.Controller) bool {
		return len(c.Voters) == 2 && len(c.Observers) == 1 && c.Observers[0].Node == removed && c.Observers[0].Lag != nil && *c.Observers[0].Lag < 100
	}, patience)
	after := sameReplication(t, c, in)
	if o := after.Observers[0]; o.Endpoints != nil || *o.Directory != *before.Voters[removed-1].Directory {
		t.Errorf("%+v", o)
	}
	g := buildGroupctl(t, c)
	shown := regexp.MustCompile(fmt.Sprintf(`(?m)^%d +observer +\d+ +\d+ +\S+( ago)? +- +%s$`, removed, *after.Observers[0].Directory))
	eventually(t, "groupctl shows the observer", func() (bool, string) {
		out, err := g.try(t, "cluster", "controller")
		return err == nil && shown.MatchString(out), fmt.Sprint(err, out)
	})
	// Without its vote it is not missed.
	eventually(t, "its vote is not missed", func() (bool, string) {
		answer, err := in.Predict(t.Context(), predict.Crash(removed))
		q := answer.Data.Controller.Quorum
		return err == nil && len(q.Voters) == 2 && *q.Majority == 2 && *q.Kept, fmt.Sprintf("%v, %+v: %v", err, answer.Data.Controller, answer.Errors)
	})
}

// fencedBrokerVotes has a broker send no heartbeats, while its controller goes on. It is
// the last of what is done to this cluster, of which two nodes vote.
func fencedBrokerVotes(t *testing.T, c *cluster.Cluster) {
	in := inspect.New(newClient(t, c))
	before := controllerOf(t, in, func(c inspect.Controller) bool { return len(c.Voters) == 2 }, patience)
	voter := before.Voters[0].Node
	if voter == *before.Node {
		voter = before.Voters[1].Node
	}
	if err := c.StopToChange(t.Context(), voter, map[string]string{"broker.heartbeat.interval.ms": "3600000"}); err != nil {
		t.Fatal(err)
	}
	// On a slow machine it is fenced before all of its replicas are in sync, which a
	// restart would wait for in vain.
	restarting, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Restart(restarting, voter); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	eventually(t, "the broker is fenced", func() (bool, string) {
		state, err := in.ElectionState(t.Context())
		return err == nil && slices.ContainsFunc(state.Data.Brokers, func(b predict.Broker) bool { return b.ID == voter && b.Fenced && b.Down }), fmt.Sprint(err, state.Data.Brokers)
	})
	// Its coordinators move meanwhile.
	predicted := func(what string, step predict.Step, wanted func(predict.Quorum) bool) {
		t.Helper()
		eventually(t, what, func() (bool, string) {
			answer, err := in.Predict(t.Context(), step)
			return err == nil && answer.Err() == nil && len(answer.Warnings) == 0 && wanted(answer.Data.Controller.Quorum),
				fmt.Sprintf("%v, %+v: %v %v", err, answer.Data.Controller, answer.Errors, answer.Warnings)
		})
	}
	predicted("the controller of the fenced broker votes", predict.ElectPreferred(), func(q predict.Quorum) bool {
		return len(q.Voters) == 2 && len(q.Up) == 2 && *q.Kept
	})
	predicted("both votes are needed, so the end of the node ends all", predict.Crash(voter), func(q predict.Quorum) bool {
		return len(q.Up) == 1 && !*q.Kept
	})
	controllerOf(t, in, func(now inspect.Controller) bool {
		return slices.ContainsFunc(now.Voters, func(v inspect.QuorumNode) bool {
			return v.Node == voter && v.LastFetch != nil && v.Lag != nil && *v.Lag <= 100
		})
	}, patience)
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
	out, err := exec.CommandContext(ctx, g.path, append([]string{"-b", strings.Join(g.c.Seeds(), ","), "--timeout", "1m"}, args...)...).CombinedOutput()
	return string(out), err
}
