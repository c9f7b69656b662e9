package assign

import "slices"

// leveling lowers the loads of a spreading by single moves and swaps of two units, each
// of which leaves the heavier of two members with less than before.
//
// A member that nothing relieves is stuck until another one changes, and then only what
// changed is looked at for it.
type leveling struct {
	*spreading
	goal     float64 // loads may be this far from the fair share, as a part of it
	edge     float64 // half the tolerance, to which moving goes on
	freeOnly bool

	givers    []int32   // the members that have anything that may move
	high, low *loadHeap // members that are not stuck by falling load; all that take units by rising load
	stuck     []int32
	changed   []int32 // members in the order in which they changed
	since     []int   // member → length of changed when nothing relieved it, or never
}

// even moves units from more to less loaded members until no move helps a member that is
// outside the tolerance of the fair share; with freeOnly, only units that nobody owns.
// Once it has to move one it goes on to half the tolerance, so that the next small change
// does not lead to moves again. Where it has ended, it makes no step when called again.
func (s *spreading) even(tolerance float64, freeOnly bool) {
	l := leveling{spreading: s, goal: tolerance, edge: tolerance / 2, freeOnly: freeOnly}
	var all []int32
	for m, taking := range s.taking {
		if taking {
			all = append(all, int32(m))
		}
	}
	if len(all) == 0 {
		return
	}
	l.low = newLoadHeap(s.loads, all, false)
	if l.givers = all; freeOnly {
		l.givers = slices.DeleteFunc(slices.Clone(all), func(m int32) bool {
			return !slices.ContainsFunc(s.held[m], func(rank int32) bool { return s.home[rank] == unassigned })
		})
	}
	l.restart()
	for len(l.high.members) > 0 {
		heavy := l.high.members[0]
		if !l.outside(heavy, l.low.members[0]) {
			return // no pair of members is outside the tolerance
		}
		step := l.relieve(heavy)
		if step.member == none {
			l.high.remove(heavy)
			l.stuck = append(l.stuck, heavy)
			l.since[heavy] = len(l.changed)
			continue
		}
		for step.member != none {
			l.do(step)
			if l.goal != l.edge {
				l.goal = l.edge
				l.restart() // to find a step under the other goal
				break
			}
			step = l.relieveStuck()
		}
	}
}

// never marks a member for which nothing has been looked at.
const never = -1

// restart forgets what was looked at.
func (l *leveling) restart() {
	l.high = newLoadHeap(l.loads, slices.Clone(l.givers), true)
	l.stuck, l.changed = l.stuck[:0], l.changed[:0]
	l.since = slices.Repeat([]int{never}, len(l.loads))
}

// outside tells whether either of the two is outside the goal.
func (l *leveling) outside(heavy, light int32) bool {
	return l.loads[heavy] > l.share*(1+l.goal) || l.loads[light] < l.share*(1-l.goal)
}

// step is a unit that leaves a member, and the one it gets for it, or none.
type step struct {
	peak       float64 // the higher of the two loads afterwards
	member     int32   // the other member, or none
	give, back int32   // by rank
}

const none = -1

// negligible gains, as a part of the load, are rounding.
const negligible = 1e-9

func (l *leveling) do(st step) {
	heavy := l.at[st.give]
	if st.back == none {
		l.transfer(st.give, st.member)
	} else {
		l.swap(st.give, st.back)
	}
	for _, m := range [...]int32{heavy, st.member} {
		l.changed = append(l.changed, m)
		if l.since[m] != never {
			l.since[m] = never
			l.stuck = slices.DeleteFunc(l.stuck, func(other int32) bool { return other == m })
		}
		l.high.fix(m)
		l.low.fix(m)
	}
}

// relieveStuck looks whether the last changes relieve a member that was stuck.
func (l *leveling) relieveStuck() step {
	for _, heavy := range l.stuck {
		st := step{peak: l.loads[heavy] * (1 - negligible), member: none}
		lights := l.changed[l.since[heavy]:]
		if len(lights) > len(l.low.members) {
			lights = l.low.members
		}
		l.since[heavy] = len(l.changed)
		if l.search(heavy, lights, false, &st) || l.search(heavy, lights, true, &st) {
			return st
		}
	}
	return step{member: none}
}

