package explain

import (
	"fmt"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

const (
	// replacedWithin is how soon after one member another of a new name joins that takes
	// its place, or before.
	replacedWithin = time.Minute
	// fewestReplaced is how many it takes for that to be no accident.
	fewestReplaced = 3
)

// replacedByOthers: members that were there go, and as many of other names join and stay, one
// after the other, as where pods get a new name each time. An autoscaler takes away
// what it has added.
func (h *history) replacedByOthers(departures []*departure) *finding {
	stays := func(id string) bool {
		_, there := byID(h.rounds[len(h.rounds)-1].after)[id]
		return there
	}
	var came []*round
	joined := 0
	for _, r := range h.rounds {
		for _, m := range r.joined {
			if len(r.before.Members) > 0 && r.by == nil && stays(m.ID) {
				came = append(came, r)
			}
		}
		joined += len(r.joined)
	}
	v := find(RollingRestart, Possible, doBeStaticInPlace)
	members := map[string]watch.MemberRef{}
	var at []time.Time
	taken := map[*round]bool{}
	gone := 0
	for _, d := range departures {
		gone++
		if d.began != nil || d.round.by != nil || d.returned != nil || d.how == howReplaced {
			continue
		}
		for i, r := range came {
			if r == nil || r.at.Sub(d.round.at).Abs() > replacedWithin {
				continue
			}
			came[i] = nil
			members[d.member.ID] = d.member.MemberRef
			at = append(at, d.round.at)
			taken[r], taken[d.round] = true, true
			if isElection(d.round.before) {
				v.Do = doReplaceLeaderLast
			}
			v.quote(d.round.at, d.round.source, generationOf(d.round)+": "+changes(d.round))
			if r != d.round {
				v.quote(r.at, r.source, generationOf(r)+": "+changes(r))
			}
			break
		}
	}
	if n := len(at); n < fewestReplaced || 2*n < max(joined, gone) {
		return nil
	}
	for r := range taken {
		v.takes(r)
	}
	v.Members = sortedRefs(members)
	v.Says = fmt.Sprintf("%s were replaced by others of new names, %s, with %s: most likely a rolling deployment.", many(len(at), "member"), within(at), many(v.Explains, "rebalance"))
	return v
}
