package member

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/assign"
)

// Hold keeps the place of a member that vanished for a while, for rolling restarts: its
// partitions are given to nobody until it is back or the time is over, and meanwhile
// members keep what they own, so that one restart moves nothing. Only members that can
// be known again are held: static ones, and those with the label.
//
// The leader cannot tell a member that left for good from one that crashed, so Close,
// Leave and StallLeave too leave a place to be held. A member that said that it drains is
// not held: one that goes for good calls SetTraits with Draining first, and closes when
// its partitions are gone, as examples/drain does.
//
// It is the leader's config that counts, and what the leader saw: a new leader knows of
// no member that left before it led, so the partitions of a leader that restarts move.
// While a place is held no records of its partitions are consumed.
type Hold struct {
	// For is how long a place is held; 0, the default, is not at all. It counts
	// from the round in which the member was missing, for a crashed member a session
	// timeout after its end.
	For time.Duration

	// Label names the label whose value tells a member's instance, that of a
	// StatefulSet's pod, say. Leave it empty to hold static members only.
	Label string
}

func (h Hold) check() error {
	switch {
	case h.For < 0:
		return fmt.Errorf("the member's Hold is for %s; give 0 for none, or more", h.For)
	case h.For == 0 && h.Label != "":
		return errors.New("the member's Hold has a label and no time; set Hold.For too")
	}
	return nil
}

// identity returns what names a member through restarts, where there is such a thing,
// or through its membership.
func (h Hold) identity(m *assign.Member) string {
	if m.Instance == "" && h.Label != "" && m.Labels[h.Label] != "" {
		return "label " + m.Labels[h.Label]
	}
	return lasting(m.ID, m.Instance)
}

// holds tells whether the place of such a member is held.
func (h Hold) holds(m *assign.Member) bool {
	return h.For > 0 && !m.Draining && (m.Instance != "" || h.Label != "" && m.Labels[h.Label] != "")
}

// A held is the place of a member that vanished.
type held struct {
	member assign.Member // as it was last known; it owns what it had
	until  time.Time
}

// hold takes the members of the last adopted round that vanished into r, as far as their
// places are held, and gives those that came back what they had.
func (r *round) hold(before *round, now time.Time) {
	policy := r.hooks.cfg.Hold
	if before == nil || policy.For == 0 {
		return
	}
	there := make(map[string]bool, len(r.group.Members)+len(r.isolated))
	present := make(map[string]int, len(r.group.Members))
	for i := range r.group.Members {
		there[r.group.Members[i].ID] = true
		present[policy.identity(&r.group.Members[i])] = i
	}
	for _, m := range r.isolated {
		there[m.id] = true
	}
	for i := range before.group.Members {
		m := before.group.Members[i]
		if there[m.ID] {
			continue // whatever it calls itself now
		}
		until := now.Add(policy.For)
		if was, ok := before.held[m.ID]; ok {
			until = was.until
		} else {
			m.Owned = before.sent.Assignment[m.ID]
		}
		back, isBack := present[policy.identity(&m)]
		switch {
		case !policy.holds(&m):
		case isBack:
			if again := &r.group.Members[back]; len(again.Owned) == 0 {
				again.Owned, again.Generation = m.Owned, before.info.Generation
			}
		case now.Before(until):
			if r.held == nil {
				r.held = make(map[string]held)
			}
			m.Generation = before.info.Generation
			r.held[m.ID] = held{m, until}
			r.group.Members = append(r.group.Members, m)
		}
	}
}

func (r *round) isHeld(id string) bool {
	_, ok := r.held[id]
	return ok
}

func (r *round) wasHeld(identity string) bool {
	for _, h := range r.held {
		if r.hooks.cfg.Hold.identity(&h.member) == identity {
			return true
		}
	}
	return false
}

// holding is the target while places are held: nothing moves, what nobody owns goes to
// members that are there, and the places get back what they had.
func (r *round) holding() assign.Plan {
	present := r.present()
	plan := assign.Keep(present)
	owners := present.Ownership().Owners()
	places := make(assign.Assignment, len(r.held))
	for id, h := range r.held {
		places[id] = h.member.Owned
		plan.Assignment[id] = nil
	}
	placeOf := places.Owners()
	for _, id := range present.Ownership().Members() {
		plan.Assignment[id] = without(plan.Assignment[id], func(topic string, p int32) bool {
			return placeOf[topic][p] != "" && owners[topic][p] == ""
		})
	}
	for _, t := range r.group.Topics {
		for p := range t.Partitions {
			if place := placeOf[t.Name][p]; place != "" && owners[t.Name][p] == "" {
				plan.Give(place, t.Name, p)
			}
		}
	}
	return plan
}

// without returns the list without the partitions of which gone is true.
func without(list []assign.TopicPartitions, gone func(topic string, partition int32) bool) []assign.TopicPartitions {
	kept := make([]assign.TopicPartitions, 0, len(list))
	for _, tp := range list {
		partitions := slices.DeleteFunc(slices.Clone(tp.Partitions), func(p int32) bool { return gone(tp.Topic, p) })
		if len(partitions) > 0 {
			kept = append(kept, assign.TopicPartitions{Topic: tp.Topic, Partitions: partitions})
		}
	}
	return kept
}

// present returns the group as it is: without the places that are held.
func (r *round) present() assign.Group {
	g := r.group
	if len(r.held) > 0 {
		g.Members = nil
		for i := range r.group.Members {
			if !r.isHeld(r.group.Members[i].ID) {
				g.Members = append(g.Members, r.group.Members[i])
			}
		}
	}
	return g
}

// withholdHeld takes what is meant for those who are not there out of what is sent.
func (r *round) withholdHeld() {
	for id, h := range r.held {
		for _, tp := range r.sent.Assignment[id] {
			for _, p := range tp.Partitions {
				r.sent.Withheld = append(r.sent.Withheld, assign.Withheld{
					Topic: tp.Topic, Partition: p, Member: id,
					Reason: fmt.Sprintf("%s is gone, and its place is held until %s", r.hooks.cfg.Hold.identity(&h.member), h.until.Format(time.TimeOnly)),
				})
			}
		}
		delete(r.sent.Assignment, id)
	}
}

// nextEnd returns when the first of the places is not held any more.
func (r *round) nextEnd() (at time.Time, any bool) {
	for _, h := range r.held {
		if !any || h.until.Before(at) {
			at, any = h.until, true
		}
	}
	return at, any
}
