package explain

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// how is the way in which a member went.
type how int

const (
	// howUnknown: it left, or its session expired.
	howUnknown how = iota
	howLeft
	howExpired
	// howDropped: it did not join again while the group waited for it.
	howDropped
	// howReplaced: a static member came back under another ID, in the same round.
	howReplaced
)

// departure is a member that is gone.
type departure struct {
	round  *round
	member watch.Member
	// began is the round in which it joined, nil if it was there from the beginning.
	began *round
	// returned is the round in which the same came back under another ID, nil if not.
	returned *round
	// successor is the round in which the same had joined under another ID before the old
	// member was gone, nil if not.
	successor *round
	how       how
	saysOut   bool // it said itself that its session was over
	sure      Sureness
	why       []Evidence
}

// departures finds who went, and when and how.
func (h *history) departures() []*departure {
	var all []*departure
	claimed := map[string]bool{} // joins that are a return, by member
	for i, r := range h.rounds {
		for _, m := range r.left {
			d := &departure{round: r, member: m}
			for _, earlier := range h.rounds[:i] {
				if slices.ContainsFunc(earlier.joined, func(j watch.Member) bool { return j.ID == m.ID }) {
					d.began = earlier
				}
			}
			if d.successor = h.overlaps(i, m, claimed); d.successor == nil {
				h.findReturn(i, d, claimed)
			}
			h.findHow(d)
			all = append(all, d)
		}
	}
	return all
}

// overlapWithin is for how long the coordinator may keep a member that died before its
// successor joined, where its session timeout is not known: the longest that brokers allow
// in a group of KIP-848 by default, with the rounds around it.
const overlapWithin = 75 * time.Second

// overlaps finds the same joining in a round shortly before, while the member was there
// alone of that name. What lies longer apart is a group that was scaled up, and down again.
func (h *history) overlaps(i int, m watch.Member, claimed map[string]bool) *round {
	within := overlapWithin
	if session := h.sessionOf(m); session > 0 {
		within = session + 15*time.Second
	}
	for _, r := range h.rounds[:i] {
		if h.rounds[i].at.Sub(r.at) > within {
			continue
		}
		if _, there := byID(r.before)[m.ID]; !there || h.alike(r.before, m) != 1 {
			continue
		}
		for _, j := range r.joined {
			if whoIs(j.MemberRef) == whoIs(m.MemberRef) && !claimed[j.ID] {
				claimed[j.ID] = true
				return r
			}
		}
	}
	return nil
}

// sessionOf is the session timeout of a member, 0 if not known.
func (h *history) sessionOf(m watch.Member) time.Duration {
	return max(h.timeouts[m.ID].session, m.SessionTimeout.Duration())
}

// alike counts the members of a group that are known by the same name as one.
func (h *history) alike(g watch.Group, m watch.Member) int {
	n := 0
	for _, other := range g.Members {
		if whoIs(other.MemberRef) == whoIs(m.MemberRef) {
			n++
		}
	}
	return n
}

func (h *history) findReturn(i int, d *departure, claimed map[string]bool) {
	for _, r := range h.rounds[i:] {
		for _, j := range r.joined {
			if whoIs(j.MemberRef) == whoIs(d.member.MemberRef) && !claimed[j.ID] {
				claimed[j.ID] = true
				d.returned = r
				return
			}
		}
	}
}

// findHow finds how a member went, from what it said, and from what else tells.
func (h *history) findHow(d *departure) {
	d.sure = Possible
	r := d.round
	if _, back := replaced(r.before, r.after)[d.member.ID]; back {
		d.how = howReplaced
		if r.unseen == 0 {
			d.sure = Certain
		}
		return
	}
	if h.saidToLeave(d) {
		return
	}
	if h.saidOut(d) || h.wasDropped(d) {
		return
	}
	if said := h.saidOf(d.member, r.waitedOr(r.at).Add(-10*time.Second), r.at.Add(2*time.Minute), "lost"); said != nil && strings.Contains(said.Said.Error, "UNKNOWN_MEMBER_ID") {
		d.how, d.sure = howExpired, Certain
		d.quote(said.At, SourceMember, fmt.Sprintf("%s said that it lost its place: %s", named(d.member.MemberRef), said.Said.Error))
		return
	}
	if h.saidItIsOut(d) || h.wasPlanning(d) || h.fellSilent(d) {
		return
	}
	if d.successor != nil && !h.outlived(d) {
		d.how, d.sure = howExpired, Likely
		d.quote(r.at, r.source, fmt.Sprintf("%s went after it had already been replaced by another of the same name: it did not leave, its session ran out", named(d.member.MemberRef)))
		return
	}
	if d.member.Instance != nil {
		d.how, d.sure = howExpired, Likely
		d.quote(r.at, r.source, fmt.Sprintf("%s is a static member, which does not leave when it stops", named(d.member.MemberRef)))
		return
	}
	h.saidNothing(d)
}

