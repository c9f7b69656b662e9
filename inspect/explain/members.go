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

// expired: members of which the coordinator heard nothing.
func (h *history) expired(departures []*departure) []*finding {
	// Members that were killed and replaced, one after the other, are a restart.
	rolled := map[who]int{}
	for _, d := range departures {
		if d.how == howExpired && d.successor != nil {
			rolled[whoIs(d.member.MemberRef)]++
		}
	}
	v := find(SessionExpired, Possible, "")
	members := map[string]watch.MemberRef{}
	names := map[who]watch.MemberRef{}
	var at []time.Time
	static, modern := true, true
	for _, d := range departures {
		if d.how != howExpired || d.round.by != nil && d.round.by != v && d.sure != Certain {
			continue
		}
		if d.successor != nil && len(rolled) > 1 && rolled[whoIs(d.member.MemberRef)] == 1 {
			continue
		}
		if d.sure.rank() < v.Sure.rank() {
			v.Sure = d.sure
		}
		at = append(at, d.round.at)
		members[d.member.ID], names[whoIs(d.member.MemberRef)] = d.member.MemberRef, d.member.MemberRef
		static, modern = static && d.member.Instance != nil, modern && d.round.after.Type == "consumer"
		v.Evidence = append(v.Evidence, d.why...)
		v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s", generationOf(d.round), changes(d.round)))
		v.takes(d.round, d.returned)
	}
	if len(members) == 0 {
		return nil
	}
	v.Members = sortedRefs(members)
	called := namedAll(v.Members)
	if len(names) == 1 {
		called = calledWho(v.Members[0])
	}
	v.Says = fmt.Sprintf("The coordinator heard nothing of %s for the session timeout, and removed %s, %s.", called, plural(len(names), "it", "them"), rhythm(at))
	switch {
	case static && modern:
		v.Do = doKeepStaticOfGroup
	case static:
		v.Do = doKeepStatic
	case modern:
		v.Do = doKeepSessionOfGroup
	default:
		v.Do = doKeepSession
	}
	return []*finding{v}
}

// restarts: members that go and come back, the same again and again, or one after the
// other.
func (h *history) restarts(departures []*departure) []*finding {
	var open []*departure
	for _, d := range departures {
		if d.round.by == nil && (d.how == howUnknown || d.how == howLeft || d.how == howExpired && d.successor != nil) {
			open = append(open, d)
		}
	}
	// A member whose life began and ended while it was watched lives short. One that
	// was there from the beginning may be restarted for a reason.
	byWho := map[who][]*departure{}
	var order []who
	for _, d := range open {
		key := whoIs(d.member.MemberRef)
		if byWho[key] == nil {
			order = append(order, key)
		}
		byWho[key] = append(byWho[key], d)
	}
	var verdicts []*finding
	var rest []*departure
	for _, key := range order {
		all := byWho[key]
		short := slices.DeleteFunc(slices.Clone(all), func(d *departure) bool { return d.began == nil })
		shared := slices.ContainsFunc(all, func(d *departure) bool { return h.alike(d.round.before, d.member) > 1 })
		switch {
		case len(short) >= 2 && (shared || len(all) >= 2):
			taken := all
			if shared {
				taken = short
				// The life before the first short one belongs to the same chain.
				for _, d := range all {
					if d.began == nil && d.returned != nil && d.returned == short[0].began {
						taken = append([]*departure{d}, taken...)
						break
					}
				}
			}
			verdicts = append(verdicts, h.repeated(taken))
			for _, d := range all {
				if !slices.Contains(taken, d) {
					rest = append(rest, d)
				}
			}
		default:
			rest = append(rest, all...)
		}
	}
	if rolling := h.rolling(rest); rolling != nil {
		verdicts = append(verdicts, rolling)
	}
	return verdicts
}

