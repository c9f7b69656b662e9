package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/integration/cluster"
)

// delays are what the machine adds to everything: by how much brokers that only tell what
// they know anyway answered late. What has to happen within some time is held to it on top
// of that.
type delays struct {
	mu   sync.Mutex
	late map[int32][]lateness // by broker
}

// lateness is an answer that came so much after an idle machine would have given it.
type lateness struct {
	until time.Time
	by    time.Duration
}

// measureDelays asks each broker all the time, until the test ends.
func measureDelays(t *testing.T, c *cluster.Cluster) *delays {
	t.Helper()
	const pause, answered = 50 * time.Millisecond, 10 * time.Millisecond
	d := &delays{late: map[int32][]lateness{}}
	client := newClient(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	for _, id := range c.NodeIDs() {
		asking.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				pauseFor(ctx, pause)
				req := kmsg.NewPtrMetadataRequest()
				req.Topics = []kmsg.MetadataRequestTopic{} // none
				_, err := client.Broker(int(id)).Request(ctx, req)
				now := time.Now()
				if by := now.Sub(began) - pause - answered; err == nil && by > 0 {
					d.mu.Lock()
					d.late[id] = append(d.late[id], lateness{now, by})
					d.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { cancel(); asking.Wait() })
	return d
}

// between adds up by how much the slowest broker was late from one time to another; nothing
// where d is nil.
func (d *delays) between(from, to time.Time) (most time.Duration) {
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, late := range d.late {
		sum := time.Duration(0)
		for _, l := range late {
			begin, end := l.until.Add(-l.by), l.until
			if begin.Before(from) {
				begin = from
			}
			if end.After(to) {
				end = to
			}
			sum += max(0, end.Sub(begin))
		}
		most = max(most, sum)
	}
	return most
}
