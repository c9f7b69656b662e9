package assign

// loadHeap is a heap of members by load, then by number.
type loadHeap struct {
	loads   []float64
	members []int32
	place   []int32 // member → place in members, or none
	falling bool    // the highest load is first, and not the lowest
}

// newLoadHeap makes a heap of the members, whose list it keeps.
func newLoadHeap(loads []float64, members []int32, falling bool) *loadHeap {
	h := &loadHeap{loads: loads, members: members, place: make([]int32, len(loads)), falling: falling}
	for m := range h.place {
		h.place[m] = none
	}
	for i, m := range members {
		h.place[m] = int32(i)
	}
	for i := len(members)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h
}

func (h *loadHeap) before(a, b int32) bool {
	if la, lb := h.loads[a], h.loads[b]; la != lb {
		return (la > lb) == h.falling
	}
	return a < b
}

// fix puts a member whose load changed where it belongs, and adds it if it is not there.
func (h *loadHeap) fix(m int32) {
	if h.place[m] == none {
		h.place[m] = int32(len(h.members))
		h.members = append(h.members, m)
	}
	h.up(int(h.place[m]))
	h.down(int(h.place[m]))
}

// remove takes a member out.
func (h *loadHeap) remove(m int32) {
	at, last := h.place[m], len(h.members)-1
	moved := h.members[last]
	h.members = h.members[:last]
	h.place[m] = none
	if moved != m {
		h.members[at], h.place[moved] = moved, at
		h.fix(moved)
	}
}

func (h *loadHeap) up(i int) {
	moving := h.members[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(moving, h.members[parent]) {
			break
		}
		h.members[i] = h.members[parent]
		h.place[h.members[i]] = int32(i)
		i = parent
	}
	h.members[i], h.place[moving] = moving, int32(i)
}

func (h *loadHeap) down(i int) {
	moving := h.members[i]
	for {
		child := 2*i + 1
		if child >= len(h.members) {
			break
		}
		if right := child + 1; right < len(h.members) && h.before(h.members[right], h.members[child]) {
			child = right
		}
		if !h.before(h.members[child], moving) {
			break
		}
		h.members[i] = h.members[child]
		h.place[h.members[i]] = int32(i)
		i = child
	}
	h.members[i], h.place[moving] = moving, int32(i)
}
