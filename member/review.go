package member

import (
	"fmt"

	"github.com/groupkit/groupkit/assign"
)

// validate holds what OnPlan returned to the rules of the group.
func (r *round) validate(target assign.Plan) error {
	if err := withholdsNothing(target); err != nil {
		return err
	}
	return r.reviewed().Validate(target)
}

// withholdsNothing: which partitions of a target have to wait is for the adapter to say,
// and what it knows nothing of it would never give out.
func withholdsNothing(target assign.Plan) error {
	if len(target.Withheld) > 0 {
		return fmt.Errorf("%w: it withholds %d partitions; return where they should end up, what has to wait for its owner is withheld afterwards",
			assign.ErrInvalidPlan, len(target.Withheld))
	}
	return nil
}

// reviewed returns the review of plans for r.group, which is not changed any more.
func (r *round) reviewed() *assign.Review {
	if r.review == nil {
		r.review = assign.NewReview(r.group)
	}
	return r.review
}

// reviewOfPresent is reviewed for the group without the places that are held.
func (r *round) reviewOfPresent() *assign.Review {
	if len(r.held) > 0 {
		return assign.NewReview(r.present())
	}
	return r.reviewed()
}
