package live

import (
	"context"
	"slices"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
)

// lag makes each partition as heavy as the group lags in it, in records: from what it
// committed, or where it committed nothing from the start of the log, to the end. A
// partition of which the lag is not known weighs the median of its topic.
func (r *reader) lag(ctx context.Context, g *Group) bool {
	answer, err := r.in.DescribeGroups(ctx, inspect.GroupDetails{Lag: true}, g.Seen.Group)
	if err != nil || len(answer.Data) == 0 || answer.Data[0].Lag == nil {
		r.errors = append(r.errors, answer.Errors...)
		return false
	}
	rows := answer.Data[0].Lag.Partitions
	for _, p := range answer.Errors {
		// Without what the group committed, nothing is known of how it lags.
		if p.Target == g.Seen.Group {
			r.errors = append(r.errors, p)
			return false
		}
	}
	weights := make(map[string]map[int32]float64)
	for i := range rows {
		if weight, ok := toConsume(&rows[i]); ok {
			if weights[rows[i].Topic] == nil {
				weights[rows[i].Topic] = make(map[int32]float64)
			}
			weights[rows[i].Topic][rows[i].Partition] = weight
		}
	}
	if len(weights) == 0 && len(answer.Errors) > 0 {
		r.errors = append(r.errors, answer.Errors...)
		return false
	}
	for i := range g.Problem.Topics {
		t := &g.Problem.Topics[i]
		lags, unknown := make([]float64, t.Partitions), []int32{}
		var known []float64
		for p := range t.Partitions {
			weight, ok := weights[t.Name][p]
			if !ok {
				unknown = append(unknown, p)
				continue
			}
			lags[p] = weight
			known = append(known, weight)
		}
		if len(unknown) > 0 {
			median := 1.0
			if slices.Sort(known); len(known) > 0 {
				median = known[len(known)/2]
			}
			for _, p := range unknown {
				lags[p] = median
			}
			r.warn(inspect.CodeNoLeader, t.Name, "the lag in %d partitions of the topic %q is not known, such as in %d, which has no leader or of which the brokers did not tell; they are planned for with the median of the topic", len(unknown), t.Name, unknown[0])
		}
		t.Weights = lags
	}
	if allZero(g.Problem) {
		r.warn(CodeNotPlannable, g.Seen.Group, "the group %q lags nowhere, so partitions are counted instead of weighed", g.Seen.Group)
		for i := range g.Problem.Topics {
			g.Problem.Topics[i].Weights = nil
		}
	}
	return true
}

// toConsume is how many records of a partition the group has before it.
func toConsume(p *inspect.PartitionLag) (float64, bool) {
	switch {
	case p.Lag != nil:
		return float64(*p.Lag), true
	case p.Uncommitted && p.Start != nil && p.End != nil:
		return float64(*p.End - *p.Start), true
	}
	return 0, false
}

func allZero(g assign.Group) bool {
	for i := range g.Topics {
		if slices.ContainsFunc(g.Topics[i].Weights, func(w float64) bool { return w != 0 }) {
			return false
		}
	}
	return true
}
