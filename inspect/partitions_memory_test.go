package inspect_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
)

const (
	aloneVariable = "GROUPKIT_TEST_ALONE"

	manyTopics    = 1000
	manyOfEach    = 100
	largePage     = 2000
	topicsOfAPage = largePage / manyOfEach
)

// serveManyPartitions answers with 100,000 partitions, page after page, without
// holding them.
func serveManyPartitions(fake *kfake.Cluster, each func()) {
	fake.ControlKey(int16(kmsg.DescribeTopicPartitions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		each()
		from := 0
		if cursor := req.(*kmsg.DescribeTopicPartitionsRequest).Cursor; cursor != nil {
			_, _ = fmt.Sscanf(cursor.Topic, "topic-%d", &from)
		}
		resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
		for i := from; i < from+topicsOfAPage; i++ {
			topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
			topic.Topic = kmsg.StringPtr(fmt.Sprintf("topic-%05d", i))
			for p := range int32(manyOfEach) {
				partition := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
				partition.Partition, partition.LeaderID, partition.LeaderEpoch = p, p%3, p
				partition.Replicas = []int32{p % 3, (p + 1) % 3, (p + 2) % 3}
				partition.ISR = partition.Replicas
				partition.EligibleLeaderReplicas, partition.LastKnownELR = []int32{}, []int32{}
				topic.Partitions = append(topic.Partitions, partition)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		if next := from + topicsOfAPage; next < manyTopics {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: fmt.Sprintf("topic-%05d", next)}
		}
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceType, resource.ResourceName = asked.ResourceType, asked.ResourceName
			config := kmsg.NewDescribeConfigsResponseResourceConfig()
			config.Name, config.Value = "min.insync.replicas", kmsg.StringPtr("2")
			resource.Configs = append(resource.Configs, config)
			resp.Resources = append(resp.Resources, resource)
		}
		return resp, nil, true
	})
}

func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestPartitionsHoldOnePageBesideTheRows looks at what is live whenever a page is
// asked for: it is never more than the rows of the end and a few pages.
func TestPartitionsHoldOnePageBesideTheRows(t *testing.T) {
	if os.Getenv(aloneVariable) == "" {
		// What other tests left behind would be counted: a process of its own has none.
		alone := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		alone.Env = append(os.Environ(), aloneVariable+"=1")
		out, err := alone.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	fake := newFake(t)
	var most uint64
	serveManyPartitions(fake, func() { most = max(most, liveHeap()) })
	in := inspect.New(newClient(t, fake))
	before := liveHeap()
	answer, err := in.Partitions(testContext(t))
	if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
		t.Fatal(err, answer.Errors, answer.Warnings)
	}
	after := liveHeap()
	if len(answer.Data) != manyTopics*manyOfEach || *answer.Data[0].UnderMinISR {
		t.Fatalf("%d rows, the first %+v", len(answer.Data), answer.Data[0])
	}
	rows, peak := after-before, most-before
	t.Logf("%d partitions: %.1f MiB of rows, at most %.1f MiB live while pages came", len(answer.Data), mib(rows), mib(peak))
	// A page is 2,000 of them, so fewer than a tenth of all even if several are live.
	if peak > rows+rows/10 {
		t.Errorf("%.1f MiB were live for %.1f MiB of rows", mib(peak), mib(rows))
	}
	runtime.KeepAlive(answer)
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

func BenchmarkPartitions(b *testing.B) {
	fake := newFake(b)
	serveManyPartitions(fake, func() {})
	in := inspect.New(newClient(b, fake))
	b.ReportAllocs()
	for b.Loop() {
		if answer, err := in.Partitions(b.Context()); err != nil || len(answer.Data) != manyTopics*manyOfEach {
			b.Fatal(err, len(answer.Data))
		}
	}
}
