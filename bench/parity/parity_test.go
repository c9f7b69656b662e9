package parity_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/bench/oracle"
	"github.com/groupkit/groupkit/bench/parity"
	"github.com/groupkit/groupkit/bench/wire"
)

var (
	groups = flag.Int("groups", 20000, "how many random groups to compare")
	seed   = flag.Uint64("seed", 0, "seed of the random groups; 0 takes the time")
	golden = flag.Bool("golden", false, "write assign/testdata/java anew from what Java answers")
)

var assignors = []assign.Assignor{assign.Range(), assign.RoundRobin()}

// TestRangeAndRoundRobinPlanAsJavaDoes compares plan for plan. All groups go through
// one JVM.
func TestRangeAndRoundRobinPlanAsJavaDoes(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./parity -groups %d -seed %d", *groups, *seed)
	r := rand.New(rand.NewPCG(*seed, 0))
	problems := make([]wire.Problem, *groups)
	for i := range problems {
		problems[i] = problem(i, r)
	}
	changed := make(map[string]int)
	err := ask(problems, func(p wire.Problem, result wire.Result) error {
		ours, err := planOf(p.Group, result.Assignor)
		if err != nil {
			return err
		}
		if !ours.Assignment.Equal(result.Assignment) {
			group, _ := json.Marshal(p.Group)
			java, _ := json.Marshal(result.Assignment)
			ours, _ := json.Marshal(ours.Assignment)
			return fmt.Errorf("%s of %s\nours %s\njava %s", result.Assignor, group, ours, java)
		}
		if result.Assignor == oracle.Range {
			without, err := planOf(withoutRacks(p.Group), result.Assignor)
			if err == nil && !without.Assignment.Equal(result.Assignment) {
				changed["racks"]++
			}
		}
		changed["plans"]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d plans are equal; racks made a difference in %d", changed["plans"], changed["racks"])
	if changed["plans"] != *groups*len(assignors) || changed["racks"] < *groups/20 {
		t.Error("the random groups no longer test what they should")
	}
}

func problem(i int, r *rand.Rand) wire.Problem {
	p := wire.Problem{ID: fmt.Sprint(i), Group: parity.RandomGroup(r)}
	for _, a := range assignors {
		p.Assignors = append(p.Assignors, a.Name())
	}
	return p
}

func planOf(g assign.Group, name string) (assign.Plan, error) {
	for _, a := range assignors {
		if a.Name() == name {
			return a.Assign(g)
		}
	}
	return assign.Plan{}, fmt.Errorf("no assignor %s", name)
}

func withoutRacks(g assign.Group) assign.Group {
	g = g.Clone()
	for i := range g.Topics {
		g.Topics[i].Racks = nil
	}
	return g
}

// ask has the oracle answer all problems and calls check for every result.
func ask(problems []wire.Problem, check func(wire.Problem, wire.Result) error) error {
	planner, err := oracle.Start()
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		for _, p := range problems {
			if err := planner.Send(p); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	err = func() error {
		for _, p := range problems {
			for range p.Assignors {
				result, err := planner.Receive()
				if err != nil {
					return err
				}
				if result.ID != p.ID {
					return fmt.Errorf("the result of %s came when that of %s was due", result.ID, p.ID)
				}
				if err := check(p, result); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	planner.Stop()
	if sendErr := <-sent; err == nil {
		err = sendErr
	}
	return err
}

// goldenCases is how many groups go into the golden file of each assignor, and
// goldenSeed the seed of them.
const (
	goldenCases = 150
	goldenSeed  = 881
	goldenSize  = 1500 // bytes that a group may take, so that the files stay small
)

// goldenLine is one line of a golden file.
type goldenLine struct {
	Group      assign.Group      `json:"group"`
	Assignment assign.Assignment `json:"assignment"`
}

// TestGoldenFilesAreWhatJavaAnswers holds the golden files, by which the root module
// checks parity where there is no Java, to Java; with -golden it writes them.
func TestGoldenFilesAreWhatJavaAnswers(t *testing.T) {
	r := rand.New(rand.NewPCG(goldenSeed, 0))
	var problems []wire.Problem
	for len(problems) < goldenCases {
		p := problem(len(problems), r)
		// Most random groups would be trivial: keep those in which racks play a
		// part, and one in four of the others.
		if text, err := json.Marshal(p.Group); err != nil || len(text) > goldenSize {
			continue
		}
		with, err := planOf(p.Group, oracle.Range)
		if err != nil {
			t.Fatal(err)
		}
		without, err := planOf(withoutRacks(p.Group), oracle.Range)
		if err != nil {
			t.Fatal(err)
		}
		if !with.Assignment.Equal(without.Assignment) || len(problems)%4 == 0 {
			problems = append(problems, p)
		}
	}
	files := make(map[string]*bytes.Buffer)
	for _, a := range assignors {
		files[a.Name()] = new(bytes.Buffer)
	}
	err := ask(problems, func(p wire.Problem, result wire.Result) error {
		line := goldenLine{p.Group, result.Assignment}
		if result.Assignor != oracle.Range {
			line.Group = withoutRacks(line.Group)
		}
		return json.NewEncoder(files[result.Assignor]).Encode(line)
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(oracle.Root(), "assign", "testdata", "java", name+".jsonl")
		if *golden {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, content.Bytes()) {
			t.Errorf("%s is not what Java answers: look into it, or write it anew with go test ./parity -run Golden -golden", path)
		}
	}
}
