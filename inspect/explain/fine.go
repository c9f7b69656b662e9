package explain

import (
	"fmt"
	"slices"
	"time"
)

// fine makes the verdict where there is no other, of the rounds with which nothing is wrong.
func (h *history) fine(ordinary []*round, departures []*departure) {
	v := h.ordinary
	var state string
	if n := len(h.looks); n > 0 {
		look := h.looks[n-1]
		state = look.Look.State
		v.quote(look.At, SourcePoll, fmt.Sprintf("the group is %s, with %s", state, many(len(look.Look.Members), "member")))
	}
	f := h.fatesOf(ordinary, departures)
	for _, r := range ordinary {
		v.quote(r.at, r.source, generationOf(r)+": "+f.changes(r))
	}
	commits := 0
	for _, all := range h.commits {
		commits += len(all)
	}
	if commits > 0 {
		v.quote(h.all[0].At, h.commitSource(), many(commits, "commit")+" "+plural(commits, "was", "were")+" seen since then")
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
			v.Do = doAwaitDeployment
			return
		}
		v.Cause = Unexplained
		v.Says = fmt.Sprintf("The group has not been stable for at least %s, for a reason that was not seen.", roughly(w.to.Sub(w.from)))
		v.Do = doWatchAndHear
		return
	}
	absent := slices.ContainsFunc(h.all, func(o Observation) bool { return o.Absent })
	looked := time.Duration(0)
	if n := len(h.looks); n > 0 {
		looked = h.looks[n-1].At.Sub(h.looks[0].At)
	}
	switch {
	case len(h.looks) == 0 && absent:
		v.Cause = Empty
		v.Says = "The group does not exist."
		v.Do = doCheckName
	case state == "Empty" && len(ordinary) == 0:
		v.Cause = Empty
		v.Says = "The group has no members."
		v.Do = doStartMembers
	case len(h.rounds) == 0 && len(h.looks)+len(h.commits) == 0 && !h.isLogged && !h.isTold:
		v.Cause, v.Sure = Unexplained, Possible
		v.Says = "Nothing was seen of the group."
		v.Do = doAllowLog
	case len(h.rounds) == 0 && len(h.waits) > 0:
		v.Says = "The group was rebalancing when it was seen first, and completed that."
	case len(h.rounds) == 0 && !h.isLogged && !h.isTold && looked < betweenLooks:
		v.Sure = Possible
		v.Says = "The group was looked at once, and nothing else tells whether it rebalances."
		v.Do = doAllowLog
	case len(h.rounds) == 0:
		if h.isLogged || h.isTold {
			looked = h.all[len(h.all)-1].At.Sub(h.all[0].At)
		}
		v.Says = fmt.Sprintf("The group did not rebalance in %s.", roughly(looked))
	default:
		f.tell(v, h.waitsNotSeen() > 0)
	}
	if v.Cause == Fine {
		h.outOfIt(v)
	}
	if n := len(h.looks); v.Cause == Fine && n > 0 && !h.looks[n-1].Look.Settled() {
		v.Sure = Possible
		v.Says += " It was rebalancing when it was seen last."
		v.Do = doWatch
	}
}

// mostOrdinary is how many rounds of members that come and go are nothing to speak of.
const mostOrdinary = 6