// outlived says whether a member was seen to live when its successor had joined. In a
// classic group it had to join again for that round, and did.
func (h *history) outlived(d *departure) bool {
	if modern := d.member.Classic != nil || d.successor.after.Type != "classic"; !modern {
		return true
	}
	times := h.commitTimes(d.member, d.round)
	return len(times) > 0 && times[len(times)-1].After(d.successor.at.Add(2*time.Second))
}

func (d *departure) quote(at time.Time, source Source, text string) {
	d.why = append(d.why, Evidence{At: at.UTC(), Source: source, Text: text})
}

// waitedOr is when the coordinator began to wait, or another time if that was not seen.
func (r *round) waitedOr(other time.Time) time.Time {
	if r.waitedSince.IsZero() {
		return other
	}
	return r.waitedSince
}

// saidOut says whether the wait for a member ended with its session, and the member itself
// says that it was out then: nobody is dropped that early.
func (h *history) saidOut(d *departure) bool {
	r := d.round
	longest, session := h.longestRebalance(r.before), h.sessionOf(d.member)
	early := longest == 0 || session < longest && r.waited < longest-time.Second
	if r.waited < h.limits.Slow || session == 0 || r.waited > session+3*time.Second || !early {
		return false
	}
	from, to := r.waitedOr(r.at).Add(-10*time.Second), r.at.Add(2*time.Minute)
	said := h.saidOf(d.member, from, to, "fenced")
	if said == nil {
		said = h.saidOf(d.member, from, to, "lost")
		if said == nil || !strings.Contains(said.Said.Error, "UNKNOWN_MEMBER_ID") {
			return false
		}
	}
	d.how, d.sure, d.saysOut = howExpired, Certain, true
	d.quote(said.At, SourceMember, fmt.Sprintf("%s said that it was out of the group: %s", named(d.member.MemberRef), said.Said.Error))
	d.quote(r.waitedSince, r.waitSource, fmt.Sprintf("the group waited for at least %s, and went on without it; its session timeout is %s", roughly(r.waited), roughly(session)))
	return true
}

// wasDropped says whether the group waited for the member, in vain.
func (h *history) wasDropped(d *departure) bool {
	r := d.round
	if r.waited < h.limits.Slow {
		return false
	}
	if !h.wasAwaited(d) {
		return false
	}
	longest, session := h.longestRebalance(r.before), h.sessionOf(d.member)
	if session > 0 && r.waited+h.limits.Slow < longest {
		// Nobody is dropped that early: it left, or its session ended.
		if r.waited < session*8/10 {
			return false
		}
		d.how, d.sure = howExpired, Likely
		d.quote(r.waitedSince, r.waitSource, fmt.Sprintf("the group waited for %s for at least %s, and went on without it before its rebalance timeout of %s was over; its session timeout is %s", named(d.member.MemberRef), roughly(r.waited), roughly(longest), roughly(session)))
		return true
	}
	d.how, d.sure = howDropped, Likely
	d.quote(r.waitedSince, r.waitSource, fmt.Sprintf("the group waited for %s for at least %s, and went on without it", named(d.member.MemberRef), roughly(r.waited)))
	if longest > 0 {
		d.quote(r.at, r.source, fmt.Sprintf("the members' rebalance timeout is %s", roughly(longest)))
		if r.waited > longest*3/4 {
			d.sure = Certain
		}
	}
	return true
}

// wasAwaited says whether the group still waited for the member when its wait ended.
func (h *history) wasAwaited(d *departure) bool {
	if d.round.waitSource == SourceMember {
		// The wait went on after the last one that joined had joined.
		return d.round.expectedInVain
	}
	w := h.waitOf(d.round)
	// Of a wait that had begun before the first look the log may tell who was there before.
	if w == nil || w.before == nil && d.round.source != SourceLog || w.before != nil && len(w.before.Members) == 0 {
		return false
	}
	_, there := w.last[d.member.ID]
	return there
}

func (h *history) waitOf(r *round) *wait {
	for i := range h.waits {
		if h.waits[i].from.Equal(r.waitedSince) {
			return &h.waits[i]
		}
	}
	return nil
}

