package offline

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/groupkit/groupkit/assign"
)

// Stats are the stats of a plan, and what it took to make.
type Stats struct {
	// ElapsedNs is how long the assignor took, in nanoseconds; reading,
	// checking and measuring are not in it.
	ElapsedNs int64 `json:"elapsedNs"`
	assign.Stats
}

// An Outcome is what one assignor made of a problem.
type Outcome struct {
	// Assignment is the target: where every partition should end up, which is
	// what an eager group gets at once.
	Assignment assign.Assignment `json:"assignment"`
	Stats      Stats             `json:"stats"`

	// Unmet are the constraints that could not be kept; never nil.
	Unmet []assign.Unmet `json:"unmet"`

	// Settled is what a cooperative group has after Rounds rounds, see
	// [assign.Settle]; nil and 0 unless Solver.Settle is set.
	Settled assign.Assignment `json:"settled,omitzero"`
	Rounds  int               `json:"rounds,omitempty"`
}

// A Result is one line of output: of Results, by assignor, and Err one is nil.
type Result struct {
	ID      *string // nil where it could not be read
	Results map[string]Outcome
	Err     error
}

// MarshalJSON writes the result as a line, without the line's end. Maps are sorted, so
// that the same result gives the same bytes, but for the time taken.
func (r Result) MarshalJSON() ([]byte, error) { return json.Marshal(r.line()) }

func (r Result) line() any {
	if r.Err != nil {
		return struct {
			ID    *string `json:"id"`
			Error string  `json:"error"`
		}{r.ID, r.Err.Error()}
	}
	return struct {
		ID      *string            `json:"id"`
		Results map[string]Outcome `json:"results"`
	}{r.ID, r.Results}
}

// A Solver makes results of problems. The zero value is ready to use, by any number of
// goroutines at once.
type Solver struct {
	// Settle plays the rounds of a cooperative group too.
	Settle bool
}

// Solve asks every assignor that p names, once each, on the goroutine of the caller. Every
// plan was held to the rules of the group ([assign.Validate]). It fails when p does not
// pass its Check, and when an assignor fails or panics, as a whole.
func (s Solver) Solve(p Problem) (map[string]Outcome, error) {
	if err := p.Check(); err != nil {
		return nil, oneLine(err)
	}
	return s.solve(p)
}

func (s Solver) solve(p Problem) (map[string]Outcome, error) {
	results := make(map[string]Outcome)
	for _, name := range p.assignors() {
		if _, done := results[name]; done {
			continue
		}
		outcome, err := s.ask(name, p)
		if err != nil {
			return nil, fmt.Errorf("assignor %q: %w", name, oneLine(err))
		}
		results[name] = outcome
	}
	return results, nil
}

func (s Solver) ask(name string, p Problem) (Outcome, error) {
	a, err := Build(name, p.Options)
	if err != nil {
		return Outcome{}, err
	}
	return s.plan(a, p.Group)
}

func (s Solver) plan(a assign.Assignor, g assign.Group) (outcome Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked: %v", v)
		}
	}()
	start := time.Now()
	plan, err := a.Assign(g)
	elapsed := time.Since(start)
	if err != nil {
		return Outcome{}, err
	}
	if err := assign.Validate(g, plan); err != nil {
		return Outcome{}, err
	}
	outcome = Outcome{
		Assignment: plan.Assignment,
		Stats:      Stats{elapsed.Nanoseconds(), assign.Measure(g, plan)},
		Unmet:      append([]assign.Unmet{}, plan.Unmet...),
	}
	if s.Settle {
		planned := assign.New(a.Name(), func(assign.Group) (assign.Plan, error) { return plan, nil })
		settled, rounds, err := assign.Settle(g, planned, 0)
		if err != nil {
			return Outcome{}, err
		}
		outcome.Settled, outcome.Rounds = settled.Assignment, rounds
	}
	return outcome, nil
}
