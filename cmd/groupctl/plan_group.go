package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
)

// Codes of problems that only planning has.
const (
	codeNoMembers      inspect.Code = "NO_MEMBERS"
	codeMemberNotFound inspect.Code = "MEMBER_NOT_FOUND"
	codeNotPlannable   inspect.Code = "NOT_PLANNABLE"
	codeNotSubscribed  inspect.Code = "TOPIC_NOT_SUBSCRIBED"
)

// groupReader reads a group as a problem of package assign.
type groupReader struct {
	in       *inspect.Inspector
	warnings []inspect.Problem
	errors   []inspect.Problem
	usage    error // what is wrong with the flags, as the group shows
}

// group is a live group: as inspect shows it, and as a problem.
type liveGroup struct {
	seen    inspect.Group
	problem assign.Group
}

func (r *groupReader) warn(code inspect.Code, target, format string, args ...any) {
	r.warnings = append(r.warnings, inspect.Problem{Code: code, Target: target, Message: fmt.Sprintf(format, args...)})
}

// read reads the group. What is wrong is among r.errors; without a group, nothing can be
// planned.
func (r *groupReader) read(ctx context.Context, id string) (answer inspect.Answer[[]inspect.Group], group *liveGroup) {
	answer, err := r.settledGroup(ctx, id)
	r.warnings, r.errors = slices.DeleteFunc(slices.Clone(answer.Warnings), ofLeader), answer.Errors
	if err != nil || len(answer.Data) == 0 {
		return answer, nil
	}
	seen := answer.Data[0]
	if seen.Members == nil && len(r.errors) > 0 {
		return answer, nil // they say why its members are not known
	}
	if problem := cannotPlan(seen); problem != nil {
		r.errors = append(r.errors, *problem)
		return answer, nil
	}
	g := &liveGroup{seen: seen}
	for _, m := range seen.Members {
		g.problem.Members = append(g.problem.Members, r.member(seen, m))
	}
	if !r.details(ctx, g) {
		return answer, nil
	}
	if err := g.problem.Check(); err != nil {
		r.errors = append(r.errors, inspect.Problem{Code: codeNotPlannable, Target: id, Message: fmt.Sprintf("the group %q is no problem to solve: %v", id, err)})
		return answer, nil
	}
	return answer, g
}

// ofLeader tells whether a warning is of the leader and generation of a classic group, which
// no plan depends on.
func ofLeader(p inspect.Problem) bool {
	switch p.Code {
	case inspect.CodeRecordNotFound, inspect.CodeRecordUnreadable, inspect.CodeRecordStale, inspect.CodeOffsetsTopicAbsent:
		return true
	case inspect.CodeNotAuthorized:
		return strings.Contains(p.Message, "__consumer_offsets")
	}
	return false
}

// settledGroup describes the group, again as long as a rebalance hides what members want.
func (r *groupReader) settledGroup(ctx context.Context, id string) (inspect.Answer[[]inspect.Group], error) {
	for {
		// Without the partitions of its topics a group is no problem to solve: they
		// get some of the time in any case.
		once, cancel := share(ctx, 2.0/3)
		answer, err := r.in.Groups(once, id)
		cancel()
		if err != nil || len(answer.Data) == 0 || !rebalancing(answer.Data[0]) {
			return answer, err
		}
		deadline, bounded := ctx.Deadline()
		if bounded && time.Until(deadline) < 3*time.Second {
			return answer, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return answer, err
		}
	}
}

// share gives one step of several a share of the time that is left, so that the steps
// after it have some too.
func share(ctx context.Context, part float64) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(float64(time.Until(deadline))*part))
}

// rebalancing tells whether the coordinator does not tell what members of a classic group
// subscribe to and own.
func rebalancing(g inspect.Group) bool {
	return g.Type != nil && *g.Type == "classic" && g.State != nil &&
		(*g.State == "PreparingRebalance" || *g.State == "CompletingRebalance")
}

func cannotPlan(g inspect.Group) *inspect.Problem {
	because := func(code inspect.Code, format string, args ...any) *inspect.Problem {
		return &inspect.Problem{Code: code, Target: g.Group, Message: fmt.Sprintf("the group %q ", g.Group) + fmt.Sprintf(format, args...)}
	}
	switch {
	case g.Type != nil && *g.Type != "classic" && *g.Type != "consumer":
		return because(codeNotPlannable, "is of type %s, whose partitions no plan of members assigns; name a classic or consumer group", *g.Type)
	case g.ProtocolType != nil && *g.ProtocolType == "connect":
		return because(codeNotPlannable, "is of Kafka Connect, whose workers share tasks and not partitions; name a group of consumers")
	case rebalancing(g):
		return because(inspect.CodeRebalancing, "is rebalancing, and what its members subscribe to is told afterwards; try again, or give a longer --timeout")
	case len(g.Members) == 0:
		return because(codeNoMembers, "has no members, so nobody says what it subscribes to; start one, or plan from a file with --input")
	case !slices.ContainsFunc(g.Members, func(m inspect.Member) bool { return len(m.Topics)+len(m.Assigned) > 0 }):
		return because(codeNotPlannable, "has no member whose subscription can be read; see 'groupctl group describe'")
	}
	return nil
}

