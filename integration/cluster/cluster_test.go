package cluster_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
)

// TestCluster takes one cluster through all that a test may do to it. After
// each fault the survivors serve, and after each repair the node is back at its
// address with its data.
func TestCluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	began := time.Now()
	c := cluster.Start(t, cluster.WithProperty("num.partitions", "3"))
	t.Logf("ready after %v", time.Since(began).Round(time.Second))

	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.DefaultProduceTopic("orders"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100*time.Millisecond),
		// A node that is silent must not hold the test up for long.
		kgo.DialTimeout(2*time.Second), kgo.ProduceRequestTimeout(2*time.Second), kgo.RequestTimeoutOverhead(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 3, 3, nil, "orders"); err != nil {
		t.Fatal(err)
	}
	produced := 0
	produce := func(t *testing.T) {
		t.Helper()
		// One to each partition, so that each leader is asked.
		for partition := range int32(3) {
			record := &kgo.Record{Partition: partition, Value: []byte{byte(produced)}}
			if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
				t.Fatalf("produce: %v", err)
			}
			produced++
		}
	}
	produce(t)

	t.Run("racks and ids", func(t *testing.T) {
		brokers, err := admin.ListBrokers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := brokers.NodeIDs(), c.NodeIDs(); !slices.Equal(got, want) {
			t.Errorf("brokers %v, want %v", got, want)
		}
		for _, broker := range brokers {
			if broker.Rack == nil || !strings.HasSuffix(*broker.Rack, string(rune('0'+broker.NodeID))) {
				t.Errorf("broker %d has rack %v", broker.NodeID, broker.Rack)
			}
		}
	})

	t.Run("exec", func(t *testing.T) {
		out, err := c.Exec(ctx, 1, "java", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.TopicCommand",
			"--list", "--bootstrap-server", c.InternalSeeds()[1])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "orders\n") {
			t.Errorf("topics listed by Kafka's tool: %q", out)
		}
		if _, err := c.Exec(ctx, 1, "sh", "-c", "echo no; exit 3"); err == nil || !strings.Contains(err.Error(), "exit code 3: no") {
			t.Errorf("a command that fails: %v", err)
		}
	})

	faults := []struct {
		name          string
		id            int32
		hurt, recover func(context.Context, int32) error
	}{
		{"kill", 1, c.Kill, c.Restart},
		{"pause", 2, c.Pause, c.Unpause},
		{"disconnect", 3, c.Disconnect, c.Reconnect},
		{"stop", 1, c.Stop, c.Restart},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			began := time.Now()
			if err := fault.hurt(ctx, fault.id); err != nil {
				t.Fatal(err)
			}
			if err := c.WaitReady(ctx); err != nil {
				t.Fatal(err)
			}
			noticed := time.Since(began)
			produce(t)
			if err := fault.hurt(ctx, fault.id); err == nil {
				t.Errorf("a node that is down was hurt again")
			}
			if err := fault.recover(ctx, fault.id); err != nil {
				t.Fatal(err)
			}
			produce(t)
			t.Logf("others ready after %v, all of it took %v", noticed.Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond))
		})
	}

	// Each node gives back what it leads: nothing was lost on the way.
	total := 0
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // a new leader learns late how far all are
		offsets, err := admin.ListEndOffsets(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		total = 0
		offsets.Each(func(offset kadm.ListedOffset) { total += int(offset.Offset) })
		if total == produced || time.Now().After(deadline) {
			break
		}
	}
	if total != produced {
		t.Errorf("%d records kept of %d produced", total, produced)
	}
}
