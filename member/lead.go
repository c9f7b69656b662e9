package member

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTermDone, returned by Lead, alone or wrapped, says that its work is done for this
// term. It is not called again before the next one, and EventLeadDone tells so. The term
// goes on: this member stays the leader, and no other one's Lead begins. The next term, of
// this member or another, begins its work anew.
var ErrTermDone = errors.New("the work is done for this term")

// errTermGoesOn is what is wrong with a Lead that returns nil while its term is on. It
// may be work that ended by mistake, of which nobody would hear if nil were taken for done.
var errTermGoesOn = errors.New("the call of Lead returned nil while its term is on; have it go on until its context ends, or return member.ErrTermDone where its work is done")

// work calls lead, again whenever it returns, until the term ends or lead says that it is
// done for it. What comes of it is told, but for the return that the end of the term
// brings about.
func (t *term) work(lead func(context.Context, Term) error, tell func(Event)) {
	ctx := leadContext{t.ctx, t.lease}
	var done error
	restarting(ctx, "Lead", func() error {
		err := lead(ctx, t.Term)
		switch {
		case errors.Is(err, ErrTermDone):
			done = err
			return nil
		case err == nil:
			return errTermGoesOn
		}
		return err
	}, func(err error, wait time.Duration) {
		tell(Event{Kind: EventLeadFailed, Err: err, Reason: fmt.Sprintf("it is called again in %s", wait)})
	})
	if done != nil && ctx.Err() == nil {
		tell(Event{Kind: EventLeadDone, Err: done})
	}
}
