package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// planning is a time in which a leader made a plan, by what it said.
type planning struct {
	member     string
	generation int32
	from, to   time.Time
}

// slowPlannings are the plans that took leaders long, by what they said. Those of
// generations that never came to be are in no round.
func (h *history) slowPlannings() []planning {
	var all []planning
	elected := map[string]planning{}
	for _, o := range h.said {
		s := o.Said
		if s.Member == "" {
			continue
		}
		switch s.Kind {
		case "elected":
			elected[s.Member] = planning{s.Member, s.Generation, o.At, o.At}
		case "planned":
			p, ok := elected[s.Member]
			delete(elected, s.Member)
			if p.to = o.At; ok && p.generation == s.Generation && p.to.Sub(p.from) >= h.limits.SlowPlan {
				all = append(all, p)
			}
		}
	}
	return all
}

// waitedForPlanner says whether, before a round, the group waited for a leader that was
// still making the plan of the generation before, which somebody's joining had ended.
func (h *history) waitedForPlanner(r *round) bool {
	for _, p := range h.plannings {
		from, to := p.from, p.to
		if from.Before(r.waitedSince) {
			from = r.waitedSince
		}
		if to.After(r.at) {
			to = r.at
		}
		if to.Sub(from) >= r.waited/2 {
			return true
		}
	}
	return false
}

// wasPlanning says whether a member was the leader whose plan the group waited for when it
// went. A leader that leaves or dies ends that wait: at once, or when its session ends.
func (h *history) wasPlanning(d *departure) bool {
	w := h.waitOf(d.round)
	leader, session := d.round.before.Leader, h.sessionOf(d.member)
	if w == nil || leader == nil || *leader != d.member.ID || session == 0 || w.planFails() || w.completing() < session*8/10 {
		return false
	}
	d.how, d.sure = howExpired, Likely
	d.quote(w.from, SourcePoll, fmt.Sprintf("all had joined, and the group waited for the plan of %s, its leader, for at least %s, and went on without it; its session timeout is %s", named(d.member.MemberRef), roughly(w.completing()), roughly(session)))
	return true
}

// slowPlans: the leader takes long.
func (h *history) slowPlans() []*finding {
	v := find(SlowPlan, Certain, doPlanFaster)
	who := map[string]watch.MemberRef{}
	var longest time.Duration
	plans := 0
	for _, r := range h.rounds {
		if r.planned < h.limits.SlowPlan || r.failed {
			continue
		}
		longest = max(longest, r.planned)
		plans++
		v.Prolongs++
		leader := "the leader"
		if r.after.Leader != nil {
			if m, ok := byID(r.after)[*r.after.Leader]; ok {
				who[m.ID] = m.MemberRef
				leader = named(m.MemberRef)
			}
		}
		v.quote(r.at, r.source, fmt.Sprintf("%s: all had joined %s before the plan of %s came", generationOf(r), roughly(r.planned), leader))
	}
	for _, p := range h.plannings {
		if slices.ContainsFunc(h.rounds, func(r *round) bool {
			return r.after.Generation != nil && *r.after.Generation == p.generation && r.planned >= h.limits.SlowPlan
		}) {
			continue // has been told
		}
		ref := saidBy(*h.saidBy[p.member][0].Said)
		who[p.member] = ref
		longest = max(longest, p.to.Sub(p.from))
		plans++
		v.quote(p.from, SourceMember, fmt.Sprintf("%s said that it makes the plan of generation %d, and had it %s later", named(ref), p.generation, roughly(p.to.Sub(p.from))))
	}
	if !slices.ContainsFunc(h.waits, wait.planFails) {
		for _, w := range h.waits {
			// Those that are over are rounds, but for one that had begun before the first look.
			begun := w.over && w.before == nil && !h.isLogged
			if w.over && !begun || w.turns() > 0 || w.completing() < h.limits.SlowPlan {
				continue
			}
			longest = max(longest, w.completing())
			plans++
			v.Sure = Likely
			v.quote(w.from, SourcePoll, fmt.Sprintf("all have joined, and the group waits for its leader's plan for at least %s", roughly(w.completing())))
		}
	}
	if plans == 0 {
		return nil
	}
	v.Members = sortedRefs(who)
	v.Says = fmt.Sprintf("The leader took up to %s to plan, %s.", roughly(longest), times(plans))
	return []*finding{v}
}
