// Package live reads a group of a cluster as a problem that package assign can solve:
// who would get what by another assignor, with other members, or by weight.
//
//	answer, err := live.Read(ctx, inspect.New(client), "orders", live.Options{})
//	if err != nil {
//		return err
//	}
//	plan, err := assign.Balanced{}.Assign(answer.Data.Problem)
package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

const (
	// CodeNoMembers: the group has no members, so nobody says what it subscribes to.
	CodeNoMembers inspect.Code = "NO_MEMBERS"
	// CodeNotPlannable: the group, or a part of it, is not what package assign plans
	// for. The message says what it is, and what is planned for in its place if anything.
	CodeNotPlannable inspect.Code = "NOT_PLANNABLE"
)

// Options are what to read beside members, topics and racks.
type Options struct {
	// WeighLag makes each partition as heavy as the group lags in it, in records; where
	// the group lags nowhere, partitions have no weights.
	WeighLag bool
}

// Group is a live group in two forms.
type Group struct {
	// Seen is the group as [inspect.Inspector.Groups] shows it.
	Seen inspect.Group
	// Problem is the same as package assign takes it. It is valid: Check returns nil.
	Problem assign.Group
}

// reader reads one group.
type reader struct {
	in       *inspect.Inspector
	warnings []inspect.Problem
	errors   []inspect.Problem
}

func (r *reader) warn(code inspect.Code, target, format string, args ...any) {
	r.warnings = append(r.warnings, inspect.Problem{Code: code, Target: target, Message: fmt.Sprintf(format, args...)})
}

// Read reads a group of the classic type or of KIP-848: its members, what they subscribe
// to and own, their racks and traits, and the partitions of the topics with the racks of
// their replicas. A member whose subscription is not told counts as subscribed to what it
// is assigned, with a warning. A classic group that rebalances is asked again until it is
// stable, as long as ctx leaves time; without a deadline, until ctx ends.
//
// Where something is not known without which a plan would take partitions from those who
// own them, Data is nil and the error is all of Errors joined. What else is missing is
// among Errors and Warnings, with Data and without an error.
//
// It needs DESCRIBE on the group and on its topics.
func Read(ctx context.Context, in *inspect.Inspector, group string, options Options) (inspect.Answer[*Group], error) {
	r := &reader{in: in}
	seen, g := r.read(ctx, group)
	if g != nil && options.WeighLag && !r.lag(ctx, g) {
		g = nil
	}
	answer := inspect.Answer[*Group]{
		ClusterID: seen.ClusterID, ObservedAt: seen.ObservedAt, Data: g,
		Warnings: append([]inspect.Problem{}, r.warnings...), Errors: append([]inspect.Problem{}, r.errors...),
	}
	if g != nil {
		return answer, nil
	}
	if len(answer.Errors) == 0 {
		answer.Errors = append(answer.Errors, inspect.Problem{
			Code: inspect.CodeRequestFailed, Target: group,
			Message: fmt.Sprintf("the brokers tell too little of the group %q to plan for it; try again", group),
		})
	}
	return answer, answer.Err()
}

// read reads the group. What is wrong is among r.errors; without a group, nothing can be
// planned.
func (r *reader) read(ctx context.Context, id string) (answer inspect.Answer[[]inspect.Group], group *Group) {
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
	g := &Group{Seen: seen}
	for _, m := range seen.Members {
		g.Problem.Members = append(g.Problem.Members, r.member(seen, m))
	}
	if !r.details(ctx, g) {
		return answer, nil
	}
	if err := g.Problem.Check(); err != nil {
		r.errors = append(r.errors, inspect.Problem{Code: CodeNotPlannable, Target: id, Message: fmt.Sprintf("the group %q is no problem to solve: %v", id, err)})
		return answer, nil
	}
	return answer, g
}

// ofLeader tells whether a warning is of the leader and generation of a classic group, which
// no plan depends on.
func ofLeader(p inspect.Problem) bool {
	switch p.Code {
	case inspect.CodeRecordNotFound, inspect.CodeRecordUnreadable, inspect.CodeRecordStale, inspect.CodeOffsetsTopicAbsent, inspect.CodeOffsetsTopicConcealed:
		return true
	case inspect.CodeNotAuthorized:
		return strings.Contains(p.Message, "__consumer_offsets")
	}
	return false
}

// settledGroup describes the group, again as long as a rebalance hides what members want.
func (r *reader) settledGroup(ctx context.Context, id string) (inspect.Answer[[]inspect.Group], error) {
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
		return because(CodeNotPlannable, "is of type %s, whose partitions no plan of members assigns; name a classic or consumer group", *g.Type)
	case g.ProtocolType != nil && *g.ProtocolType == "connect":
		return because(CodeNotPlannable, "is of Kafka Connect, whose workers share tasks and not partitions; name a group of consumers")
	case g.ProtocolType != nil && *g.ProtocolType == memberbytes.ElectionProtocolType:
		return because(CodeNotPlannable, "is an election, whose members share no partitions; name a group of consumers")
	case rebalancing(g):
		return because(inspect.CodeRebalancing, "is rebalancing, and what its members subscribe to is told afterwards; try again, or allow more time")
	case len(g.Members) == 0:
		return because(CodeNoMembers, "has no members, so nobody says what it subscribes to; start one")
	case !slices.ContainsFunc(g.Members, func(m inspect.Member) bool { return len(m.Topics)+len(m.Assigned) > 0 }):
		return because(CodeNotPlannable, "has no member whose subscription can be read")
	}
	return nil
}

// member reads one member. Where its subscription is not told, by a pattern for one, what
// it is assigned stands for it.
func (r *reader) member(g inspect.Group, m inspect.Member) assign.Member {
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
		r.warn(CodeNotPlannable, g.Group, "the subscription of member %q is not known; it is planned for as if it subscribed to the %d topics that it is assigned", m.ID, len(m.Assigned))
	}
	return member
}