// longestRebalance is the longest rebalance timeout of a group's members, which is how
// long it waits for any of them; 0 if not known.
func (h *history) longestRebalance(g watch.Group) time.Duration {
	var longest time.Duration
	for _, m := range g.Members {
		longest = max(longest, h.timeouts[m.ID].rebalance, m.RebalanceTimeout.Duration())
	}
	return longest
}

// fellSilent says whether the member had stopped committing long before it went, while
// others went on, or had committed up to then. Most clients commit only when they have
// handled something, so that it takes a sign that there was something to handle.
func (h *history) fellSilent(d *departure) bool {
	r := d.round
	mine := h.commitTimes(d.member, r)
	if distinct(mine) < 4 {
		return false
	}
	every, longest := gaps(mine)
	until := r.waitedOr(r.at)
	last := mine[len(mine)-1]
	sinceLast := until.Sub(last)
	others := time.Time{}
	for _, m := range r.before.Members {
		if m.ID == d.member.ID {
			continue
		}
		if times := h.commitTimes(m, r); len(times) > 0 && times[len(times)-1].After(others) {
			others = times[len(times)-1]
		}
	}
	if !others.IsZero() && others.Before(until) {
		until = others
	}
	silent := until.Sub(last)
	session := h.sessionOf(d.member)
	enough := max(3*every, longest*3/2, 3*time.Second)
	if session > 0 {
		enough = max(3*every, longest*3/2, session*8/10)
	}
	switch {
	case silent >= enough:
		why := h.whyNotIdle(d.member, r, last, silent)
		if why == "" {
			return false // it may have had nothing to commit
		}
		d.how, d.sure = howExpired, Likely
		text := fmt.Sprintf("%s committed every %s, and nothing in the last %s before it went, though %s", named(d.member.MemberRef), roughly(every), roughly(silent), why)
		if session > 0 {
			text += fmt.Sprintf("; its session timeout is %s", roughly(session))
		}
		d.quote(last, h.commitSource(), text)
		return true
	case session > 0 && sinceLast < session/2 && silent <= 2*every:
		d.how, d.sure = howLeft, Likely
		d.quote(last, h.commitSource(), fmt.Sprintf("%s committed until %s before it went, within its session timeout of %s: it left", named(d.member.MemberRef), roughly(max(sinceLast, 0)), roughly(session)))
		return true
	}
	return false
}

func (h *history) commitSource() Source {
	for _, all := range h.commits {
		return all[0].Source
	}
	return SourcePoll
}

// commitsWithin is how far back commits before a round are looked at.
const commitsWithin = 2 * time.Minute

func sameAssignment(r *round, m watch.Member) bool {
	was, had := byID(r.before)[m.ID]
	return had && reflect.DeepEqual(was.Assigned, m.Assigned)
}

// commitTimes are when the partitions that a member had before a round were committed,
// since it has them.
func (h *history) commitTimes(m watch.Member, r *round) []time.Time {
	since := h.assignedSince(m, r)
	var times []time.Time
	for _, topic := range m.Assigned {
		for _, p := range topic.Partitions {
			for _, o := range h.commits[partition{topic.Topic, p}] {
				if o.At.After(since) && o.At.Before(r.at) {
					times = append(times, o.At)
				}
			}
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// gaps are what usually lies between times, and what does at most, of those that are
// not together.
func gaps(times []time.Time) (usual, longest time.Duration) {
	var all []time.Duration
	for i := 1; i < len(times); i++ {
		if gap := times[i].Sub(times[i-1]); gap > 50*time.Millisecond {
			all = append(all, gap)
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

// saidOf finds what a member said of a kind within some time.
func (h *history) saidOf(m watch.Member, from, to time.Time, kind string) *Observation {
	for i := firstFrom(h.said, from); i < len(h.said); i++ {
		o := &h.said[i]
		if o.At.After(to) {
			break
		}
		same := o.Said.Member != "" && o.Said.Member == m.ID || o.Said.Member == "" && o.Said.Instance != "" && m.Instance != nil && *m.Instance == o.Said.Instance
		if same && o.Said.Kind == kind {
			return o
		}
	}
	return nil
}

// firstFrom is the index of the first of some observations that is not before a time.
func firstFrom(inOrder []Observation, from time.Time) int {
	i, _ := slices.BinarySearchFunc(inOrder, from, func(o Observation, at time.Time) int { return o.At.Compare(at) })
	return i
}
