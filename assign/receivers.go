package assign

import "slices"

// receivers finds, for one unit after the other, the member that has the least load
// once it has the unit. Members of the same capacity that may have the same units form
// a heap, so that only the first of each heap is looked at. Where subscriptions are
// mixed, so that members are in many heaps at once, all eligible ones are looked at.
type receivers struct {
	s     *spreading
	heaps []*receiverHeap // of all members, by capacity; nil where subscriptions are mixed
}

func newReceivers(s *spreading) *receivers {
	r := &receivers{s: s}
	if !sameEligible(s.kinds) {
		return r
	}
	byCapacity := make(map[float64]*receiverHeap)
	used := slices.IndexFunc(s.kinds, func(k kind) bool { return k.size > 0 })
	if used < 0 {
		return r
	}
	for _, m := range s.kinds[used].eligible {
		h := byCapacity[s.capacity[m]]
		if h == nil {
			h = &receiverHeap{s: s}
			byCapacity[s.capacity[m]] = h
			r.heaps = append(r.heaps, h)
		}
		h.members = append(h.members, int(m))
	}
	for _, h := range r.heaps {
		h.init()
	}
	return r
}

// take returns the member for a unit of the kind and weight. The caller gives it the
// unit before the next call.
func (r *receivers) take(kind int32, weight float64) int {
	s := r.s
	if r.heaps == nil {
		eligible := s.kinds[kind].eligible
		best := int(eligible[0])
		for _, m := range eligible[1:] {
			if s.lighter(int(m), best, weight) {
				best = int(m)
			}
		}
		return best
	}
	// What the call before gave changed the first of one heap.
	best := -1
	for i, h := range r.heaps {
		if h.stale {
			h.down(0)
			h.stale = false
		}
		if best < 0 || s.lighter(h.members[0], r.heaps[best].members[0], weight) {
			best = i
		}
	}
	r.heaps[best].stale = true
	return r.heaps[best].members[0]
}

// receiverHeap is a heap of members of one capacity by load, number of units and
// number, the least first. It is written out because a call through an interface for
// each comparison takes more time than all else that placing a unit does.
type receiverHeap struct {
	s       *spreading
	members []int
	stale   bool // the load of the first has changed
}

func (h *receiverHeap) less(a, b int) bool {
	if la, lb := h.s.carried[a], h.s.carried[b]; la != lb {
		return la < lb
	}
	if na, nb := len(h.s.blocks[a]), len(h.s.blocks[b]); na != nb {
		return na < nb
	}
	return a < b
}

func (h *receiverHeap) init() {
	for i := len(h.members)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

// down moves the member at place i to where it belongs below.
func (h *receiverHeap) down(i int) {
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
