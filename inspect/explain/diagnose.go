package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/inspect/watch"
)

// Diagnose draws verdicts from what was observed of a group, in any order. It is pure:
// the same observations give the same diagnosis.
func Diagnose(group string, observations []Observation, limits Limits) Diagnosis {
	h := newHistory(group, observations, limits)
	d := Diagnosis{Group: group, Sources: []Source{}, Rebalances: len(h.rounds), Unknown: []string{}}
	if len(h.all) > 0 {
		d.From, d.To = h.all[0].At.UTC(), h.all[len(h.all)-1].At.UTC()
	}
	for _, source := range []Source{SourceLog, SourcePoll, SourceMember} {
		if slices.ContainsFunc(h.all, func(o Observation) bool { return o.Source == source }) {
			d.Sources = append(d.Sources, source)
		}
	}
	for _, r := range h.rounds {
		d.Unseen += r.unseen
	}
	for _, w := range h.waits {
		d.NotStable += watch.Millis(w.to.Sub(w.from))
	}
	if n := len(h.looks); n > 0 {
		members := len(h.looks[n-1].Look.Members)
		d.State, d.Members = h.looks[n-1].Look.State, &members
	}
	all := h.findings()
	d.Verdicts, d.Accounts = make([]Verdict, 0, len(all)), h.accounts(all)
	for _, f := range all {
		d.Verdicts = append(d.Verdicts, f.Verdict)
	}
	d.Unknown = h.unknown()
	return d
}

// findings asks for each cause, those first that explain a round more closely.
func (h *history) findings() []*finding {
	departures := h.departures()
	var all []*finding
	for _, ask := range []func() []*finding{
		h.unreadable,
		h.betweenTypes,
		h.protocols,
		h.duplicates,
		func() []*finding { return h.slow(departures) },
		func() []*finding { return h.expired(departures) },
		func() []*finding { return h.restarts(departures) },
		h.subscriptions,
		h.partitions,
		h.slowPlans,
	} {
		all = append(all, ask()...)
	}
	past := h.undecoded(false)
	if replaced := h.replacedByOthers(departures); replaced != nil {
		all = append(all, replaced)
	}
	ordinary := h.takeOrdinary()
	h.followers()
	if rest := h.unexplained(); rest != nil {
		all = append(all, rest)
	}
	inOrder(all)
	if len(all) == 0 {
		h.fine(ordinary, departures)
		all = append(all, h.ordinary)
	}
	if past != nil {
		all = append(all, past) // it is possible at most
	}
	for _, f := range all {
		finish(f)
	}
	return all
}

func finish(v *finding) {
	if v.Members == nil {
		v.Members = []watch.MemberRef{}
	}
	slices.SortStableFunc(v.Evidence, func(a, b Evidence) int { return a.At.Compare(b.At) })
	v.Evidence = gather(v.Evidence)
	if n := len(v.Evidence); n > mostEvidence {
		// The first and the last ones tell most.
		v.Evidence = append(slices.Clone(v.Evidence[:mostEvidence/2]), v.Evidence[n-mostEvidence/2:]...)
	}
	if v.Evidence == nil {
		v.Evidence = []Evidence{}
	}
}

// gather says once what was seen several times.
func gather(all []Evidence) []Evidence {
	first := map[string]int{}
	counts := map[string]int{}
	var gathered []Evidence
	for _, e := range all {
		if counts[e.Text]++; counts[e.Text] == 1 {
			first[e.Text] = len(gathered)
			gathered = append(gathered, e)
		}
	}
	for text, n := range counts {
		if n > 1 {
			gathered[first[text]].Text = fmt.Sprintf("%s (%s)", text, times(n))
		}
	}
	return gathered
}

// followers gives rounds in which nothing changed to the round right before them: a
// cooperative group rebalances twice for one change, and an eager one does not.
func (h *history) followers() {
	for i, r := range h.rounds {
		if r.isQuiet() && len(r.toldOf("revoked")) > 0 {
			r.follows = true // the leader says so
			if i > 0 && h.rounds[i-1].by != nil {
				h.rounds[i-1].by.takes(r)
			}
			h.ordinary.takes(r)
		}
		if r.after.Assignor != nil && isEager(*r.after.Assignor) {
			continue
		}
		if i == 0 {
			// Of the one before only its outcome is known.
			if r.isQuiet() && !r.beforeAt.IsZero() && r.at.Sub(r.beforeAt) < followWithin {
				h.ordinary.takes(r)
				r.follows = true
			}
			continue
		}
		before := h.rounds[i-1]
		if r.by == nil && !r.partly && before.by != nil && !before.follows && r.isQuiet() && r.at.Sub(before.at) < followWithin {
			before.by.takes(r)
			r.follows = true
		}
	}
}

