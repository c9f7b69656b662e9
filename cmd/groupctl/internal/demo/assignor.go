package demo

import (
	"cmp"
	"errors"
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// assignorName is the protocol name on the wire: all members of a group offer it.
const assignorName = "heaviest-first"

// heaviestFirst is an assignor of the demo's own, for members that all subscribe to
// the same topic. It makes one share of the partitions for each member, the
// heaviest partition first and each to the share that is lightest so far, and leaves
// shares where they are: a share goes to the member that owns its heaviest partition.
//
// It is short because it may be simple; assign.Balanced does the same for any
// subscriptions, capacities and number of topics.
func heaviestFirst(g assign.Group) (assign.Plan, error) {
	if err := g.Check(); err != nil {
		return assign.Plan{}, err
	}
	if len(g.Topics) != 1 {
		return assign.Plan{}, errors.New("heaviest-first is made for one topic")
	}
	topic := &g.Topics[0]
	shares := split(topic.EffectiveWeights(), len(g.Members))
	owners := g.Ownership().Owners()[topic.Name]

	free := make([]string, len(g.Members)) // members without a share, by id
	for i := range g.Members {
		free[i] = g.Members[i].ID
	}
	slices.Sort(free)
	plan := assign.NewPlan(g)
	give := func(share []int32, member string) {
		for _, p := range share {
			plan.Give(member, topic.Name, p)
		}
		free = slices.DeleteFunc(free, func(id string) bool { return id == member })
	}
	var moving [][]int32
	for _, share := range shares {
		if owner := owners[share[0]]; slices.Contains(free, owner) {
			give(share, owner)
		} else {
			moving = append(moving, share)
		}
	}
	for _, share := range moving {
		give(share, free[0])
	}
	plan.Assignment.Sort()
	return plan, nil
}

// split returns at most n shares of the partitions, none empty, each with its
// heaviest partition first.
func split(weights []float64, n int) [][]int32 {
	heaviest := make([]int32, len(weights))
	for p := range heaviest {
		heaviest[p] = int32(p)
	}
	slices.SortStableFunc(heaviest, func(a, b int32) int { return cmp.Compare(weights[b], weights[a]) })

	shares := make([][]int32, min(n, len(weights)))
	loads := make([]float64, len(shares))
	for _, p := range heaviest {
		lightest := 0
		for i := range loads {
			// Where weights are zero, the emptier share is the lighter one.
			if cmp.Or(cmp.Compare(loads[i], loads[lightest]), cmp.Compare(len(shares[i]), len(shares[lightest]))) < 0 {
				lightest = i
			}
		}
		shares[lightest] = append(shares[lightest], p)
		loads[lightest] += weights[p]
	}
	return shares
}
