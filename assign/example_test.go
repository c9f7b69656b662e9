package assign_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// printPlan prints who gets what, and what waits for its owner.
func printPlan(plan assign.Plan) {
	for _, id := range plan.Assignment.Members() {
		fmt.Print(id, ":")
		for _, tp := range plan.Assignment[id] {
			fmt.Print(" ", tp.Topic, tp.Partitions)
		}
		fmt.Println()
	}
	for _, w := range plan.Withheld {
		fmt.Printf("%s[%d] waits for %s: %s\n", w.Topic, w.Partition, w.Member, w.Reason)
	}
}

// Partition 0 of orders carries as much as the three others together.
func ExampleBalanced() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}},
			{ID: "b", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 4, Weights: []float64{900, 300, 310, 290}}},
	}
	plan, err := assign.Balanced{}.Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	printPlan(plan)
	stats := assign.Measure(g, plan)
	fmt.Println("highest load", stats.MaxLoad, "where no plan has less than", stats.LowerBound)
	// Output:
	// a: orders[0]
	// b: orders[1 2 3]
	// highest load 900 where no plan has less than 900
}

// A member of twice the capacity gets twice the load, one that is about to leave
// gets nothing.
func ExampleMember() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "large", Topics: []string{"orders"}, Capacity: 2},
			{ID: "leaving", Topics: []string{"orders"}, Draining: true},
			{ID: "small", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 6}},
	}
	plan, err := assign.Balanced{}.Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	printPlan(plan)
	// Output:
	// large: orders[0 2 3 5]
	// leaving:
	// small: orders[1 4]
}

// This assignor is a hot standby: one member consumes everything, the one with the
// lowest number in its label "priority". That a member is draining or does not
// subscribe to a topic passes the topic on to the next.
func ExampleNew() {
	byPriority := func(l, r assign.Member) int {
		return cmp.Or(cmp.Compare(l.Labels["priority"], r.Labels["priority"]), cmp.Compare(l.ID, r.ID))
	}
	standby := assign.New("standby", func(g assign.Group) (assign.Plan, error) {
		if err := g.Check(); err != nil {
			return assign.Plan{}, err
		}
		plan := assign.NewPlan(g)
		members := slices.SortedFunc(slices.Values(g.Members), byPriority) // a copy: g is not ours to sort
		for _, topic := range g.Topics {
			best := -1
			for i, m := range members {
				if slices.Contains(m.Topics, topic.Name) && (best < 0 || members[best].Draining && !m.Draining) {
					best = i
				}
			}
			for p := range topic.Partitions {
				if best >= 0 {
					plan.Give(members[best].ID, topic.Name, p)
				}
			}
		}
		plan.Assignment.Sort()
		return plan, nil
	})

	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Labels: map[string]string{"priority": "2"}},
			{ID: "b", Topics: []string{"orders"}, Labels: map[string]string{"priority": "1"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 3}},
	}
	plan, err := standby.Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	printPlan(plan)
	fmt.Println("valid:", assign.Validate(g, plan) == nil)
	// Output:
	// a:
	// b: orders[0 1 2]
	// valid: true
}

// A second member joins a cooperative group: what it is to get from the first one
// waits until that has given it up.
func ExampleWithhold() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Generation: 7,
				Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1}}}},
			{ID: "b", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 2}},
	}
	target, err := assign.CooperativeSticky().Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := assign.Withhold(g, target)
	fmt.Println("first round:", len(now.Assignment["a"][0].Partitions), "for a,", len(now.Assignment["b"]), "for b,", len(now.Withheld), "withheld")

	// a has given it up and joined again.
	g.Members[0].Owned, g.Members[0].Generation = now.Assignment["a"], 8
	now = assign.Withhold(g, target)
	fmt.Println("second round:", len(now.Assignment["b"][0].Partitions), "for b,", len(now.Withheld), "withheld")
	// Output:
	// first round: 1 for a, 0 for b, 1 withheld
	// second round: 1 for b, 0 withheld
}

func ExampleValidate() {
	g := assign.Group{
		Members: []assign.Member{{ID: "a", Topics: []string{"orders"}}},
		Topics:  []assign.Topic{{Name: "orders", Partitions: 2}},
	}
	plan := assign.NewPlan(g)
	plan.Give("a", "orders", 0)
	err := assign.Validate(g, plan)
	var planError *assign.PlanError
	if errors.As(err, &planError) {
		for _, v := range planError.Violations {
			fmt.Println(v.Rule, v.Topic, v.Partition, "-", v.Detail)
		}
	}
	// Output:
	// complete orders 1 - orders[1] is given to nobody
}

// The newer of two claims holds, and one for a topic that does not exist is dropped.
func ExampleGroup_Ownership() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Generation: 4,
				Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1}}}},
			{ID: "b", Topics: []string{"orders"}, Generation: 5,
				Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{1}}, {Topic: "deleted", Partitions: []int32{0}}}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 2}},
	}
	printPlan(assign.Plan{Assignment: g.Ownership()})
	// Output:
	// a: orders[0]
	// b: orders[1]
}

func ExampleKeep() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Generation: 4,
				Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1, 2}}}},
			{ID: "b", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 4}},
	}
	printPlan(assign.Keep(g))
	// Output:
	// a: orders[0 1 2]
	// b: orders[3]
}

func ExampleDiff() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Generation: 4,
				Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1, 2}}}},
			{ID: "b", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 3}},
	}
	plan, err := assign.Range().Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, move := range assign.Diff(g.Ownership(), plan.Assignment) {
		fmt.Printf("%s[%d] from %s to %s\n", move.Topic, move.Partition, move.From, move.To)
	}
	// Output:
	// orders[2] from a to b
}

func ExamplePlan_Move() {
	g := assign.Group{
		Members: []assign.Member{{ID: "a", Topics: []string{"orders"}}, {ID: "b", Topics: []string{"orders"}}},
		Topics:  []assign.Topic{{Name: "orders", Partitions: 4}},
	}
	plan, err := assign.RoundRobin().Assign(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan.Move("orders", 0, "b")
	printPlan(plan)
	// Output:
	// a: orders[2]
	// b: orders[0 1 3]
}
