package inspect_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// TestWatchTellsThatNoControllerAnswers lets brokers answer all the while.
func TestWatchTellsThatNoControllerAnswers(t *testing.T) {
	t.Parallel()
	fake, controllers := newFake(t), newFake(t)
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	var allowed atomic.Bool
	controllers.ControlKey(int16(kmsg.DescribeQuorum), func(req kmsg.Request) (kmsg.Response, error, bool) {
		controllers.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp, nil, !allowed.Load()
	})
	kafkatest.ServeQuorum(t, controllers, quorumAnswer(nil))
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Elections: true, Controllers: newClient(t, controllers)})
	e := w.await(t, "no controller answers", func(e watch.Event) bool { return e.Sight != nil && e.Sight.Part == "controllers" })
	if !e.Sight.Lost || e.Sight.Code != string(inspect.CodeNotAuthorized) || !strings.Contains(e.Sight.Message, controllers.ListenAddrs()[0]) {
		t.Errorf("%+v", e.Sight)
	}
	allowed.Store(true)
	w.await(t, "a controller answers", func(e watch.Event) bool { return e.Sight != nil && e.Sight.Part == "controllers" && !e.Sight.Lost })
}
