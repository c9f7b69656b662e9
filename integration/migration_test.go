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
	"github.com/groupkit/groupkit/integration/cluster"
)

// migrating is what is seen of a cluster that migrates, from its two sides.
type migrating struct {
	groupctl
	kraft int32 // the KRaft controller
}

// zooKeeper waits until groupctl reads from ZooKeeper what is wanted.
func (m migrating) zooKeeper(t *testing.T, stage string, wanted func(inspect.Controller) bool) inspect.Controller {
	t.Helper()
	var seen inspect.Controller
	eventually(t, stage, func() (bool, string) {
		// While the brokers elect, nobody is the controller, and the exit code says so.
		out, _ := exec.CommandContext(t.Context(), m.path, "-o", "json", "cluster", "controller", "--zookeeper", m.c.ZooKeeper()).Output()
		seen = inspect.Controller{}
		a := answer{}
		err := json.Unmarshal(out, &a)
		if err == nil {
			err = json.Unmarshal(a.Data, &seen)
		}
		if err != nil || seen.ZooKeeper == nil {
			return false, fmt.Sprintf("%v in %s", err, out)
		}
		migrates := seen.ZooKeeper.Migration != nil
		if warned := len(a.Warnings) == 1 && a.Warnings[0].Code == inspect.CodeMigrating; warned != migrates {
			return false, fmt.Sprintf("warnings %v", a.Warnings)
		}
		return seen.Node != nil && wanted(seen), string(a.Data)
	})
	eventually(t, stage+", as a table", func() (bool, string) {
		table, err := exec.CommandContext(t.Context(), m.path, "cluster", "controller", "--zookeeper", m.c.ZooKeeper()).CombinedOutput()
		if err == nil {
			t.Logf("%s:\n%s", stage, table)
		}
		return err == nil, fmt.Sprintf("%v: %s", err, table)
	})
	return seen
}

// brokersTell is what the brokers themselves say of the controller, and that the other views hold.
func (m migrating) brokersTell(t *testing.T, stage string, kraft bool) {
	t.Helper()
	if !kraft {
		if a := m.run(t, 1, nil, "cluster", "controller"); a.Errors[0].Code != inspect.CodeUnsupported {
			t.Errorf("%s: %v", stage, a.Errors)
		}
	} else {
		eventually(t, stage+", the brokers tell of the controller", func() (bool, string) {
			var c inspect.Controller
			_, err := m.ask(t, 0, &c, "cluster", "controller")
			return err == nil && *c.Mode == inspect.ModeKRaft && c.Node != nil && *c.Node == m.kraft && len(c.Voters) == 1 && c.ZooKeeper == nil, fmt.Sprintf("%v: %+v", err, c)
		})
	}
	eventually(t, stage+", groups have coordinators", func() (bool, string) {
		var coordinators []inspect.Coordinator
		_, err := m.ask(t, 0, &coordinators, "group", "coordinator", "no such group", "日本")
		disagrees := func(row inspect.Coordinator) bool { return row.Agrees == nil || !*row.Agrees }
		return err == nil && !slices.ContainsFunc(coordinators, disagrees), fmt.Sprintf("%v: %+v", err, coordinators)
	})
	// The client may take a broker of either mode.
	eventually(t, stage+", the brokers are as they are", func() (bool, string) {
		for range 8 {
			client, err := kgo.NewClient(kgo.SeedBrokers(m.c.Seeds()...))
			if err != nil {
				t.Fatal(err)
			}
			brokers, err := inspect.New(client).Brokers(t.Context())
			client.Close()
			if err != nil || brokers.Err() != nil || len(brokers.Data) != 2 || *brokers.Data[0].Replicas != 50 || *brokers.Data[0].Leads+*brokers.Data[1].Leads != 50 {
				return false, fmt.Sprintf("%v, %+v", err, brokers)
			}
		}
		return true, ""
	})
}

