package assign

import (
	"cmp"
	"slices"
	"sort"
)

// placeUnowned gives each unit without an owner, heaviest first, to the member that
// then has the least load. It tells whether there was any.
func (s *spreading) placeUnowned(tolerance float64) bool {
	free := slices.Contains(s.at, unassigned)
	s.deal()
	high := s.highest()
	if free && !s.p.claimed && s.same && s.most == nil && high > s.least()*(1+tolerance/2) {
		// Where a few heavy units decide, packing them may be better.
		dealt := slices.Clone(s.at)
		for rank := range s.at {
			s.at[rank] = unassigned
		}
		s.packHeavy(high)
		if s.deal(); s.highest() >= high {
			copy(s.at, dealt)
			s.deal()
		}
	}
	s.hold()
	return free
}

// deal counts what members have, and deals out the rest.
func (s *spreading) deal() {
	clear(s.carried)
	clear(s.count)
	s.topics.clear()
	give := func(rank int, to int32) {
		s.at[rank] = to
		s.carried[to] += s.weight[rank]
		s.count[to] += s.size(int32(rank))
		s.topics.add(s, int32(rank), to)
	}
	free := false
	for rank, m := range s.at {
		if free = free || m == unassigned; m != unassigned {
			give(rank, m)
		}
	}
	if !free {
		return
	}
	r := newReceivers(s)
	for rank, m := range s.at {
		if m == unassigned {
			give(rank, r.take(int32(rank)))
		}
	}
}

// least returns a load that the highest cannot be below, as far as that is simple to tell.
func (s *spreading) least() float64 {
	return max(s.share, s.weight[0]/s.largestCapacity())
}

// highest returns the highest load of any member.
func (s *spreading) highest() (load float64) {
	for m := range s.carried {
		load = max(load, s.load(int32(m), 0))
	}
	return load
}

// mostPacked is how many units packHeavy packs.
const mostPacked = 512

// packHeavy places the heaviest units, those of more than a quarter of the smallest
// member's fair share and some more, as the MULTIFIT rule has it (Coffman, Garey and Johnson 1978): each
// goes to the smallest member that it fits on, or to the one with the least room, at the
// lowest load found at which all fit; where they are few, other ways are searched too.
// Nothing is placed where that is not below high.
func (s *spreading) packHeavy(high float64) {
	var members []int32
	for m, taking := range s.taking {
		if taking {
			members = append(members, int32(m))
		}
	}
	slices.SortStableFunc(members, func(l, r int32) int { return cmp.Compare(s.capacity[l], s.capacity[r]) })
	heavy := sort.Search(len(s.weight), func(rank int) bool { return s.weight[rank] <= s.share*s.capacity[members[0]]/4 })
	heavy = min(max(heavy, packedPartitions), mostPacked, len(s.weight))
	best, at, room := make([]int32, heavy), make([]int32, heavy), make([]float64, len(members))
	fits := func(load float64, tightest bool) bool {
		for i, m := range members {
			room[i] = load * s.capacity[m]
		}
		for rank := range at {
			to := -1
			for i, left := range room {
				if left >= s.weight[rank] && (to < 0 || left < room[to]) {
					if to = i; !tightest {
						break
					}
				}
			}
			if to < 0 {
				return false
			}
			room[to] -= s.weight[rank]
			at[rank] = members[to]
		}
		return true
	}
	search := s.packer(members, at)
	found := false
	for low := s.share; high > low*(1+1e-4); {
		if middle := low + (high-low)/2; fits(middle, false) || fits(middle, true) || search(middle) {
			high, found = middle, true
			copy(best, at)
		} else {
			low = middle
		}
	}
	if found {
		copy(s.at, best)
	}
}

// packer returns a search for a way to place the heaviest units on members, given by
// rising capacity, at a load. It fills at.
func (s *spreading) packer(members, at []int32) func(load float64) bool {
	if len(at) > packedPartitions {
		return func(float64) bool { return false }
	}
	falling := slices.Clone(members)
	slices.Reverse(falling)
	capacities := make([]float64, len(falling))
	for i, m := range falling {
		capacities[i] = s.capacity[m]
	}
	p, counts := newPacking(capacities)
	p.begin(s.weight[:len(at)])
	return func(load float64) bool {
		if !p.try(load, counts, packedTries) || !p.done {
			return false
		}
		next := make([]int, len(counts)) // size → its member to be used next
		for size := 1; size < len(counts); size++ {
			next[size] = next[size-1] + counts[size-1]
		}
		memberOf := make([]int32, len(p.size)) // room → member
		for room, size := range p.size {
			memberOf[room] = falling[next[size]]
			next[size]++
		}
		for rank, room := range p.places {
			at[rank] = memberOf[room]
		}
		return true
	}
}
