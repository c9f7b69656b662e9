package inspect_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

func isOfController(e watch.Event) bool { return e.Sight != nil && e.Sight.Part == "controller" }

// TestWatchTakesNoQuestionThatWaitsForItsTurnForHeldBack: at this rate the question for the
// controller waits for five seconds behind that for metadata.
func TestWatchTakesNoQuestionThatWaitsForItsTurnForHeldBack(t *testing.T) {
	t.Parallel()
	fake := newFake(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	var asked atomic.Pointer[time.Time] // first
	fake.ControlKey(int16(kmsg.DescribeQuorum), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		now := time.Now()
		asked.CompareAndSwap(nil, &now)
		return nil, nil, false
	})
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Elections: true, Rate: 0.2})
	for deadline := time.Now().Add(patience); asked.Load() == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the broker is never asked for the controller")
		}
	}
	// A broker that is asked may be slow to answer, on a busy machine.
	if before := func(e watch.Event) bool { return isOfController(e) && e.At.Before(*asked.Load()) }; w.count(before) > 0 {
		t.Error("it is told that the controller cannot be found out, and the broker was not asked yet")
	}
}

// TestWatchKnowsTheControllerWhileABrokerHoldsTheQuestionBack until the others have
// answered, and then fails, as brokers do whose own connection to the controller is lost.
func TestWatchKnowsTheControllerWhileABrokerHoldsTheQuestionBack(t *testing.T) {
	t.Parallel()
	const holds, held = 1, 3 * time.Second
	fake := newFake(t, kfake.SeedTopics(1, "orders"))
	var byOthers, byHolder atomic.Int32
	fake.ControlKey(int16(kmsg.DescribeQuorum), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if fake.CurrentNode() != holds {
			byOthers.Add(1)
			return nil, nil, false
		}
		byHolder.Add(1)
		before := byOthers.Load()
		fake.SleepControl(func() {
			for began := time.Now(); t.Context().Err() == nil && (time.Since(began) < held || byOthers.Load() < before+2); {
				time.Sleep(20 * time.Millisecond)
			}
		})
		resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
		resp.ErrorCode = kerr.RequestTimedOut.Code
		return resp, nil, true
	})
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	w := startWatching(t, inspect.New(newClient(t, fake)), inspect.Watched{Elections: true})
	// It is asked for the second time when its first answer was taken.
	for deadline := time.Now().Add(time.Minute); byHolder.Load() < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the broker that holds the question back is not asked again")
		}
	}
	if n := w.count(isOfController); n > 0 {
		t.Errorf("%d events tell that the controller cannot be found out, or can be again, and others told of it each second", n)
	}
}
