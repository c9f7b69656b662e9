package explain

import (
	"maps"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// toldEpochs makes rounds of what members of KIP-848 said. They have no round in common:
// each tells when the coordinator took it in, of its own epoch when it is given other
// partitions, and that it left. That epoch is at most the group's: who joins is told an
// earlier one until others have given up what it is to have. So each that comes or goes is
// a round, and counts for one epoch of the group; an epoch beyond those is a round too,
// though who brought it about may be others, whose logs were not given.
type toldEpochs struct {
	h       *history
	members map[string]watch.Member
	joining map[string]bool // who told of no epoch since it joined
	rounds  []*round
	epoch   int32     // of the group, as far as it is known
	at      time.Time // of the newest round
}

// roundsFromEpochs makes rounds of what members of KIP-848 said, but for the time from one
// moment to another, in which the coordinator itself was looked at.
func (h *history) roundsFromEpochs(from, to time.Time) {
	t := &toldEpochs{h: h, members: map[string]watch.Member{}, joining: map[string]bool{}}
	modern := map[string]bool{}
	for _, o := range h.said {
		if s := o.Said; s.Member != "" && s.Kind == "assigned" && s.State == "leaderless" && s.Protocol == "" {
			modern[s.Member] = true
		}
	}
	h.isTold = h.isTold || len(modern) > 0
	for _, o := range h.said {
		s := o.Said
		if !modern[s.Member] {
			continue
		}
		_, in := t.members[s.Member]
		switch s.Kind {
		case "syncing", "assigned":
			if s.Generation > 0 && in {
				t.told(o)
			} else if s.Generation > 0 {
				t.joined(o)
			}
		case "closed", "left", "lost":
			// A static member that stops keeps its place until its session ends.
			if in && (s.Kind != "closed" || s.Instance == "") {
				t.change(o.At, 0, func() { delete(t.members, s.Member) })
				t.epoch++
			}
		}
	}
	for _, r := range t.rounds {
		if from.IsZero() || r.at.Before(from) || r.at.After(to) {
			h.rounds = append(h.rounds, r)
		}
	}
	slices.SortStableFunc(h.rounds, func(a, b *round) int { return a.at.Compare(b.at) })
}

func (t *toldEpochs) group() watch.Group {
	g := watch.Group{Group: t.h.group, Type: "consumer", State: "Stable"}
	for _, id := range slices.Sorted(maps.Keys(t.members)) {
		g.Members = append(g.Members, t.members[id])
	}
	return g
}

// change makes a round of what something makes of the group, in an epoch, 0 if that is not
// known.
func (t *toldEpochs) change(at time.Time, epoch int32, something func()) *round {
	r := &round{at: at, source: SourceMember, before: t.group(), beforeAt: t.at}
	something()
	if r.after = t.group(); epoch > 0 {
		r.after.Generation = &epoch
	}
	t.rounds, t.at = append(t.rounds, r), at
	return r
}

func (t *toldEpochs) joined(o Observation) {
	s := o.Said
	enter := func() {
		if s.Instance != "" {
			maps.DeleteFunc(t.members, func(_ string, m watch.Member) bool { return m.Instance != nil && *m.Instance == s.Instance })
		}
		t.members[s.Member], t.joining[s.Member] = watch.Member{MemberRef: saidBy(*s)}, true
	}
	if t.at.IsZero() { // the first that tells: who was there before is not known
		enter()
		t.epoch, t.at = s.Generation, o.At
		return
	}
	for _, m := range t.members {
		if m.Instance != nil && *m.Instance == s.Instance {
			enter() // a static member takes its place again, for which nothing changes
			return
		}
	}
	t.change(o.At, 0, enter)
	t.epoch = max(t.epoch+1, s.Generation)
}

// told takes an epoch of which a member tells that was there before.
func (t *toldEpochs) told(o Observation) {
	epoch := o.Said.Generation
	others := int(epoch - t.epoch)
	if joined := t.joining[o.Said.Member]; joined && o.Said.Kind == "assigned" && others > 0 {
		others = 0 // it is the epoch in which it joined
		t.epoch = epoch
	}
	if o.Said.Kind == "assigned" && o.Said.State == "" {
		delete(t.joining, o.Said.Member)
	}
	if others <= 0 {
		return
	}
	r := t.change(o.At, epoch, func() {})
	r.unseen, r.partly = others-1, true
	t.epoch = epoch
}
