package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// restartWithin is how long a restart may take, and how long may lie between one and the
// next of those that are restarted one after the other. Who comes back later was away.
const restartWithin = 10 * time.Minute

// rolling: dynamic members of several clients that are replaced, one soon after the other.
func (h *history) rolling(all []*departure) *finding {
	runs := restartsIn(all)
	if len(runs) == 0 {
		return nil
	}
	v := find(RollingRestart, Likely, doBeStatic)
	members := map[string]watch.MemberRef{}
	most, longest := 0, ""
	for _, run := range runs {
		var at []time.Time
		for _, d := range run {
			members[d.member.ID] = d.member.MemberRef
			at = append(at, d.round.at)
			back, what := "its successor had joined before", "a dynamic member"
			if d.returned != nil {
				back = fmt.Sprintf("another of the same name joined in %s", generationOf(d.returned))
			}
			if isElection(d.round.before) {
				v.Do, what = doReplaceLeaderLast, "a candidate"
			}
			v.quote(d.round.at, d.round.source, fmt.Sprintf("%s: %s went, %s; %s", generationOf(d.round), named(d.member.MemberRef), what, back))
			v.takes(d.round, d.returned)
			if d.successor != nil {
				v.takes(d.successor)
			}
		}
		if n := clientsOf(run); n > most {
			most, longest = n, within(at)
		}
	}
	v.Members = sortedRefs(members)
	what, whats := "a rolling restart without static membership", "rolling restarts without static membership"
	if v.Do == doReplaceLeaderLast {
		what, whats = "a rolling restart", "rolling restarts"
	}
	if len(runs) == 1 {
		v.Says = fmt.Sprintf("%s were replaced one after the other, %s, each time with rebalances: %s.", many(most, "member"), longest, what)
	} else {
		v.Says = fmt.Sprintf("Members were replaced one after the other, %s, up to %d of them %s, each time with rebalances: %s.", times(len(runs)), most, longest, whats)
	}
	return v
}

// restartsIn are the departures of dynamic members that were soon replaced, in runs: in
// each are two clients or more, not all in one round, one soon after the other.
func restartsIn(all []*departure) [][]*departure {
	var replaced []*departure
	for _, d := range all {
		soon := d.successor != nil || d.returned != nil && d.returned.at.Sub(d.round.at) <= restartWithin
		if d.member.Instance == nil && soon {
			replaced = append(replaced, d)
		}
	}
	slices.SortStableFunc(replaced, func(a, b *departure) int {
		return cmp.Or(a.round.at.Compare(b.round.at), cmp.Compare(a.member.ID, b.member.ID))
	})
	var runs [][]*departure
	for len(replaced) > 0 {
		n := 1
		for n < len(replaced) && replaced[n].round.at.Sub(replaced[n-1].round.at) <= restartWithin {
			n++
		}
		if run := replaced[:n:n]; clientsOf(run) > 1 && run[0].round != run[n-1].round {
			runs = append(runs, run)
		}
		replaced = replaced[n:]
	}
	return runs
}

// clientsOf counts the clients that went, at least. Those of one name that were there from
// the beginning are so many; one that came later may be another life of one of them.
func clientsOf(all []*departure) int {
	first, names := 0, map[who]bool{}
	for _, d := range all {
		name := whoIs(d.member.MemberRef)
		if d.began == nil {
			first++
			names[name] = true
		}
	}
	later := map[who]bool{}
	for _, d := range all {
		if name := whoIs(d.member.MemberRef); !names[name] {
			later[name] = true
		}
	}
	return first + len(later)
}
