package assign

import "slices"

// receivers finds, for one unit after the other, the member that has the least load
// once it has the unit. Members of the same capacity that may have the same units form
// a heap, so that only the first of each heap is looked at. Where subscriptions are
// mixed, so that members are in many heaps at once, all eligible ones are looked at.
//
// For a unit that weighs no more than a third of a fair share, any
// member will do as well if it stays below the fair share: of some one is taken for which
// topics stay even and the unit is in its rack. That keeps Graham's bound of 4/3,
// since heavier ones are placed as he does, and what is below the share matters to none.
type receivers struct {
	s     *spreading
	heaps []*receiverHeap // of all members, by capacity; nil where subscriptions are mixed
	used  *receiverHeap   // the heap of the member that the call before returned
	place int             // and its place in there
}

// looked is how many neighbours in a heap are looked at for topics and racks.
const looked = 16

func newReceivers(s *spreading) *receivers {
	r := &receivers{s: s}
	if !s.same {
		return r
	}
	byCapacity := make(map[float64]*receiverHeap)
	used := slices.IndexFunc(s.p.kinds, func(k kind) bool { return k.size > 0 })
	if used < 0 {
		return r
	}
	for _, m := range s.p.kinds[used].eligible {
		h := byCapacity[s.capacity[m]]
		if h == nil {
			h = &receiverHeap{s: s}
			byCapacity[s.capacity[m]] = h
			r.heaps = append(r.heaps, h)
		}
		h.members = append(h.members, m)
	}
	for _, h := range r.heaps {
		for i := len(h.members)/2 - 1; i >= 0; i-- {
			h.down(i)
		}
	}
	return r
}

// lighter tells whether a is the better receiver of weight w than b: by load, then
// by count, so that partitions without weight are spread too.
func (s *spreading) lighter(a, b int32, w float64) bool {
	if la, lb := s.load(a, w), s.load(b, w); la != lb {
		return la < lb
	}
	return float64(s.count[a])/s.capacity[a] < float64(s.count[b])/s.capacity[b]
}

// take returns the member for a unit. The caller gives it the unit before the next call.
func (r *receivers) take(rank int32) int32 {
	s := r.s
	if r.heaps == nil {
		kind := s.p.lanes[s.lane[rank]].kind(s.unit[rank])
		return s.choose(rank, s.p.kinds[kind].eligible)
	}
	// What the call before gave changed one member of one heap.
	if r.used != nil {
		r.used.down(r.place)
		r.used = nil
	}
	best := int32(none)
	for _, h := range r.heaps {
		// Who has no room for one more partition has none for any other.
		for s.most != nil && len(h.members) > 0 && s.count[h.members[0]] >= s.p.ceilings.partitions[h.members[0]] {
			last := len(h.members) - 1
			h.members[0] = h.members[last]
			h.members = h.members[:last]
			h.down(0)
		}
		for i, m := range h.members[:min(len(h.members), looked)] {
			if !s.fits(rank, m) {
				continue
			}
			if best == none || s.lighter(m, best, s.weight[rank]) {
				best, r.used, r.place = m, h, i
			}
			break
		}
	}
	if best == none {
		for _, h := range r.heaps {
			for i, m := range h.members {
				if s.fits(rank, m) && (best == none || s.lighter(m, best, s.weight[rank])) {
					best, r.used, r.place = m, h, i
				}
			}
		}
		if best != none {
			return best
		}
		// Some ceiling has to give way. Members without room left the heaps.
		return s.choose(rank, s.p.kinds[s.p.lanes[s.lane[rank]].kind(s.unit[rank])].eligible)
	}
	if fault := s.fault(rank, best); fault > 0 && s.weight[rank] <= s.share*s.capacity[best]/3 {
		members, limit := r.used.members, s.share
		near := min(s.share, s.load(best, 3*s.weight[rank]))
		for _, start := range [...]int{0, int(rank) % len(members), int(rank*7) % len(members)} {
			for i := start; i < min(len(members), start+looked) && fault > 0; i++ {
				m := members[i]
				if s.load(m, s.weight[rank]) <= limit && s.fits(rank, m) {
					if f := s.fault(rank, m); f < fault {
						best, r.place, fault = m, i, f
					}
				}
			}
			limit = near // further away only members that have about as little
		}
	}
	return best
}

// choose returns the best of all that may have the unit, of those with room if there are
// any.
func (s *spreading) choose(rank int32, eligible []int32) int32 {
	w := s.weight[rank]
	best := eligible[0]
	fits := s.fits(rank, best)
	for _, m := range eligible[1:] {
		if f := s.fits(rank, m); f && !fits || f == fits && s.lighter(m, best, w) {
			best, fits = m, f
		}
	}
	fault := s.fault(rank, best)
	if fault == 0 || w > s.share*s.capacity[best]/3 {
		return best
	}
	// Not further up than by one such unit.
	limit := min(s.share, s.load(best, 2*w))
	for _, m := range eligible {
		if s.load(m, w) <= limit && s.fits(rank, m) == fits {
			if f := s.fault(rank, m); f < fault {
				best, fault = m, f
			}
		}
	}
	return best
}

// fault tells how bad a place the member is for the unit but for load: whether it has its
// share of the topic and class already, then whether it is in another rack.
func (s *spreading) fault(rank, m int32) (fault int) {
	if s.topics != nil {
		fault = 2 * s.topics.above(s, rank, m)
	}
	if s.racks != nil && !s.racks.isLocal(s.racks.set[s.lane[rank]][s.unit[rank]], m) {
		fault++
	}
	return fault
}

// receiverHeap is a heap of members of one capacity by load, number of partitions and
// number, the least first. It is written out because a call through an interface for
// each comparison takes more time than all else that placing a unit does.
type receiverHeap struct {
	s       *spreading
	members []int32
}

func (h *receiverHeap) less(a, b int32) bool {
	if la, lb := h.s.carried[a], h.s.carried[b]; la != lb {
		return la < lb
	}
	if na, nb := h.s.count[a], h.s.count[b]; na != nb {
		return na < nb
	}
	return a < b
}

// down moves the member at place i to where it belongs below.
func (h *receiverHeap) down(i int) {
	if i >= len(h.members) {
		return
	}
	moving := h.members[i]
	for {
		child := 2*i + 1
		if child >= len(h.members) {
			break
		}
		if right := child + 1; right < len(h.members) && h.less(h.members[right], h.members[child]) {
			child = right
		}
		if !h.less(h.members[child], moving) {
			break
		}
		h.members[i] = h.members[child]
		i = child
	}
	h.members[i] = moving
}