// relieve returns the one move, or failing that the one swap, that brings the heavier of
// heavy and another member lowest.
func (l *leveling) relieve(heavy int32) step {
	st := step{peak: l.loads[heavy] * (1 - negligible), member: none}
	// The best receiver is most often among the few that have the least.
	all := l.low.members
	few := all[:min(len(all), 31)]
	_ = l.search(heavy, few, false, &st) || l.search(heavy, all, false, &st) ||
		l.search(heavy, few, true, &st) || l.search(heavy, all, true, &st)
	return st
}

// search looks for the best move to one of the members, or the best swap with one.
func (l *leveling) search(heavy int32, lights []int32, swaps bool, best *step) bool {
	for _, light := range lights {
		switch {
		case light == heavy || l.loads[light] >= l.loads[heavy] || !l.outside(heavy, light):
		case swaps:
			l.findSwap(heavy, light, best)
		default:
			l.findMove(heavy, light, best)
		}
	}
	return best.member != none
}

// better tells whether heavy and light are better off, and more so than by best, when
// that much weight goes from one to the other: the higher of their loads is lower. Where
// heavy is not outside half the tolerance itself, the lower one has to rise, too.
func (l *leveling) better(heavy, light int32, weight float64, best *step) (peak float64, better bool) {
	left := l.load(heavy, -weight)
	peak = max(l.load(light, weight), left)
	if peak >= best.peak || l.loads[heavy] <= l.share*(1+l.edge) && left <= l.loads[light] {
		return peak, false
	}
	return peak, true
}

// equal is the weight that heavy has to give for both to have the same load.
func (l *leveling) equal(heavy, light int32) float64 {
	return (l.carried[heavy]*l.capacity[light] - l.carried[light]*l.capacity[heavy]) / (l.capacity[heavy] + l.capacity[light])
}

// movable tells whether the unit may go to the member.
func (l *leveling) movable(rank, to int32) bool {
	return (!l.freeOnly || l.home[rank] == unassigned) && l.mayHave(rank, to)
}

// findMove puts the best move from heavy to light into best if it is better. The best
// weighs about what makes both loads equal, so the search goes outwards from there.
func (l *leveling) findMove(heavy, light int32, best *step) {
	held, equal := l.held[heavy], l.equal(heavy, light)
	middle := l.lighterThan(held, equal)
	for i := middle - 1; i >= 0; i-- {
		peak, better := l.better(heavy, light, l.weight[held[i]], best)
		if peak >= best.peak {
			break // the others weigh more
		}
		if better && l.movable(held[i], light) && l.fits(held[i], light) {
			*best = step{peak, light, held[i], none}
			break
		}
	}
	for _, rank := range held[middle:] {
		peak, better := l.better(heavy, light, l.weight[rank], best)
		if peak >= best.peak || l.weight[rank] == 0 {
			break // the others weigh less
		}
		if better && l.movable(rank, light) && l.fits(rank, light) {
			*best = step{peak, light, rank, none}
			break
		}
	}
}

// lighterThan returns the first place in held of a unit that weighs less.
func (s *spreading) lighterThan(held []int32, weight float64) int {
	low, high := 0, len(held)
	for low < high {
		middle := (low + high) / 2
		if s.weight[held[middle]] >= weight {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// findSwap puts the best swap between heavy and light into best if it is better. The peak
// is lowest where the difference of the two weights is closest to the one that makes both
// loads equal. Both lists are sorted, so the two candidates around that are found by
// walking through both at once.
func (l *leveling) findSwap(heavy, light int32, best *step) {
	equal, lights := l.equal(heavy, light), l.held[light]
	above, below := none, 0 // the last that may go and weighs at least what is sought; where to look for one that weighs less
	for _, rank := range l.held[heavy] {
		weight := l.weight[rank]
		if weight == 0 {
			break
		}
		if !l.movable(rank, light) {
			continue
		}
		for below < len(lights) && (l.weight[lights[below]] >= weight-equal || !l.movable(lights[below], heavy)) {
			if l.movable(lights[below], heavy) {
				above = below
			}
			below++
		}
		for _, j := range [2]int{above, below} {
			if j == none || j == len(lights) {
				continue
			}
			back := lights[j]
			if peak, better := l.better(heavy, light, weight-l.weight[back], best); better && l.fitsFor(rank, back, light) && l.fitsFor(back, rank, heavy) {
				*best = step{peak, light, rank, back}
			}
		}
	}
}
