package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/inspect/zk"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestZooKeeper runs Kafka 3.9.2 with ZooKeeper, kills its controller, and holds elections.
func TestZooKeeper(t *testing.T) {
	secrets := newZooKeeperSecrets(t)
	c := cluster.Start(t, cluster.WithZooKeeper(), cluster.WithZooKeeperTLS(secrets.server),
		// The controller would move leaders back by itself, every 5 minutes.
		cluster.WithProperty("auto.leader.rebalance.enable", "false"))
	client := newClient(t, c, kgo.DialTimeout(2*time.Second)) // outlives the parts
	var predictions *zooKeeperPredictions
	var killed int32
	for _, view := range []struct {
		name string
		run  func(*testing.T, *cluster.Cluster)
	}{
		{"the brokers tell all but the controller and eligible leaders", viewsWithZooKeeper},
		{"groups are told with leader, lag and history", groupViewsAreWhole},
		{"a group is watched and explained", groupIsWatchedAndExplained},
		{"groupctl shows the controller", groupctlWithZooKeeper},
		{"the other commands say what they cannot know", commandsWithZooKeeper},
		{"the controller is read over TLS", secrets.readOverTLS},
		{"the controller is read as a user", secrets.zooKeeperAsksWhoReads},
		{"what is predicted is written down", func(t *testing.T, c *cluster.Cluster) { predictions = predictWithZooKeeper(t, c, client) }},
		{"the controller's election is seen as it happens", func(t *testing.T, c *cluster.Cluster) {
			killed = zooKeeperControllerIsReplaced(t, c)
			predictions.cameTrue(t, predictions.state, predict.Crash(killed))
		}},
		{"elections are held as predicted", func(t *testing.T, c *cluster.Cluster) { predictions.electionsWithZooKeeper(t, c, killed) }},
	} {
		if !t.Run(view.name, func(t *testing.T) { view.run(t, c) }) {
			return // the cluster may be in any state
		}
	}
}

func viewsWithZooKeeper(t *testing.T, c *cluster.Cluster) {
	topic := newPlacedTopic(t, c, [][]int32{{1, 2, 3}, {2, 3, 1}})
	in := inspect.New(newClient(t, c))
	controller, err := in.Controller(t.Context())
	if err != nil || controller.Data.Node != nil || controller.Data.Mode != nil || len(controller.Errors) != 1 || controller.Errors[0].Code != inspect.CodeUnsupported {
		t.Errorf("%v: %+v", err, controller)
	}
	var partitions inspect.Answer[[]inspect.Partition]
	eventually(t, "the brokers know the topic", func() (bool, string) {
		partitions, err = in.Partitions(t.Context(), topic)
		return len(partitions.Data) == 2, fmt.Sprint(err, partitions.Errors)
	})
	if err != nil || partitions.Err() != nil || len(partitions.Warnings) != 1 || partitions.Warnings[0].Code != inspect.CodeUnsupported {
		t.Fatalf("%v: %+v", err, partitions)
	}
	for i, p := range partitions.Data {
		if p.ELR != nil || p.Leader == nil || *p.Leader != int32(i+1) || len(p.ISR) != 3 || *p.MinISR != 2 || *p.UnderMinISR || *p.Racks[0] != fmt.Sprintf("rack-%d", i+1) {
			t.Errorf("%+v", p)
		}
	}
	brokersAre(t, in)
	coordinators, err := in.Coordinators(t.Context(), "orders", "日本")
	if err != nil || coordinators.Err() != nil || !*coordinators.Data[0].Agrees || !*coordinators.Data[1].Agrees {
		t.Errorf("%v: %+v", err, coordinators)
	}
}

var znode = regexp.MustCompile(`(?m)^\{.*"brokerid".*\}$`)

// sameAsShell compares with what ZooKeeper's own shell reads.
func sameAsShell(t *testing.T, c *cluster.Cluster, on int32, controller inspect.Controller) {
	t.Helper()
	out, err := c.Exec(t.Context(), on, "java", "-cp", "/opt/kafka/libs/*", "org.apache.zookeeper.ZooKeeperMain", "-server", "zookeeper:2181", "get", "/controller")
	if err != nil {
		t.Fatal(err, out)
	}
	var held struct{ BrokerID int32 }
	if err := json.Unmarshal([]byte(znode.FindString(out)), &held); err != nil || held.BrokerID != *controller.Node {
		t.Errorf("controller %d; ZooKeeper's shell says %q (%v)", *controller.Node, out, err)
	}
}

func groupctlWithZooKeeper(t *testing.T, c *cluster.Cluster) {
	g := buildGroupctl(t, c)
	out, err := exec.CommandContext(t.Context(), g.path, "-o", "json", "cluster", "controller", "--zookeeper", c.ZooKeeper()).Output()
	var a struct {
		Schema    string
		ClusterID *string
		Data      inspect.Controller
	}
	if err == nil {
		err = json.Unmarshal(out, &a)
	}
	if err != nil || a.Schema != "groupctl/v1/cluster-controller" || a.ClusterID == nil || *a.Data.Mode != "zookeeper" || !slices.Equal(a.Data.ZooKeeper.Brokers, []int32{1, 2, 3}) || a.Data.Voters != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sameAsShell(t, c, 1, a.Data)
	table, err := exec.CommandContext(t.Context(), g.path, "cluster", "controller", "--zookeeper", c.ZooKeeper()).CombinedOutput()
	if err != nil || !strings.Contains(string(table), "zookeeper") {
		t.Errorf("%v: %s", err, table)
	}
	documented(t, "zookeeper", "cluster controller --zookeeper localhost:2181", string(table))
	out, err = exec.CommandContext(t.Context(), g.path, "cluster", "controller", "--zookeeper", c.ZooKeeper()+"/elsewhere").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "check the chroot") {
		t.Errorf("%v: %s", err, out)
	}
}