func (h *history) repeated(all []*departure) *finding {
	v := find(LeavesRepeatedly, Certain, doFindCrash)
	members := map[string]watch.MemberRef{}
	var at []time.Time
	for _, d := range all {
		members[d.member.ID] = d.member.MemberRef
		at = append(at, d.round.at)
		lived := ""
		if d.began != nil {
			lived = fmt.Sprintf(", %s after it joined", roughly(d.round.at.Sub(d.began.at)))
		}
		back := ""
		if d.returned != nil {
			back = "; it was back at once"
			if away := d.returned.at.Sub(d.round.at); away > 0 {
				back = fmt.Sprintf("; it was back %s later", roughly(away))
			}
			if d.returned != d.round && d.returned.after.Generation != nil {
				back += ", in " + generationOf(d.returned)
			}
		}
		v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s went%s%s", generationOf(d.round), named(d.member.MemberRef), lived, back))
		v.Evidence = append(v.Evidence, d.why...)
		v.takes(d.began, d.round, d.returned)
	}
	v.Members = sortedRefs(members)
	leaves := "leaves the group and comes back"
	if !slices.ContainsFunc(all, func(d *departure) bool { return d.how != howUnknown }) {
		v.Sure = Likely
		leaves = "goes and comes back"
		v.Do += " " + doSeeHowItGoes
	}
	v.Says = fmt.Sprintf("%s %s, %s.", upperFirst(calledWho(all[0].member.MemberRef)), leaves, rhythm(at))
	if !slices.ContainsFunc(all, func(d *departure) bool { return len(d.round.after.Members) > 0 || len(d.round.before.Members) > 1 }) {
		v.Sure = Possible
		v.Says = fmt.Sprintf("%s is alone in the group, and %s, %s.", upperFirst(calledWho(all[0].member.MemberRef)), leaves, rhythm(at))
		v.Do = doNothingForJob + lowerFirst(v.Do)
	}
	return v
}

// restartWithin is how long a restart may take. Who comes back later was away.
const restartWithin = 10 * time.Minute

// rolling: several members, each of them once or so, that are replaced.
func (h *history) rolling(all []*departure) *finding {
	var replaced []*departure
	for _, d := range all {
		if d.successor != nil || d.returned != nil && d.returned.at.Sub(d.round.at) <= restartWithin {
			replaced = append(replaced, d)
		}
	}
	if !slices.ContainsFunc(replaced, func(d *departure) bool { return d.round != replaced[0].round }) {
		return nil // fewer than two, or all at once
	}
	v := find(RollingRestart, Likely, doBeStatic)
	members := map[string]watch.MemberRef{}
	var at []time.Time
	for _, d := range replaced {
		members[d.member.ID] = d.member.MemberRef
		at = append(at, d.round.at)
		back := "its successor had joined before"
		if d.returned != nil {
			back = fmt.Sprintf("another of the same name joined in %s", generationOf(d.returned))
		}
		v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s went, a dynamic member; %s", generationOf(d.round), named(d.member.MemberRef), back))
		v.takes(d.round, d.returned)
	}
	for _, d := range all {
		if d.successor != nil {
			h.explainOverlap(d, v)
		}
	}
	v.Members = sortedRefs(members)
	v.Says = fmt.Sprintf("%s were replaced one after the other, %s, each time with rebalances: a rolling restart without static membership.", many(len(replaced), "member"), within(at))
	return v
}

// explainOverlap gives the round in which a successor joined to the restart.
func (h *history) explainOverlap(d *departure, v *finding) {
	for _, r := range h.rounds {
		if slices.ContainsFunc(r.joined, func(j watch.Member) bool { return whoIs(j.MemberRef) == whoIs(d.member.MemberRef) }) {
			v.takes(r)
		}
	}
}

func within(at []time.Time) string {
	return fmt.Sprintf("within %s", roughly(slices.MaxFunc(at, time.Time.Compare).Sub(slices.MinFunc(at, time.Time.Compare))))
}

func lowerFirst(s string) string {
	if s != "" && s[0] >= 'A' && s[0] <= 'Z' {
		return string(s[0]-'A'+'a') + s[1:]
	}
	return s
}

func upperFirst(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
