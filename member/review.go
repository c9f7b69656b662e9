package member

import (
	"fmt"
	"sync"

	"github.com/groupkit/groupkit/assign"
)

// validate holds a target to the rules of the group. A target withholds nothing: which
// partitions have to wait is for the adapter to say, and what it knows nothing of it
// would never give out.
func (r *round) validate(target assign.Plan) error {
	if len(target.Withheld) > 0 {
		return fmt.Errorf("%w: it withholds %d partitions; return where they should end up, what has to wait for its owner is withheld afterwards",
			assign.ErrInvalidPlan, len(target.Withheld))
	}
	review := r.reviewed()
	if r.protocol.cooperative() || r.unrevoked { // what is owned is asked for next
		var owned sync.WaitGroup
		defer owned.Wait()
		owned.Go(review.Prepare)
	}
	return review.Validate(target)
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
