package assign_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestSettle(t *testing.T) {
	tests := []struct {
		name   string
		group  assign.Group
		target string
		rounds int
	}{
		{"nobody owns anything", group("t:2", "C0: t", "C1: t"), "C0[t:0] C1[t:1]", 1},
		{"nothing moves", group("t:2", "C0: t | t:0 @1", "C1: t | t:1 @1"), "C0[t:0] C1[t:1]", 1},
		{"one moves", group("t:2", "C0: t | t:0,1 @1", "C1: t"), "C0[t:0] C1[t:1]", 2},
		{"two change places", group("t:2", "C0: t | t:0 @1", "C1: t | t:1 @1"), "C0[t:1] C1[t:0]", 2},
		{"claimed twice, for a third", group("t:1", "C0: t | t:0 @1", "C1: t | t:0 @2", "C2: t"), "C0[] C1[] C2[t:0]", 2},
		{"in the last generation", group("t:1", fmt.Sprintf("C0: t | t:0 @%d", math.MaxInt32), "C1: t"), "C0[] C1[t:0]", 2},
		{"no members", group("t:1"), "", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			a := assign.New("fixed", func(assign.Group) (assign.Plan, error) {
				asked++
				return planOf(test.target), nil
			})
			before := test.group.Clone()
			plan, rounds, err := assign.Settle(test.group, a, 0)
			if err != nil || rounds != test.rounds || asked != 1 || brief(plan.Assignment) != test.target || len(plan.Withheld) > 0 {
				t.Errorf("%s after %d rounds, asked %d times, withheld %v, %v; want %s after %d",
					brief(plan.Assignment), rounds, asked, plan.Withheld, err, test.target, test.rounds)
			}
			if !reflect.DeepEqual(before, test.group) {
				t.Errorf("the group became %+v", test.group)
			}
		})
	}
}

func TestSettleFails(t *testing.T) {
	g := group("t:2", "C0: t | t:0,1 @1", "C1: t")
	fixed := func(plan assign.Plan, err error) assign.Assignor {
		return assign.New("fixed", func(assign.Group) (assign.Plan, error) { return plan, err })
	}
	withholding := planOf("C0[t:0] C1[]")
	withholding.Withheld = []assign.Withheld{{Topic: "t", Partition: 1, Member: "C1", Reason: "for ever"}}
	down := errors.New("down")
	for _, test := range []struct {
		name   string
		a      assign.Assignor
		limit  int
		rounds int
		is     error
	}{
		{"not asked to play long enough", fixed(planOf("C0[t:0] C1[t:1]"), nil), 1, 1, assign.ErrUnsettled},
		{"a target that withholds", fixed(withholding, nil), 0, 10, assign.ErrUnsettled},
		{"no plan", fixed(assign.Plan{}, down), 0, 0, down},
		{"a plan against the rules", fixed(planOf("C0[t:0] C1[]"), nil), 0, 0, assign.ErrInvalidPlan},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, rounds, err := assign.Settle(g, test.a, test.limit)
			if rounds != test.rounds || !errors.Is(err, test.is) {
				t.Errorf("%d rounds, %v; want %d and %v", rounds, err, test.rounds, test.is)
			}
		})
	}
}

// TestSettleReachesTheTarget plays random groups with every assignor.
func TestSettleReachesTheTarget(t *testing.T) {
	r := newRand(t)
	for range cases(500) {
		g := randomGroup(r)
		for _, a := range everyAssignor() {
			target, err := a.Assign(g)
			if err != nil {
				t.Fatal(err)
			}
			plan, rounds, err := assign.Settle(g, a, 0)
			if err != nil {
				t.Fatalf("%s: %v\n%s", a.Name(), err, inJSON(g))
			}
			want := 1
			if len(assign.Withhold(g, target).Withheld) > 0 {
				want = 2
			}
			if rounds != want || inJSON(plan) != inJSON(target) {
				t.Fatalf("%s: %d rounds, want %d, to\n%s, want\n%s\n%s", a.Name(), rounds, want, inJSON(plan), inJSON(target), inJSON(g))
			}
		}
	}
}

// A member joins: the first round takes two partitions away, the second gives them out.
func ExampleSettle() {
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"orders"}, Generation: 7, Owned: []assign.TopicPartitions{{Topic: "orders", Partitions: []int32{0, 1, 2, 3}}}},
			{ID: "b", Topics: []string{"orders"}},
		},
		Topics: []assign.Topic{{Name: "orders", Partitions: 4}},
	}
	plan, rounds, err := assign.Settle(g, assign.CooperativeSticky(), 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	printPlan(plan)
	fmt.Println("rounds:", rounds)
	// Output:
	// a: orders[0 1]
	// b: orders[2 3]
	// rounds: 2
}
