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
	failed := func(err error, target, doing string) bool {
		if err != nil {
			r.errors = append(r.errors, requestProblem(err, target, doing))
		}
		return err != nil
	}
	committed, err := admin.FetchOffsets(ctx, g.seen.Group)
	if failed(err, "group", "read the offsets that the group committed") {
		return false
	}
	start, err := admin.ListStartOffsets(ctx, names...)
	if failed(err, "topic", "read where the logs of the topics start") {
		return false
	}
	end, err := admin.ListEndOffsets(ctx, names...)
	if failed(err, "topic", "read where the logs of the topics end") {
		return false
	}
	for i := range g.problem.Topics {
		t := &g.problem.Topics[i]
		lags, unknown := make([]float64, t.Partitions), []int32{}
		var known []float64
		for p := range t.Partitions {
			first, ok := start.Lookup(t.Name, p)
			last, ok2 := end.Lookup(t.Name, p)
			if !ok || !ok2 || first.Err != nil || last.Err != nil {
				unknown = append(unknown, p)
				continue
			}
			from := first.Offset
			if at, ok := committed.Lookup(t.Name, p); ok && at.Err == nil && at.At >= 0 {
				from = max(from, at.At)
			}
			lags[p] = float64(max(last.Offset-from, 0))
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
			r.warn(inspect.CodeNoLeader, t.Name, "the lag in %d partitions of the topic %q is not known, such as in %d; they are planned for with the median of the topic", len(unknown), t.Name, unknown[0])
		}
		t.Weights = lags
	}
	if allZero(g.problem) {
		r.warn(codeNotPlannable, g.seen.Group, "the group %q lags nowhere, so partitions are counted instead of weighed", g.seen.Group)
	}
	return true
}

func allZero(g assign.Group) bool {
	for i := range g.Topics {
		if slices.ContainsFunc(g.Topics[i].Weights, func(w float64) bool { return w != 0 }) {
			return false
		}
	}
	return true
}
