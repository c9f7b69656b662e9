package inspect

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

// controllersSilent is how long no controller has to have answered until brokers are
// asked.
const controllersSilent = 2 * time.Second

// watchControllers asks all controllers at their own listener. One that does not lead
// says no more than that.
func (w *watcher) watchControllers(ctx context.Context) {
	for i, seed := range w.what.Controllers.SeedBrokers() {
		// They may have nothing in common with the brokers but their numbers.
		paced := math.MinInt32 + int32(i)
		w.all.Go(func() {
			for began := time.Now(); pause(ctx, time.Until(began.Add(lookEvery))); began = time.Now() {
				if w.pace.wait(ctx, paced, false) {
					w.askController(ctx, seed)
				}
			}
		})
	}
}

func (w *watcher) askController(ctx context.Context, seed *kgo.Broker) {
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	resp, err := await(asking, func() (kmsg.Response, error) { return seed.Request(asking, quorumRequest().DescribeQuorumRequest) })
	r, err := as[*kmsg.DescribeQuorumResponse](resp, err)
	if err != nil {
		return
	}
	quorum, err := quorumFrom(r)
	if err != nil {
		return
	}
	at := time.Now()
	w.mu.Lock()
	w.controllerAnswered = at
	w.mu.Unlock()
	w.saw(ctx, partController, nil, at, func(d *watch.Differ) []watch.Event { return d.Controller(controllerLook(quorum, at)) })
}

// hasController says whether a controller has answered lately.
func (w *watcher) hasController() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.controllerAnswered) < controllersSilent
}

func controllerLook(quorum *quorumPartition, at time.Time) watch.ControllerLook {
	return watch.ControllerLook{At: at, Controller: watch.Controller{Node: known(quorum.LeaderID), Epoch: quorum.LeaderEpoch}}
}
