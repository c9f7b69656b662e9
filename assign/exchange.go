package assign

import "math"

// band is where loads are good enough: half the tolerance around the fair share.
type band struct{ low, high float64 }

// keeps tells whether the member, with that much more weight, stays in the band, or comes
// no further out of it.
func (b band) keeps(s *spreading, m int32, more float64) bool {
	after := s.load(m, more)
	return after <= max(b.high, s.loads[m]) && after >= min(b.low, s.loads[m])
}

// exchange tells whether a unit may go to the member for another one, or for none: by
// eligibility, ceilings and loads.
func (s *spreading) exchange(b band, give, to, back int32) bool {
	from := s.at[give]
	if !s.mayHave(give, to) {
		return false
	}
	if back == none {
		w := s.weight[give]
		return s.fits(give, to) && b.keeps(s, to, w) && b.keeps(s, from, -w)
	}
	w := s.weight[give] - s.weight[back]
	return s.mayHave(back, from) && s.fitsFor(give, back, to) && s.fitsFor(back, give, from) &&
		b.keeps(s, to, w) && b.keeps(s, from, -w)
}

// nearest goes through some units of one member, those first that weigh most nearly as
// much as a given one of another.
type nearest struct {
	s           *spreading
	held        []int32
	weight      float64
	above       int // place of the next one that weighs as much or more
	below       int // and of the next that weighs less
	first, last int // the places that loads allow
	left        int
}

// backs returns the units of a member for which loads allow an exchange.
func (s *spreading) backs(b band, give, to int32) nearest {
	from, w := s.at[give], s.weight[give]
	highFrom := max(b.high, s.loads[from])*s.capacity[from] - s.carried[from] + w
	lowFrom := min(b.low, s.loads[from])*s.capacity[from] - s.carried[from] + w
	highTo := s.carried[to] + w - min(b.low, s.loads[to])*s.capacity[to]
	lowTo := s.carried[to] + w - max(b.high, s.loads[to])*s.capacity[to]
	slack := w * negligible // exchange looks again
	held := s.held[to]
	first := s.lighterThan(held, math.Nextafter(min(highFrom, highTo)+slack, math.Inf(1)))
	last := s.lighterThan(held, max(lowFrom, lowTo)-slack)
	last = max(first, last)
	below := min(max(s.lighterThan(held, w), first), last)
	return nearest{s, held, w, below - 1, below, first, last, unitsLooked}
}

// next returns the next unit, or none.
func (n *nearest) next() (rank int32) {
	if n.left--; n.left < 0 || n.above < n.first && n.below >= n.last {
		return none
	}
	if n.below >= n.last || n.above >= n.first && n.s.weight[n.held[n.above]]-n.weight <= n.weight-n.s.weight[n.held[n.below]] {
		n.above--
		return n.held[n.above+1]
	}
	n.below++
	return n.held[n.below-1]
}

// How many members, and how many units of each, are looked at for one unit.
const (
	membersLooked = 32
	unitsLooked   = 12
)

// evenTopics moves and swaps units so that fewer are above a topic's or class's even
// share, and loads stay in half the tolerance; without owned, only units that are not with
// their owner. It tells whether it did.
func (s *spreading) evenTopics(tolerance float64, owned bool) (changed bool) {
	t := s.topics
	if t == nil {
		return false
	}
	b := band{s.share * (1 - tolerance/2), s.share * (1 + tolerance/2)}
	for group := range t.share {
		for m := range s.capacity {
			if t.room(s, int32(group), int32(m)) < 0 && s.lessen(b, int32(group), int32(m), owned) {
				changed = true
			}
		}
	}
	return changed
}

// lessen takes units of a topic or class that the member has too many of from it, light
// ones first.
func (s *spreading) lessen(b band, group, m int32, owned bool) (changed bool) {
	for i := len(s.held[m]) - 1; i >= 0 && s.topics.room(s, group, m) < 0; i-- {
		i = min(i, len(s.held[m])-1) // it may have fewer now
		give := s.held[m][i]
		if !owned && s.home[give] == m || s.topics.sharesNot(s, group, give) {
			continue
		}
		if s.passOn(b, give, group, owned) {
			changed = true
		}
	}
	return changed
}

// passOn moves the unit to a member that has room for its topic or class, for another
// unit or none.
func (s *spreading) passOn(b band, give, group int32, owned bool) bool {
	from := s.at[give]
	eligible := s.p.kinds[s.p.lanes[s.lane[give]].kind(s.unit[give])].eligible
	start := (int(from) + int(give)) % len(eligible)
	for i, seen := 0, 0; i < len(eligible) && seen < membersLooked; i++ {
		to := eligible[(start+i)%len(eligible)]
		if to == from || s.topics.room(s, group, to) <= 0 {
			continue
		}
		seen++
		backs := s.backs(b, give, to)
		for back := backs.next(); back != none; back = backs.next() {
			if !owned && s.home[back] == to {
				continue
			}
			if s.topics.more(s, give, to, back) < 0 && s.exchange(b, give, to, back) {
				s.swap(give, back)
				return true
			}
		}
		if s.topics.more(s, give, to, none) < 0 && s.exchange(b, give, to, none) {
			s.transfer(give, to)
			return true
		}
	}
	return false
}

// findRacks moves and swaps units that change their member anyway, or have none, so that
// more are local to theirs, and nothing that matters more gets worse.
func (s *spreading) findRacks(tolerance float64) (changed bool) {
	if s.racks == nil {
		return false
	}
	b := band{s.share * (1 - tolerance/2), s.share * (1 + tolerance/2)}
	byRack := make([][]int32, s.racks.count)
	for m, rack := range s.racks.ofMember {
		if rack != unassigned && s.taking[m] {
			byRack[rack] = append(byRack[rack], int32(m))
		}
	}
	for rank := range s.at {
		set := s.racks.set[s.lane[rank]][s.unit[rank]]
		if s.at[rank] == s.home[rank] || s.racks.isLocal(set, s.at[rank]) {
			continue
		}
		for _, rack := range s.racks.sets[set] {
			if s.bringHome(b, int32(rank), byRack[rack]) {
				changed = true
				break
			}
		}
	}
	return changed
}

// bringHome brings a unit to one of the members, in whose rack it is.
func (s *spreading) bringHome(b band, give int32, members []int32) bool {
	from := s.at[give]
	for i := range min(len(members), membersLooked) {
		to := members[(int(give)+i)%len(members)]
		backs := s.backs(b, give, to)
		for back := backs.next(); back != none; back = backs.next() {
			set := s.racks.set[s.lane[back]][s.unit[back]]
			loses := s.racks.isLocal(set, to) && !s.racks.isLocal(set, from)
			if s.home[back] != to && !loses && s.topics.more(s, give, to, back) <= 0 && s.exchange(b, give, to, back) {
				s.swap(give, back)
				return true
			}
		}
		if s.topics.more(s, give, to, none) <= 0 && s.exchange(b, give, to, none) {
			s.transfer(give, to)
			return true
		}
	}
	return false
}
