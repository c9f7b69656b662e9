package offline_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/assign/offline"
)

// The second line is wrong, and the third is solved all the same.
func ExampleSolver_Run() {
	problems := `{"id":"1","topics":[{"name":"t","partitions":2}],"members":[{"id":"a","topics":["t"]}],"assignors":["best"]}
{"id":"2","topics":[{"name":"t","partitions":"2"}]}
`
	counts, err := offline.Solver{}.Run(context.Background(), strings.NewReader(problems), os.Stdout)
	fmt.Printf("%+v %v\n", counts, err)
	// Output:
	// {"id":"1","error":"the assignor \"best\" is not known; name one of balanced, cooperative-sticky, failover, keep, range, rendezvous, roundrobin, sticky"}
	// {"id":"2","error":"topics[0].partitions is \"2\"; give a whole number that an int32 can hold"}
	// {Problems:2 Failed:2} <nil>
}

func ExampleSolver_Solve() {
	problem, err := offline.Parse([]byte(`{"id":"x","topics":[{"name":"t","partitions":4}],
		"members":[{"id":"a","topics":["t"],"owned":[{"topic":"t","partitions":[0,1,2,3]}]},{"id":"b","topics":["t"]}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := offline.Solver{Settle: true}.Solve(problem)
	if err != nil {
		fmt.Println(err)
		return
	}
	o := results["balanced"]
	fmt.Println(o.Assignment["b"], "moved", o.Stats.MovedPartitions, "in", o.Rounds, "rounds")
	// Output: [{t [2 3]}] moved 2 in 2 rounds
}

func ExampleBuild() {
	options := offline.DefaultOptions()
	options.Tolerance = 0
	a, err := offline.Build("balanced", options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Name(), a.(assign.Balanced).Tolerance == assign.Exact)
	// Output: balanced true
}

func ExampleProblem_MarshalJSON() {
	problem := offline.Problem{ID: "x", Options: offline.DefaultOptions(), Group: assign.Group{
		Topics:  []assign.Topic{{Name: "t", Partitions: 2}},
		Members: []assign.Member{{ID: "a", Topics: []string{"t"}}},
	}}
	line, err := problem.MarshalJSON()
	fmt.Println(string(line), err)
	// Output: {"id":"x","topics":[{"name":"t","partitions":2}],"members":[{"id":"a","topics":["t"]}]} <nil>
}
