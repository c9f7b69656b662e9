package assign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Constraint names a rule that a plan keeps where it can.
type Constraint string

// The constraints of [Balanced].
const (
	// ConstraintCoPartition: partitions of one number of the listed topics go to one
	// member.
	ConstraintCoPartition Constraint = "coPartition"
	// ConstraintPin: a partition goes to the instance or label that it is pinned to.
	ConstraintPin Constraint = "pin"
	// ConstraintRefused: a partition does not go to a member that refuses it
	// (Member.Refused).
	ConstraintRefused Constraint = "refused"
	// ConstraintDraining: a draining member gets nothing.
	ConstraintDraining Constraint = "draining"
	// ConstraintMaxPartitions and ConstraintMaxWeight: a member has at most as much
	// as its ceilings say. The partitions listed are those beyond it.
	ConstraintMaxPartitions Constraint = "maxPartitions"
	ConstraintMaxWeight     Constraint = "maxWeight"
)

// Unmet is a constraint that could not be kept for a partition.
type Unmet struct {
	Topic      string     `json:"topic"`
	Partition  int32      `json:"partition"`
	Constraint Constraint `json:"constraint"`
	Reason     string     `json:"reason"` // one clause for people
}

// A Pin says which members may have partitions of a topic.
type Pin struct {
	Topic string `json:"topic"`

	// Partitions are the pinned ones; nil means all of the topic, and an empty
	// list is an error.
	Partitions []int32 `json:"partitions,omitempty"`

	// Instance is the instance that may have them (Member.Instance). Where it
	// is empty, Label, as "key=value", names the members that may.
	Instance string `json:"instance,omitempty"`
	Label    string `json:"label,omitempty"`
}

// String says where p pins to, such as "instance a" or "label tier=gold".
func (p Pin) String() string {
	if p.Instance != "" {
		return "instance " + p.Instance
	}
	return "label " + p.Label
}

// names tells whether the member may have what is pinned.
func (p Pin) names(m *Member) bool {
	if p.Instance != "" {
		return m.Instance == p.Instance
	}
	key, value, _ := strings.Cut(p.Label, "=")
	got, has := m.Labels[key]
	return has && got == value
}

func (p Pin) check() error {
	switch {
	case p.Topic == "":
		return fmt.Errorf("the pin to %s names no topic; set Pin.Topic", p)
	case p.Instance == "" && p.Label == "", p.Instance != "" && p.Label != "":
		return fmt.Errorf("the pin of topic %q needs either an instance or a label; set one of the two", p.Topic)
	case p.Partitions != nil && len(p.Partitions) == 0:
		return fmt.Errorf("the pin of topic %q names no partition; leave Partitions nil to pin all of them", p.Topic)
	case p.Label != "" && !strings.Contains(p.Label, "="):
		return fmt.Errorf("the pin of topic %q names label %q; write it as key=value", p.Topic, p.Label)
	}
	return nil
}

func compareUnmet(l, r Unmet) int {
	return cmp.Or(cmp.Compare(l.Topic, r.Topic), cmp.Compare(l.Partition, r.Partition),
		cmp.Compare(l.Constraint, r.Constraint), cmp.Compare(l.Reason, r.Reason))
}

func sortUnmet(list []Unmet) []Unmet {
	slices.SortFunc(list, compareUnmet)
	return slices.Compact(list)
}
