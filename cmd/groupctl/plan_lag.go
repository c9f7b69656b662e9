package main

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
)

// lag makes each partition as heavy as the group lags in it, in records: from what it
// committed, or where it committed nothing from the start of the log, to the end. A
// partition of which the lag is not known weighs the median of its topic.
func (r *groupReader) lag(ctx context.Context, g *liveGroup) bool {
	admin := kadm.NewClient(r.client)
	var names []string
	for i := range g.problem.Topics {
		if g.problem.Topics[i].Partitions > 0 {
			names = append(names, g.problem.Topics[i].Name)
		}
	}
	if len(names) == 0 {
		return true
	}
	committed, err := r.committed(ctx, admin, g.seen.Group)
	if err != nil {
		r.errors = append(r.errors, requestProblem(err, "group", "read the offsets that the group committed"))
		return false
	}
	ends, err := r.logEnds(ctx, names, g.leaders)
	if err != nil && len(ends[logStart])+len(ends[logEnd]) == 0 {
		r.errors = append(r.errors, requestProblem(err, "topic", "read where the logs of the topics start and end"))
		return false
	}
	for i := range g.problem.Topics {
		t := &g.problem.Topics[i]
		lags, unknown := make([]float64, t.Partitions), []int32{}
		var known []float64
		for p := range t.Partitions {
			key := partitionKey{t.Name, p}
			at, hasCommitted := committed.Lookup(t.Name, p)
			if !ends.knows(key) || hasCommitted && at.Err != nil {
				unknown = append(unknown, p)
				continue
			}
			from := ends[logStart][key]
			if hasCommitted && at.At >= 0 {
				from = max(from, at.At)
			}
			lags[p] = float64(max(ends[logEnd][key]-from, 0))
			known = append(known, lags[p])
		}
		if len(unknown) > 0 {
			median := 1.0
			if slices.Sort(known); len(known) > 0 {
				median = known[len(known)/2]
			}
			for _, p := range unknown {
				lags[p] = median
			}
			r.warn(inspect.CodeNoLeader, t.Name, "the lag in %d partitions of the topic %q is not known, such as in %d, which has no leader or whose broker did not tell; they are planned for with the median of the topic", len(unknown), t.Name, unknown[0])
		}
		t.Weights = lags
	}
	if allZero(g.problem) {
		r.warn(codeNotPlannable, g.seen.Group, "the group %q lags nowhere, so partitions are counted instead of weighed", g.seen.Group)
		for i := range g.problem.Topics {
			g.problem.Topics[i].Weights = nil
		}
	}
	return true
}

// committed reads what the group committed, with some time left for what comes after.
func (r *groupReader) committed(ctx context.Context, admin *kadm.Client, group string) (kadm.OffsetResponses, error) {
	ctx, cancel := share(ctx, 0.5)
	defer cancel()
	return await(ctx, func() (kadm.OffsetResponses, error) { return admin.FetchOffsets(ctx, group) })
}

func allZero(g assign.Group) bool {
	for i := range g.Topics {
		if slices.ContainsFunc(g.Topics[i].Weights, func(w float64) bool { return w != 0 }) {
			return false
		}
	}
	return true
}
