package assign

// A Review answers what [Validate], [Measure] and [Withhold] do, of as many plans for
// one group as need be, and looks through the group only once. The group must not be
// changed meanwhile. A Review is for one goroutine at a time, but that Prepare may be
// called while another validates.
type Review struct {
	group   Group
	ix      *index
	holders table // who owns what; nil until it is asked for

	// The plan that Validate last looked at; its table is nil where it breaks the rules.
	valid    placement
	withheld int
}

// NewReview returns a Review of plans for g. It keeps g.
func NewReview(g Group) *Review { return &Review{group: g, ix: newIndex(g)} }

// Validate tells whether the plan keeps to the rules of the group; see [Validate].
func (r *Review) Validate(plan Plan) error {
	r.valid = placement{}
	if placed := r.ix.place(plan); placed.exact {
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
	if r.valid.table == nil {
		return Stats{}, false
	}
	return r.ix.measureTable(r.valid.table, r.owned(), r.withheld), true
}

// Withhold returns what may be sent of the target in this round; see [Withhold].
func (r *Review) Withhold(target Plan) Plan { return r.ix.withhold(target, r.owned(), nil) }

// WithholdValid is Withhold for the plan that Validate last looked at, or a copy of it. It
// takes less time, for it looks only at members that are given what another one owns.
func (r *Review) WithholdValid(target Plan) Plan {
	if r.valid.table == nil || r.valid.hollow {
		return r.Withhold(target)
	}
	waiting := make([]bool, len(r.ix.members))
	for t, owners := range r.owned() {
		placed := r.valid.table[t]
		for p, owner := range owners {
			if owner != placed[p] && owner != unassigned {
				waiting[placed[p]] = true
			}
		}
	}
	return r.ix.withhold(target, r.owned(), waiting)
}

// Prepare finds out who owns what. What needs that finds it out by itself otherwise, when
// it is first called; so Prepare is for a goroutine that has nothing better to do.
func (r *Review) Prepare() { r.owned() }

func (r *Review) owned() table {
	if r.holders == nil {
		r.holders = r.ix.owned()
	}
	return r.holders
}
