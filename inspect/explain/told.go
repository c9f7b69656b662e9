package explain

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// toldRound is what members said of one generation of a classic group.
type toldRound struct {
	generation int32
	// at is when it was first told that its plan was made or had come, and elected when
	// its leader was told to plan, zero if that was not told.
	at, elected time.Time
	assigned    map[string]*Said  // who said that it got its part, by member
	instances   map[string]string // the member ID of each instance that told of it
	// causes are why it happened, as its leader knows; knows says that it does.
	causes   []SaidCause
	knows    bool
	leader   string
	protocol string
	group    watch.Group // as far as it is known
}

// sameRound is how far apart members may tell of one generation.
const sameRound = 5 * time.Minute

// toldRounds puts together what members said of each generation. Where the broker assigns
// partitions members have no rounds in common.
func (h *history) toldRounds() []*toldRound {
	var all []*toldRound
	for i := range h.said {
		o := &h.said[i]
		s := o.Said
		if s.Generation <= 0 || s.Member == "" || s.Protocol == "" || h.hostedAt(s.Member, o.At) {
			continue
		}
		switch s.Kind {
		case "elected", "planned", "assigned":
		default:
			continue
		}
		var r *toldRound
		for _, earlier := range slices.Backward(all) {
			if earlier.generation == s.Generation && o.At.Sub(cmp.Or(earlier.at, earlier.elected)) < sameRound {
				r = earlier
				break
			}
		}
		if r == nil {
			r = &toldRound{generation: s.Generation, assigned: map[string]*Said{}, instances: map[string]string{}, protocol: s.Protocol}
			all = append(all, r)
		}
		if s.Instance != "" {
			if r.instances[s.Instance] == "" {
				r.instances[s.Instance] = s.Member
			} else if r.instances[s.Instance] != s.Member {
				continue // it is back under another ID, and takes its place without a rebalance
			}
		}
		switch s.Kind {
		case "elected":
			r.elected, r.leader = o.At, s.Member
			continue
		case "planned":
			r.leader, r.causes = s.Member, s.Causes
			r.knows = len(s.Causes) > 0 && !slices.ContainsFunc(s.Causes, func(c SaidCause) bool { return c.Kind == "first" })
		case "assigned":
			r.assigned[s.Member] = s
		}
		if r.at.IsZero() {
			r.at = o.At
		}
	}
	all = slices.DeleteFunc(all, func(r *toldRound) bool { return r.at.IsZero() })
	slices.SortStableFunc(all, func(a, b *toldRound) int { return a.at.Compare(b.at) })
	h.tellMembers(all)
	return all
}

// hostedAt says whether a member had said by then that the broker assigns partitions.
func (h *history) hostedAt(member string, at time.Time) bool {
	hosted := false
	for _, o := range h.hosting[member] {
		if o.At.After(at) {
			break
		}
		hosted = o.Said.Kind == "leaderless"
	}
	return hosted
}

// tellsWithin is how long after the others a member may tell that it got its part.
const tellsWithin = 5 * time.Second

// tellMembers finds out who was in each generation: who said so, and of the others those
// of whom its leader knows that they joined and not that they left. Where a leader makes
// its first plan and so knows of no change, who has told of generations and not of this
// one is gone.
func (h *history) tellMembers(all []*toldRound) {
	if len(all) == 0 {
		return
	}
	end := h.all[len(h.all)-1].At
	tells, ended := map[string]time.Time{}, map[string]time.Time{} // who told of a round last, and of its end
	for _, o := range h.said {
		switch o.Said.Kind {
		case "assigned":
			tells[o.Said.Member] = o.At
		case "closed", "left", "lost":
			ended[o.Said.Member] = cmp.Or(ended[o.Said.Member], o.At)
		}
	}
	ref := func(id string) watch.MemberRef {
		if said := h.saidBy[id]; len(said) > 0 {
			return saidBy(*said[len(said)-1].Said)
		}
		return watch.MemberRef{ID: id, ClientID: nameIn(id)}
	}
	isGone := func(id string, at time.Time) bool {
		saidEnd := !ended[id].IsZero() && !ended[id].After(at.Add(time.Second))
		last, told := tells[id]
		// Who tells of a later one under this ID is there: this one was over too soon for it.
		return told && !last.After(at) && (end.Sub(at) >= tellsWithin || saidEnd)
	}
	members := map[string]bool{}
	for _, r := range all {
		for _, c := range r.causes {
			switch c.Kind {
			case "joined", "restarted":
				members[c.Member] = true
			case "left":
				delete(members, c.Member)
			}
		}
		for id := range members {
			if r.assigned[id] == nil && !r.knows && isGone(id, r.at) {
				delete(members, id)
			}
		}
		for id := range r.assigned {
			members[id] = true
		}
		r.group = watch.Group{Group: h.group, Type: "classic", State: "Stable", Assignor: &r.protocol, Generation: &r.generation}
		if r.leader != "" {
			r.group.Leader = &r.leader
		}
		for _, id := range slices.Sorted(maps.Keys(members)) {
			m := watch.Member{MemberRef: ref(id), Topics: h.subscribed(id, r.at)}
			m.SessionTimeout, m.RebalanceTimeout = watch.Millis(h.timeouts[id].session), watch.Millis(h.timeouts[id].rebalance)
			r.group.Members = append(r.group.Members, m)
		}
	}
}