// zooKeeperControllerIsReplaced kills the controller under a watch, and returns which.
func zooKeeperControllerIsReplaced(t *testing.T, c *cluster.Cluster) int32 {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := zk.Controller(ctx, c.ZooKeeper())
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(err, answer.Errors, answer.Warnings)
	}
	before := answer.Data
	killed := *before.Node
	survivors := slices.DeleteFunc(slices.Clone(before.ZooKeeper.Brokers), func(id int32) bool { return id == killed })
	in := inspect.New(newClient(t, c))
	topic, group := newPlacedTopic(t, c, [][]int32{append([]int32{killed}, survivors...)}), groupCoordinatedBy(t, in, killed)
	watched := startWatch(t, c, inspect.Watched{Elections: true, Topics: []string{topic}})
	// A broker may not know the topic yet, and then it comes after the snapshot.
	watched.await(t, "the partition is told", func(e watch.Event) bool {
		return e.Snapshot != nil && len(e.Snapshot.Partitions) > 0 || e.Topic != nil && len(e.Topic.Partitions) > 0
	})

	following := exec.CommandContext(ctx, buildGroupctl(t, c).path, "cluster", "controller", "--zookeeper", c.ZooKeeper(), "--watch")
	followed, err := following.StdoutPipe()
	if err == nil {
		err = following.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(followed)
	if !lines.Scan() {
		t.Fatalf("groupctl shows nothing: %v", lines.Err())
	}
	printed := lines.Text() + "\n"

	var killing time.Time
	var gone, replaced bool
	downSeen := false
	for event, err := range zk.Watch(ctx, c.ZooKeeper()) {
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s -> %s, epoch %s, up %v, down %v", event.Kind, show(event.From), show(event.To), show(event.Controller.Epoch), event.Up, event.Down)
		switch event.Kind {
		case zk.Snapshot:
			if *event.To != killed {
				t.Fatalf("controller %d, and %d a moment ago", *event.To, killed)
			}
			killing = time.Now()
			kill(t, c, killed)
		case zk.BrokersChanged:
			downSeen = downSeen || slices.Equal(event.Down, []int32{killed})
		case zk.ControllerChanged:
			if event.To == nil {
				gone = true
				if *event.From != killed || event.Missed != 0 {
					t.Errorf("%+v", event)
				}
				break
			}
			replaced = true
			if !slices.Contains(survivors, *event.To) || *event.Controller.Epoch <= *before.Epoch || !gone && *event.From != killed {
				t.Errorf("%+v", event)
			}
			if event.Missed != int(*event.Controller.Epoch-*before.Epoch)-1 {
				t.Errorf("%d missed between epochs %d and %d", event.Missed, *before.Epoch, *event.Controller.Epoch)
			}
			t.Logf("controller %d was replaced by %d, as seen after %v", killed, *event.To, time.Since(killing).Round(time.Millisecond))
		}
		if replaced && downSeen {
			break
		}
	}
	if !replaced || !downSeen {
		t.Fatalf("replaced: %v, the broker seen to be down: %v", replaced, downSeen)
	}
	elected := regexp.MustCompile(`controller \S+ → [0-9]`)
	for !elected.MatchString(printed) && lines.Scan() {
		printed += lines.Text() + "\n"
	}
	if err := following.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
		printed += lines.Text() + "\n"
	}
	if err := following.Wait(); err != nil {
		t.Errorf("groupctl was interrupted, and ends with %v", err)
	}
	documented(t, "zookeeper watch", "cluster controller --zookeeper localhost:2181 --watch", printed)

	// It led a partition and coordinated a group as well.
	e := watched.await(t, "the next replica in sync leads", leaderChangeOf(topic, 0, &survivors[0]))
	// A look may fall between the broker's end and the election.
	if e.Leader.Cause != watch.CauseBrokerGone || e.Leader.From != nil && *e.Leader.From != killed {
		t.Errorf("%+v", e.Leader)
	}
	eventually(t, "another broker coordinates the group", func() (bool, string) {
		found, err := in.Coordinators(ctx, group)
		ok := err == nil && len(found.Data) == 1 && found.Data[0].Agrees != nil && *found.Data[0].Agrees && *found.Data[0].Coordinator != killed
		return ok, fmt.Sprintf("%v: %+v", err, found)
	})

	after, err := zk.Controller(ctx, c.ZooKeeper())
	if err != nil || after.Err() != nil || *after.Data.Node == killed || !slices.Equal(after.Data.ZooKeeper.Brokers, survivors) || !after.Data.ZooKeeper.Since.After(*before.ZooKeeper.Since) {
		t.Fatal(err, after)
	}
	sameAsShell(t, c, survivors[0], after.Data)
	return killed
}
