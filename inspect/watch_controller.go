package inspect

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

// heldTimeout is how long a broker may hold the question back: longer than brokers wait
// for a controller (request.timeout.ms, 30 seconds by default). Asked again on the same
// connection they answer in turn, and so later than if the first question is waited for.
const heldTimeout = 40 * time.Second

// heldQuestion makes kgo send a request on the connection that it has for those that
// brokers may hold back for long, so that other requests do not wait behind it.
type heldQuestion struct{ *kmsg.DescribeQuorumRequest }

// Timeout makes it a [kmsg.TimeoutRequest].
func (heldQuestion) Timeout() int32 { return int32(heldTimeout / time.Millisecond) }

func quorumRequest() heldQuestion {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = metadataLogName
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	return heldQuestion{req}
}

// watchController asks one broker after the other, and does not wait for those that
// hold the question back, as they do while a controller dies.
func (w *watcher) watchController(ctx context.Context) {
	var mu sync.Mutex
	asked := map[int32]bool{}
	sent := map[int32]bool{} // those of them that do not wait for their turn
	var last int32 = -1
	if !w.awaitLayout(ctx) {
		return
	}
	for began := time.Now(); pause(ctx, time.Until(began)); began = began.Add(lookEvery) {
		if w.what.Controllers != nil && w.hasController() {
			continue
		}
		known, _ := w.layoutNow()
		mu.Lock()
		node := nextFree(known, last, asked)
		if node == nil {
			waits := len(sent) < len(asked)
			mu.Unlock()
			if waits {
				continue // the brokers hold nothing back: it is their rate
			}
			w.failed(ctx, sight{part: partController}, time.Now(), Problem{
				Code: CodeTimeout, Message: "cannot find out the controller: all brokers hold the question back, as they do while there is none; check that more than half of the voters are up",
			})
			continue
		}
		asked[*node] = true
		mu.Unlock()
		last = *node
		w.all.Go(func() {
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				delete(asked, *node)
				delete(sent, *node)
			}()
			if w.pace.wait(ctx, *node, false) {
				mu.Lock()
				sent[*node] = true
				mu.Unlock()
				w.lookAtController(ctx, *node)
			}
		})
	}
}

// nextFree is the broker after the last one that was asked that has no question to
// answer, preferring those that are not asked for metadata.
func nextFree(known layout, last int32, asked map[int32]bool) *int32 {
	var spare *int32
	after := slices.IndexFunc(known.brokers, func(n int32) bool { return n > last })
	for i := range known.brokers {
		node := &known.brokers[(max(0, after)+i)%len(known.brokers)]
		switch {
		case asked[*node]:
		case known.metadata != nil && *known.metadata == *node && len(known.brokers) > 1:
			spare = node
		default:
			return node
		}
	}
	return spare
}

func (w *watcher) lookAtController(ctx context.Context, node int32) {
	req := quorumRequest()
	resp, began, err := askNow[*kmsg.DescribeQuorumResponse](ctx, w, node, heldTimeout, req)
	var quorum *quorumPartition
	if err == nil {
		quorum, err = quorumFrom(resp)
	}
	if err != nil {
		w.mu.Lock()
		answered := w.controllerSeen.After(began)
		w.mu.Unlock()
		if answered {
			return // another said who it is while this one held the question back
		}
		err = w.lacks(ctx, node, req.Key(), err)
		w.failed(ctx, sight{part: partController}, began, quorumFailure(err, errors.Is(err, kerr.UnsupportedVersion)))
		return
	}
	// A question that was held back is answered as things are in the end.
	at := time.Now()
	w.mu.Lock()
	w.controllerSeen = at
	w.mu.Unlock()
	w.saw(ctx, sight{part: partController}, at, func(d *watch.Differ) []watch.Event { return d.Controller(controllerLook(quorum, at)) })
}
