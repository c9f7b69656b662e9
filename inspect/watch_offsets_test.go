package inspect_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
)

// TestWatchForgetsTheHiddenTopicOfAGroupThatIsDeleted: that it may not be seen does not
// concern anybody then.
func TestWatchForgetsTheHiddenTopicOfAGroupThatIsDeleted(t *testing.T) {
	t.Parallel()
	const group, hidden = "workers", "secret"
	fake := newFake(t, kfake.SeedTopics(1, hidden), kfake.SeedTopics(50, offsetsTopic))
	commit(t, fake, group, hidden, 0)
	if err := fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(group, 50), fake.CoordinatorFor(group)); err != nil {
		t.Fatal(err)
	}
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if len(r.Topics) != 1 || r.Topics[0].Topic == nil || *r.Topics[0].Topic != hidden {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = brokersOf(fake)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = r.Topics[0].Topic, kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Groups: true})
	awaitSight := func(lost bool) {
		t.Helper()
		is := func(e watch.Event) bool {
			return e.Sight != nil && e.Sight.Part == "topic "+hidden && e.Sight.Lost == lost
		}
		// Offsets are looked at every ten seconds.
		for deadline := time.Now().Add(90 * time.Second); w.count(is) == 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it is not told of the topic that lost is %v", lost)
			}
		}
	}
	awaitSight(true)
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(t.Context(), newClient(t, fake))
	if err != nil || len(resp.Groups) != 1 || resp.Groups[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	awaitSight(false)
}
