package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitionCount = 4
	hotPartition   = 0

	// trafficPause is between two bursts of records.
	trafficPause = 20 * time.Millisecond
	// firstBursts are written before the first member joins, so that there is
	// a load to measure.
	firstBursts = 10
)

// burst is what is written at a time, by partition: partition 0 is hot, it takes as
// many records as the other three together.
var burst = [partitionCount]int{hotPartition: partitionCount - 1, 1: 1, 2: 1, 3: 1}

// traffic writes records to a topic until it is stopped. The client must leave the
// choice of partitions to the records (kgo.ManualPartitioner).
type traffic struct {
	client  *kgo.Client
	topic   string
	written atomic.Int64 // acknowledged by the brokers

	cancel context.CancelFunc
	done   sync.WaitGroup
	err    error // read after stop
}

// startTraffic returns when the first bursts are written.
func startTraffic(ctx context.Context, client *kgo.Client, topic string) (*traffic, error) {
	t := &traffic{client: client, topic: topic}
	for range firstBursts {
		if err := t.write(ctx); err != nil {
			return nil, fmt.Errorf("cannot write records to %s: %w", topic, err)
		}
	}
	ctx, t.cancel = context.WithCancel(ctx)
	t.done.Go(func() {
		for pause(ctx, trafficPause) {
			// A burst that was begun is finished, so that the count is right.
			if err := t.write(context.WithoutCancel(ctx)); err != nil {
				t.err = fmt.Errorf("cannot write records to %s: %w", topic, err)
				return
			}
		}
	})
	return t, nil
}

func (t *traffic) write(ctx context.Context) error {
	var records []*kgo.Record
	for p, n := range burst {
		for range n {
			records = append(records, &kgo.Record{Topic: t.topic, Partition: int32(p), Value: []byte("an order")})
		}
	}
	results := t.client.ProduceSync(ctx, records...)
	for _, r := range results {
		if r.Err == nil {
			t.written.Add(1)
		}
	}
	return results.FirstErr()
}

// stop returns when the last record is written. It may be called repeatedly.
func (t *traffic) stop() error {
	t.cancel()
	t.done.Wait()
	return t.err
}

// pause returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
