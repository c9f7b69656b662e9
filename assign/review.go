package assign

import (
	"maps"
	"slices"
)

// A Review answers what [Validate], [Measure] and [Withhold] do, of as many plans for
// one group as need be, and looks through the group only once. The group must not be
// changed meanwhile. A Review is for one goroutine at a time.
type Review struct {
	group   Group
	numbers *index // nil until it is asked for
	holders table  // who owns what; nil until it is asked for

	// The plan that Validate last looked at; its table is nil where it breaks the rules.
	valid    placement
	withheld int
}

// NewReview returns a Review of plans for g. It keeps g.
func NewReview(g Group) *Review { return &Review{group: g} }

// Assign returns the assignor's plan for the group, without topics of which a member gets
// no partition. It fails when the assignor does, or with the error of [Validate]; the plan
// is then the one that Validate last looked at.
//
// [Balanced], [Sticky] and [CooperativeSticky] take less time than by themselves: they begin
// with what the Review has found out about the group, who owns what above all, and what
// they plan is held to the rules by number.
func (r *Review) Assign(a Assignor) (Plan, error) {
	r.valid = placement{}
	solve := solverOf(a)
	if solve == nil {
		plan, err := a.Assign(r.group)
		// It may keep its lists, and change them in the next round: what members are
		// known to own must not change with them.
		plan = plan.Clone()
		if err == nil {
			err = r.Validate(plan)
		}
		if r.valid.hollow {
			plan, r.valid.hollow = solid(plan), false
		}
		return plan, err
	}
	if err := r.group.check(r.index()); err != nil {
		return Plan{}, err
	}
	solved, err := solve(r.index(), r.owned().clone())
	if err != nil {
		return Plan{}, err
	}
	placed, plan := solved.table(), solved.plan()
	if !r.index().complete(placed) {
		return plan, r.Validate(plan) // which tells what is wrong
	}
	r.valid, r.withheld = placement{table: placed, exact: true}, 0
	return plan, nil
}

// solid returns the plan without topics of which a member is given no partition. The plan
// given stays as it is.
func solid(plan Plan) Plan {
	hollow := func(tp TopicPartitions) bool { return len(tp.Partitions) == 0 }
	plan.Assignment = maps.Clone(plan.Assignment)
	for id, list := range plan.Assignment {
		if slices.ContainsFunc(list, hollow) {
			plan.Assignment[id] = slices.DeleteFunc(slices.Clone(list), hollow)
		}
	}
	return plan
}

// Validate tells whether the plan keeps to the rules of the group; see [Validate].
func (r *Review) Validate(plan Plan) error {
	r.valid = placement{}
	if placed := r.index().place(plan); placed.exact {
		r.valid, r.withheld = placed, len(plan.Withheld)
		return nil // without a look at each partition by name
	}
	if violations := r.index().violations(r.group.Topics, plan); len(violations) > 0 {
		return &PlanError{violations}
	}
	return nil
}

// Measure returns the stats of the plan; see [Measure].
func (r *Review) Measure(plan Plan) Stats { return r.index().measure(plan, r.owned()) }

// MeasureValid returns the stats of the plan that Validate last looked at, as it was
// then; false when that broke the rules, or there was none. It takes less time than
// Measure. Of what [Withhold] makes of that plan, only Stats.Withheld differs.
func (r *Review) MeasureValid() (Stats, bool) {
	if r.valid.table == nil {
		return Stats{}, false
	}
	return r.index().measureTable(r.valid.table, r.owned(), r.withheld), true
}

// Withhold returns what may be sent of the target in this round; see [Withhold].
func (r *Review) Withhold(target Plan) Plan { return r.index().withhold(target, r.owned(), nil, 0) }

// WithholdValid is Withhold for the plan that Validate last looked at, or a copy of it. It
// takes less time, for it looks only at members that are given what another one owns.
func (r *Review) WithholdValid(target Plan) Plan {
	if r.valid.table == nil || r.valid.hollow {
		return r.Withhold(target)
	}
	waiting, partitions := make([]bool, len(r.index().members)), 0
	for t, owners := range r.owned() {
		placed := r.valid.table[t]
		for p, owner := range owners {
			if owner != placed[p] && owner != unassigned {
				waiting[placed[p]] = true
				partitions++
			}
		}
	}
	return r.index().withhold(target, r.owned(), waiting, partitions)
}

// index numbers members and topics.
func (r *Review) index() *index {
	if r.numbers == nil {
		r.numbers = newIndex(r.group)
	}
	return r.numbers
}

// owned tells who owns what.
func (r *Review) owned() table {
	if r.holders == nil {
		r.holders = r.index().owned()
	}
	return r.holders
}
