package assign_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestValidate(t *testing.T) {
	g := group("t:3 u:1 alone:2 none:0", "C0: t u none", "C1: t")
	const rest = "; give each partition of a subscribed topic once, to a member that subscribes to it"
	tests := []struct {
		name     string
		plan     string
		withheld []assign.Withheld
		rules    []assign.Rule
		message  string
	}{
		{"valid", "C0[t:0 u:0] C1[t:1,2]", nil, nil, ""},
		{"members without partitions may be left out", "C0[t:0,1,2 u:0]", nil, nil, ""},
		{"in no order", "C0[u:0 t:2 t:0] C1[t:1]", nil, nil, ""},
		{"withheld counts as given", "C0[u:0] C1[t:1,2]", []assign.Withheld{{Topic: "t", Partition: 0, Member: "C0"}}, nil, ""},
		{"withheld and given", "C0[t:0 u:0] C1[t:1,2]", []assign.Withheld{{Topic: "t", Partition: 0, Member: "C1"}}, []assign.Rule{assign.RuleOnce},
			"the plan breaks the rules of a group: t[0] is given to both C0 and C1" + rest},
		{"withheld for a stranger", "C0[u:0] C1[t:1,2]", []assign.Withheld{{Topic: "t", Partition: 0, Member: "C9"}}, []assign.Rule{assign.RuleComplete, assign.RuleMember},
			"the plan breaks the rules of a group: t[0] is given to nobody (and 1 more)" + rest},
		{"a stranger", "C0[t:0,1,2 u:0] C9[alone:0]", nil, []assign.Rule{assign.RuleMember},
			`the plan breaks the rules of a group: alone[0] is given to "C9", which is not a member of the group` + rest},
		{"no such partition", "C0[t:0,1,2,3 u:0]", nil, []assign.Rule{assign.RulePartition},
			"the plan breaks the rules of a group: t[3] is given to C0 and does not exist: the group knows 3 partitions of the topic" + rest},
		{"a negative partition", "C0[t:0,1,2,-1 u:0]", nil, []assign.Rule{assign.RulePartition},
			"the plan breaks the rules of a group: t[-1] is given to C0 and does not exist: the group knows 3 partitions of the topic" + rest},
		{"no such topic", "C0[t:0,1,2 u:0 gone:0]", nil, []assign.Rule{assign.RulePartition},
			"the plan breaks the rules of a group: gone[0] is given to C0 and does not exist: the group knows 0 partitions of the topic" + rest},
		{"not subscribed", "C0[t:0,1,2] C1[u:0]", nil, []assign.Rule{assign.RuleSubscription},
			"the plan breaks the rules of a group: u[0] is given to C1, which does not subscribe to u" + rest},
		{"nobody subscribes", "C0[t:0,1,2 u:0 alone:1]", nil, []assign.Rule{assign.RuleSubscription},
			"the plan breaks the rules of a group: alone[1] is given to C0, which does not subscribe to alone" + rest},
		{"twice to one member", "C0[t:0,1,2,1 u:0]", nil, []assign.Rule{assign.RuleOnce},
			"the plan breaks the rules of a group: t[1] is given to C0 twice" + rest},
		{"to two members", "C0[t:0,1 u:0] C1[t:1,2]", nil, []assign.Rule{assign.RuleOnce},
			"the plan breaks the rules of a group: t[1] is given to both C0 and C1" + rest},
		{"to nobody", "C0[t:0,2 u:0]", nil, []assign.Rule{assign.RuleComplete},
			"the plan breaks the rules of a group: t[1] is given to nobody" + rest},
		{"empty", "", nil, []assign.Rule{assign.RuleComplete, assign.RuleComplete, assign.RuleComplete, assign.RuleComplete},
			"the plan breaks the rules of a group: t[0] is given to nobody (and 3 more)" + rest},
		{"everything at once", "C0[t:0,0,7] C1[u:0 t:0] C9[t:1]", nil, []assign.Rule{
			assign.RuleOnce, assign.RuleOnce, // t[0], C0 and C1
			assign.RuleComplete, assign.RuleMember, // t[1]
			assign.RuleComplete,     // t[2]
			assign.RulePartition,    // t[7]
			assign.RuleSubscription, // u[0]
		}, "the plan breaks the rules of a group: t[0] is given to C0 twice (and 6 more)" + rest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := planOf(test.plan)
			plan.Withheld = test.withheld
			err := assign.Validate(g, plan)
			if test.rules == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var planError *assign.PlanError
			if !errors.As(err, &planError) || !errors.Is(err, assign.ErrInvalidPlan) {
				t.Fatalf("got error %v of type %T", err, err)
			}
			var rules []assign.Rule
			for _, v := range planError.Violations {
				rules = append(rules, v.Rule)
			}
			if !slices.Equal(rules, test.rules) {
				t.Errorf("got rules %v, want %v", rules, test.rules)
			}
			if err.Error() != test.message {
				t.Errorf("got  %s\nwant %s", err, test.message)
			}
		})
	}
}

// TestRepeatedMembersAndTopics: a group that Check refuses has a fallback plan that
// Validate accepts all the same.
func TestRepeatedMembersAndTopics(t *testing.T) {
	g := group("t:2 t:5", "C0: t | t:1 @1", "C0: u", "C1: t", "C1: t | t:0,1 @9")
	plan := assign.Keep(g)
	if got, want := brief(plan.Assignment), "C0[t:1] C1[t:0]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := assign.Validate(g, plan); err != nil {
		t.Error(err)
	}
	if stats := assign.Measure(g, assign.Withhold(g, plan)); stats.Partitions != 2 || stats.Members != 2 {
		t.Errorf("%+v", stats)
	}
}
