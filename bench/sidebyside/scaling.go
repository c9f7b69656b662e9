package main

import (
	"context"
	"fmt"

	"github.com/groupkit/groupkit/bench/peers"
)

// scaling measures plans from scratch of one group that grows from 12,500 to 200,000
// partitions.
func scaling(ctx context.Context, quick bool, has func(peer, scenario string) bool, l limits) []measurement {
	var done []measurement
	members := 1000
	if quick {
		members = 100
	}
	for partitions := 12_500; partitions <= 200_000; partitions *= 2 {
		s := scenario{Name: fmt.Sprint(partitions), Members: members, Partitions: partitions, Topics: 100}
		if quick {
			s.Partitions /= 10
		}
		for _, c := range contestants {
			if c.assignor != peers.BalancedCounts && c.assignor != peers.Balanced && c.assignor != peers.KgoSticky {
				continue
			}
			if !has(c.Name, growth) {
				continue
			}
			planner, err := c.start()
			if err != nil {
				l.log("%s: %v", c.Name, err)
				continue
			}
			run := &running{scenario: s, contestant: c, limits: l, planner: planner}
			m, err := run.step(ctx, fromScratch)
			planner.Stop()
			if err != nil {
				m = measurement{Scenario: s.Name, Peer: c.Name, Step: fromScratch, NotMeasured: err.Error()}
			}
			l.log("%-40s %-32s %-24s %v %s", s, c.Name, "scaling", m.Median, m.NotMeasured)
			done = append(done, m)
		}
	}
	return done
}
