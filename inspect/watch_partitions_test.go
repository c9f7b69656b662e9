package inspect_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
)

// TestWatchTakesNoAnswerWithoutBrokersForTheCluster: a broker that has just started knows
// of nobody yet. Nothing is gone.
func TestWatchTakesNoAnswerWithoutBrokersForTheCluster(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.SeedTopics(3, "orders"))
	var empty atomic.Bool
	var after atomic.Int32 // looks at the topic since there was one without an answer
	after.Store(-1)
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if len(r.Topics) != 1 || r.Topics[0].Topic == nil || *r.Topics[0].Topic != "orders" {
			return nil, nil, false
		}
		if empty.CompareAndSwap(true, false) {
			after.Store(0)
			return r.ResponseKind(), nil, true
		}
		if after.Load() >= 0 {
			after.Add(1)
		}
		return nil, nil, false
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Elections: true, Topics: []string{"orders"}})
	w.await(t, "there are partitions", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Partitions) == 3 })
	empty.Store(true)
	for deadline := time.Now().Add(time.Minute); after.Load() < 3; time.Sleep(20 * time.Millisecond) { // the third follows when the second was taken
		if time.Now().After(deadline) {
			t.Fatal("metadata is not asked for again")
		}
	}
	if n := w.count(func(e watch.Event) bool { return e.Broker != nil || e.Topic != nil }); n > 0 {
		t.Errorf("%d events tell of brokers and topics that came and went", n)
	}
}
