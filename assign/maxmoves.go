package assign

// limitMoves leaves all but some of the units that change their member with their
// owner, so that at most limit partitions move. Units without an owner that may keep
// them are given out all the same. Moves from the fullest members come first; then
// moves in a circle, which even out topics and not loads. None makes a member fuller
// than the fullest of those that take part, so each round comes closer to the plan and
// none is worse than the one before; only a circle of more moves than the limit is
// never begun. What an owner has beyond its ceilings moves in any case and is not
// counted.
//
// With anyway, where no move is for the better, the first that there are follow.
func (p *problem) limitMoves(limit int, uniform, anyway bool) {
	l := newMoveLimit(p, uniform)
	l.keepCeilings()
	if l.pending <= limit {
		return
	}
	for limit > 0 {
		chosen := l.best(limit)
		if chosen == nil {
			chosen = l.circle(limit)
		}
		if chosen == nil && anyway {
			chosen = l.first(limit)
		}
		if chosen == nil {
			break
		}
		for _, mv := range chosen {
			limit -= int(mv.partitions)
			l.do(mv)
		}
	}
	for _, list := range l.from {
		for _, mv := range list {
			p.placed[mv.lane][mv.unit] = mv.owner
		}
	}
}

// move is a unit that is to change its member.
type move struct {
	lane, unit int
	owner, to  int32
	weight     float64
	partitions int32
}

type moveLimit struct {
	from    [][]move // owner → moves that are not done
	pending int      // partitions in all moves
	start   int      // the member from which circle looks next
	p       *problem
	uniform bool
	weight  []float64 // member → what it has as long as no other move is done
	count   []int32   // member → partitions that it has then
}

func newMoveLimit(p *problem, uniform bool) *moveLimit {
	members := len(p.ix.members)
	l := &moveLimit{p: p, uniform: uniform, from: make([][]move, members), weight: make([]float64, members), count: make([]int32, members)}
	for i := range p.lanes {
		for u, to := range p.placed[i] {
			weight, partitions := p.unitWeight(i, u), p.unitPartitions(i, u)
			if uniform {
				weight = 1 // they may all be 0
			}
			owner := p.owner[i][u]
			if owner == unassigned || owner == to {
				l.weight[to] += weight
				l.count[to] += partitions
				continue
			}
			l.weight[owner] += weight
			l.count[owner] += partitions
			l.from[owner] = append(l.from[owner], move{i, u, owner, to, weight, partitions})
			l.pending += int(partitions)
		}
	}
	return l
}

// keepCeilings does the moves from members that would be beyond a ceiling without.
func (l *moveLimit) keepCeilings() {
	if l.p.ceilings == nil {
		return
	}
	for again := true; again; {
		again = false
		for owner := range l.from {
			for len(l.from[owner]) > 0 && !l.below(int32(owner), 0, 0) {
				l.do(l.from[owner][0])
				again = true // its new member may be beyond its ceiling, for what itself keeps
			}
		}
	}
}

// below tells whether the member would be below its ceilings with that much more.
func (l *moveLimit) below(member, partitions int32, weight float64) bool {
	c := l.p.ceilings
	if c == nil {
		return true
	}
	if l.uniform {
		return l.weight[member]+weight <= float64(c.units[member])
	}
	return c.fits(int(member), l.count[member]+partitions, l.weight[member]+weight)
}

func (l *moveLimit) loadOf(member int32, more float64) float64 {
	return (l.weight[member] + more) / l.p.ix.members[member].EffectiveCapacity()
}

// best returns the move from the fullest member to the least full that does not become
// as full as that was, or nil. Where only counts matter it may become as full: a
// partition can have a long way to go over several members, and each plan is then
// nearer to the goal than the one before. By weight that could go on for ever.
func (l *moveLimit) best(limit int) []move {
	var best *move
	for owner := range l.from {
		for i := range l.from[owner] {
			mv := &l.from[owner][i]
			before := l.loadOf(mv.owner, 0)
			after := l.loadOf(mv.to, mv.weight)
			if int(mv.partitions) > limit || !l.below(mv.to, mv.partitions, mv.weight) || after > before || after == before && !l.uniform {
				continue
			}
			if best == nil || before > l.loadOf(best.owner, 0) ||
				mv.owner == best.owner && l.loadOf(mv.to, mv.weight) < l.loadOf(best.to, best.weight) {
				best = mv
			}
		}
	}
	if best == nil {
		return nil
	}
	return []move{*best}
}

// first returns any move.
func (l *moveLimit) first(limit int) []move {
	for _, list := range l.from {
		for _, mv := range list {
			if int(mv.partitions) <= limit {
				return []move{mv}
			}
		}
	}
	return nil
}

// circle returns moves that lead from a member over others back to it, or nil. No
// member is fuller afterwards than the fullest of them is now. Members from which no
// circle led are not looked at again.
func (l *moveLimit) circle(limit int) []move {
	for ; l.start < len(l.from); l.start++ {
		if path := l.pathBack(int32(l.start), limit); path != nil {
			return path
		}
	}
	return nil
}

// pathBack searches breadth first, so that the first way back is the shortest.
func (l *moveLimit) pathBack(start int32, limit int) []move {
	came := make(map[int32]move) // member → the move that led there
	queue := []int32{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, mv := range l.from[at] {
			if _, seen := came[mv.to]; seen {
				continue
			}
			came[mv.to] = mv
			if mv.to != start {
				queue = append(queue, mv.to)
				continue
			}
			path := []move{mv}
			for path[0].owner != start {
				path = append([]move{came[path[0].owner]}, path...)
			}
			if l.fits(path, limit) {
				return path
			}
			return nil
		}
	}
	return nil
}

func (l *moveLimit) fits(path []move, limit int) bool {
	type change struct {
		partitions int32
		weight     float64
	}
	partitions, highest := 0, 0.0
	changes := make(map[int32]change, len(path))
	for _, mv := range path {
		partitions += int(mv.partitions)
		highest = max(highest, l.loadOf(mv.owner, 0))
		from, to := changes[mv.owner], changes[mv.to]
		changes[mv.owner] = change{from.partitions - mv.partitions, from.weight - mv.weight}
		changes[mv.to] = change{to.partitions + mv.partitions, to.weight + mv.weight}
	}
	for member, c := range changes {
		if l.loadOf(member, c.weight) > highest || !l.below(member, c.partitions, c.weight) {
			return false
		}
	}
	return partitions <= limit
}

// do takes a move off the list, so that it stays as planned.
func (l *moveLimit) do(mv move) {
	list := l.from[mv.owner]
	for i := range list {
		if list[i].lane == mv.lane && list[i].unit == mv.unit {
			l.from[mv.owner] = append(list[:i], list[i+1:]...)
			break
		}
	}
	l.weight[mv.owner] -= mv.weight
	l.weight[mv.to] += mv.weight
	l.count[mv.owner] -= mv.partitions
	l.count[mv.to] += mv.partitions
	l.pending -= int(mv.partitions)
}
