package predict

import (
	"fmt"
	"slices"
)

// Rolling is what becomes of a cluster in a rolling restart. The outcome is that of all
// rounds together, when everybody is back.
type Rolling struct {
	Outcome
	// Rounds are in the order of the steps.
	Rounds []Round `json:"rounds,omitempty"`
}

// Round is one round of a rolling restart.
type Round struct {
	// Nodes are those that go down in this round.
	Nodes []int32 `json:"nodes"`
	// Outcome is what the cluster is like while they are down, against what it was
	// like before the round.
	Outcome
}

// Roll says what a rolling restart does. Each step takes nodes down, by [Stop], [Crash],
// [StopRacks] or [CrashRacks]; they come back, and the cluster is at rest, before the next.
// Nodes that are down before their round stay down, and are among Idle.
//
// It panics for steps of other kinds; errors are those of [Run].
func Roll(c Cluster, steps ...Step) (Rolling, error) {
	r := Rolling{Rounds: []Round{}}
	var all []Step
	idle := []Idle{}
	now := c
	for i, step := range steps {
		if step.kind != crash && step.kind != stop {
			panic("predict: in a rolling restart nodes go down")
		}
		step, err := newSimulation(now).resolve(step)
		if err != nil {
			return Rolling{}, fmt.Errorf("round %d: %w", i+1, err)
		}
		step.racks = nil // whose brokers are among the nodes
		while, err := Run(now, step)
		if err != nil {
			return Rolling{}, err
		}
		step.nodes = slices.DeleteFunc(slices.Clone(step.nodes), func(node int32) bool {
			return slices.ContainsFunc(while.Idle, func(idle Idle) bool { return idle.Node == node })
		})
		all = append(all, step, Return(step.nodes...))
		r.Rounds = append(r.Rounds, Round{Nodes: append([]int32{}, step.nodes...), Outcome: while})
		for _, one := range while.Idle {
			idle = append(idle, Idle{Step: i + 1, Node: one.Node, Down: one.Down})
		}
		back, err := Run(while.After, Return(step.nodes...))
		if err != nil {
			return Rolling{}, err
		}
		now = back.After
	}
	end, err := Run(c, all...)
	if err != nil {
		return Rolling{}, err
	}
	r.Outcome, r.Idle = end, idle
	return r, nil
}
