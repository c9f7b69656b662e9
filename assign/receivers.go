package assign

import "container/heap"

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
	if !sameEligible(s.kinds) || len(s.kinds) == 0 {
		return r
	}
	byCapacity := make(map[float64]*receiverHeap)
	for _, m := range s.kinds[0].eligible {
		h := byCapacity[s.capacity[m]]
		if h == nil {
			h = &receiverHeap{s: s}
			byCapacity[s.capacity[m]] = h
			r.heaps = append(r.heaps, h)
		}
		h.members = append(h.members, int(m))
	}
	for _, h := range r.heaps {
		heap.Init(h)
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
			heap.Fix(h, 0)
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
// number.
type receiverHeap struct {
	s       *spreading
	members []int
	stale   bool // the load of the first has changed
}

func (h *receiverHeap) Len() int { return len(h.members) }

func (h *receiverHeap) Less(i, j int) bool {
	a, b := h.members[i], h.members[j]
	if h.s.lighter(a, b, 0) {
		return true
	}
	return !h.s.lighter(b, a, 0) && a < b
}

func (h *receiverHeap) Swap(i, j int) { h.members[i], h.members[j] = h.members[j], h.members[i] }

// Push implements heap.Interface; members are only there from the start.
func (h *receiverHeap) Push(m any) { h.members = append(h.members, m.(int)) }

// Pop implements heap.Interface.
func (h *receiverHeap) Pop() any {
	last := h.members[len(h.members)-1]
	h.members = h.members[:len(h.members)-1]
	return last
}
