package assign

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrInvalidPlan is what every [PlanError] wraps.
var ErrInvalidPlan = errors.New("the plan breaks the rules of a group")

// A Rule names one of the rules that [Validate] holds a plan to.
type Rule string

// The rules of a group.
const (
	// RuleMember: partitions go to members of the group only.
	RuleMember Rule = "member"
	// RulePartition: only partitions that exist are given.
	RulePartition Rule = "partition"
	// RuleSubscription: a partition goes to a member that subscribes to its topic.
	RuleSubscription Rule = "subscription"
	// RuleOnce: a partition is given once.
	RuleOnce Rule = "once"
	// RuleComplete: every partition of a subscribed topic is given.
	RuleComplete Rule = "complete"
)

// A Violation is one place where a plan breaks a rule.
type Violation struct {
	Rule      Rule
	Member    string // the member the partition was given to; empty for RuleComplete
	Topic     string
	Partition int32
	Detail    string // the violation in words
}

// A PlanError lists everything that is wrong with a plan.
type PlanError struct {
	Violations []Violation // at least one; by topic, partition and member
}

// Error tells the first violation and how many more there are.
func (e *PlanError) Error() string {
	more := ""
	if n := len(e.Violations) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("%s: %s%s; give each partition of a subscribed topic once, to a member that subscribes to it",
		ErrInvalidPlan, e.Violations[0].Detail, more)
}

// Unwrap returns [ErrInvalidPlan].
func (e *PlanError) Unwrap() error { return ErrInvalidPlan }

// Validate returns a [*PlanError] when plan breaks the rules of g: each partition of
// every subscribed topic is given exactly once, and only to a subscriber. A
// withheld partition counts as given to the member that it is meant for. Members
// that the plan does not mention get nothing.
func Validate(g Group, plan Plan) error { return NewReview(g).Validate(plan) }

// violations lists what is wrong with a plan for the group of these topics.
func (ix *index) violations(topics []Topic, plan Plan) []Violation {
	v := validation{ix: ix, known: make(map[string]int32, len(topics))}
	for i := range topics {
		t := &topics[i]
		if _, repeated := v.known[t.Name]; !repeated {
			v.known[t.Name] = t.Partitions
		}
	}
	v.given = v.ix.newTable()
	for _, id := range plan.Assignment.Members() {
		for _, tp := range plan.Assignment[id] {
			for _, p := range tp.Partitions {
				v.give(id, tp.Topic, p)
			}
		}
	}
	for _, w := range plan.Withheld {
		v.give(w.Member, w.Topic, w.Partition)
	}
	for t, topic := range v.ix.topics {
		for p, m := range v.given[t] {
			if m == unassigned {
				v.add(RuleComplete, "", topic.Name, int32(p), "%s[%d] is given to nobody", topic.Name, p)
			}
		}
	}
	slices.SortStableFunc(v.violations, func(l, r Violation) int {
		return cmp.Or(cmp.Compare(l.Topic, r.Topic), cmp.Compare(l.Partition, r.Partition), cmp.Compare(l.Member, r.Member))
	})
	return v.violations
}

type validation struct {
	ix         *index
	known      map[string]int32 // topic → partitions, also of topics without a subscriber
	given      table
	violations []Violation
}

func (v *validation) add(rule Rule, member, topic string, partition int32, format string, args ...any) {
	v.violations = append(v.violations, Violation{rule, member, topic, partition, fmt.Sprintf(format, args...)})
}

func (v *validation) give(id, topic string, p int32) {
	m, isMember := v.ix.memberNumber[id]
	if !isMember {
		v.add(RuleMember, id, topic, p, "%s[%d] is given to %q, which is not a member of the group", topic, p, id)
		return
	}
	if partitions := v.known[topic]; p < 0 || p >= partitions {
		v.add(RulePartition, id, topic, p, "%s[%d] is given to %s and does not exist: the group knows %d partitions of the topic", topic, p, id, partitions)
		return
	}
	t, hasSubscriber := v.ix.topicNumber[topic]
	if !hasSubscriber || !v.ix.subscribes(m, t) {
		v.add(RuleSubscription, id, topic, p, "%s[%d] is given to %s, which does not subscribe to %s", topic, p, id, topic)
		if !hasSubscriber {
			return
		}
	}
	if first := v.given[t][p]; first == int32(m) {
		v.add(RuleOnce, id, topic, p, "%s[%d] is given to %s twice", topic, p, id)
		return
	} else if first != unassigned {
		v.add(RuleOnce, id, topic, p, "%s[%d] is given to both %s and %s", topic, p, v.ix.members[first].ID, id)
		return
	}
	v.given[t][p] = int32(m)
}
