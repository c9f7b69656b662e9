package explain

import (
	"fmt"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// saidToLeave says whether a member said that it leaves. A static one closes, and stays a
// member until its session ends.
func (h *history) saidToLeave(d *departure) bool {
	from, to := d.round.waitedOr(d.round.at).Add(-2*time.Minute), d.round.at.Add(2*time.Minute)
	said := h.saidOf(d.member, from, to, "left")
	if said == nil && d.member.Instance == nil {
		said = h.saidOf(d.member, from, to, "closed")
	}
	if said == nil {
		return false
	}
	d.how, d.sure = howLeft, Certain
	d.quote(said.At, SourceMember, fmt.Sprintf("%s said that it left", named(d.member.MemberRef)))
	return true
}

// saidItIsOut says whether a member of KIP-848 said that it was out of the group, a while
// before the coordinator removed it or after that. Its client has lost all its partitions
// then, since its heartbeats were not answered, or were refused.
func (h *history) saidItIsOut(d *departure) bool {
	r := d.round
	if r.after.Type == "classic" || len(r.before.Members) == 0 {
		return false
	}
	from, to := r.at.Add(-overlapWithin), r.at.Add(2*time.Minute)
	said := h.saidOf(d.member, from, to, "fenced")
	if said == nil {
		said = h.saidOf(d.member, from, to, "lost")
	}
	if said == nil {
		return false
	}
	d.how, d.sure = howExpired, Likely
	if r.source == SourceMember {
		d.sure = Possible // that the coordinator removed it is not told
	}
	d.quote(said.At, SourceMember, fmt.Sprintf("%s said that it was out of the group: %s", named(d.member.MemberRef), said.Said.Error))
	return true
}

// saidNothing takes a member for one whose session expired if it had told what it does and
// said nothing of leaving before it was gone, or said that the coordinator does not
// acknowledge it any more. A process that dies or is cut off says no more than that; nor
// does a log that was not read to its end.
func (h *history) saidNothing(d *departure) {
	said := h.saidBy[d.member.ID]
	tells := false
	for _, o := range said {
		tells = tells || o.Said.Kind == "joining" || o.Said.Kind == "assigned"
	}
	last := lastBefore(said, d.round.at, func(s Said) bool {
		switch s.Kind {
		case "syncing", "elected", "planned", "assigned":
			return true // the coordinator had answered it
		}
		return false
	})
	session := h.sessionOf(d.member)
	if !tells || last == nil || session == 0 || d.round.at.Sub(last.At) < session*8/10 {
		return // a session lasts longer than that
	}
	d.how = howExpired
	isOut := func(s Said) bool { return s.Kind == "fenced" || s.Kind == "lost" }
	if o := lastBefore(said, d.round.at.Add(2*time.Minute), isOut); o != nil && o.At.After(d.round.at.Add(-2*time.Minute)) {
		d.sure = Likely
		d.quote(o.At, SourceMember, fmt.Sprintf("%s said that it was out of the group: %s", named(d.member.MemberRef), o.Said.Error))
	} else {
		d.sure = Possible
		d.quote(last.At, SourceMember, fmt.Sprintf("%s said nothing of leaving, or its log ends there: the last that it said before it went is %q; its session timeout is %s", named(d.member.MemberRef), last.Said.Kind, roughly(session)))
	}
}

// lastBefore is the last of some observations before a time that fits.
func lastBefore(all []Observation, by time.Time, fits func(Said) bool) *Observation {
	var last *Observation
	for i := range all {
		if all[i].At.After(by) {
			break
		}
		if fits(*all[i].Said) {
			last = &all[i]
		}
	}
	return last
}

// toldOf are the causes of a kind that the leader told for a round.
func (r *round) toldOf(kind string) []SaidCause {
	var of []SaidCause
	for _, c := range r.told {
		if c.Kind == kind {
			of = append(of, c)
		}
	}
	return of
}

// toldInWords is why a round happened, in the words of its leader.
func (r *round) toldInWords() string {
	var words []string
	for _, c := range r.told {
		words = append(words, c.String())
	}
	return few(words, ", ")
}

// refIn is how a group knows a member.
func refIn(g watch.Group, id string) watch.MemberRef {
	if m, ok := byID(g)[id]; ok {
		return m.MemberRef
	}
	return watch.MemberRef{ID: id, ClientID: nameIn(id)}
}
