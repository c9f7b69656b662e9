package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/groupkit/groupkit/assign"
)

// LoadPolicy has the leader look at the load from time to time, with
// [HooksConfig.Weights], and make a new plan when what members have has become uneven
// and stays so. A plan that Weights shaped fits the load of its time; without a change
// in the group nothing else would make another one. Where Weights fails, EventLoadUnknown
// tells, and nothing is done before the next look.
type LoadPolicy struct {
	// Every is the time between two looks; 0, the default, is never.
	Every time.Duration

	// Imbalance is from when on the load is uneven: the load of the most loaded
	// member over the least that any plan could reach (assign.Stats, MaxLoad and
	// LowerBound). 1 is as even as can be; the default is 1.25.
	Imbalance float64

	// Looks is how many looks one after the other have to find it uneven; the
	// default is 3. Where a plan that was made for this reason changed nothing,
	// twice as many each further time, up to 32 times as many.
	Looks int
}

const (
	defaultImbalance = 1.25
	defaultLooks     = 3
	maxPatience      = 32
)

func (p LoadPolicy) check(weights bool) error {
	switch {
	case p.Every < 0, p.Looks < 0, p.Imbalance != 0 && !(p.Imbalance >= 1):
		return fmt.Errorf("the member's ReplanOnLoad is %+v; give times and numbers of 0 or more, and an imbalance of 1 or more", p)
	case p.Every > 0 && !weights:
		return errors.New("the member's ReplanOnLoad has no load to go by; set Weights too")
	}
	return nil
}

// A loadWatch decides when the load asks for a new plan.
type loadWatch struct {
	policy   LoadPolicy
	uneven   int // looks in a row
	patience int // how many times the policy's looks it takes
	asked    assign.Assignment
}

func newLoadWatch(p LoadPolicy) *loadWatch {
	if p.Imbalance == 0 {
		p.Imbalance = defaultImbalance
	}
	if p.Looks == 0 {
		p.Looks = defaultLooks
	}
	return &loadWatch{policy: p, patience: 1}
}

// look takes note of one look at what members have, and tells whether a new plan is due.
func (w *loadWatch) look(imbalance float64, now assign.Assignment) bool {
	if imbalance <= w.policy.Imbalance {
		w.uneven, w.patience, w.asked = 0, 1, nil
		return false
	}
	w.uneven++
	if w.uneven < w.policy.Looks*w.patience {
		return false
	}
	if w.asked != nil && w.asked.Equal(now) {
		w.patience = min(2*w.patience, maxPatience)
	} else {
		w.patience = 1
	}
	w.uneven, w.asked = 0, now
	return true
}

// imbalance returns the load of the most loaded member over what any plan could reach.
func imbalance(g assign.Group, plan assign.Plan) float64 {
	stats := assign.Measure(g, plan)
	if stats.LowerBound == 0 {
		return 1
	}
	return stats.MaxLoad / stats.LowerBound
}

// watchLoad follows ReplanOnLoad until the term ends.
func (h *Hooks) watchLoad(t *term) {
	policy := h.cfg.ReplanOnLoad
	if policy.Every == 0 {
		return
	}
	watch := newLoadWatch(policy)
	ticks := time.NewTicker(policy.Every)
	defer ticks.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticks.C:
		}
		h.mu.Lock()
		adopted := h.adopted
		h.mu.Unlock()
		if adopted == nil || len(adopted.sent.Withheld) > 0 {
			continue // it is on its way to another plan
		}
		group, err := h.weighed(t.ctx, adopted)
		if t.ctx.Err() != nil {
			return
		}
		if err != nil {
			h.emit(Event{Kind: EventLoadUnknown, Member: t.Member, Protocol: t.Protocol, Err: fmt.Errorf("the load cannot be looked at: %w", err)})
			continue
		}
		if is := imbalance(group, adopted.sent); watch.look(is, adopted.sent.Assignment) {
			h.Replan(fmt.Sprintf("the most loaded member has %.2f times what it could", is))
		}
	}
}

// weighed returns the group of an adopted plan with the weights of now.
func (h *Hooks) weighed(ctx context.Context, r *round) (assign.Group, error) {
	group := r.present().Clone()
	for i := range group.Topics {
		group.Topics[i].Weights = nil
	}
	topics := group.Clone().Topics // what lingers may go on reading them
	weights, err := guardedIn(ctx, &h.loadGuard, h.planTimeout(), func(limited context.Context) (map[string][]float64, error) {
		return h.cfg.Weights(limited, topics)
	})
	if err != nil {
		return group, err
	}
	return weigh(group, weights)
}

// weigh returns the group with these weights.
func weigh(g assign.Group, weights map[string][]float64) (assign.Group, error) {
	topics := append([]assign.Topic(nil), g.Topics...)
	for i := range topics {
		topics[i].Weights = append([]float64(nil), weights[topics[i].Name]...)
	}
	g.Topics = topics
	return g, g.Check()
}
