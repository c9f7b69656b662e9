package assign

// LimitMoves returns an assignor of the same name that goes towards a's target by at most
// so many moves in one plan, those from the fullest members first; later plans go on from
// there. An assignor whose target does not depend on what is owned, such as [Range], is
// reached after as many plans as its moves take; until then counts can be further apart
// than in either. Partitions that nobody owns go where the target has them, and those of
// owners that do not subscribe any more or drain move in any case and are not counted.
//
// Most must be at least 1. [Balanced] has MaxMoves, which heeds its constraints too. A plan
// of a that breaks the rules of the group ([Validate]) is returned as it is.
func LimitMoves(a Assignor, most int) Assignor {
	return New(a.Name(), func(g Group) (Plan, error) {
		plan, err := a.Assign(g)
		if err != nil || len(plan.Withheld) > 0 || Validate(g, plan) != nil {
			return plan, err
		}
		p := newProblem(g, &Balanced{})
		for id, list := range plan.Assignment {
			m := int32(p.ix.memberNumber[id])
			for _, tp := range list {
				for _, n := range tp.Partitions {
					p.placed[p.ix.topicNumber[tp.Topic]][n] = m
				}
			}
		}
		p.limitMoves(max(most, 1), p.uniform(), true)
		p.unmet = nil
		limited := p.plan()
		limited.Unmet = plan.Unmet
		return limited, nil
	})
}
