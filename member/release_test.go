package member

import (
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// keeps is an assignor whose plan holds the lists of the group, as it may.
type keeps struct{}

func (keeps) Name() string { return "keeps" }

func (keeps) Assign(g assign.Group) (assign.Plan, error) {
	plan := assign.Plan{Assignment: assign.Assignment{}}
	for _, m := range g.Members {
		plan.Assignment[m.ID] = m.Owned
	}
	return plan, nil
}

// A partition that a member has to let go is withheld until it has, whatever lists the
// plan was made of.
func TestARefusedPartitionIsWithheldThoughThePlanHoldsTheGroupsLists(t *testing.T) {
	owns := func(partitions ...int32) []assign.TopicPartitions {
		return []assign.TopicPartitions{{Topic: "t", Partitions: partitions}}
	}
	g := assign.Group{
		Members: []assign.Member{
			{ID: "a", Topics: []string{"t"}, Owned: owns(0, 1), Labels: map[string]string{refusedLabel: `{"t":[0]}`}},
			{ID: "b", Topics: []string{"t"}, Owned: owns(2, 3)},
		},
		Topics: []assign.Topic{{Name: "t", Partitions: 4}},
	}
	plan, err := refusing{keeps{}}.Assign(g)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g.Members[0].Owned, owns(0, 1)) || !reflect.DeepEqual(g.Members[1].Owned, owns(2, 3)) {
		t.Errorf("the group was changed: %v", g.Members)
	}
	if sent := assign.Withhold(g, plan); len(sent.Withheld) == 0 || sent.Withheld[0].Partition != 0 {
		t.Errorf("of %v these are withheld: %v", plan.Assignment, sent.Withheld)
	}
}
