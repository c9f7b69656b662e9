package assign

import (
	"errors"
	"fmt"
	"math"
)

// ErrUnsettled is what [Settle] returns where partitions are still withheld in the last
// round that it may play.
var ErrUnsettled = errors.New("the group has not settled")

// Settle plays the rounds of a cooperative group (KIP-429) until none of the target's
// partitions is withheld, and returns the plan of the last round and how many rounds there
// were: 1 when nothing had to be withheld. In each round members get what [Withhold]
// leaves them, give up what they were not given, and claim what they then have in a
// generation higher by one. All members take part, and none comes or goes.
//
// a is asked once: a round that only gives out what the one before withheld sends the
// same target again, which is how a leader of package member goes about it. Two rounds
// are therefore enough for every assignor that returns the target.
//
// limit is the most rounds to play; at most 0 means 10. Where partitions are then still
// withheld, as they are for ever where the target itself withholds some, the plan of
// the last round comes with an error that wraps [ErrUnsettled]. Settle also fails when a
// does, and when its plan breaks the rules of g (a [*PlanError]); rounds is then 0. g is
// not modified.
func Settle(g Group, a Assignor, limit int) (plan Plan, rounds int, err error) {
	if limit <= 0 {
		limit = 10
	}
	target, err := a.Assign(g)
	if err != nil {
		return Plan{}, 0, fmt.Errorf("assignor %q made no plan: %w", a.Name(), err)
	}
	if err := Validate(g, target); err != nil {
		return Plan{}, 0, fmt.Errorf("assignor %q: %w", a.Name(), err)
	}
	for rounds < limit {
		rounds++
		plan = Withhold(g, target)
		plan.Unmet = target.Unmet
		if len(plan.Withheld) == 0 {
			return plan, rounds, nil
		}
		g = g.adopt(plan)
	}
	first := plan.Withheld[0]
	return plan, rounds, fmt.Errorf("%w: %d partitions are withheld in round %d, such as %s[%d] from %s; allow more rounds, or look at an assignor that withholds by itself",
		ErrUnsettled, len(plan.Withheld), rounds, first.Topic, first.Partition, first.Member)
}

// adopt returns g as it is in the next round: every member claims what the plan gave it,
// in the generation after all others. It shares all but the claims with g.
func (g Group) adopt(plan Plan) Group {
	generation := int32(0)
	for i := range g.Members {
		generation = max(generation, g.Members[i].Generation)
	}
	if generation < math.MaxInt32 {
		generation++
	}
	members := make([]Member, len(g.Members))
	for i, m := range g.Members {
		m.Owned, m.Generation = plan.Assignment[m.ID], generation
		members[i] = m
	}
	return Group{Members: members, Topics: g.Topics}
}
