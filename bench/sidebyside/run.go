package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/oracle"
	"github.com/groupkit/groupkit/bench/peers"
	"github.com/groupkit/groupkit/bench/wire"
)

// The steps of a scenario.
const (
	fromScratch = "from scratch"
	oneLeaves   = "one leaves"
	oneJoins    = "one joins"
	rolling     = "rolling restart of ten"
)

var steps = []string{fromScratch, oneLeaves, oneJoins, rolling}

// A contestant is a peer in a process of its own.
type contestant struct {
	Name     string // in the report
	assignor string // in the process
	java     bool
	byWeight bool // heeds weights
}

// contestants has the slow ones last, so that a run that is short of time has the
// figures that matter.
var contestants = []contestant{
	{Name: "groupkit balanced, counts only", assignor: peers.BalancedCounts, byWeight: true},
	{Name: "groupkit balanced", assignor: peers.Balanced, byWeight: true},
	{Name: "groupkit sticky", assignor: peers.Sticky},
	{Name: "kgo sticky", assignor: peers.KgoSticky},
	{Name: "lag-based greedy", assignor: peers.Lag, byWeight: true},
	{Name: "Java sticky", assignor: oracle.Sticky, java: true},
	{Name: "Java cooperative-sticky", assignor: oracle.CooperativeSticky, java: true},
	{Name: "sarama sticky", assignor: peers.SaramaSticky},
}

// A measurement is what one contestant did in one step of one scenario.
type measurement struct {
	Scenario, Peer, Step string

	// NotMeasured says why there are no figures; empty where there are.
	NotMeasured string `json:",omitempty"`

	Runs    int           // that Median is of
	Median  time.Duration // of the runs that are warm; of all rounds together in the rolling restart
	Min     time.Duration
	Max     time.Duration
	Cold    time.Duration // the first call in the process
	Allocs  uint64        // Go only
	Bytes   uint64
	Output  uint64 // what the plan itself takes, see outputBytes
	Stats   assign.Stats
	Weight  float64 // of all partitions
	Squares float64 // sum of the squares of the members' counts: the lower, the more even
}

// limits bound a run.
type limits struct {
	deadline time.Time     // of everything
	cutOff   time.Duration // of one question to a contestant
	repeat   int
	budget   time.Duration // for repetitions of one step
	log      func(format string, args ...any)
}