func TestAClusterMigratesFromZooKeeperToKRaft(t *testing.T) {
	c := cluster.Start(t, cluster.WithZooKeeper(), cluster.WithNodes(2))
	m := migrating{groupctl: buildGroupctl(t, c)}
	stage := func(s string) func(inspect.Controller) bool {
		return func(c inspect.Controller) bool {
			return c.ZooKeeper.Migration != nil && c.ZooKeeper.Migration.Stage == s
		}
	}
	printed := followZooKeeper(t, m.groupctl)

	before := m.zooKeeper(t, "before", func(inspect.Controller) bool { return true })
	if *before.Mode != inspect.ModeZooKeeper || before.ZooKeeper.Migration != nil {
		t.Fatalf("%+v", before)
	}
	m.brokersTell(t, "before", false)

	answer, err := inspect.New(newClient(t, c)).Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.kraft, err = c.StartKRaftController(t.Context(), *answer.ClusterID); err != nil {
		t.Fatal(err)
	}
	begun := m.zooKeeper(t, "a KRaft controller waits", stage(inspect.MigrationBegun))
	if *begun.Mode != inspect.ModeZooKeeper || *begun.Node != *before.Node || begun.ZooKeeper.KRaftEpoch != nil {
		t.Errorf("%+v", begun)
	}

	restart := func(id int32, kraft bool) {
		if err := c.MigrateBroker(t.Context(), id, m.kraft, kraft); err != nil {
			t.Fatal(err)
		}
	}
	restart(1, false)
	waits := m.zooKeeper(t, "one of two brokers is ready", stage(inspect.MigrationBegun))
	if *waits.Mode != inspect.ModeZooKeeper || *waits.Node == m.kraft {
		t.Errorf("%+v", waits)
	}
	m.brokersTell(t, "one of two brokers is ready", false)

	restart(2, false)
	held := m.zooKeeper(t, "KRaft holds, and both brokers run with ZooKeeper", stage(inspect.MigrationWritesBoth))
	if *held.Mode != inspect.ModeKRaft || *held.Node != m.kraft || held.ZooKeeper.KRaftEpoch == nil || *held.ZooKeeper.Migration.Controller != m.kraft || !slices.Equal(held.ZooKeeper.Brokers, []int32{1, 2}) || *held.Epoch <= *waits.Epoch {
		t.Errorf("%+v", held)
	}
	m.brokersTell(t, "both brokers run with ZooKeeper", false)

	restart(1, true)
	hybrid := m.zooKeeper(t, "hybrid: one broker in each mode", func(c inspect.Controller) bool {
		return slices.Equal(c.ZooKeeper.Brokers, []int32{2}) && stage(inspect.MigrationWritesBoth)(c)
	})
	m.brokersTell(t, "hybrid", true)
	restart(2, true)
	dual := m.zooKeeper(t, "no broker with ZooKeeper, and still written to", func(c inspect.Controller) bool {
		return len(c.ZooKeeper.Brokers) == 0 && stage(inspect.MigrationWritesBoth)(c) && *c.ZooKeeper.Migration.MetadataOffset > *hybrid.ZooKeeper.Migration.MetadataOffset
	})
	m.brokersTell(t, "no broker with ZooKeeper", true)
	// Brokers that are no controllers observe.
	eventually(t, "both brokers keep up with the controller", func() (bool, string) {
		var q inspect.Controller
		a, err := m.ask(t, 0, &q, "cluster", "controller")
		if err != nil {
			return false, err.Error()
		}
		keepsUp := func(o inspect.QuorumNode) bool {
			return o.Lag != nil && *o.Lag < 100 && o.LastCaughtUp != nil && o.LastFetch != nil
		}
		return len(q.Observers) == 2 && q.Observers[0].Node == 1 && keepsUp(q.Observers[0]) && q.Observers[1].Node == 2 && keepsUp(q.Observers[1]), string(a.Data)
	})

	if err := c.FinalizeMigration(t.Context(), m.kraft); err != nil {
		t.Fatal(err)
	}
	// The metadata log grows by a record each half second, which nobody tells ZooKeeper.
	over := m.zooKeeper(t, "over", func(inspect.Controller) bool { return true })
	eventually(t, "the quorum has gone on without ZooKeeper", func() (bool, string) {
		var q inspect.Controller
		a, err := m.ask(t, 0, &q, "cluster", "controller")
		if err != nil {
			return false, err.Error() // the controller may not have come back yet
		}
		return q.HighWatermark != nil && *q.HighWatermark > *over.ZooKeeper.Migration.MetadataOffset+10, string(a.Data)
	})
	m.brokersTell(t, "over", true)
	silent := m.zooKeeper(t, "over, for a while", func(inspect.Controller) bool { return true })
	if *silent.ZooKeeper.Migration.MetadataOffset != *over.ZooKeeper.Migration.MetadataOffset || !silent.ZooKeeper.Migration.Written.Equal(*over.ZooKeeper.Migration.Written) || silent.ZooKeeper.Migration.Written.Before(*dual.ZooKeeper.Migration.Written) {
		t.Errorf("written after the end: %+v, %+v", *over.ZooKeeper.Migration, *silent.ZooKeeper.Migration)
	}

	lines := printed()
	t.Logf("groupctl followed:\n%s", lines)
	documented(t, "migration watch", "cluster controller --zookeeper localhost:2181 --watch", lines)
	want := fmt.Sprintf(`(?s)controller %d, epoch \d+, held by zookeeper; brokers 1,2\n.*migration: begun\n.*→ %[2]d, epoch \d+, held by kraft[^\n]*\n.*migration: writes-both, by KRaft controller %[2]d, epoch \d+\n.*brokers down 1; now 2\n.*brokers down 2; now none`, *before.Node, m.kraft)
	if !regexp.MustCompile(want).MatchString(lines) {
		t.Errorf("the watch does not tell\n%s", want)
	}

	// Without a controller brokers go on, and know of none; ZooKeeper knows only the past.
	if err := c.Kill(t.Context(), m.kraft); err != nil {
		t.Fatal(err)
	}
	if a := m.run(t, 1, nil, "--timeout", "8s", "cluster", "controller"); a.Errors[0].Code != inspect.CodeTimeout || !strings.Contains(a.Errors[0].Message, "fewer than half of the voters are up") {
		t.Errorf("without a controller: %v", a.Errors)
	}
	if c := m.zooKeeper(t, "silent", stage(inspect.MigrationSilent)); *c.Node != m.kraft || *c.Mode != inspect.ModeKRaft {
		t.Errorf("%+v", c)
	}
}

// followZooKeeper runs a watch, and returns what ends it and returns what it printed.
func followZooKeeper(t *testing.T, g groupctl) func() string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	following := exec.CommandContext(ctx, g.path, "cluster", "controller", "--zookeeper", g.c.ZooKeeper(), "--watch")
	following.Cancel = func() error { return following.Process.Signal(os.Interrupt) }
	following.WaitDelay = 10 * time.Second
	var printed strings.Builder
	out, err := following.StdoutPipe()
	if err == nil {
		err = following.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("groupctl shows nothing: %v", lines.Err())
	}
	fmt.Fprintln(&printed, lines.Text())
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			fmt.Fprintln(&printed, lines.Text())
		}
	}()
	t.Cleanup(cancel)
	return func() string {
		cancel()
		<-read
		_ = following.Wait()
		return printed.String()
	}
}
