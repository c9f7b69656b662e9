package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// followWithin is how soon the second rebalance of a cooperative group follows.
const followWithin = 15 * time.Second

// unreadable: the leader's plan fails again and again since somebody joined, or what a
// member that is there says of itself does not decode.
func (h *history) unreadable() []*finding {
	if v := h.undecoded(true); v != nil {
		return []*finding{v}
	}
	v := find(UnreadableMetadata, Certain, doRepair)
	for _, w := range h.waits {
		if !w.planFails() {
			continue
		}
		turns := w.turns()
		v.Sure = Likely
		if turns < fewestTurns && w.completing() < longUnsettled || turns == 0 && !h.outlasts(w) {
			v.Sure = Possible
		}
		suspects := w.newcomers()
		v.Members = sortedRefs(suspects)
		if turns == 0 {
			v.quote(w.from, SourcePoll, fmt.Sprintf("all have joined since then, and no plan came for at least %s; a leader that plans for so long sends no heartbeats, and is removed when its session ends", roughly(w.completing())))
		} else {
			v.quote(w.from, SourcePoll, fmt.Sprintf("since then the group went from CompletingRebalance back to PreparingRebalance %s, and was not stable in between: members join, and the leader's plan fails", times(w.turns())))
		}
		if w.before != nil && len(suspects) > 0 {
			v.quote(w.from, SourcePoll, fmt.Sprintf("it began when %s joined", namedAll(v.Members)))
			v.Says = fmt.Sprintf("The leader's plan fails since %s joined: most likely it cannot read what %s of itself.", namedAll(v.Members), says(v.Members))
		} else {
			v.Says = "The leader's plan fails again and again: most likely it cannot read what a member says of itself."
		}
		return []*finding{v}
	}
	return nil
}

// fewestTurns is how often a plan has to fail for that to be no accident.
const fewestTurns = 3

// longUnsettled is how long a group is not stable for that to need fewer: clients wait
// longer and longer before they try again.
const longUnsettled = 10 * time.Second

// outlasts says whether a wait for a plan is longer than the sessions of the members,
// and so than a leader may plan.
func (h *history) outlasts(w wait) bool {
	var longest time.Duration
	for id := range w.members {
		longest = max(longest, h.timeouts[id].session)
	}
	return longest > 0 && w.completing() > longest*3/2
}

// planFails says whether members joined and the leader's plan failed, so that they had to
// join again.
func (w wait) planFails() bool {
	turns, unsettled := w.turns(), w.to.Sub(w.from)
	if turns < fewestTurns && w.before != nil && len(w.newcomers()) == 0 {
		return false // the leader could read all of them before
	}
	again := turns > 0 && (turns >= fewestTurns || unsettled >= longUnsettled) && w.completing() >= w.preparing()
	return again || w.noPlan()
}

// noPlan says whether no plan came for long since somebody joined. Polls may miss the
// moments in which members join again.
func (w wait) noPlan() bool { return w.completing() >= longUnsettled && len(w.newcomers()) > 0 }

// newcomers are the members that were not there before, under another ID either.
func (w wait) newcomers() map[string]watch.MemberRef {
	found := map[string]watch.MemberRef{}
	for id, m := range w.members {
		if w.before != nil && slices.ContainsFunc(w.before.Members, func(b watch.Member) bool { return whoIs(b.MemberRef) == whoIs(m.MemberRef) }) {
			continue // as before, or back under another ID after the plan failed
		}
		found[id] = m.MemberRef
	}
	return found
}

func says(members []watch.MemberRef) string {
	if len(members) == 1 {
		return named(members[0]) + " says"
	}
	return namedAll(members) + " say"
}

// betweenTypes: members of both protocols, conversions, or a member refused for it. A
// rebalance in which a group changed its type, and that is over, is nothing wrong.
func (h *history) betweenTypes() []*finding {
	found := h.mixedTypes()
	by := h.ordinary
	if len(found) > 0 {
		by = found[0]
	}
	for _, r := range h.rounds {
		if r.before.Type != r.after.Type {
			by.takes(r)
		}
	}
	return found
}

