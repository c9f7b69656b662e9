package explain

import (
	"reflect"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// wait is a time in which the coordinator was seen not to be stable.
type wait struct {
	from, to time.Time // the first and the last look at which it was not
	states   []stateAt
	members  map[string]watch.Member // at any of the looks
	last     map[string]watch.Member // at the last one at which it waited for members
	before   *watch.Group            // the last settled group, nil if never seen
	over     bool
	after    *watch.Group // the settled group that ended it
	// grew is when it began to prepare or a member came on top of those that there had
	// been, and still the longest time in which it prepared and none did.
	grew  time.Time
	still time.Duration
	most  map[who]int // how many of a name there were at a time
}

type stateAt struct {
	at    time.Time
	state string
}

// betweenLooks is how far looks lie apart: of those that show the same, only the first and
// the last are observed.
const betweenLooks = 500 * time.Millisecond

// findWaits finds the times in which the group was not settled.
func (h *history) findWaits() {
	var open *wait
	var settled, last *watch.Group
	var generation time.Time // that ended a wait, with no look at the group since
	end := func(by *watch.Group) {
		if open != nil {
			open.over, open.after = true, by
			h.waits = append(h.waits, *open)
			open = nil
		}
		settled = by
	}
	for _, o := range h.all {
		if o.Record != nil && !o.Record.Tombstone {
			// A classic group that rebalances again at once may be settled between two
			// looks. In KIP-848 a record is where a reconciliation begins.
			if open != nil && last.Type == "classic" {
				open.add(o.At, open.states[len(open.states)-1].state)
				now := groupOf(h.group, o.Record)
				end(&now)
				generation = o.At
			}
			continue
		}
		look := o.Look
		if look == nil {
			continue
		}
		if look.Settled() {
			end(look)
			generation, last = time.Time{}, look
			continue
		}
		if open == nil {
			open = &wait{from: o.At, before: settled, members: map[string]watch.Member{}, most: map[who]int{}}
			again := generation.Add(betweenLooks)
			if !generation.IsZero() && again.Before(o.At) && reflect.DeepEqual(*last, *look) {
				open.from = again // the looks between showed the same
				open.grow(again, look)
				open.add(again, look.State)
			}
		}
		generation, last = time.Time{}, look
		open.grow(o.At, look)
		open.add(o.At, look.State)
		for _, m := range look.Members {
			open.members[m.ID] = m
		}
		if look.State == "PreparingRebalance" {
			open.last = byID(*look)
		}
	}
	if open != nil {
		h.waits = append(h.waits, *open)
	}
}

func (w *wait) add(at time.Time, state string) {
	w.to = at
	w.states = append(w.states, stateAt{at, state})
}

// grow takes one look.
func (w *wait) grow(at time.Time, look *watch.Group) {
	grew := len(w.states) == 0 || w.states[len(w.states)-1].state != "PreparingRebalance"
	counts := map[who]int{}
	for _, m := range look.Members {
		name := whoIs(m.MemberRef)
		if counts[name]++; counts[name] > w.most[name] {
			w.most[name], grew = counts[name], true
		}
	}
	if grew {
		w.grew = at
	}
	if look.State == "PreparingRebalance" {
		w.still = max(w.still, at.Sub(w.grew))
	}
}

// preparing is how long the group was seen waiting for its members, at least.
func (w wait) preparing() time.Duration { return w.in("PreparingRebalance") }

// completing is how long it was seen waiting for its leader's plan, at least.
func (w wait) completing() time.Duration { return w.in("CompletingRebalance") }

func (w wait) in(state string) time.Duration {
	var sum time.Duration
	for i := 1; i < len(w.states); i++ {
		if w.states[i].state == state && w.states[i-1].state == state {
			sum += w.states[i].at.Sub(w.states[i-1].at)
		}
	}
	return sum
}

// turns is how often it began to prepare anew.
func (w wait) turns() int {
	n := 0
	for i := 1; i < len(w.states); i++ {
		if w.states[i].state == "PreparingRebalance" && w.states[i-1].state == "CompletingRebalance" {
			n++
		}
	}
	return n
}
