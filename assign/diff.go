package assign

import (
	"cmp"
	"slices"
)

// A Move is a partition whose member changes.
type Move struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      string `json:"from,omitempty"` // empty when nobody had it
	To        string `json:"to,omitempty"`   // empty when nobody gets it
}

// Diff returns what changes from one assignment to another, by topic and partition.
// Compare a plan with what is owned by Diff(g.Ownership(), plan.Assignment).
func Diff(before, after Assignment) []Move {
	from, to := before.Owners(), after.Owners()
	var moves []Move
	for topic, members := range from {
		for p, member := range members {
			if now := to[topic][p]; now != member {
				moves = append(moves, Move{topic, p, member, now})
			}
		}
	}
	for topic, members := range to {
		for p, member := range members {
			if _, had := from[topic][p]; !had {
				moves = append(moves, Move{topic, p, "", member})
			}
		}
	}
	slices.SortFunc(moves, func(l, r Move) int {
		return cmp.Or(cmp.Compare(l.Topic, r.Topic), cmp.Compare(l.Partition, r.Partition))
	})
	return moves
}