func (h *history) mixedTypes() []*finding {
	v := find(BetweenTypes, Certain, doFinishMigration)
	var mixed *Observation
	flips := 0
	var last string
	for i := range h.looks {
		o := &h.looks[i]
		if last != "" && last != o.Look.Type {
			flips++
			v.quote(o.At, o.Source, fmt.Sprintf("the group went from %s to %s", last, o.Look.Type))
		}
		last = o.Look.Type
		classic, modern := sorts(*o.Look)
		if len(classic) > 0 && len(modern) > 0 {
			mixed = o
		} else if o.Look.Settled() {
			mixed = nil
		}
	}
	hosted := h.saidHosted()
	for _, o := range hosted {
		v.quote(o.At, SourceMember, fmt.Sprintf("%s, which speaks the classic protocol, said that the broker assigns its partitions: a member of KIP-848 had joined", named(saidBy(*o.Said))))
	}
	if mixed == nil && len(h.looks) == 0 && len(hosted) > 0 {
		for _, o := range hosted {
			v.Members = append(v.Members, saidBy(*o.Said))
		}
		v.Says = fmt.Sprintf("The group is between types: %s still %s the classic protocol, and others KIP-848.", namedAll(v.Members), plural(len(v.Members), "speaks", "speak"))
		return []*finding{v}
	}
	if mixed != nil {
		classic, modern := sorts(*mixed.Look)
		v.Members = classic
		v.quote(mixed.At, mixed.Source, fmt.Sprintf("%d of %d members speak the classic protocol: %s", len(classic), len(classic)+len(modern), namedAll(classic)))
		v.Says = fmt.Sprintf("The group is between types: %s still %s the classic protocol, and the others KIP-848.", namedAll(classic), plural(len(classic), "speaks", "speak"))
		return []*finding{v}
	}
	var refused time.Time
	who := map[string]watch.MemberRef{}
	for _, o := range h.said {
		if isRefusedForType(o.Said.Error) {
			refused = o.At
			ref := saidBy(*o.Said)
			who[cmp.Or(ref.ID, ref.ClientID)] = ref
			v.quote(o.At, o.Source, fmt.Sprintf("%s was refused: %s", named(saidBy(*o.Said)), o.Said.Error))
		}
	}
	if len(who) > 0 {
		v.Sure, v.Do = h.stillRefused(refused), doAllowMigration
		v.Members = sortedRefs(who)
		v.Says = fmt.Sprintf("The group does not change its type: %s, which %s KIP-848, %s refused.", namedAll(v.Members), plural(len(v.Members), "speaks", "speak"), plural(len(v.Members), "was", "were"))
		return []*finding{v}
	}
	if flips >= 2 {
		v.Sure = Likely
		v.Says = fmt.Sprintf("The group changed its type %s: members of both protocols take turns.", times(flips))
		return []*finding{v}
	}
	return nil
}

// isRefusedForType says whether an error is that of a member of KIP-848 which the
// coordinator does not let into a group of another type: it says that there is no such
// group. To one that was in, it says so when the group was deleted.
func isRefusedForType(text string) bool {
	return strings.Contains(text, "custom assignor") || strings.Contains(text, "GROUP_ID_NOT_FOUND") && !strings.Contains(text, "lost its membership")
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func sorts(g watch.Group) (classic, modern []watch.MemberRef) {
	for _, m := range g.Members {
		switch {
		case m.Classic == nil:
		case *m.Classic:
			classic = append(classic, m.MemberRef)
		default:
			modern = append(modern, m.MemberRef)
		}
	}
	return classic, modern
}

func saidBy(s Said) watch.MemberRef {
	ref := watch.MemberRef{ID: s.Member, ClientID: s.ClientID, Host: s.Host}
	if s.Instance != "" {
		ref.Instance = &s.Instance
	}
	return ref
}

// refusedWithin is how long ago a client may have been refused last to be so yet: it tries
// again after seconds.
const refusedWithin = 5 * time.Minute

// stillRefused is how sure it is that a client which was refused last at a time is so yet.
func (h *history) stillRefused(last time.Time) Sureness {
	if h.all[len(h.all)-1].At.Sub(last) > refusedWithin {
		return Possible
	}
	return Certain
}

// protocols: somebody is refused for its protocols, or the group changes between
// assignors.
func (h *history) protocols() []*finding {
	var verdicts []*finding
	refused := map[string]watch.MemberRef{}
	v := find(ProtocolMismatch, Certain, "")
	candidates, consumers := false, false
	var last time.Time
	for _, o := range h.said {
		if strings.Contains(o.Said.Error, "INCONSISTENT_GROUP_PROTOCOL") {
			last = o.At
			ref := saidBy(*o.Said)
			refused[ref.ID+ref.ClientID] = ref
			candidates, consumers = candidates || o.Said.inElection(), consumers || !o.Said.inElection()
			v.quote(o.At, o.Source, fmt.Sprintf("%s was refused: %s", named(ref), o.Said.Error))
		}
	}
	if len(refused) > 0 {
		v.Members, v.Do = sortedRefs(refused), h.adviceOnProtocols(candidates, consumers)
		group := ""
		for _, o := range h.looks {
			if o.Look.Assignor != nil {
				group = *o.Look.Assignor
			}
		}
		if group != "" {
			v.Evidence = append(v.Evidence, Evidence{At: h.looks[len(h.looks)-1].At.UTC(), Source: SourcePoll, Text: fmt.Sprintf("the group's members agree on %q", group)})
		}
		is, are := "is", "are"
		if v.Sure = h.stillRefused(last); v.Sure == Possible {
			is, are = "was", "were"
		}
		v.Says = upperFirst(fmt.Sprintf("%s %s refused: %s protocols are not among those that all members have.", namedAll(v.Members), plural(len(v.Members), is, are), plural(len(v.Members), "its", "their")))
		if candidates && !consumers {
			v.Says = upperFirst(fmt.Sprintf("%s %s refused: the group of this name is no election, but of another kind.", namedAll(v.Members), plural(len(v.Members), is, are)))
		}
		verdicts = append(verdicts, v)
	}
	switches := 0
	switched := find(ProtocolMismatch, Likely, doPreferTheSame)
	for _, r := range h.rounds {
		if r.before.Type != r.after.Type || r.before.Assignor == nil || r.after.Assignor == nil || *r.before.Assignor == *r.after.Assignor {
			continue
		}
		switches++
		switched.takes(r)
		switched.quote(r.at, r.source, fmt.Sprintf("%s: the assignor went from %q to %q; %s", generationOf(r), *r.before.Assignor, *r.after.Assignor, changes(r)))
	}
	if switches > 0 {
		switched.Says = fmt.Sprintf("The group changed its assignor %s: its members do not prefer the same.", times(switches))
		if switches == 1 {
			switched.Sure = Possible
		}
		verdicts = append(verdicts, switched)
	}
	return verdicts
}
