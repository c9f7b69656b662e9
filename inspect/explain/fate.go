package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// fates are what became of the members that went in some rounds, by what followed.
type fates struct {
	rounds []*round
	gone   map[*round][]fate
	end    time.Time // of what was seen
	joined int       // who had not gone before
	asked  int       // rounds that a member asked for
}

// fate is what followed on one that went.
type fate struct {
	*departure
	// back is when the same client was back, zero if it was not until the end; shared says
	// that others were called the same, so that it may have been one of these.
	back   time.Time
	shared bool
}

// away is how long it was.
func (f fate) away() time.Duration { return f.back.Sub(f.round.at) }

func (h *history) fatesOf(rounds []*round, departures []*departure) fates {
	all := fates{rounds: rounds, gone: map[*round][]fate{}}
	if n := len(h.all); n > 0 {
		all.end = h.all[n-1].At
	}
	returns := map[*round]int{}
	for _, d := range departures {
		one := fate{departure: d, back: h.founded(d), shared: h.alike(d.round.before, d.member) > 1}
		if d.returned != nil {
			one.back = d.returned.at
			returns[d.returned]++
		}
		all.gone[d.round] = append(all.gone[d.round], one)
	}
	for _, r := range rounds {
		all.joined += max(0, len(r.joined)-returns[r])
		if r.isQuiet() && r.isAskedFor() {
			all.asked++
		}
	}
	return all
}

// founded is when a client that had gone was among those that founded the group anew,
// after its log had ended, zero if it was not.
func (h *history) founded(d *departure) time.Time {
	for _, at := range h.founders[whoIs(d.member.MemberRef)] {
		if at.After(d.round.at) {
			return at
		}
	}
	return time.Time{}
}

// changes says what a round changed, and what became of those that went.
func (f fates) changes(r *round) string {
	parts := []string{changes(r)}
	var gone []watch.MemberRef
	for _, one := range f.gone[r] {
		name := named(one.member.MemberRef)
		switch {
		case one.how == howReplaced:
		case one.successor != nil:
			parts = append(parts, fmt.Sprintf("another of the name of %s had joined before", name))
		case one.back.IsZero():
			gone = append(gone, one.member.MemberRef)
		case one.shared:
			parts = append(parts, fmt.Sprintf("another of the name of %s joined %s later", name, roughly(one.away())))
		case one.away() > 0:
			parts = append(parts, fmt.Sprintf("%s was back %s later", name, roughly(one.away())))
		}
	}
	if left := f.end.Sub(r.at); len(gone) > 0 && left >= time.Second {
		parts = append(parts, fmt.Sprintf("%s not back when the record ends, %s later", plural(len(gone), "it is", "they are"), roughly(left)))
	} else if len(gone) > 0 {
		parts = append(parts, "the record ends there")
	}
	return few(parts, "; ")
}

// tally is what became of all that went.
type tally struct {
	back, gone, replaced, restarted int
	longest                         time.Duration // that one was away which was back
	left                            time.Duration // from when the last of those went that were not until the record ends
	// soon are those that were back within [restartWithin], and of them unseen those of which
	// it was not seen how they went, and candidates and static those that are such.
	soon, unseen, candidates, static int
}

func (f fates) count() tally {
	var n tally
	for _, r := range f.rounds {
		for _, one := range f.gone[r] {
			switch {
			case one.how == howReplaced:
				n.restarted++
			case one.successor != nil:
				n.replaced++
			case one.back.IsZero():
				if left := f.end.Sub(r.at); n.gone == 0 || left < n.left {
					n.left = left
				}
				n.gone++
			default:
				n.back++
				n.longest = max(n.longest, one.away())
				if one.away() > restartWithin {
					continue
				}
				if n.soon++; one.how == howUnknown {
					n.unseen++
				}
				switch {
				case isElection(r.before):
					n.candidates++
				case one.member.Instance != nil:
					n.static++
				}
			}
		}
	}
	return n
}

// in says it in words, one for each sort.
func (n tally) in() []string {
	var parts []string
	switch {
	case n.back == 1:
		parts = append(parts, fmt.Sprintf("1 member went and was back %s later", roughly(n.longest)))
	case n.back > 1:
		parts = append(parts, fmt.Sprintf("%d members went and were back, each within %s", n.back, roughly(n.longest)))
	}
	if n.restarted > 0 {
		parts = append(parts, many(n.restarted, "static member")+" restarted")
	}
	if n.replaced > 0 {
		parts = append(parts, many(n.replaced, "member")+" went after another of the same name had joined")
	}
	switch {
	case n.gone == 0:
	case n.left < time.Second:
		parts = append(parts, fmt.Sprintf("%s went, the last of them as the record ends", many(n.gone, "member")))
		if n.gone == 1 {
			parts[len(parts)-1] = "1 member went as the record ends"
		}
	case n.gone == 1:
		parts = append(parts, fmt.Sprintf("1 member went and is not back when the record ends, %s later", roughly(n.left)))
	default:
		parts = append(parts, fmt.Sprintf("%d members went and are not back when the record ends, %s after the last of them", n.gone, roughly(n.left)))
	}
	return parts
}

// tell has a verdict say what happened in the rounds, and what to do about those that went
// and were soon back.
func (f fates) tell(v *finding, waitsNotSeen bool) {
	n := f.count()
	var parts []string
	if f.joined > 0 {
		parts = append(parts, many(f.joined, "member")+" joined")
	}
	parts = append(parts, n.in()...)
	if f.asked > 0 {
		what := fmt.Sprintf("%s %s asked for by a member", many(f.asked, "rebalance"), plural(f.asked, "was", "were"))
		if v.Explains == 1 {
			what = "a member asked for it"
		}
		parts = append(parts, what)
	}
	if followed := v.Explains - len(f.rounds); followed > 0 && len(parts) > 0 {
		what := many(followed, "rebalance") + " followed from another"
		if f.rounds[0].after.Type == "classic" {
			what += ", as cooperative groups rebalance twice"
		}
		parts = append(parts, what)
	}
	switch {
	case v.Explains == 0:
		v.Says = "Nothing else is wrong with the group."
	case len(parts) == 0:
		v.Says = fmt.Sprintf("The group rebalanced %s, and its members remained.", times(v.Explains))
	default:
		v.Says = fmt.Sprintf("The group rebalanced %s: %s.", times(v.Explains), strings.Join(parts, "; "))
	}
	if waitsNotSeen || n.gone > 0 && n.left < restartWithin {
		v.Sure = Likely
	}
	switch {
	case n.soon == 0:
	case n.soon == n.candidates:
		v.Do = doNothingIfMeant
	case n.soon == n.candidates+n.static:
		v.Do = doNothingIfMeant + " " + doStayStatic
	default:
		v.Do = doNothingForRestart
	}
	if n.unseen > 0 {
		v.Sure = Possible
		v.Do += " " + doSeeWhyItWent
	}
	if len(f.rounds) > mostOrdinary {
		v.Sure = Possible
		wait := doSlowAutoscaler
		if f.asked > 0 {
			wait = doSeeWhoAsks + " " + wait
		}
		v.Do = strings.TrimPrefix(v.Do+" "+wait, doNothing+" ")
	}
}
