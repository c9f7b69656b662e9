package inspect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Groups returns the groups named, in their order, or all groups by name if
// none is named.
//
// Each is described by its real type, which ListGroups tells (KIP-848; every
// broker is asked), so that a consumer, share or streams group does not show as
// a dead classic one. A group that does not exist is left out, with
// [CodeGroupNotFound] among the Errors; so is one that may not be seen, with
// [CodeNotAuthorized]. When none is named, brokers silently leave out the groups
// that may not be seen. A group that is listed and cannot be described keeps its
// row, with nil for what is missing.
//
// The leader and the generation of a classic group are in no answer to a
// request. They are read from the group's record in __consumer_offsets,
// backwards from the end of the group's one partition, as far as [LogBudget]
// goes. A newer tombstone hides an older record, as it must. The brokers write
// that record when a rebalance completes: while one is under way, the answer is
// of the generation before, with the warning [CodeRebalancing]. Where the topic
// may not or cannot be read, both are nil, with a warning that says why.
//
// It takes DESCRIBE on each group; for the leader and the generation also
// DESCRIBE and READ on the topic __consumer_offsets.
//
// A share of the time left goes to each step: half to the listing, half of the
// rest to the descriptions, the remainder to the log.
func (in *Inspector) Groups(ctx context.Context, groups ...string) (Answer[[]Group], error) {
	answer := newAnswer[[]Group]()
	groups, invalid := uniqueNames("group", groups)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	topic, clusterID, err := in.offsetsTopic(ctx)
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = clusterID

	listCtx, cancel := step(ctx, 0.5)
	listing := in.listGroups(listCtx)
	cancel()
	if len(groups) == 0 {
		if listing.answered == 0 && len(listing.problems) > 0 {
			return answer.fail(listing.problems[0])
		}
		for group := range listing.groups {
			groups = append(groups, group)
		}
		slices.Sort(groups)
		answer.missing(listing.problems...)
	}

	describeCtx, cancel := step(ctx, 0.5)
	described := in.describe(describeCtx, groups, listing, topic)
	cancel()
	answer.missing(described.errors...)
	answer.warn(described.warnings...)

	in.addLeaders(ctx, described.groups, topic, &answer)
	answer.Data = []Group{}
	for _, name := range groups {
		if group := described.groups[name]; group != nil {
			group.OffsetsPartition = topic.partitionOf(name)
			slices.SortFunc(group.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
			answer.Data = append(answer.Data, *group)
		}
	}
	return answer, nil
}

// descriptions gathers the groups found, by name, and what was missing.
type descriptions struct {
	groups   map[string]*Group
	errors   []Problem
	warnings []Problem
}

func (d *descriptions) missing(p Problem) { d.errors = append(d.errors, p) }
func (d *descriptions) warn(p Problem)    { d.warnings = append(d.warnings, p) }

func (d *descriptions) notFound(group string) {
	d.missing(Problem{
		Code: CodeGroupNotFound, Target: group,
		Message: fmt.Sprintf("the group %q does not exist", group),
	})
}

// failed keeps what the listing knows of a group that could not be described.
func (d *descriptions) failed(group string, listed listedGroup, isListed bool, err error) {
	d.missing(problemFrom(err, group, fmt.Sprintf("describe the group %q", group), fmt.Sprintf("DESCRIBE on the group %q", group)))
	if isListed {
		d.groups[group] = listed.row(group)
	}
}

// outcome is what came of describing one group.
type outcome struct {
	found  func(*Group)
	gone   func(group string) // no such group, or not of this type
	failed func(group string, err error)
	warn   func(Problem)
}

// describe asks for each group by its type, and by every type that it can be
// where the listing could not tell.
func (in *Inspector) describe(ctx context.Context, groups []string, listing listing, topic *offsetsTopic) *descriptions {
	d := &descriptions{groups: map[string]*Group{}}
	byType := map[string][]string{}
	var unlisted []string
	for _, group := range groups {
		listed, ok := listing.groups[group]
		switch {
		case !ok && topic.absent && len(listing.problems) == 0:
			// Describing asks for the coordinator, which would create the
			// topic. Without it there is no group.
			d.notFound(group)
		case !ok:
			unlisted = append(unlisted, group)
		case !slices.Contains(groupTypes(), listed.groupType):
			d.groups[group] = listed.row(group)
			d.missing(Problem{
				Code: CodeUnsupported, Target: group,
				Message: fmt.Sprintf("the group %q is of the type %q, which cannot be described", group, listed.groupType),
			})
		default:
			byType[listed.groupType] = append(byType[listed.groupType], group)
		}
	}
	for _, groupType := range groupTypes() {
		in.describeAs(ctx, groupType, byType[groupType], outcome{
			found:  func(g *Group) { d.groups[g.Group] = g },
			gone:   d.notFound, // it was deleted since it was listed
			failed: func(group string, err error) { d.failed(group, listing.groups[group], true, err) },
			warn:   d.warn,
		})
	}
	in.describeUnlisted(ctx, unlisted, listing, d)
	return d
}

// describeUnlisted tells a group that does not exist from one that may not be
// seen, and from one whose coordinator did not answer the listing.
func (in *Inspector) describeUnlisted(ctx context.Context, groups []string, listing listing, d *descriptions) {
	types := groupTypes()
	if len(listing.problems) == 0 {
		types = types[:1]
	}
	left := groups
	for _, groupType := range types {
		var gone []string
		in.describeAs(ctx, groupType, left, outcome{
			found: func(g *Group) { d.groups[g.Group] = g },
			gone:  func(group string) { gone = append(gone, group) },
			failed: func(group string, err error) {
				d.failed(group, listedGroup{}, false, err)
			},
			warn: d.warn,
		})
		left = gone
	}
	for _, group := range left {
		d.notFound(group)
	}
}

func groupTypes() []string {
	return []string{typeClassic, typeConsumer, typeShare, typeStreams}
}

// describeAs calls found, gone or failed of the outcome once for each group.
func (in *Inspector) describeAs(ctx context.Context, groupType string, groups []string, to outcome) {
	switch {
	case len(groups) == 0:
	case groupType == typeClassic:
		in.describeClassic(ctx, groups, to)
	case groupType == typeConsumer:
		in.describeConsumer(ctx, groups, to)
	case groupType == typeShare:
		in.describeShare(ctx, groups, to)
	case groupType == typeStreams:
		in.describeStreams(ctx, groups, to)
	}
}