// subscribed is what a member said that it subscribes to when it joined last, nil if it
// did not.
func (h *history) subscribed(id string, by time.Time) []string {
	said := h.saidBy[id]
	for _, o := range slices.Backward(said[:firstFrom(said, by.Add(1))]) {
		if o.Said.Kind == "joining" && o.Said.Topics != nil {
			return o.Said.Topics
		}
	}
	return nil
}

// roundsFromSaid makes rounds of what members said, but for the time from one moment to
// another, in which the coordinator itself was looked at.
func (h *history) roundsFromSaid(told []*toldRound, from, to time.Time) {
	for i, t := range told {
		if i == 0 || !from.IsZero() && !t.at.Before(from) && !t.at.After(to) {
			continue
		}
		before := told[i-1]
		r := &round{at: t.at, source: SourceMember, before: before.group, after: t.group, beforeAt: before.at}
		r.unseen = int(max(0, t.generation-before.generation-1))
		h.rounds = append(h.rounds, r)
	}
	slices.SortStableFunc(h.rounds, func(a, b *round) int { return a.at.Compare(b.at) })
}

// takeWhatWasSaid adds to each round what members said of it: why it happened, how long
// they waited for each other, and how long their leader planned.
func (h *history) takeWhatWasSaid(told []*toldRound) {
	for _, r := range h.rounds {
		i := slices.IndexFunc(told, func(t *toldRound) bool { return t.isOf(r) })
		if i < 0 {
			continue
		}
		t := told[i]
		r.told, r.allJoined = t.causes, cmp.Or(t.elected, t.at)
		if r.after.Generation == nil {
			r.after.Generation = &t.generation
		}
		if !t.elected.IsZero() && t.at.Sub(t.elected) > r.planned {
			r.planned = t.at.Sub(t.elected)
		}
		if i == 0 || !r.waitedSince.IsZero() {
			continue
		}
		first, last := h.joinedBetween(told[i-1], t)
		if first.IsZero() {
			continue
		}
		ended := cmp.Or(t.elected, t.at)
		r.waitedSince, r.waited, r.waitSource = first, max(0, ended.Sub(first)), SourceMember
		r.expectedInVain = ended.Sub(last) >= h.limits.Slow/2
	}
}

// isOf says whether what was said is of a round.
func (t *toldRound) isOf(r *round) bool {
	apart := r.at.Sub(t.at).Abs()
	if r.source == SourcePoll {
		// A look comes later than the members' own words, and does not tell generations.
		return apart < 2*time.Second
	}
	return r.after.Generation != nil && *r.after.Generation == t.generation && apart < sameRound
}

// joinedBetween is when the first and the last member said that it joins again, between
// two generations, of those that made it into the second: who is refused or cut off joins
// again and again.
func (h *history) joinedBetween(before, after *toldRound) (first, last time.Time) {
	members := byID(after.group)
	for _, o := range h.said[firstFrom(h.said, before.at):] {
		if o.At.After(after.at) {
			break
		}
		if g := o.Said.Generation; (o.Said.Kind == "elected" || o.Said.Kind == "syncing") && g > before.generation && g < after.generation {
			first, last = time.Time{}, time.Time{} // all had joined one that never came to be
		}
		if _, ok := members[o.Said.Member]; !ok || o.Said.Kind != "joining" || !o.At.After(before.at) {
			continue
		}
		if first.IsZero() {
			first = o.At
		}
		last = o.At
	}
	return first, last
}

// saidHosted is where members of the classic protocol said last that the broker assigns
// their partitions, of those that are not out of the group since.
func (h *history) saidHosted() []Observation {
	var all []Observation
	for _, id := range slices.Sorted(maps.Keys(h.saidBy)) {
		var hosted *Observation
		for i, o := range h.saidBy[id] {
			switch o.Said.Kind {
			case "leaderless":
				hosted = &h.saidBy[id][i]
			case "led", "closed", "left", "lost":
				hosted = nil
			}
		}
		if hosted != nil {
			all = append(all, *hosted)
		}
	}
	return all
}
