package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/assign/offline"
	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/live"
)

// Codes of problems that only planning has.
const (
	codeMemberNotFound inspect.Code = "MEMBER_NOT_FOUND"
	codeNotSubscribed  inspect.Code = "TOPIC_NOT_SUBSCRIBED"
)

// planner plans for one live group.
type planner struct {
	warnings, errors []inspect.Problem
	usage            error // what is wrong with the flags, as the group shows
}

// livePlan is what plan finds for a live group, and the data of its envelope.
type livePlan struct {
	ID      string                     `json:"id"`
	Results map[string]offline.Outcome `json:"results"`
	// Before is who owns what now, by the coordinator's word.
	Before assign.Assignment `json:"before"`
	// Problem is a line of input for --input that gives the same results.
	Problem offline.Problem `json:"problem"`

	group     inspect.Group
	current   assign.Group // before members were added or removed
	assignors []string
	weighed   bool
	settled   bool
}

func (s *session) planLive(command *cobra.Command, id string, flags planFlags, options offline.Options) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(command.Context(), s.timeout)
	defer cancel()

	r := new(planner)
	answer, plan := r.plan(ctx, inspect.New(client, inspect.SkipMinISR()), id, flags, options)
	if r.usage != nil {
		return r.usage
	}
	if len(answer.Errors) == 1 && answer.Errors[0].Code == inspect.CodeInvalidName {
		return &usageError{answer.Errors[0].Message}
	}
	reply := inspect.Answer[*livePlan]{
		ClusterID: answer.ClusterID, ObservedAt: answer.ObservedAt, Data: plan,
		Warnings: append([]inspect.Problem{}, r.warnings...), Errors: append([]inspect.Problem{}, r.errors...),
	}
	s.exit = exitCode(plan != nil, reply.Errors)
	if plan == nil && len(reply.Errors) == 1 && reply.Errors[0].Code == codeMemberNotFound {
		s.exit = exitNotFound
	}
	if s.output == outputJSON {
		err = writeEnvelope(s.stdout, envelopeOf(schemaOf(command), reply, plan == nil))
	} else if plan != nil {
		err = writeTable(s.stdout, s.output == outputWide, func(t *table) { planTables(t, plan) })
	}
	s.note("warning", reply.Warnings)
	s.note("error", reply.Errors)
	if err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	if plan != nil && flags.svg != "" {
		if err := drawPlan(flags.svg, plan); err != nil {
			s.exit = exitFailed
			return err
		}
	}
	return nil
}

// plan reads the group and asks the assignors. It returns nil where that cannot be done,
// and why is among r.errors.
func (r *planner) plan(ctx context.Context, in *inspect.Inspector, id string, flags planFlags, options offline.Options) (inspect.Answer[*live.Group], *livePlan) {
	answer, err := live.Read(ctx, in, id, live.Options{WeighLag: flags.weights == "lag"})
	r.warnings, r.errors = answer.Warnings, answer.Errors
	if err != nil {
		return answer, nil
	}
	group := answer.Data
	changed, ok := r.change(group, flags)
	if !ok {
		return answer, nil
	}
	r.warnOfStrangers(changed, options)
	problem := offline.Problem{ID: id, Group: changed, Assignors: flags.assignors, Options: options}
	results, err := offline.Solver{Settle: flags.settle}.Solve(problem)
	if err != nil {
		r.errors = append(r.errors, inspect.Problem{Code: live.CodeNotPlannable, Target: id, Message: fmt.Sprintf("no plan was made for the group %q: %v", id, err), Cause: err})
		return answer, nil
	}
	return answer, &livePlan{
		ID: id, Results: results, Before: group.Problem.Ownership(), Problem: problem,
		group: group.Seen, current: group.Problem, assignors: flags.assignors,
		weighed: slices.ContainsFunc(group.Problem.Topics, func(t assign.Topic) bool { return t.Weights != nil }), settled: flags.settle,
	}
}

// warnOfStrangers tells of topics in the options that nobody subscribes to: what is said of
// them has no effect.
func (r *planner) warnOfStrangers(g assign.Group, options offline.Options) {
	topics := subscribed(g)
	var told []string
	tell := func(flag, topic string) {
		if slices.Contains(topics, topic) || slices.Contains(told, flag+topic) {
			return
		}
		told = append(told, flag+topic)
		r.warnings = append(r.warnings, inspect.Problem{
			Code: codeNotSubscribed, Target: topic,
			Message: fmt.Sprintf("--%s names the topic %q, to which no member subscribes, so it has no effect on it; check the name", flag, topic),
		})
	}
	for _, pin := range options.Pins {
		tell("pin", pin.Topic)
	}
	for _, together := range options.CoPartition {
		for _, topic := range together {
			tell("co-partition", topic)
		}
	}
}

func drawPlan(path string, plan *livePlan) error {
	var b bytes.Buffer
	if err := plan.picture().SVG(&b); err != nil {
		return fmt.Errorf("cannot draw the plan: %w", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return errors.New(printable(fmt.Sprintf("cannot write the picture: %v; name a file in a directory that exists", err)))
	}
	return nil
}
