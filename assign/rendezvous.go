package assign

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
)

// Rendezvous is the assignor "rendezvous": where a partition goes depends on names alone,
// its own and those of the members (highest random weight hashing, weighted by
// capacity), so that leaders that know nothing of the past agree. When a member goes,
// what it had is spread over the others; when one comes, it takes a share from each.
// A member counts by its instance where it has one, so a static member's restart moves
// nothing. The zero value is ready to use.
//
// Counts are even only by chance, unless Bound limits them: partitions beyond a
// member's bound go to their next choice. It takes no notice of what members own, of
// weights or of racks; a draining member gets nothing as long as another subscriber
// remains.
type Rendezvous struct {
	// ProtocolName replaces the name "rendezvous".
	ProtocolName string

	// Bound is how many partitions a member may have, as a multiple of its fair
	// share by capacity, rounded up: 1 is as even as counts can be, 1.25 lets a
	// member have a quarter more. A lower bound moves more when members change.
	// Zero means 1.25; values between 0 and 1 are an error. What fits on nobody,
	// where subscriptions are mixed, goes to its first choice.
	Bound float64
}

// Name returns the protocol name.
func (r Rendezvous) Name() string { return cmp.Or(r.ProtocolName, "rendezvous") }

// Assign returns the target for g. It fails when g fails [Group.Check] or when the bound
// is out of range. The time grows with partitions × subscribers.
func (r Rendezvous) Assign(g Group) (Plan, error) {
	bound := r.Bound
	if bound == 0 {
		bound = 1.25
	}
	if !finite(bound) || bound < 1 {
		return Plan{}, fmt.Errorf("the bound of assignor %q is %v; give a number of at least 1, or 0 for the default", r.Name(), bound)
	}
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	p := newProblem(g, &Balanced{})
	room := p.room(bound)
	seeds := make([]uint64, len(p.ix.members))
	for m, member := range p.ix.members {
		seeds[m] = hashName(cmp.Or(member.Instance, member.ID))
	}
	equal := p.equalCapacities()
	for i := range p.lanes {
		l := &p.lanes[i]
		topic := hashName(p.ix.topics[l.topics[0]].Name)
		for u := range p.placed[i] {
			eligible := p.kinds[l.kind(int32(u))].eligible
			to, full := int32(none), int32(none) // the best with room, the best of all
			var toScore, fullScore float64
			for _, m := range eligible {
				capacity := p.ix.members[m].EffectiveCapacity()
				score := score(topic, u, seeds[m], capacity, equal)
				if full == none || score > fullScore {
					full, fullScore = m, score
				}
				if room[m] > 0 && (to == none || score > toScore) {
					to, toScore = m, score
				}
			}
			if to == none {
				to = full
			}
			room[to]--
			p.placed[i][u] = to
		}
	}
	return p.plan(), nil
}

// room returns how many partitions each member may have under the bound.
func (p *problem) room(bound float64) []int {
	partitions, capacity := 0, 0.0
	taking := make([]bool, len(p.ix.members))
	for k := range p.kinds {
		partitions += int(p.kinds[k].size)
		for _, m := range p.kinds[k].eligible {
			taking[m] = true
		}
	}
	largest := 0.0
	for m, member := range p.ix.members {
		if taking[m] {
			largest = max(largest, member.EffectiveCapacity())
		}
	}
	for m, member := range p.ix.members {
		if taking[m] {
			capacity += member.EffectiveCapacity() / largest
		}
	}
	room := make([]int, len(p.ix.members))
	for m, member := range p.ix.members {
		if taking[m] {
			share := float64(partitions) * (member.EffectiveCapacity() / largest) / capacity
			room[m] = int(math.Ceil(bound*share - 1e-9*share)) // no rounding up of what rounding added
		}
	}
	return room
}

func hashName(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// equalCapacities tells whether all members have the same capacity.
func (p *problem) equalCapacities() bool {
	for _, m := range p.ix.members {
		if m.EffectiveCapacity() != p.ix.members[0].EffectiveCapacity() {
			return false
		}
	}
	return true
}

// score is the weight of a member for a partition: the larger the capacity, the larger it
// is likely to be, in proportion. With equal capacities the logarithm, which takes most
// of the time, has no say in which is largest.
func score(topic uint64, partition int, member uint64, capacity float64, equal bool) float64 {
	// The finalizer of MurmurHash3, so that close inputs lie far apart.
	x := topic ^ member*0x9e3779b97f4a7c15 ^ uint64(partition)*0xbf58476d1ce4e5b9
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	unit := (float64(x>>11) + 0.5) / (1 << 53) // between 0 and 1, never either
	if equal {
		return unit
	}
	return capacity / -math.Log(unit)
}
