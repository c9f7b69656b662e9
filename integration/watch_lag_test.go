package integration

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// TestWatchTellsWhatStallsAndGoesOn has a member that reads a partition and commits
// nothing, until it does.
func TestWatchTellsWhatStallsAndGoesOn(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 1), unique(t, "group")
	admin := kadm.NewClient(newClient(t, c))
	none := kadm.Offsets{}
	none.AddOffset(topic, 0, 0, -1)
	if err := commitOffsets(t.Context(), admin, group, none); err != nil {
		t.Fatal(err)
	}
	if err := newClient(t, c).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("left")}, &kgo.Record{Topic: topic, Value: []byte("lying")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	lazy := startReader(t, c, group, topic, kgo.ClientID("lazy"), kgo.DisableAutoCommit())
	eventually(t, "the member has read all", func() (bool, string) { return lazy.count() == 2, "" })

	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}, StallAfter: 5 * time.Second})
	stalled := func(is bool) func(watch.Event) bool {
		return func(e watch.Event) bool { return e.Lag != nil && e.Lag.Stalled == is }
	}
	e := w.await(t, "the partition stalls", stalled(true)).Lag
	if e.Group != group || e.Topic != topic || e.Partition != 0 || e.Committed != 0 || e.End != 2 || e.Lag != 2 || e.For.Duration() < 5*time.Second || e.Owner == nil || e.Owner.ClientID != "lazy" {
		t.Errorf("%+v", e)
	}
	if err := lazy.client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	e = w.await(t, "the partition goes on", stalled(false)).Lag
	if e.Committed != 2 || e.Lag != 0 || e.For.Duration() < 5*time.Second || e.Owner == nil || e.Owner.ClientID != "lazy" {
		t.Errorf("%+v", e)
	}
	if n := len(w.all(func(e watch.Event) bool { return e.Lag != nil })); n != 2 {
		t.Errorf("%d events of lag, want 2", n)
	}
}
