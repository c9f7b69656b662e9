package assign

import "math"

// packing tries whether the heaviest partitions fit on members at some load. How few
// members it takes for partitions that outweigh a fair share is a bin packing problem, and
// what counts and weights say of it can be far below the truth.
type packing struct {
	weights []float64 // of the partitions to fit, the heaviest first
	rest    []float64 // place → what those from there on weigh together
	sizes   []float64 // the capacities that members have
	unused  []int     // of each size, how many members have nothing
	rooms   []float64 // what is left on those that have something
	steps   int       // that may still be made; each is a look at one member

	places []int // of the partitions, in rooms; all of them where done
	size   []int // of the members of rooms, in sizes
	done   bool  // all fit, and steps did not run out
}

// newPacking takes capacities in falling order.
func newPacking(capacities []float64) (p packing, counts []int) {
	for i, c := range capacities {
		if i == 0 || c != capacities[i-1] {
			p.sizes, counts = append(p.sizes, c), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	return p, counts
}

// begin sets what is to fit, the heaviest first.
func (p *packing) begin(weights []float64) {
	p.weights, p.places = weights, make([]int, len(weights))
	p.rest = make([]float64, len(weights)+1)
	for i := len(weights) - 1; i >= 0; i-- {
		p.rest[i] = p.rest[i+1] + weights[i]
	}
}

// try looks whether all fits at a load, on members of which there are so many of each size.
func (p *packing) try(load float64, counts []int, steps int) bool {
	p.steps, p.done = steps, false
	p.unused, p.rooms, p.size = append(p.unused[:0], counts...), p.rooms[:0], p.size[:0]
	return p.fits(0, load)
}

// Limits of the search: what they leave open counts as fitting, so that the bound stays a
// bound.
const (
	packedPartitions = 40
	packedSteps      = 1 << 20
	packedTries      = 1 << 16 // of the steps, for one load
)

// packed returns a load of at least low that some member has in every plan: the heaviest
// partitions, for some number of them, do not fit at it. Weights and capacities are given
// in falling order.
func packed(weights, capacities []float64, low float64) float64 {
	p, counts := newPacking(capacities)
	steps := packedSteps
	for k := 1; k <= min(len(weights), packedPartitions) && weights[k-1] > 0; k++ {
		p.begin(weights[:k])
		fits := func(load float64) bool {
			allowed := min(steps, packedTries)
			fit := p.try(load*(1+rounding), counts, allowed)
			steps -= allowed - max(p.steps, 0)
			return fit
		}
		if fits(low) {
			continue
		}
		// All fit on the largest member, at the load that they have there.
		high := max(low, p.rest[0]/capacities[0])
		for range 24 {
			if middle := low + (high-low)/2; fits(middle) {
				high = middle
			} else {
				low = middle
			}
		}
	}
	return low
}

// fits tells whether the partitions from i on fit, or that steps ran out.
func (p *packing) fits(i int, load float64) bool {
	if i == len(p.weights) {
		p.done = true
		return true
	}
	if p.steps <= 0 {
		return true
	}
	// What is too small for the lightest of them is lost.
	weight, lightest := p.weights[i], p.weights[len(p.weights)-1]
	usable, places := 0.0, 0.0
	for _, room := range p.rooms {
		if room >= lightest {
			usable += room
			places += math.Floor(room / lightest)
		}
	}
	for s, n := range p.unused {
		if room := p.sizes[s] * load; room >= lightest {
			usable += float64(n) * room
			places += float64(n) * math.Floor(room/lightest)
		}
	}
	p.steps -= len(p.rooms) + len(p.unused)
	if usable < p.rest[i]*(1-rounding) || places < float64(len(p.weights)-i) {
		return false
	}
	for m, room := range p.rooms {
		if room < weight || tried(p.rooms[:m], room) {
			continue
		}
		p.rooms[m], p.places[i] = room-weight, m
		if p.fits(i+1, load) {
			return true
		}
		p.rooms[m] = room
	}
	for s, n := range p.unused {
		if room := p.sizes[s] * load; n > 0 && room >= weight {
			p.unused[s]--
			p.places[i] = len(p.rooms)
			p.rooms, p.size = append(p.rooms, room-weight), append(p.size, s)
			if p.fits(i+1, load) {
				return true
			}
			p.rooms, p.size = p.rooms[:len(p.rooms)-1], p.size[:len(p.size)-1]
			p.unused[s]++
		}
	}
	return false
}

// tried tells whether another member with the same room was looked at.
func tried(rooms []float64, room float64) bool {
	for _, other := range rooms {
		if other == room {
			return true
		}
	}
	return false
}
