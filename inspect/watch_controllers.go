package inspect

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/internal/exchange"
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
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	resp, err := exchange.Await(asking, func() (kmsg.Response, error) { return seed.Request(asking, quorumRequest().DescribeQuorumRequest) })
	r, err := as[*kmsg.DescribeQuorumResponse](resp, err)
	var quorum *quorumPartition
	if err == nil {
		quorum, err = quorumFrom(r)
	}
	if err != nil {
		// Those that do not lead fail too: it is told where none leads.
		if !w.hasController() {
			w.failed(ctx, sight{part: partControllers}, began, w.controllersProblem(err))
		}
		return
	}
	at := time.Now()
	w.mu.Lock()
	w.controllerAnswered, w.controllerSeen = at, at
	w.mu.Unlock()
	w.saw(ctx, sight{part: partController}, at, func(d *watch.Differ) []watch.Event {
		return append(d.Saw(partControllers, nil, "", at), d.Controller(controllerLook(quorum, at))...)
	})
}

// controllersProblem is why no controller says who leads, by the last that was asked.
func (w *watcher) controllersProblem(err error) Problem {
	seeds, _ := w.what.Controllers.OptValue(kgo.SeedBrokers).([]string)
	p := problemFrom(err, clusterTarget, "", "")
	p.Message = fmt.Sprintf("none of the controllers at %s says who leads them, so brokers are asked; check that controllers listen there, whether they want TLS or SASL, and that DESCRIBE on the cluster is granted (%v)", strings.Join(seeds, ", "), err)
	return p
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
