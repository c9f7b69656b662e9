package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// A handler that is slower than fetching has its partition paused again and again. It does
// not wait each time until a fetch of partitions without records, which is under way to the
// same broker, returns: with kgo's default of 5 s for that, this takes 40 s.
func TestAPausedPartitionIsFetchedAgainInTime(t *testing.T) {
	t.Parallel()
	const records = 400
	c := cluster.Shared(t)
	topic := newTopic(t, c, 12) // several on each broker, and records in one
	producer := newClient(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	var all []*kgo.Record
	for i := range records {
		all = append(all, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: make([]byte, 20<<10)})
	}
	if err := producer.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// A partition may hold 64 KiB, which a fetch exceeds.
	m, err := member.New(member.Config{
		Group: unique(t, "group"), Topics: []string{topic}, BufferBytes: 12 * 64 << 10,
		Client: []kgo.Opt{kgo.SeedBrokers(c.Seeds()...), kgo.FetchMaxPartitionBytes(256 << 10)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	handled := 0
	late := measureDelays(t, c)
	var began time.Time
	var worked time.Duration
	err = m.Run(ctx, func(ctx context.Context, batch []*kgo.Record) error {
		called := time.Now()
		if handled == 0 {
			began = called
		}
		for _, r := range batch {
			if string(r.Key) != fmt.Sprint(handled) {
				t.Errorf("got record %s, want %d", r.Key, handled)
			}
			handled++
		}
		time.Sleep(20 * time.Millisecond) // the work
		worked += time.Since(called)
		if handled == records {
			cancel()
		}
		return nil
	})
	if err != nil || handled != records {
		t.Fatalf("handled %d of %d records: %v", handled, records, err)
	}
	ended := time.Now()
	took, busy := ended.Sub(began), late.between(began, ended)
	t.Logf("%d records took %s, %s of it the work; brokers were late by %s", records, took, worked, busy)
	if waited := took - worked - busy; waited > 12*time.Second {
		t.Errorf("records were waited for during %s, want less than 12s", waited)
	}
}
