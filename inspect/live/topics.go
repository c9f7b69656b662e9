package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
)

// details reads what a plan takes beside the members: the topics and the racks of their
// replicas. It returns false where a topic is not
// known, since a plan without it would take partitions from those who own them.
func (r *reader) details(ctx context.Context, g *Group) bool {
	names := subscribed(g.Problem)
	var answer inspect.Answer[[]inspect.Partition]
	if len(names) > 0 {
		var err error
		once, cancel := share(ctx, 2.0/3)
		answer, err = r.in.Partitions(once, names...)
		cancel()
		if err != nil {
			r.errors = append(r.errors, noTopics(g.Seen.Group, names, err))
			return false
		}
	}
	return r.topics(g, names, answer)
}

// noTopics tells that the topics of a group could not be read at all. A broker has told of
// the group just before, so it is not for a wrong address.
func noTopics(group string, topics []string, err error) inspect.Problem {
	which := fmt.Sprintf("the topic %q", topics[0])
	if more := len(topics) - 1; more > 0 {
		which += fmt.Sprintf(" and %d more", more)
	}
	p := inspect.Problem{Code: inspect.CodeRequestFailed, Target: topics[0], Cause: err}
	why := ""
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		p.Code, why = inspect.CodeTimeout, "the time was over before a broker told it; allow more time, or check that all brokers are up"
	case errors.Is(err, context.Canceled):
		p.Code, why = inspect.CodeCanceled, "canceled"
	default:
		if problem, ok := errors.AsType[inspect.Problem](err); ok {
			p.Code = problem.Code
			if problem.Cause != nil {
				err = problem.Cause
			}
		}
		why = fmt.Sprintf("the request for it failed (%s); try again", inWords(err))
	}
	p.Message = fmt.Sprintf("no plan is made for the group %q, as it is not known how many partitions %s has: %s", group, which, why)
	if len(topics) > 1 {
		p.Message = strings.Replace(p.Message, " has: ", " have: ", 1)
	}
	return p
}

// inWords tells of a failed request without the client's guesses about TLS and SASL: in
// planning, a broker has answered before.
func inWords(err error) string {
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); ok {
		return "the broker closed the connection"
	}
	return err.Error()
}

// topics takes over the topics as they were read. It returns false where one is not known
// for any reason but that it does not exist: a subscription may be ahead of its topic.
func (r *reader) topics(g *Group, names []string, answer inspect.Answer[[]inspect.Partition]) bool {
	byName := make(map[string]*assign.Topic, len(names))
	for _, row := range answer.Data {
		t := byName[row.Topic]
		if t == nil {
			t = &assign.Topic{Name: row.Topic}
			byName[row.Topic] = t
		}
		t.Partitions = max(t.Partitions, row.Partition+1)
		racks := replicaRacks(row)
		if racks == nil {
			continue
		}
		for int32(len(t.Racks)) < t.Partitions {
			t.Racks = append(t.Racks, []string{})
		}
		t.Racks[row.Partition] = racks
	}
	absent := make(map[string]bool)
	known := true
	for _, p := range answer.Errors {
		switch {
		case p.Code == inspect.CodeTopicNotFound:
			absent[p.Target] = true
			if n := ownedOf(g.Problem, p.Target); n > 0 {
				p.Message = fmt.Sprintf("the topic %q does not exist any more, or may not be seen, though members own %d partitions of it; they are in no plan", p.Target, n)
			}
			r.warnings = append(r.warnings, p)
		case slices.Contains(names, p.Target) && byName[p.Target] == nil:
			absent[p.Target], known = true, false
			p.Message = fmt.Sprintf("no plan is made for the group %q, as it is not known how many partitions the topic %q has: %s", g.Seen.Group, p.Target, p.Message)
			r.errors = append(r.errors, p)
		default:
			r.errors = append(r.errors, p)
		}
	}
	for _, name := range names {
		t := byName[name]
		switch {
		case t != nil:
			g.Problem.Topics = append(g.Problem.Topics, *t)
		case absent[name]:
			g.Problem.Topics = append(g.Problem.Topics, assign.Topic{Name: name})
		default:
			known = false
			r.errors = append(r.errors, inspect.Problem{
				Code: inspect.CodeRequestFailed, Target: name,
				Message: fmt.Sprintf("no plan is made for the group %q, as it is not known how many partitions the topic %q has: the broker told of none; try again", g.Seen.Group, name),
			})
		}
	}
	return known
}

// ownedOf counts the partitions of a topic that members say they own.
func ownedOf(g assign.Group, topic string) int {
	n := 0
	for i := range g.Members {
		for _, tp := range g.Members[i].Owned {
			if tp.Topic == topic {
				n += len(tp.Partitions)
			}
		}
	}
	return n
}

// replicaRacks lists the racks of a partition's replicas, the leader's first; nil where
// none of them has one.
func replicaRacks(p inspect.Partition) []string {
	list := make([]string, 0, len(p.Replicas))
	some := false
	for i, broker := range p.Replicas {
		rack := ""
		if i < len(p.Racks) && p.Racks[i] != nil {
			rack, some = *p.Racks[i], true
		}
		if p.Leader != nil && broker == *p.Leader {
			list = slices.Insert(list, 0, rack)
		} else {
			list = append(list, rack)
		}
	}
	if !some {
		return nil
	}
	return list
}

func subscribed(g assign.Group) []string {
	var names []string
	for i := range g.Members {
		names = append(names, g.Members[i].Topics...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
