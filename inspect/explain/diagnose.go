package explain

import (
	"cmp"
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
	d.Verdicts = h.verdicts()
	d.Unknown = h.unknown()
	return d
}

// verdicts asks for each cause, those first that explain a round more closely.
func (h *history) verdicts() []Verdict {
	departures := h.departures()
	var all []Verdict
	for _, ask := range []func() []Verdict{
		h.unreadable,
		h.betweenTypes,
		h.protocols,
		h.duplicates,
		func() []Verdict { return h.slow(departures) },
		func() []Verdict { return h.expired(departures) },
		func() []Verdict { return h.restarts(departures) },
		h.subscriptions,
		h.partitions,
		h.slowPlans,
	} {
		all = append(all, ask()...)
	}
	past := h.undecoded(false)
	if replaced := h.replacedByOthers(departures); replaced != nil {
		all = append(all, *replaced)
	}
	ordinary := h.ordinary()
	h.followers()
	if rest := h.unexplained(); rest != nil {
		all = append(all, *rest)
	}
	slices.SortStableFunc(all, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Sure.rank(), b.Sure.rank()), cmp.Compare(b.Explains, a.Explains))
	})
	if len(all) == 0 {
		all = []Verdict{h.fine(ordinary)}
	}
	if past != nil {
		all = append(all, *past) // it is possible at most
	}
	for i := range all {
		finish(&all[i])
	}
	return all
}

