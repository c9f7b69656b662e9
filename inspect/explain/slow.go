package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// slow: the group waits for members that do not join again.
func (h *history) slow(departures []*departure) []*finding {
	v := find(SlowToRejoin, Likely, doRejoinSooner)
	who := map[string]watch.MemberRef{}
	var longest time.Duration
	waits := 0
	for _, r := range h.rounds {
		if r.waited < h.limits.Slow || len(r.before.Members) == 0 || h.waitedForPlanner(r) {
			continue
		}
		if slices.ContainsFunc(departures, func(d *departure) bool { return d.round == r && d.how == howExpired && (d.saysOut || h.wasAwaited(d)) }) {
			continue // for a session to end
		}
		waits++
		v.Prolongs++
		longest = max(longest, r.waited)
		v.quote(r.waitedSince, r.waitSource, fmt.Sprintf("before %s the group waited for its members for at least %s%s", generationOf(r), roughly(r.waited), h.bound(r.before)))
		found := false
		for _, d := range departures {
			if d.round == r && d.how == howDropped {
				who[d.member.ID] = d.member.MemberRef
				v.Evidence = append(v.Evidence, d.why...)
				if d.sure == Certain {
					v.Sure = Certain
				}
				found = true
				v.takes(r, d.returned)
			}
		}
		if !found {
			h.lateBySigns(r, who, v)
		}
	}
	h.alsoDropped(departures, who, v)
	if w := h.waiting(); w != nil {
		last := h.looks[len(h.looks)-1]
		before := last.Look
		if w.before != nil {
			before = w.before
		}
		waits++
		longest = max(longest, w.preparing())
		v.quote(w.from, SourcePoll, fmt.Sprintf("the group waits for its members since then, for at least %s%s", roughly(w.preparing()), h.bound(*before)))
		open := &round{at: last.At, waitedSince: w.from, before: *before, waited: w.preparing()}
		h.lateBySigns(open, who, v)
	}
	if waits == 0 {
		if waits = h.slowByCommits(who, v, &longest); waits == 0 {
			return h.slowReconciliation(departures)
		}
	}
	v.Members = sortedRefs(who)
	if len(who) > 0 {
		v.Says = fmt.Sprintf("The group waited up to %s for %s to join again, %s.", roughly(longest), namedAll(v.Members), times(waits))
	} else {
		v.Sure = Possible
		v.Says = fmt.Sprintf("The group waited up to %s for a member to join again, %s; which one was not seen.", roughly(longest), times(waits))
	}
	return []*finding{v}
}

// alsoDropped takes the other times at which one that was dropped went, and why was not
// seen, for the same.
func (h *history) alsoDropped(departures []*departure, dropped map[string]watch.MemberRef, v *finding) {
	names := map[who]bool{}
	for _, ref := range dropped {
		names[whoIs(ref)] = true
	}
	for _, d := range departures {
		if d.how != howUnknown || !names[whoIs(d.member.MemberRef)] || h.alike(d.round.before, d.member) > 1 {
			continue
		}
		d.how = howDropped
		v.takes(d.round, d.returned)
	}
}

func (h *history) bound(g watch.Group) string {
	if longest := h.longestRebalance(g); longest > 0 {
		return fmt.Sprintf("; it waits for at most %s, the longest rebalance timeout", roughly(longest))
	}
	return ""
}

// waiting is a wait for members that has not ended, nil if there is none. One that had
// begun before the first look may be that of a group that starts: it waits three seconds
// by default for each member that comes (group.initial.rebalance.delay.ms), and so counts
// only when none did for longer.
func (h *history) waiting() *wait {
	if len(h.waits) == 0 {
		return nil
	}
	w := &h.waits[len(h.waits)-1]
	if w.over || w.preparing() < h.limits.Slow || w.completing() > w.preparing() {
		return nil
	}
	if starts := w.before == nil || len(w.before.Members) == 0; starts && w.still < h.limits.Slow {
		return nil
	}
	return w
}

