package demo

import (
	"context"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// What members tell the leader about themselves, in member.Traits.
const (
	labelName = "name" // who it is, for people
	labelDisk = "disk" // "ssd" for the one machine with a fast disk
	fastDisk  = "ssd"
)

// hotOnFastDisk is the OnPlan of every member; only the leader's is called. The
// partition with the most records belongs on the machine with the fast disk: the
// member that the assignor chose for it and the member there swap their shares.
func hotOnFastDisk(_ context.Context, round member.Round) (assign.Plan, error) {
	plan := round.Proposed
	fast := memberWith(round.Problem, labelDisk, fastDisk)
	if fast == "" || len(round.Problem.Topics) == 0 {
		return plan, nil
	}
	topic := &round.Problem.Topics[0]
	chosen, _ := plan.Owner(topic.Name, hottest(topic))
	plan.Assignment[chosen], plan.Assignment[fast] = plan.Assignment[fast], plan.Assignment[chosen]
	return plan, nil
}

// memberWith returns the id of the first member with the label, or "".
func memberWith(g assign.Group, label, value string) string {
	for i := range g.Members {
		if g.Members[i].Labels[label] == value {
			return g.Members[i].ID
		}
	}
	return ""
}

func hottest(topic *assign.Topic) int32 {
	hot := 0
	weights := topic.EffectiveWeights()
	for p := range weights {
		if weights[p] > weights[hot] {
			hot = p
		}
	}
	return int32(hot)
}

// recordWeights returns the Weights of every member: the records in each partition,
// as multiples of the quietest one's. Rounded, so that records on their way do not
// make two rounds in a row decide differently.
func recordWeights(admin *kadm.Client) func(context.Context, []assign.Topic) (map[string][]float64, error) {
	return func(ctx context.Context, topics []assign.Topic) (map[string][]float64, error) {
		weights := make(map[string][]float64, len(topics))
		for i := range topics {
			counts, err := recordCounts(ctx, admin, topics[i].Name)
			if err != nil {
				return nil, err
			}
			quietest := int64(math.MaxInt64)
			for _, n := range counts {
				quietest = min(quietest, max(n, 1))
			}
			list := make([]float64, len(counts))
			for p, n := range counts {
				list[p] = math.Round(float64(n) / float64(quietest))
			}
			weights[topics[i].Name] = list
		}
		return weights, nil
	}
}

// recordCounts returns how many records each partition of a topic of the demo's own
// has taken: nothing of it is ever deleted, so that is where the log ends.
func recordCounts(ctx context.Context, admin *kadm.Client, topic string) ([]int64, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("cannot read how many records %s has: %w", topic, err)
	}
	if err := ends.Error(); err != nil {
		return nil, fmt.Errorf("cannot read how many records %s has: %w", topic, err)
	}
	counts := make([]int64, len(ends[topic]))
	for p := range counts {
		counts[p] = ends[topic][int32(p)].Offset
	}
	return counts, nil
}
