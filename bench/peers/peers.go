// Package peers puts planners that run in Go behind one form: this library's, those of
// other clients, and the lag-based assignor.
package peers

import (
	"fmt"
	"runtime"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/wire"
)

// A Peer plans a group. Ready brings the group into the peer's own form of input, and
// is not measured. What it returns plans once, and is; what that returns turns the
// peer's own form of plan into an assignment, and is not.
type Peer struct {
	Name  string
	Ready func(assign.Group) (plan func() (convert func() assign.Assignment, err error), err error)
}

// The names of the peers.
const (
	BalancedCounts = "balanced, counts only" // IgnoreTopics and IgnoreRacks
	Balanced       = "balanced"
	Sticky         = "sticky"
	KgoSticky      = "kgo sticky"
	SaramaSticky   = "sarama sticky"
	Lag            = "lag-based greedy"
)

// All returns the peers.
func All() []Peer {
	return []Peer{
		ours(BalancedCounts, assign.Balanced{IgnoreTopics: true, IgnoreRacks: true}),
		ours(Balanced, assign.Balanced{}),
		ours(Sticky, assign.Sticky()),
		{KgoSticky, readyKgo},
		{SaramaSticky, readySarama},
		{Lag, readyLag},
	}
}

func ours(name string, a assign.Assignor) Peer {
	return Peer{name, func(g assign.Group) (func() (func() assign.Assignment, error), error) {
		return func() (func() assign.Assignment, error) {
			plan, err := a.Assign(g)
			return func() assign.Assignment { return plan.Assignment }, err
		}, nil
	}}
}

// Solve answers a problem for one of the assignors that it names.
func Solve(problem wire.Problem, name string) wire.Result {
	result := wire.Result{ID: problem.ID, Assignor: name}
	if err := solve(problem, &result); err != nil {
		result.Error = err.Error()
	}
	return result
}

func solve(problem wire.Problem, result *wire.Result) error {
	for _, peer := range All() {
		if peer.Name != result.Assignor {
			continue
		}
		begin := time.Now()
		rounds := problem.WarmUp + max(problem.Repeat, 1)
		inBudget := func() bool {
			return problem.BudgetMillis == 0 || time.Since(begin).Milliseconds() < problem.BudgetMillis
		}
		for len(result.ElapsedNs) == 0 || len(result.ElapsedNs) < rounds && inBudget() {
			plan, err := peer.Ready(problem.Group)
			if err != nil {
				return err
			}
			var before, after runtime.MemStats
			runtime.GC() // so that no run pays for the one before
			runtime.ReadMemStats(&before)
			start := time.Now()
			convert, err := plan()
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			if err != nil {
				return err
			}
			result.ElapsedNs = append(result.ElapsedNs, elapsed.Nanoseconds())
			result.Allocs, result.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
			result.Assignment = convert()
		}
		return nil
	}
	return fmt.Errorf("no peer %q", result.Assignor)
}
