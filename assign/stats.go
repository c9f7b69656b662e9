package assign

import (
	"math"
	"slices"
)

// Stats measures a plan against its group. Loads are weights divided by the
// member's capacity, so that a member of capacity 2 with weight 10 has load 5. What
// would be larger than a float64 can hold is math.MaxFloat64, never infinite.
type Stats struct {
	// Members is the number of members, Idle how many of them get nothing.
	Members int `json:"members"`
	Idle    int `json:"idle"`

	// Partitions is the number of partitions placed, withheld ones included.
	Partitions int `json:"partitions"`
	Withheld   int `json:"withheld"`

	// CountSpread is the most partitions of any member less the fewest.
	CountSpread int `json:"countSpread"`

	// TopicSpread is the largest CountSpread of any one topic, over the
	// members that subscribe to it.
	TopicSpread int `json:"topicSpread"`

	// MaxLoad and MinLoad are the highest and the lowest load of any member.
	MaxLoad float64 `json:"maxLoad"`
	MinLoad float64 `json:"minLoad"`

	// LowerBound is a MaxLoad that no plan can go below, the largest of these:
	// the total weight over the capacity of all members that subscribe to
	// something; each partition's weight over the largest capacity of a
	// subscriber; the load at which the members have room for the k heaviest
	// partitions, if all weighed what the last of these does; and one at which
	// a search found that the heaviest ones do not fit together.
	LowerBound float64 `json:"lowerBound"`

	// MovedPartitions counts the partitions that have an owner and are
	// meant for another member; MovedWeight is their weight.
	MovedPartitions int     `json:"movedPartitions"`
	MovedWeight     float64 `json:"movedWeight"`

	// RackLocal counts the partitions that have a replica in the rack of
	// their member.
	RackLocal int `json:"rackLocal"`
}

// Measure returns the stats of a plan for g. A withheld partition counts for the
// member that it is meant for. What the plan gives against the rules of g (see
// [Validate]) is left out.
func Measure(g Group, plan Plan) Stats { return NewReview(g).Measure(plan) }

func (ix *index) measure(plan Plan, owned table) Stats {
	return ix.measureTable(ix.place(plan).table, owned, len(plan.Withheld))
}

// measureTable measures a plan by numbers.
func (ix *index) measureTable(placed, owned table, withheld int) Stats {
	s := Stats{Members: len(ix.members), Withheld: withheld}
	counts := make([]int, len(ix.members))
	topicCounts := make([]int, len(ix.members))
	subscriberCounts := make([]int, 0, len(ix.members))
	// The weights are summed at a scale where no sum is infinite.
	weights, scale := ix.scaledWeights()
	carried := make([]float64, len(ix.members))
	movedWeight := 0.0
	for t, topic := range ix.topics {
		clear(topicCounts)
		for p, m := range placed[t] {
			if m == unassigned {
				continue
			}
			s.Partitions++
			topicCounts[m]++
			counts[m]++
			carried[m] += weights[t][p]
			if owner := owned[t][p]; owner != unassigned && owner != m {
				s.MovedPartitions++
				movedWeight += weights[t][p]
			}
			if p < len(topic.Racks) {
				if rack := ix.members[m].Rack; rack != "" && slices.Contains(topic.Racks[p], rack) {
					s.RackLocal++
				}
			}
		}
		subscriberCounts = subscriberCounts[:0]
		for _, m := range ix.subscribers[t] {
			subscriberCounts = append(subscriberCounts, topicCounts[m])
		}
		s.TopicSpread = max(s.TopicSpread, spread(subscriberCounts))
	}
	s.CountSpread = spread(counts)
	s.MovedWeight = quotient(movedWeight, 1, scale)
	for m, member := range ix.members {
		load := quotient(carried[m], member.EffectiveCapacity(), scale)
		s.MaxLoad = max(s.MaxLoad, load)
		if m == 0 || load < s.MinLoad {
			s.MinLoad = load
		}
		if counts[m] == 0 {
			s.Idle++
		}
	}
	s.LowerBound = ix.lowerBound(weights, scale)
	return s
}

// scaledWeights returns the weights by topic and partition, divided by 2 to the
// power of scale, at which none is more than 1.
func (ix *index) scaledWeights() (weights [][]float64, scale int) {
	for _, topic := range ix.topics {
		weights = append(weights, topic.EffectiveWeights())
	}
	_, scale = math.Frexp(scaleToOne(weights, 0))
	return weights, scale
}

// quotient returns weight/capacity times 2 to the power of scale: the closest finite
// number, which unlike infinity has a form in JSON.
func quotient(weight, capacity float64, scale int) float64 {
	fraction, exponent := math.Frexp(capacity)
	return min(math.Ldexp(weight/fraction, scale-exponent), math.MaxFloat64)
}

// spread returns the largest of counts less the smallest, 0 when there are none.
func spread(counts []int) int {
	if len(counts) == 0 {
		return 0
	}
	low, high := counts[0], counts[0]
	for _, n := range counts[1:] {
		low, high = min(low, n), max(high, n)
	}
	return high - low
}
