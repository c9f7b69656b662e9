package explain

import (
	"cmp"
	"slices"
	"time"
)

// finding is a verdict in the making. The rebalances that it accounts for point to it, so
// that none counts twice.
type finding struct{ Verdict }

func find(cause Cause, sure Sureness, do string) *finding {
	return &finding{Verdict{Cause: cause, Sure: sure, Do: do}}
}

// takes has it account for those of some rounds for which nothing does yet.
func (f *finding) takes(rounds ...*round) {
	for _, r := range rounds {
		if r != nil && r.by == nil {
			r.by = f
			f.Explains++
		}
	}
}

func (v *Verdict) quote(at time.Time, source Source, text string) {
	v.Evidence = append(v.Evidence, Evidence{At: at.UTC(), Source: source, Text: text})
}

// inOrder puts findings in order: most likely first, then those that tell of most rebalances.
func inOrder(all []*finding) {
	slices.SortStableFunc(all, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(a.Sure.rank(), b.Sure.rank()), cmp.Compare(max(b.Explains, b.Prolongs), max(a.Explains, a.Prolongs)))
	})
}

// mostTimes is how many times of rebalances an account has.
const mostTimes = 20

// accounts counts the rounds of each finding, in their order; then those with which nothing
// is wrong, where no verdict says that; then those that nothing accounts for.
func (h *history) accounts(all []*finding) []Account {
	accounts := []Account{}
	add := func(by *finding, of Account) {
		for _, r := range h.rounds {
			if r.by == by {
				of.Rebalances++
				of.At = append(of.At, r.at.UTC())
			}
		}
		if of.Rebalances == 0 {
			return
		}
		slices.SortFunc(of.At, time.Time.Compare)
		if n := len(of.At); n > mostTimes {
			of.At = slices.Concat(of.At[:mostTimes/2], of.At[n-mostTimes/2:])
		}
		accounts = append(accounts, of)
	}
	ordinary, rest := Account{Cause: Fine}, Account{Cause: Unexplained}
	for i, f := range all {
		switch f.Cause {
		case Fine, Empty:
			ordinary.Verdict = &i
		case Unexplained:
			rest.Verdict = &i
		default:
			add(f, Account{Cause: f.Cause, Verdict: &i})
		}
	}
	add(h.ordinary, ordinary)
	add(nil, rest)
	return accounts
}
