package member

import (
	"slices"
	"time"
)

// defaultReplanInterval is the default of HooksConfig.ReplanInterval.
const defaultReplanInterval = 10 * time.Second

// maxReasons bounds how many reasons are kept for a round that is due.
const maxReasons = 16

// Replan has the leader make a new plan, also where it would only have completed the
// one before: call it in the leader when what its assignor or hooks go by has changed.
// The reason, a few words, is then among the causes of the round.
//
// Rounds cost a group, so Replan brings about one in ReplanInterval at most: at once
// when the last one was longer ago, else when it will have been, for all calls until
// then together. A round that happens for another reason meanwhile serves as well.
//
// In a member that does not lead it brings about a round too, for what members tell holds
// the generation, and the coordinator sees that it changed. But the leader does not hear
// the reason, and only completes a plan that is not in place yet.
func (h *Hooks) Replan(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reasonLocked(reason)
	h.anew = true
	h.callRoundLocked(max(0, time.Until(h.replanned.Add(h.replanInterval()))), "")
}

// reasonLocked takes note of why a round is brought about.
func (h *Hooks) reasonLocked(reason string) {
	if reason != "" && len(h.reasons) < maxReasons && !slices.Contains(h.reasons, reason) {
		h.reasons = append(h.reasons, reason)
	}
}

// dueAgainLocked: what r was for is due again, for its plan was not adopted.
func (h *Hooks) dueAgainLocked(r *round) {
	since := h.reasons
	h.reasons, h.anew = r.forced, h.anew || r.anew
	for _, reason := range since {
		h.reasonLocked(reason)
	}
}

func (h *Hooks) replanInterval() time.Duration {
	if h.cfg.ReplanInterval > 0 {
		return h.cfg.ReplanInterval
	}
	return defaultReplanInterval
}

// callRoundLocked brings about a round after the time given, or earlier where one is
// called already, or happens by itself. The reason is only that of a round that this
// brings about.
func (h *Hooks) callRoundLocked(after time.Duration, reason string) {
	if h.client == nil {
		h.replan = true
		h.reasonLocked(reason)
		return
	}
	at := time.Now().Add(after)
	if h.calling != nil {
		if h.callingAt.Before(at) {
			return
		}
		h.calling.Stop()
	}
	client := h.client
	h.callingAt = at
	h.calling = time.AfterFunc(after, func() {
		h.mu.Lock()
		h.reasonLocked(reason)
		if h.anew {
			h.replanned = time.Now()
		}
		h.mu.Unlock()
		client.ForceRebalance()
	})
}

// cancelCallLocked: a round begins, or none can any more.
func (h *Hooks) cancelCallLocked() {
	if h.calling != nil {
		h.calling.Stop()
		h.calling = nil
	}
}