func (r *round) isQuiet() bool { return len(r.joined)+len(r.left) == 0 }

func (h *history) unexplained() *finding {
	v := find(Unexplained, Possible, doReadLogs)
	for _, r := range h.rounds {
		if r.by != nil {
			continue
		}
		v.Explains++
		if words := r.toldInWords(); words != "" && r.isQuiet() {
			v.quote(r.at, SourceMember, fmt.Sprintf("%s: the same members joined again; the leader says why: %s", generationOf(r), words))
		} else if r.partly {
			v.quote(r.at, r.source, generationOf(r)+": none of those whose logs were given joined or left for it")
		} else if r.isQuiet() {
			v.quote(r.at, r.source, generationOf(r)+": the same members joined again, with the same subscriptions")
		} else {
			v.quote(r.at, r.source, fmt.Sprintf("%s: %d joined, %d gone", generationOf(r), len(r.joined), len(r.left)))
		}
	}
	if v.Explains == 0 {
		return nil
	}
	v.Says = fmt.Sprintf("%d of %s cannot be explained by what was seen.", v.Explains, many(len(h.rounds), "rebalance"))
	return v
}

// takeOrdinary takes the rounds in which members came or went, those that founded the
// group, and those that a member asked for, and returns them with those that it has.
func (h *history) takeOrdinary() []*round {
	var taken []*round
	for _, r := range h.rounds {
		if r.by == nil && (!r.isQuiet() || r.isAskedFor()) {
			h.ordinary.takes(r)
		}
		if r.by == h.ordinary {
			taken = append(taken, r)
		}
	}
	return taken
}

// isAskedFor says whether a member brought the round about itself, as the leader tells, or
// as candidates of an election do for each term that ends, is taken over or resigned, or a
// static member that is back.
func (r *round) isAskedFor() bool {
	return isElection(r.after) || r.restarted != nil || len(r.toldOf("forced"))+len(r.toldOf("traits"))+len(r.toldOf("restarted")) > 0
}

// outOfIt has nobody be fine for certain of whom members say that they were out of it.
func (h *history) outOfIt(v *finding) {
	n := 0
	for _, o := range h.said {
		if o.Said.Error != "" && (o.Said.Kind == "lost" || o.Said.Kind == "fenced") {
			n++
			v.quote(o.At, o.Source, fmt.Sprintf("%s said %q: %s", named(saidBy(*o.Said)), o.Said.Kind, o.Said.Error))
		}
	}
	if n > 0 {
		v.Sure = Possible
		v.Says += " Yet members said that they were out of it."
		v.Do = doReadThose
	}
}

// waitsNotSeen counts the rebalances of which nobody saw how long the group waited for its
// members.
func (h *history) waitsNotSeen() int {
	n := 0
	for _, r := range h.rounds {
		if len(r.before.Members) > 0 && r.waitedSince.IsZero() && r.source != SourcePoll && !h.lookedBefore(r) {
			n++
		}
	}
	return n
}

func changes(r *round) string {
	var parts []string
	if n := len(r.joined); n > 0 {
		parts = append(parts, fmt.Sprintf("%s joined", namedAll(refsOf(r.joined))))
	}
	if n := len(r.left); n > 0 {
		parts = append(parts, fmt.Sprintf("%s went", namedAll(refsOf(r.left))))
	}
	if len(parts) == 0 {
		if words := r.toldInWords(); words != "" {
			return "the same members; the leader says why: " + words
		}
		if r.restarted != nil {
			return fmt.Sprintf("the same members; %s, a static member, had restarted right before", named(r.restarted.MemberRef))
		}
		if isElection(r.after) {
			return "the same candidates, as for a term that ends or goes to another"
		}
		return "the same members"
	}
	return strings.Join(parts, "; ")
}

func refsOf(members []watch.Member) []watch.MemberRef {
	refs := make([]watch.MemberRef, 0, len(members))
	for _, m := range members {
		refs = append(refs, m.MemberRef)
	}
	return refs
}

// unknown says what could not be seen.
func (h *history) unknown() []string {
	missing := []string{}
	if !h.isLogged && !h.isTold {
		missing = append(missing, "what the group did before it was looked at, its generations, leader and timeouts: __consumer_offsets tells them, which takes READ on that topic, and so does what its members log (--events)")
	}
	if n := h.waitsNotSeen(); n > 0 {
		missing = append(missing, fmt.Sprintf("how long the group waited for its members before %d of %s: the coordinator was not asked meanwhile; record the group (--for 2m), or give what its members log (--events)", n, many(len(h.rounds), "rebalance")))
	}
	if len(h.said) == 0 {
		missing = append(missing, "who was refused, and what members say of themselves: give what they log (--events)")
	}
	return missing
}