// lateBySigns finds who was late, by what members said, or by who still committed while
// the others waited.
func (h *history) lateBySigns(r *round, who map[string]watch.MemberRef, v *finding) {
	members := byID(r.before)
	until := cmp.Or(r.allJoined, r.at.Add(time.Second)) // what is said later is of the next one
	joins := map[string]*Observation{}                  // the last of each
	for i := firstFrom(h.said, r.waitedSince.Add(-time.Second)); i < len(h.said) && !h.said[i].At.After(until); i++ {
		o := &h.said[i]
		if _, ok := members[o.Said.Member]; ok && o.Said.Kind == "joining" {
			joins[o.Said.Member] = o
		}
	}
	inOrder := slices.SortedFunc(maps.Values(joins), func(a, b *Observation) int { return a.At.Compare(b.At) })
	var last *Observation
	since := r.waitedSince
	if n := len(inOrder); n > 0 {
		last = inOrder[n-1]
		// Where most were late, it was not for one of them.
		if usual := inOrder[(n-1)/2].At; n > 1 && usual.After(since) {
			since = usual
		}
	}
	if last != nil && last.At.Sub(since) >= h.limits.Slow/2 {
		who[last.Said.Member] = members[last.Said.Member].MemberRef
		v.Sure = Certain
		v.quote(last.At, SourceMember, fmt.Sprintf("%s said that it joins, %s after the group began to wait, and was the last to", named(members[last.Said.Member].MemberRef), roughly(last.At.Sub(r.waitedSince))))
		return
	}
	if r.waitedSince.IsZero() {
		return
	}
	h.lateByCommits(r, who, v)
}

// lateByCommits finds who was late by what members committed. Those who have joined again
// commit nothing until the group is stable; and who is busy for long between two polls
// commits at long intervals.
func (h *history) lateByCommits(r *round, who map[string]watch.MemberRef, v *finding) {
	counted := 0
	var active, busy []watch.Member
	texts := map[string]string{}
	var usually []time.Duration
	longest := map[string]time.Duration{}
	for _, m := range r.before.Members {
		times := h.commitTimes(m, r)
		if len(times) < 2 {
			continue // it may have nothing to commit
		}
		counted++
		if last := times[len(times)-1]; last.Sub(r.waitedSince) > max(r.waited/3, time.Second) {
			active = append(active, m)
			texts[m.ID] = fmt.Sprintf("%s still committed %s after the group began to wait", named(m.MemberRef), roughly(last.Sub(r.waitedSince)))
		}
		before := slices.DeleteFunc(times, func(at time.Time) bool { return at.After(r.waitedSince) })
		var usual time.Duration
		usual, longest[m.ID] = gaps(before)
		usually = append(usually, usual)
	}
	late := active
	if len(active) == 0 || 2*len(active) > counted {
		if len(usually) == 0 {
			return
		}
		slices.Sort(usually)
		others := usually[len(usually)/2]
		for _, m := range r.before.Members {
			if gap := longest[m.ID]; gap >= h.limits.Slow*2/3 && gap >= 4*others {
				busy = append(busy, m)
				texts[m.ID] = fmt.Sprintf("%s committed nothing for up to %s at a time, and most others did every %s: it is busy for long between two polls", named(m.MemberRef), roughly(gap), roughly(others))
			}
		}
		late = busy
	}
	if len(late) == 0 || 2*len(late) > counted {
		return
	}
	for _, m := range late {
		who[m.ID] = m.MemberRef
		v.quote(r.at, h.commitSource(), texts[m.ID])
	}
}

func isEager(assignor string) bool {
	switch assignor {
	case "range", "roundrobin", "sticky":
		return true
	}
	return false
}

// slowByCommits finds rounds before which some members went on committing long after
// others had stopped, where the coordinator was not asked meanwhile.
func (h *history) slowByCommits(who map[string]watch.MemberRef, v *finding, longest *time.Duration) int {
	found := 0
	for _, r := range h.rounds {
		if r.before.Assignor == nil || !isEager(*r.before.Assignor) || r.source != SourceLog || !r.waitedSince.IsZero() || h.lookedBefore(r) {
			continue
		}
		after := byID(r.after)
		var early, late time.Time
		var first, slowest watch.Member
		var every time.Duration
		counted := 0
		for _, m := range r.before.Members {
			times := h.commitTimes(m, r)
			if _, stayed := after[m.ID]; !stayed || len(times) < 4 {
				continue
			}
			counted++
			usual, _ := gaps(times)
			every = max(every, usual)
			last := times[len(times)-1]
			if early.IsZero() || last.Before(early) {
				early, first = last, m
			}
			if last.After(late) {
				late, slowest = last, m
			}
		}
		gap := late.Sub(early)
		if counted < 2 || gap < h.limits.Slow || gap < 4*every || h.whyNotIdle(first, r, early, gap) == "" {
			continue // the others may have had nothing to commit
		}
		found++
		v.Prolongs++
		*longest = max(*longest, gap)
		who[slowest.ID] = slowest.MemberRef
		v.quote(late, SourceLog, fmt.Sprintf("before %s, %s went on committing for %s after another member had stopped%s", generationOf(r), named(slowest.MemberRef), roughly(gap), h.bound(r.before)))
	}
	return found
}

// lookedBefore says whether the coordinator was asked shortly before a round.
func (h *history) lookedBefore(r *round) bool {
	return slices.ContainsFunc(h.looks, func(o Observation) bool {
		return o.At.Before(r.at) && r.at.Sub(o.At) < h.limits.Slow
	})
}
