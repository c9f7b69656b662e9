package peers

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// readyLag makes what the lag-based assignor starts from: who subscribes to what, and
// the lag of each partition, which here is its weight.
//
// The algorithm is that of github.com/grantneale/kafka-lag-based-assignor, as its
// documentation tells it: each topic by itself; its partitions by falling lag, each to
// the subscriber with the fewest partitions of the topic, then the least lag of it, then
// the first id. A heap finds that subscriber here; the original looks at all of them.
func readyLag(g assign.Group) (func() (func() assign.Assignment, error), error) {
	subscriptions := make(map[string][]string, len(g.Members))
	for _, m := range g.Members {
		subscriptions[m.ID] = m.Topics
	}
	lags := make(map[string][]float64, len(g.Topics))
	for _, topic := range g.Topics {
		lags[topic.Name] = topic.EffectiveWeights()
	}
	return func() (func() assign.Assignment, error) {
		plan := planByLag(subscriptions, lags)
		return func() assign.Assignment { return fromMaps(plan) }, nil
	}, nil
}

func planByLag(subscriptions map[string][]string, lags map[string][]float64) map[string]map[string][]int32 {
	plan := make(map[string]map[string][]int32, len(subscriptions))
	subscribers := make(map[string][]string, len(lags))
	for member, topics := range subscriptions {
		plan[member] = make(map[string][]int32, len(topics))
		for _, topic := range topics {
			subscribers[topic] = append(subscribers[topic], member)
		}
	}
	for topic, members := range subscribers {
		byLag := make([]int32, len(lags[topic]))
		for p := range byLag {
			byLag[p] = int32(p)
		}
		slices.SortFunc(byLag, func(l, r int32) int {
			return cmp.Or(cmp.Compare(lags[topic][r], lags[topic][l]), cmp.Compare(l, r))
		})
		slices.Sort(members)
		members = slices.Compact(members)
		least := make(lagHeap, 0, len(members)) // sorted already, so a heap
		for _, member := range members {
			least = append(least, lagged{member: member})
		}
		for _, p := range byLag {
			first := &least[0]
			plan[first.member][topic] = append(plan[first.member][topic], p)
			first.partitions++
			first.lag += lags[topic][p]
			heap.Fix(&least, 0)
		}
	}
	return plan
}

// lagged is what a member has of one topic.
type lagged struct {
	member     string
	partitions int
	lag        float64
}

type lagHeap []lagged

func (h lagHeap) Len() int      { return len(h) }
func (h lagHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h lagHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].partitions, h[j].partitions), cmp.Compare(h[i].lag, h[j].lag),
		cmp.Compare(h[i].member, h[j].member)) < 0
}

// Push implements heap.Interface; the members are only there from the start.
func (h *lagHeap) Push(m any) { *h = append(*h, m.(lagged)) }

// Pop implements heap.Interface.
func (h *lagHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
