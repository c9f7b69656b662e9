package assign

// A Review answers what [Validate], [Measure] and [Withhold] do, of as many plans for
// one group as need be, and looks through the group only once. The group must not be
// changed meanwhile. A Review is for one goroutine at a time.
type Review struct {
	group   Group
	ix      *index
	holders table // who owns what; nil until it is asked for
}

// NewReview returns a Review of plans for g. It keeps g.
func NewReview(g Group) *Review { return &Review{group: g, ix: newIndex(g)} }

// Validate tells whether the plan keeps to the rules of the group; see [Validate].
func (r *Review) Validate(plan Plan) error {
	if _, exact := r.ix.place(plan); exact {
		return nil // without a look at each partition by name
	}
	if violations := r.ix.violations(r.group.Topics, plan); len(violations) > 0 {
		return &PlanError{violations}
	}
	return nil
}

// Measure returns the stats of the plan; see [Measure].
func (r *Review) Measure(plan Plan) Stats { return r.ix.measure(plan, r.owned()) }

// Withhold returns what may be sent of the target in this round; see [Withhold].
func (r *Review) Withhold(target Plan) Plan { return r.ix.withhold(target, r.owned()) }

func (r *Review) owned() table {
	if r.holders == nil {
		r.holders = r.ix.owned()
	}
	return r.holders
}
