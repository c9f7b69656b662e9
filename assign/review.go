package assign

// A Review answers what [Validate], [Measure] and [Withhold] do, of as many plans for
// one group as need be, and looks through the group only once. The group must not be
// changed meanwhile. A Review is for one goroutine at a time.
type Review struct {
	group   Group
	ix      *index
	holders table // who owns what; nil until it is asked for

	// The plan that Validate last looked at; nil where it breaks the rules.
	valid    table
	withheld int
}

// NewReview returns a Review of plans for g. It keeps g.
func NewReview(g Group) *Review { return &Review{group: g, ix: newIndex(g)} }

// Validate tells whether the plan keeps to the rules of the group; see [Validate].
func (r *Review) Validate(plan Plan) error {
	r.valid = nil
	if placed, exact := r.ix.place(plan); exact {
		r.valid, r.withheld = placed, len(plan.Withheld)
		return nil // without a look at each partition by name
	}
	if violations := r.ix.violations(r.group.Topics, plan); len(violations) > 0 {
		return &PlanError{violations}
	}
	return nil
}

// Measure returns the stats of the plan; see [Measure].
func (r *Review) Measure(plan Plan) Stats { return r.ix.measure(plan, r.owned()) }

// MeasureValid returns the stats of the plan that Validate last looked at, as it was
// then; false when that broke the rules, or there was none. It takes less time than
// Measure. Of what [Withhold] makes of that plan, only Stats.Withheld differs.
func (r *Review) MeasureValid() (Stats, bool) {
	if r.valid == nil {
		return Stats{}, false
	}
	return r.ix.measureTable(r.valid, r.owned(), r.withheld), true
}

// Withhold returns what may be sent of the target in this round; see [Withhold].
func (r *Review) Withhold(target Plan) Plan { return r.ix.withhold(target, r.owned()) }

// WithholdValid is Withhold for the plan that Validate last looked at, or a copy of it. It
// takes less time where all members keep what they own.
func (r *Review) WithholdValid(target Plan) Plan {
	if r.valid != nil && r.ix.keepsClaims(r.valid) {
		return r.ix.withhold(target, nil)
	}
	return r.Withhold(target)
}

func (r *Review) owned() table {
	if r.holders == nil {
		r.holders = r.ix.owned()
	}
	return r.holders
}
