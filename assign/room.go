package assign

import "slices"

// heedCeilings moves units away from members that are beyond a ceiling, as long as there
// is room for them elsewhere, also by way of others that pass something on. It tells
// whether it moved any. With subscriptions that are alike and ceilings of partitions it
// finds all the room there is; by weight, where what fits together is a puzzle, it may
// not.
func (s *spreading) heedCeilings() (changed bool) {
	if s.most == nil {
		return false
	}
	budget := 1 << 22 // pairs of units and members to look at; enough but for the largest groups
	for m := range s.capacity {
		for s.beyond(int32(m)) && s.makeRoom(int32(m), &budget) {
			changed = true
		}
	}
	return changed
}

// beyond tells whether the member is beyond a ceiling.
func (s *spreading) beyond(m int32) bool {
	return s.count[m] > s.p.ceilings.partitions[m] || s.carried[m] > s.most[m]*(1+rounding)
}

// hop is a unit that goes to a member, from one that came into the search by another hop.
type hop struct {
	rank, to int32
	before   int // the hop by which the giver came, or none
}

// makeRoom searches, breadth first, a member with room for a unit of the full one, or for
// one that a member passes on that gets such a unit in its place.
func (s *spreading) makeRoom(full int32, budget *int) bool {
	hops := []hop{}
	seen := make([]bool, len(s.capacity))
	seen[full] = true
	if last, found := s.reach(full, none, seen, &hops, budget); found {
		s.follow(hops, last)
		return true
	}
	for i := 0; i < len(hops); i++ {
		if last, found := s.reach(hops[i].to, i, seen, &hops, budget); found {
			s.follow(hops, last)
			return true
		}
	}
	return false
}

// reach looks at all hops from a member, which got its unit by the hop before, or is the
// full one.
func (s *spreading) reach(from int32, before int, seen []bool, hops *[]hop, budget *int) (last int, found bool) {
	for _, rank := range s.leaving(from) {
		if before != none {
			if in := (*hops)[before].rank; rank == in || !s.fitsFor(in, rank, from) {
				continue
			}
		} else if s.count[from] <= s.p.ceilings.partitions[from] && s.weight[rank] == 0 {
			continue // it has too much weight, and this is none
		}
		lightest := int32(none)
		for _, to := range s.p.kinds[s.p.lanes[s.lane[rank]].kind(s.unit[rank])].eligible {
			if *budget--; *budget < 0 {
				return 0, false
			}
			if to == from {
				continue
			}
			if s.fits(rank, to) && !s.onWay(*hops, before, to) {
				if lightest == none || s.lighter(to, lightest, s.weight[rank]) {
					lightest = to
				}
			} else if !seen[to] {
				seen[to] = true
				*hops = append(*hops, hop{rank, to, before})
			}
		}
		if lightest != none {
			*hops = append(*hops, hop{rank, lightest, before})
			return len(*hops) - 1, true
		}
	}
	return 0, false
}

// onWay tells whether a member takes part in the hops that lead up to this one.
func (s *spreading) onWay(hops []hop, i int, m int32) bool {
	for ; i != none; i = hops[i].before {
		if hops[i].to == m || s.at[hops[i].rank] == m {
			return true
		}
	}
	return false
}

// follow makes the hops, the last one first.
func (s *spreading) follow(hops []hop, i int) {
	for ; i != none; i = hops[i].before {
		s.transfer(hops[i].rank, hops[i].to)
	}
}

// leaving lists the units of a member in the order in which they leave it: the lightest
// first; where it has too much weight, first the lightest that is enough, and those that
// are not at the end.
func (s *spreading) leaving(m int32) []int32 {
	order := slices.Clone(s.held[m])
	slices.Reverse(order)
	if s.carried[m] <= s.most[m]*(1+rounding) {
		return order
	}
	enough := len(order) - s.lighterThan(s.held[m], s.carried[m]-s.most[m])
	slices.Reverse(order[:enough])
	return append(order[enough:len(order):len(order)], order[:enough]...)
}
