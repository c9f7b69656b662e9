package assign

import (
	"math"
	"slices"
)

// lowerBound returns Stats.LowerBound, for weights that are scaled by 2 to the power of
// scale.
func (ix *index) lowerBound(weights [][]float64, scale int) float64 {
	bound, total := 0.0, 0.0
	all := 0
	for t, subscribers := range ix.subscribers {
		largest := 0.0
		for _, m := range subscribers {
			largest = max(largest, ix.members[m].EffectiveCapacity())
		}
		heaviest := 0.0
		for _, w := range weights[t] {
			total += w
			heaviest = max(heaviest, w)
		}
		all += len(weights[t])
		bound = max(bound, quotient(heaviest, largest, scale))
	}
	capacities := ix.takingCapacities()
	if len(capacities) == 0 {
		return bound
	}
	_, capacityScale := math.Frexp(scaleToOne([][]float64{capacities}, leastCapacity))
	sum := 0.0
	for _, c := range capacities {
		sum += c
	}
	bound = max(bound, quotient(total, sum, scale-capacityScale))
	slices.Sort(capacities)
	slices.Reverse(capacities)
	sorted := make([]float64, 0, all)
	for _, list := range weights {
		sorted = append(sorted, list...)
	}
	slices.Sort(sorted)
	slices.Reverse(sorted)
	low := max(total/sum, crowded(sorted, capacities))
	low = packed(sorted, capacities, low)
	return max(bound, quotient(low, 1, scale-capacityScale))
}

// takingCapacities returns the capacities of the members that subscribe to a topic that
// is there.
func (ix *index) takingCapacities() []float64 {
	taking := make([]bool, len(ix.members))
	var last []int32
	for _, subscribers := range ix.subscribers {
		if sameList(subscribers, last) {
			continue
		}
		for _, m := range subscribers {
			taking[m] = true
		}
		last = subscribers
	}
	var capacities []float64
	for m, member := range ix.members {
		if taking[m] {
			capacities = append(capacities, member.EffectiveCapacity())
		}
	}
	return capacities
}

// crowded returns a load that some member has at least. At any load that suffices, the k
// heaviest partitions fit on the members that can carry the last and lightest of them:
// by number, as if all weighed only what that does, and by weight. Which k are tried
// grows sparse, for neighbours differ little. Weights and capacities fall.
func crowded(sorted, capacities []float64) float64 {
	most, sum, next, full := 0.0, 0.0, 1, 1
	for i, w := range sorted {
		k := i + 1
		sum += w
		if k != next && k != full || w == 0 {
			continue
		}
		if k == next {
			next += 1 + k/64
		}
		if k == full { // with equal capacities these are the ones that count
			full += len(capacities)
		}
		if most == 0 || !suffices(most/w, k, sum/w, capacities) {
			most = max(most, w*leastLoad(k, sum/w, capacities))
		}
	}
	return most
}

// suffices tells whether members of these capacities, the largest first, may at this load
// have k partitions that weigh 1 or more each and weight together.
func suffices(load float64, k int, weight float64, capacities []float64) bool {
	if n := float64(len(capacities)); capacities[0] == capacities[len(capacities)-1] {
		return n*math.Floor(load*capacities[0]) >= float64(k) && n*load*capacities[0] >= weight
	}
	units, room := 0.0, 0.0
	for _, c := range capacities {
		n := math.Floor(load * c)
		if n == 0 {
			break // nor can those after it carry one
		}
		units += n
		room += load * c
		if units >= float64(k) && room >= weight {
			return true
		}
	}
	return false
}

// leastLoad returns the least load that suffices, or one just below it.
func leastLoad(k int, weight float64, capacities []float64) float64 {
	n := len(capacities)
	if capacities[0] == capacities[n-1] {
		return max(float64((k+n-1)/n), weight/float64(n)) / capacities[0]
	}
	low, high := 0.0, (weight+float64(k))/capacities[0] // the first member has them all
	for range 50 {
		if middle := (low + high) / 2; suffices(middle, k, weight, capacities) {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}
