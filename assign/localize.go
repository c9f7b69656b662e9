package assign

import "slices"

// localizing is what placeByRack needs for one kind after the other.
type localizing struct {
	releases []int32   // members that give up some of what they own
	give     []int32   // place in releases × set → how many units
	moves    []int32   // set × (racks + 1) → how many free units; the last for members without a rack
	free     []int32   // set → free units
	lacking  []int32   // rack, and none → units that its members get
	byRack   [][]int32 // rack, and none → members that get units
	next     []int     // rack, and none → place in byRack of the member that gets the next one
	at       []int32   // member → place in releases
}

// placeByRack chooses which units of kind k of lane i members give up, and who gets
// which of the free ones, so that as many units as possible are local to their member:
// a flow from members that give up some, by the racks that units are in, to the racks of
// members that get some. Each unit that ceases to be local costs 1, and so does each that
// goes where it is not.
func (rz *realizing) placeByRack(i int, k int32) {
	rz.countByRack(i, k)
	rz.solve()
	lo, r, placed := &rz.local, rz.racks, rz.placed[i]
	sets, columns := len(r.sets), r.count+1
	// From the end, so that members keep their first units.
	for u := len(placed) - 1; u >= 0; u-- {
		m := rz.owner[i][u]
		if m == unassigned || !rz.ours(i, u, k) {
			continue
		}
		if at := lo.at[m]; at > 0 {
			if give := &lo.give[int(at-1)*sets+int(r.set[i][u])]; *give > 0 {
				*give--
				continue
			}
		}
		placed[u] = m
	}
	for u, m := range placed {
		if m != unassigned || !rz.ours(i, u, k) {
			continue
		}
		moves := lo.moves[int(r.set[i][u])*columns:][:columns]
		column := slices.IndexFunc(moves, func(n int32) bool { return n > 0 })
		moves[column]--
		to := lo.byRack[column][lo.next[column]]
		placed[u] = to
		if rz.lack[to]--; rz.lack[to] == 0 {
			lo.next[column]++
		}
	}
	for _, m := range lo.releases {
		lo.at[m] = 0
	}
}

// countByRack finds who gives up how many units of which set, how many are free, and how
// many each rack's members get.
func (rz *realizing) countByRack(i int, k int32) {
	lo, r, kd := &rz.local, rz.racks, &rz.kinds[k]
	if lo.at == nil {
		lo.at = make([]int32, len(rz.keep))
		lo.free = make([]int32, len(r.sets))
		lo.lacking = make([]int32, r.count+1)
		lo.byRack = make([][]int32, r.count+1)
		lo.next = make([]int, r.count+1)
		lo.moves = make([]int32, len(r.sets)*(r.count+1))
	}
	lo.releases = lo.releases[:0]
	clear(lo.free)
	clear(lo.lacking)
	clear(lo.moves)
	clear(lo.next)
	for n := range lo.byRack {
		lo.byRack[n] = lo.byRack[n][:0]
	}
	for at, m := range kd.eligible {
		if kd.owned[at] > kd.want[at] {
			lo.releases = append(lo.releases, m)
			lo.at[m] = int32(len(lo.releases))
		}
		if rz.lack[m] > 0 {
			column := r.ofMember[m]
			if column == unassigned {
				column = int32(r.count)
			}
			lo.byRack[column] = append(lo.byRack[column], m)
			lo.lacking[column] += rz.lack[m]
		}
	}
	lo.give = append(lo.give[:0], make([]int32, len(lo.releases)*len(r.sets))...)
	for u, m := range rz.owner[i] {
		if !rz.ours(i, u, k) {
			continue
		}
		set := r.set[i][u]
		if m == unassigned {
			lo.free[set]++
		} else if at := lo.at[m]; at > 0 {
			lo.give[int(at-1)*len(r.sets)+int(set)]++
		}
	}
}

// solve turns give from what members own into what they give up, and fills moves.
func (rz *realizing) solve() {
	lo, r := &rz.local, rz.racks
	sets, columns := len(r.sets), r.count+1
	if len(lo.releases) == 0 && rz.solveFree() {
		return
	}
	const source, sink = 0, 1
	giver := func(at int) int32 { return int32(2 + at) }
	setNode := func(s int) int32 { return int32(2 + len(lo.releases) + s) }
	rackNode := func(n int) int32 { return int32(2 + len(lo.releases) + sets + n) }
	n := newNetwork(2+len(lo.releases)+sets+columns, len(lo.releases)*(1+sets)+sets*(1+columns)+columns)
	gives, moves := make([]int32, len(lo.give)), make([]int32, len(lo.moves))
	cost := func(one bool) int32 {
		if one {
			return 1
		}
		return 0
	}
	for at, m := range lo.releases {
		owned := int32(0)
		for s, has := range lo.give[at*sets : (at+1)*sets] {
			owned += has
			if has > 0 {
				gives[at*sets+s] = n.add(giver(at), setNode(s), has, cost(r.isLocal(int32(s), m)))
			}
		}
		n.add(source, giver(at), owned-rz.keep[m], 0)
	}
	for s, free := range lo.free {
		n.add(source, setNode(s), free, 0)
		for c := range columns {
			local := c < r.count && r.local[s*r.count+c]
			moves[s*columns+c] = n.add(setNode(s), rackNode(c), lo.lacking[c], cost(!local))
		}
	}
	for c, lacking := range lo.lacking {
		n.add(rackNode(c), sink, lacking, 0)
	}
	n.run(source, sink)
	for i, has := range lo.give {
		if has > 0 {
			lo.give[i] = n.flow(gives[i])
		}
	}
	for i, arc := range moves {
		lo.moves[i] = n.flow(arc)
	}
}

// solveFree fills moves where nobody gives up anything and every unit is local to one
// rack at most: then what is local is given first, and nothing can be better.
func (rz *realizing) solveFree() bool {
	lo, r := &rz.local, rz.racks
	columns := r.count + 1
	for _, set := range r.sets {
		if len(set) > 1 {
			return false
		}
	}
	for s, set := range r.sets {
		for _, rack := range set {
			taken := min(lo.free[s], lo.lacking[rack])
			lo.moves[s*columns+int(rack)] += taken
			lo.free[s] -= taken
			lo.lacking[rack] -= taken
		}
	}
	for s := range lo.free {
		for c := range lo.lacking {
			taken := min(lo.free[s], lo.lacking[c])
			lo.moves[s*columns+c] += taken
			lo.free[s] -= taken
			lo.lacking[c] -= taken
		}
	}
	return true
}