// start starts the contestant's process.
func (c contestant) start() (*wire.Planner, error) {
	if c.java {
		return oracle.Start()
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return wire.Start(exec.Command(self, "-worker"))
}

// compete runs a contestant through all steps of a scenario.
func compete(ctx context.Context, s scenario, c contestant, l limits) []measurement {
	var done []measurement
	note := func(step, why string) {
		l.log("%-40s %-32s %-24s %s", s, c.Name, step, why)
		done = append(done, measurement{Scenario: s.Name, Peer: c.Name, Step: step, NotMeasured: why})
	}
	planner, err := c.start()
	if err != nil {
		note(fromScratch, err.Error())
		return done
	}
	defer planner.Stop()
	run := &running{scenario: s, contestant: c, limits: l, planner: planner}
	for _, step := range steps {
		if step != fromScratch && s.Weights != nil && !c.byWeight {
			break // it is as with equal weights
		}
		if step == rolling {
			if one := done[len(done)-1].Median; 20*one > l.cutOff {
				note(step, fmt.Sprintf("not run: twenty plans of %s", duration(one)))
				break
			}
		}
		m, err := run.step(ctx, step)
		if err != nil {
			note(step, err.Error())
			return done
		}
		l.log("%-40s %-32s %-24s %v", s, c.Name, step, m.Median)
		done = append(done, m)
	}
	return done
}

type running struct {
	scenario
	contestant
	limits
	planner *wire.Planner
	settled assign.Group // the group that runs the plan from scratch
}

func (r *running) step(ctx context.Context, step string) (measurement, error) {
	switch step {
	case fromScratch:
		g := r.group()
		m, plan, err := r.measure(ctx, step, g, 15)
		r.settled = owning(g, plan, 1)
		return m, err
	case oneLeaves:
		g, _ := without(r.settled, r.Members/2)
		m, _, err := r.measure(ctx, step, g, 3)
		return m, err
	case oneJoins:
		g := joined(r.settled, r.settled.Members[r.Members/2], "member-new")
		m, _, err := r.measure(ctx, step, g, 3)
		return m, err
	}
	return r.roll(ctx)
}

// measure has the contestant plan g several times.
func (r *running) measure(ctx context.Context, step string, g assign.Group, warmUp int) (measurement, assign.Assignment, error) {
	repeat := r.repeat
	if !r.java {
		warmUp, repeat = 1, 2*r.repeat+1 // shorter, and so more easily disturbed
	}
	result, err := r.ask(ctx, wire.Problem{
		ID: step, Group: g, Assignors: []string{r.assignor}, WarmUp: warmUp, Repeat: repeat, BudgetMillis: r.budget.Milliseconds(),
	})
	if err != nil {
		return measurement{}, nil, err
	}
	target, err := r.target(ctx, g, result.Assignment)
	if err != nil {
		return measurement{}, nil, err
	}
	// Where time was up before all was warm, the later half has to do.
	warm := result.ElapsedNs[min(warmUp, len(result.ElapsedNs)/2):]
	slices.Sort(warm)
	m := r.describe(step, g, target)
	m.Runs, m.Median, m.Min, m.Max = len(warm), time.Duration(warm[len(warm)/2]), time.Duration(warm[0]), time.Duration(warm[len(warm)-1])
	m.Allocs, m.Bytes = result.Allocs, result.Bytes
	if step == fromScratch {
		m.Cold = time.Duration(result.ElapsedNs[0])
	}
	return m, target, nil
}

// roll restarts ten members one after the other: each leaves, a plan is made, it comes
// back under another id, and a plan is made. Times and moves are those of all twenty
// plans together.
func (r *running) roll(ctx context.Context) (measurement, error) {
	g, total, last := r.settled, measurement{}, assign.Assignment(nil)
	round := func(next assign.Group, generation int32) error {
		result, err := r.ask(ctx, wire.Problem{ID: rolling, Group: next, Assignors: []string{r.assignor}})
		if err != nil {
			return err
		}
		target, err := r.target(ctx, next, result.Assignment)
		if err != nil {
			return err
		}
		stats := assign.Measure(next, assign.Plan{Assignment: target})
		total.Median += time.Duration(result.ElapsedNs[0])
		total.Allocs += result.Allocs
		total.Bytes += result.Bytes
		total.Stats.MovedPartitions += stats.MovedPartitions
		total.Stats.MovedWeight += stats.MovedWeight
		g, last = owning(next, target, generation), target
		return nil
	}
	for i := range 10 {
		n := i * r.Members / 10
		next, left := without(g, n)
		if err := round(next, int32(2*i+2)); err != nil {
			return measurement{}, err
		}
		next = joined(g, left, fmt.Sprintf("member-again-%02d", i))
		// The restarted member takes the place of the old one, so that the next
		// to restart is another.
		next.Members = slices.Insert(next.Members[:len(next.Members)-1], n, next.Members[len(next.Members)-1])
		if err := round(next, int32(2*i+3)); err != nil {
			return measurement{}, err
		}
	}
	m := r.describe(rolling, g, last)
	m.Runs, m.Median, m.Min, m.Max, m.Allocs, m.Bytes = 1, total.Median, total.Median, total.Median, total.Allocs, total.Bytes
	m.Stats.MovedPartitions, m.Stats.MovedWeight = total.Stats.MovedPartitions, total.Stats.MovedWeight
	return m, nil
}

// ask puts a problem to the contestant and cuts it off in time.
func (r *running) ask(ctx context.Context, p wire.Problem) (wire.Result, error) {
	cutOff := min(r.cutOff, time.Until(r.deadline))
	if cutOff <= 0 {
		return wire.Result{}, errors.New("not run: the time for the whole run was up")
	}
	ctx, cancel := context.WithTimeout(ctx, cutOff)
	defer cancel()
	results, err := r.planner.Ask(ctx, p)
	switch {
	case err == nil:
		return results[0], nil
	case ctx.Err() != nil && cutOff < r.cutOff:
		return wire.Result{}, errors.New("not finished: the time for the whole run was up")
	case ctx.Err() != nil:
		return wire.Result{}, fmt.Errorf("cut off after %.0f s", cutOff.Seconds())
	case errors.Is(err, io.EOF):
		return wire.Result{}, errors.New("its process ended, most likely out of memory")
	}
	return wire.Result{}, err
}

// target completes the plan of a cooperative assignor, which leaves out partitions that
// have to be given up first: it is asked again as the group would.
func (r *running) target(ctx context.Context, g assign.Group, a assign.Assignment) (assign.Assignment, error) {
	if r.assignor != oracle.CooperativeSticky || assign.Validate(g, assign.Plan{Assignment: a}) == nil {
		return a, nil
	}
	again := owning(g, a, 100)
	result, err := r.ask(ctx, wire.Problem{ID: "second round", Group: again, Assignors: []string{r.assignor}})
	return result.Assignment, err
}

func (r *running) describe(step string, g assign.Group, a assign.Assignment) measurement {
	m := measurement{Scenario: r.scenario.Name, Peer: r.contestant.Name, Step: step}
	if err := assign.Validate(g, assign.Plan{Assignment: a}); err != nil {
		m.NotMeasured = "plan not valid: " + err.Error()
		return m
	}
	m.Stats = assign.Measure(g, assign.Plan{Assignment: a})
	m.Output = outputBytes(a)
	for i := range g.Topics {
		for _, w := range g.Topics[i].EffectiveWeights() {
			m.Weight += w
		}
	}
	for id := range a {
		n := float64(a.Count(id))
		m.Squares += n * n
	}
	return m
}

// outputBytes is what an assignment takes at least: its partition numbers, one string
// and slice header for each member and topic, and for each member.
func outputBytes(a assign.Assignment) (bytes uint64) {
	const number, headers = 4, 16 + 24
	for _, list := range a {
		bytes += headers
		for _, tp := range list {
			bytes += headers + number*uint64(len(tp.Partitions))
		}
	}
	return bytes
}
