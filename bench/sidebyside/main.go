// Command sidebyside plans the same groups with this library, with Kafka's Java
// assignors, kgo, sarama and the lag-based assignor, and writes what it saw into
// docs/benchmarks.md and the plots beside it.
//
// Each peer runs in a process of its own, so that none pays for another's garbage and
// one that takes too long can be killed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/groupkit/groupkit/bench/oracle"
	"github.com/groupkit/groupkit/bench/peers"
	"github.com/groupkit/groupkit/bench/wire"
)

// results is all that a run saw, kept so that the report can be written anew without it.
type results struct {
	Command  string
	Machine  machine
	CutOff   time.Duration
	Quick    bool
	Loads    []string `json:",omitempty"` // of the machine, when each piece of the run began
	Measured []measurement
	Scaling  []measurement
}

// part is the part of a run that is made now; the rest stays as the last run saw it.
type part struct {
	peers, scenarios string // regular expressions; empty for all
}

// growth is the name of the scenario in which partitions double.
const growth = "growth"

func (p part) whole() bool { return p.peers == "" && p.scenarios == "" }

// has returns what tells whether a contestant in a scenario is in the part.
func (p part) has() (func(peer, scenario string) bool, error) {
	peers, err := regexp.Compile(p.peers)
	if err != nil {
		return nil, fmt.Errorf("-peers: %w", err)
	}
	scenarios, err := regexp.Compile(p.scenarios)
	if err != nil {
		return nil, fmt.Errorf("-scenarios: %w", err)
	}
	return func(peer, scenario string) bool { return peers.MatchString(peer) && scenarios.MatchString(scenario) }, nil
}

func main() {
	worker := flag.Bool("worker", false, "answer problems on standard input; this is how peers are run")
	quick := flag.Bool("quick", false, "a tenth of the size, in at most 3 minutes, printed; the docs stay as they are")
	limit := flag.Duration("limit", 24*time.Minute, "end of the whole run")
	cutOff := flag.Duration("cut", 2*time.Minute, "how long a peer may take for one question")
	render := flag.Bool("render", false, "write the docs anew from the results of the last run")
	var only part
	flag.StringVar(&only.peers, "peers", "", "a regular expression: measure these peers only, and keep what was seen of the others")
	flag.StringVar(&only.scenarios, "scenarios", "", "a regular expression: measure these scenarios only, of small, large, zipf, lag, uniform, mixed-members, mixed-partitions and growth")
	images := flag.String("png", "", "a folder to write the plots to as PNG too")
	flag.Parse()
	var err error
	switch {
	case *worker:
		if err = limitMemory(memoryLimit); err == nil {
			err = work(os.Stdin, os.Stdout)
		}
	case *render:
		err = renderAgain(*images)
	default:
		err = run(*quick, only, *limit, *cutOff, *images)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

// memoryLimit is what a Go peer may take; past it the process ends.
const memoryLimit = 12 << 30

// work answers problems until there are no more.
func work(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		var problem wire.Problem
		if err := decoder.Decode(&problem); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, name := range problem.Assignors {
			if err := json.NewEncoder(out).Encode(peers.Solve(problem, name)); err != nil {
				return err
			}
		}
	}
}

func run(quick bool, only part, limit, cutOff time.Duration, images string) error {
	has, err := only.has()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := oracle.Build(); err != nil {
		return err
	}
	here, err := thisMachine()
	if err != nil {
		return err
	}
	begin := time.Now()
	l := limits{deadline: begin.Add(limit), cutOff: cutOff, repeat: 7, budget: 10 * time.Second}
	l.log = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.0f s  "+format+"\n", append([]any{time.Since(begin).Seconds()}, args...)...)
	}
	seen := results{Command: "make -C bench full", Machine: here, CutOff: cutOff, Quick: quick}
	if quick {
		l.deadline, l.cutOff, l.repeat, l.budget = begin.Add(150*time.Second), 10*time.Second, 3, 2*time.Second
		seen.Command, seen.CutOff = "make -C bench quick", l.cutOff
	}
	var before results
	if !only.whole() && !quick {
		if before, err = load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// What is measured again replaces what was seen.
		again := func(m measurement) bool { return has(m.Peer, m.Scenario) }
		seen.Measured = slices.DeleteFunc(slices.Clone(before.Measured), again)
		seen.Scaling = slices.DeleteFunc(before.Scaling, func(m measurement) bool { return has(m.Peer, growth) })
		seen.Loads = before.Loads
	}
	seen.Loads = append(seen.Loads, here.Load)
	seen.Scaling = append(seen.Scaling, scaling(ctx, quick, has, l)...)
	slow := make(map[string]string) // contestants that heed no weights and are too slow to see all of them → why
	// Whoever may take long comes last, over all scenarios.
	for _, c := range contestants {
		for _, s := range scenarios(quick) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !has(c.Name, s.Name) {
				if m := find(seen.Measured, s.Name, c.Name, fromScratch); m != nil {
					noteSlow(slow, s, c, *m, l)
				}
				continue
			}
			if why := slow[c.Name]; why != "" && s.Weights != nil {
				seen.Measured = append(seen.Measured, measurement{Scenario: s.Name, Peer: c.Name, Step: fromScratch, NotMeasured: why})
				continue
			}
			done := compete(ctx, s, c, l)
			if earlier := measuredBy(before, s, c); done[0].NotMeasured != "" && earlier != nil {
				done = earlier // a piece that ran out of time takes nothing away
			}
			seen.Measured = append(seen.Measured, done...)
			noteSlow(slow, s, c, done[0], l)
			if !quick { // so that what was seen is there also when the run is stopped
				if err := save(seen); err != nil {
					return err
				}
			}
		}
	}
	l.log("done")
	if quick {
		writeReport(os.Stdout, seen)
		return nil
	}
	return writeDocs(seen, images)
}

// measuredBy returns what an earlier run saw of a contestant in a scenario, nil where it was
// not measured.
func measuredBy(before results, s scenario, c contestant) (seen []measurement) {
	if measured(before.Measured, s.Name, c.Name, fromScratch) == nil {
		return nil
	}
	for _, m := range before.Measured {
		if m.Scenario == s.Name && m.Peer == c.Name {
			seen = append(seen, m)
		}
	}
	return seen
}

// noteSlow writes down who is too slow to see all scenarios, from what it did from scratch.
func noteSlow(slow map[string]string, s scenario, c contestant, first measurement, l limits) {
	switch {
	case c.byWeight || s.Mixed || s.Weights != nil:
	case first.NotMeasured != "":
		slow[c.Name] = "not run: heeds no weights, and gave no plan where they are equal"
	case first.Median > l.cutOff/4:
		slow[c.Name] = "not run: heeds no weights, and took " + duration(first.Median) + " where they are equal"
	}
}

func savedPath() string { return filepath.Join(oracle.Root(), ".cache", "bench.json") }

func save(seen results) error {
	text, err := json.MarshalIndent(seen, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(savedPath(), text, 0o644)
}

func load() (seen results, err error) {
	text, err := os.ReadFile(savedPath())
	if err != nil {
		return results{}, fmt.Errorf("no results of a run: %w", err)
	}
	if err := json.Unmarshal(text, &seen); err != nil {
		return results{}, fmt.Errorf("%s: %w", savedPath(), err)
	}
	return seen, nil
}

func renderAgain(images string) error {
	seen, err := load()
	if err != nil {
		return err
	}
	return writeDocs(seen, images)
}