// member reads one member. Where its subscription is not told, by a pattern for one, what
// it is assigned stands for it.
func (r *groupReader) member(g inspect.Group, m inspect.Member) assign.Member {
	member := assign.Member{ID: m.ID, Topics: slices.Clone(m.Topics)}
	if m.Instance != nil {
		member.Instance = *m.Instance
	}
	if m.Rack != nil {
		member.Rack = *m.Rack
	}
	if m.Traits != nil {
		member.Capacity, member.Labels, member.Draining = m.Traits.Capacity, m.Traits.Labels, m.Traits.Draining
		member.MaxPartitions, member.MaxWeight = m.Traits.MaxPartitions, m.Traits.MaxWeight
	}
	if g.Generation != nil {
		member.Generation = *g.Generation
	}
	for _, tp := range m.Assigned {
		member.Owned = append(member.Owned, assign.TopicPartitions{Topic: tp.Topic, Partitions: slices.Clone(tp.Partitions)})
	}
	if m.Topics == nil {
		for _, tp := range m.Assigned {
			member.Topics = append(member.Topics, tp.Topic)
		}
		r.warn(codeNotPlannable, g.Group, "the subscription of member %q is not known; it is planned for as if it subscribed to the %d topics that it is assigned", m.ID, len(m.Assigned))
	}
	return member
}

// details reads what a plan takes beside the members: the topics and the racks of their
// replicas. It returns false where a topic is not
// known, since a plan without it would take partitions from those who own them.
func (r *groupReader) details(ctx context.Context, g *liveGroup) bool {
	names := subscribed(g.problem)
	var answer inspect.Answer[[]inspect.Partition]
	if len(names) > 0 {
		var err error
		once, cancel := share(ctx, 2.0/3)
		answer, err = r.in.Partitions(once, names...)
		cancel()
		if err != nil {
			r.errors = append(r.errors, noTopics(g.seen.Group, names, err))
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
		p.Code, why = inspect.CodeTimeout, "the time was over before a broker told it; give a longer --timeout, or check that all brokers are up"
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
func (r *groupReader) topics(g *liveGroup, names []string, answer inspect.Answer[[]inspect.Partition]) bool {
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
			if n := ownedOf(g.problem, p.Target); n > 0 {
				p.Message = fmt.Sprintf("the topic %q does not exist any more, or may not be seen, though members own %d partitions of it; they are in no plan", p.Target, n)
			}
			r.warnings = append(r.warnings, p)
		case slices.Contains(names, p.Target) && byName[p.Target] == nil:
			absent[p.Target], known = true, false
			p.Message = fmt.Sprintf("no plan is made for the group %q, as it is not known how many partitions the topic %q has: %s", g.seen.Group, p.Target, p.Message)
			r.errors = append(r.errors, p)
		default:
			r.errors = append(r.errors, p)
		}
	}
	for _, name := range names {
		t := byName[name]
		switch {
		case t != nil:
			g.problem.Topics = append(g.problem.Topics, *t)
		case absent[name]:
			g.problem.Topics = append(g.problem.Topics, assign.Topic{Name: name})
		default:
			known = false
			r.errors = append(r.errors, inspect.Problem{
				Code: inspect.CodeRequestFailed, Target: name,
				Message: fmt.Sprintf("no plan is made for the group %q, as it is not known how many partitions the topic %q has: the broker told of none; try again", g.seen.Group, name),
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

// change plays the members that are to leave and to join.
func (r *groupReader) change(g *liveGroup, flags planFlags) (changed assign.Group, ok bool) {
	changed = assign.Group{Members: slices.Clone(g.problem.Members), Topics: g.problem.Topics}
	topics := subscribed(changed)
	for _, who := range flags.remove {
		before := len(changed.Members)
		changed.Members = slices.DeleteFunc(changed.Members, func(m assign.Member) bool { return m.ID == who || m.Instance != "" && m.Instance == who })
		if len(changed.Members) == before {
			r.errors = append(r.errors, inspect.Problem{
				Code: codeMemberNotFound, Target: who,
				Message: fmt.Sprintf("the group %q has no member %q to remove; it has %s", g.seen.Group, who, someMembers(changed)),
			})
			return changed, false
		}
	}
	taken := make(map[string]bool)
	for i := range g.problem.Members {
		taken[g.problem.Members[i].ID] = true
	}
	for n, number := 0, 1; n < flags.addMembers; number++ {
		id := fmt.Sprintf("new-%d", number)
		if !taken[id] {
			changed.Members = append(changed.Members, assign.Member{ID: id, Topics: topics})
			n++
		}
	}
	if len(changed.Members) == 0 {
		r.usage = &usageError{fmt.Sprintf("--remove takes all members of the group %q away, and no member is left to plan for; remove fewer, or add some with --add-members", g.seen.Group)}
		return changed, false
	}
	return changed, true
}

func someMembers(g assign.Group) string {
	const most = 5
	var ids []string
	for i := range g.Members {
		if i == most {
			return strings.Join(ids, ", ") + fmt.Sprintf(" and %d more", len(g.Members)-most)
		}
		ids = append(ids, fmt.Sprintf("%q", g.Members[i].ID))
	}
	return strings.Join(ids, ", ")
}