func finish(v *Verdict) {
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
// cooperative group rebalances twice for one change.
func (h *history) followers() {
	for i, r := range h.rounds {
		if r.isQuiet() && len(r.toldOf("revoked")) > 0 {
			r.explained, r.follows = true, true // the leader says so
		}
		if i == 0 {
			// Of the one before only its outcome is known.
			if r.isQuiet() && !r.beforeAt.IsZero() && r.at.Sub(r.beforeAt) < followWithin {
				r.explained, r.follows = true, true
			}
			continue
		}
		before := h.rounds[i-1]
		if !r.explained && before.explained && !before.follows && r.isQuiet() && r.at.Sub(before.at) < followWithin {
			r.explained, r.follows = true, true
		}
	}
}

func (r *round) isQuiet() bool { return len(r.joined)+len(r.left) == 0 }

func (h *history) unexplained() *Verdict {
	v := Verdict{
		Cause: Unexplained, Sure: Possible,
		Do: "Look at what members log at these times, or give their events: a member asks for a rebalance itself when its subscription, its metadata or its leader's view of the topics changes, and joins again after an error.",
	}
	for _, r := range h.rounds {
		if r.explained {
			continue
		}
		v.Explains++
		if words := r.toldInWords(); words != "" && r.isQuiet() {
			v.quote(r.at, SourceMember, fmt.Sprintf("%s: the same members joined again; the leader says why: %s", generationOf(r), words))
		} else if r.isQuiet() {
			v.quote(r.at, r.source, generationOf(r)+": the same members joined again, with the same subscriptions")
		} else {
			v.quote(r.at, r.source, fmt.Sprintf("%s: %d joined, %d gone", generationOf(r), len(r.joined), len(r.left)))
		}
	}
	if v.Explains == 0 {
		return nil
	}
	v.Says = fmt.Sprintf("%s of %s cannot be explained by what was seen.", many(v.Explains, "rebalance"), many(len(h.rounds), "rebalance"))
	return &v
}

// ordinary takes the rounds in which members joined, or went for good, those that founded
// the group, and those that a member asked for, as its leader says.
func (h *history) ordinary() []*round {
	var taken []*round
	for _, r := range h.rounds {
		if r.explained || r.isQuiet() && !r.isAskedFor() {
			continue
		}
		r.explained = true
		taken = append(taken, r)
	}
	return taken
}

// isAskedFor says whether a member brought the round about itself, as the leader tells.
func (r *round) isAskedFor() bool {
	return len(r.toldOf("forced"))+len(r.toldOf("traits"))+len(r.toldOf("restarted")) > 0
}

// fine is the verdict where there is no other.
func (h *history) fine(ordinary []*round) Verdict {
	v := Verdict{Cause: Fine, Sure: Certain, Do: "Nothing.", Explains: len(ordinary)}
	var state string
	if n := len(h.looks); n > 0 {
		look := h.looks[n-1]
		state = look.Look.State
		v.quote(look.At, SourcePoll, fmt.Sprintf("the group is %s, with %s", state, many(len(look.Look.Members), "member")))
	}
	for _, r := range ordinary {
		v.quote(r.at, r.source, generationOf(r)+": "+changes(r))
	}
	commits := 0
	for _, all := range h.commits {
		commits += len(all)
	}
	if commits > 0 {
		first := h.all[0].At
		v.quote(first, h.commitSource(), many(commits, "commit")+" were seen since then")
	}
	patience := h.limits.Slow
	if n := len(h.looks); n > 0 && h.looks[n-1].Look.Type != "classic" {
		patience += heartbeatOfBroker // until its members have heard
	}
	if n := len(h.waits); n > 0 && !h.waits[n-1].over && h.waits[n-1].to.Sub(h.waits[n-1].from) >= patience {
		w := h.waits[n-1]
		v.Sure = Possible
		if w.completing() == 0 && w.preparing() > 0 && w.still < h.limits.Slow && len(w.members) > 1 {
			v.Says = "Members join one after the other, and the group waits for them."
			v.Do = "Nothing, if it was deployed or scaled just now; it is stable soon after the last one has joined. Otherwise watch it for longer."
			return v
		}
		v.Cause = Unexplained
		v.Says = fmt.Sprintf("The group has not been stable for at least %s, for a reason that was not seen.", roughly(w.to.Sub(w.from)))
		v.Do = "Watch it for longer, and give its members' events: one of them is slow, or joins again and again."
		return v
	}
	absent := slices.ContainsFunc(h.all, func(o Observation) bool { return o.Absent })
	switch {
	case len(h.looks) == 0 && absent:
		v.Cause = Empty
		v.Says = "The group does not exist."
		v.Do = "Check its name, and that a member has joined it."
	case state == "Empty" && len(ordinary) == 0:
		v.Cause = Empty
		v.Says = "The group has no members."
		v.Do = "Start its members, or look at what they log if they should be running: a member that is refused is not seen here."
	case len(h.rounds) == 0 && len(h.looks)+len(h.commits) == 0 && !h.isLogged && !h.isTold:
		v.Cause, v.Sure = Unexplained, Possible
		v.Says = "Nothing was seen of the group."
		v.Do = "Watch it for longer, or allow READ on __consumer_offsets."
	case len(h.rounds) == 0 && len(h.waits) > 0:
		v.Says = "The group was rebalancing at first, and went on."
	case len(h.rounds) == 0:
		v.Says = fmt.Sprintf("The group did not rebalance in %s.", roughly(h.all[len(h.all)-1].At.Sub(h.all[0].At)))
	default:
		asked := slices.ContainsFunc(ordinary, (*round).isAskedFor)
		v.Says = fmt.Sprintf("The group rebalanced %s, as members joined or went for good.", times(len(h.rounds)))
		if asked {
			v.Says = fmt.Sprintf("The group rebalanced %s, as members joined, went for good or asked for it.", times(len(h.rounds)))
		}
		if h.waitsNotSeen() > 0 {
			v.Sure = Likely
		}
		if len(ordinary) > mostOrdinary {
			v.Sure = Possible
			v.Do = "If an autoscaler adds and removes members that often, have it wait longer between its steps."
			if asked {
				v.Do = "See what asks for it that often: the evidence has what the leader says. " + v.Do
			}
		}
	}
	if v.Cause == Fine {
		h.outOfIt(&v)
	}
	if n := len(h.looks); v.Cause == Fine && n > 0 && !h.looks[n-1].Look.Settled() {
		v.Sure = Possible
		v.Says += " It was rebalancing when it was seen last."
		v.Do = "Watch it for longer, such as with --for 2m."
	}
	return v
}

// outOfIt has nobody be fine for certain of whom members say that they were out of it.
func (h *history) outOfIt(v *Verdict) {
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
		v.Do = "Look at what those members log at these times."
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

// mostOrdinary is how many rounds of members that come and go are nothing to speak of.
const mostOrdinary = 6

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
		missing = append(missing, "generations, leaders and timeouts: they are in __consumer_offsets alone, and of a classic group only while it rebalances there")
	}
	if n := h.waitsNotSeen(); n > 0 {
		missing = append(missing, fmt.Sprintf("how long the group waited for its members before %d of %s: the coordinator was not asked meanwhile; record the group (--for 2m), or give its members' events", n, many(len(h.rounds), "rebalance")))
	}
	if len(h.said) == 0 {
		missing = append(missing, "who was refused, and what members say: give their events")
	}
	return missing
}
