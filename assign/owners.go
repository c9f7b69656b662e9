package assign

import "slices"

// settleOwners finds who owns each unit, and takes from those who may not have what they
// own. Of the owners of one unit's partitions the one with the most keeps it, the first
// of equals.
func (p *problem) settleOwners(owned table) {
	p.owner, p.placed = make([][]int32, len(p.lanes)), make([][]int32, len(p.lanes))
	total := 0
	for i := range p.lanes {
		total += int(p.lanes[i].size)
	}
	placed := slices.Repeat([]int32{unassigned}, total)
	may := make([]bool, len(p.ix.members))
	var allowed []int32 // the eligible members that may is of
	for i := range p.lanes {
		l := &p.lanes[i]
		owner := owned[l.topics[0]]
		if len(l.topics) > 1 {
			owner = p.mostOwned(l, owned)
		}
		for u, m := range owner {
			kd := &p.kinds[l.kind(int32(u))]
			kd.size++
			if m == unassigned {
				continue
			}
			p.claimed = true
			if allowed == nil || !sameList(allowed, kd.eligible) {
				for _, m := range allowed {
					may[m] = false
				}
				for _, m := range kd.eligible {
					may[m] = true
				}
				allowed = kd.eligible
			}
			if !may[m] {
				owner[u] = unassigned
			}
		}
		p.owner[i] = owner
		p.placed[i], placed = placed[:l.size:l.size], placed[l.size:]
	}
}

// countOwned tells the kinds who owns how many of them. Where nobody owns anything they
// share one list of zeros.
func (p *problem) countOwned() {
	zeros := make([]int32, len(p.ix.members))
	if !p.claimed {
		for k := range p.kinds {
			p.kinds[k].owned = zeros[:len(p.kinds[k].eligible)]
		}
		return
	}
	place := zeros     // member → place in eligible
	var placed []int32 // the eligible that place is of
	for k := range p.kinds {
		p.kinds[k].owned = make([]int32, len(p.kinds[k].eligible))
	}
	for i := range p.lanes {
		l := &p.lanes[i]
		for u, m := range p.owner[i] {
			if m == unassigned {
				continue
			}
			kd := &p.kinds[l.kind(int32(u))]
			if placed == nil || !sameList(placed, kd.eligible) {
				for at, m := range kd.eligible {
					place[m] = int32(at)
				}
				placed = kd.eligible
			}
			kd.owned[place[m]]++
		}
	}
}

func (p *problem) mostOwned(l *lane, owned table) []int32 {
	owner := make([]int32, l.size)
	for u := range owner {
		owner[u] = unassigned
		most := 0
		for _, t := range l.topics {
			if u >= len(owned[t]) || owned[t][u] == unassigned {
				continue
			}
			if _, may := slices.BinarySearch(p.kinds[l.kind(int32(u))].eligible, owned[t][u]); !may {
				continue
			}
			n := 0
			for _, other := range l.topics {
				if u < len(owned[other]) && owned[other][u] == owned[t][u] {
					n++
				}
			}
			if n > most {
				owner[u], most = owned[t][u], n
			}
		}
	}
	return owner
}
