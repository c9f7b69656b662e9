package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// GroupDetails are what [Inspector.DescribeGroups] finds out of groups beside what
// their coordinators tell. Each takes requests of its own.
type GroupDetails struct {
	// Log reads __consumer_offsets for what no request answers: the leader and
	// the generation of classic groups, since when the generation lasts, and what
	// members of consumer groups still have to give up.
	Log bool
	// Lag computes how far groups and members are behind.
	Lag bool
}

// Groups returns the groups named, or all, with what __consumer_offsets tells of them
// and without their lag. See [Inspector.DescribeGroups].
func (in *Inspector) Groups(ctx context.Context, groups ...string) (Answer[[]Group], error) {
	return in.DescribeGroups(ctx, GroupDetails{Log: true}, groups...)
}

// DescribeGroups returns the groups named, in their order, or all groups by name if
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
// A group that is named and that no broker lists is looked for as every type, for
// its coordinator may be moving or have failed to list it. Where __consumer_offsets
// does not exist, or is hidden and no group is listed at all, it is not: that takes
// a request which would create the topic.
//
// # The log
//
// The leader and the generation of a classic group are in no answer to a
// request. They are read from the group's record in __consumer_offsets,
// backwards from the end of the group's one partition, as far as [LogBudget]
// goes. A newer tombstone hides an older record, as it must. The brokers write
// that record when a rebalance completes: while one is under way, the answer is
// of the generation before, with the warning [CodeRebalancing]. Where the topic
// may not or cannot be read, both are nil, with a warning that says why. For the
// other types only Since, and of a consumer group what its members have to give up,
// come from there, and the epoch of one that its coordinator does not describe.
//
// # Lag
//
// The offsets committed are asked of the coordinators, in batches, and where the logs
// begin and end of the partitions' leaders, with one request for each leader and kind:
// start, last stable offset, high watermark. See [PartitionLag] for what is made of
// them. What cannot be known is among the Errors, and the rest is told. A committed
// offset that lies outside of the log has a warning, [CodeCommittedBeforeStart] or
// [CodeCommittedBeyondEnd].
//
// # What it takes
//
// DESCRIBE on each group, and on the topics of those that are not classic, which their
// coordinators do not describe otherwise; for the log also DESCRIBE and READ on the
// topic __consumer_offsets; for the lag DESCRIBE on the topics consumed.
//
// A share of the time left goes to each step: half to the listing, half of the
// rest to the descriptions, the remainder to the log and the lag next to each other.
func (in *Inspector) DescribeGroups(ctx context.Context, details GroupDetails, groups ...string) (Answer[[]Group], error) {
	answer := newAnswer[[]Group]()
	groups, invalid := uniqueNames("group", groups)
	if invalid != nil {
		return answer.fail(*invalid)
	}
	metadata, err := in.metadata(ctx, []string{offsetsTopicName})
	if err != nil {
		return answer.fail(in.unreachable(err))
	}
	answer.ClusterID = metadata.ClusterID
	topic := offsetsTopicFrom(metadata)

	listCtx, cancel := step(ctx, 0.5)
	listing := in.listGroups(listCtx, metadata.Brokers, groups)
	cancel()
	in.tellConcealed(ctx, topic, listing.groups)
	if len(groups) == 0 {
		if listing.answered == 0 && len(listing.problems) > 0 {
			answer, err := answer.fail(listing.problems[0])
			answer.missing(listing.problems[1:]...)
			return answer, err
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
	for _, group := range described.groups {
		slices.SortFunc(group.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	}

	in.addDetails(ctx, details, described.groups, topic, &answer)
	answer.Data = []Group{}
	for _, name := range groups {
		if group := described.groups[name]; group != nil {
			group.OffsetsPartition = topic.partitionOf(name)
			answer.Data = append(answer.Data, *group)
		}
	}
	return answer, nil
}

// addDetails finds out the details, next to each other: the log and the lag fill in
// fields of their own.
func (in *Inspector) addDetails(ctx context.Context, details GroupDetails, groups map[string]*Group, topic *offsetsTopic, answer *Answer[[]Group]) {
	var lagErrors, lagWarnings []Problem
	var lag sync.WaitGroup
	if details.Lag && len(groups) > 0 {
		lag.Go(func() { lagErrors, lagWarnings = in.addLags(ctx, groups) })
	}
	revoking := map[string]map[string][]TopicPartitions{}
	if details.Log {
		revoking = in.addLeaders(ctx, groups, topic, answer)
	}
	lag.Wait()
	answer.missing(lagErrors...)
	answer.warn(lagWarnings...)
	for name, group := range groups {
		addHoldUps(group, revoking[name])
		tellLeader(group)
	}
}

// tellLeader says of each member of a classic group whether it leads.
func tellLeader(group *Group) {
	if group.Leader == nil {
		return
	}
	for i := range group.Members {
		group.Members[i].Leader = new(group.Members[i].ID == *group.Leader)
	}
}

// descriptions gathers the groups found, by name, and what was missing.
type descriptions struct {
	groups   map[string]*Group
	errors   []Problem
	warnings []Problem
}

func (d *descriptions) missing(p Problem) { d.errors = append(d.errors, p) }

func (d *descriptions) notFound(group string) {
	d.missing(Problem{
		Code: CodeGroupNotFound, Target: group,
		Message: fmt.Sprintf("the group %q does not exist on this cluster; check its name, and that a member has joined it or an offset was committed to it", group),
	})
}

func (d *descriptions) failed(group string, err error) {
	d.missing(descriptionProblem(err, group))
}

// descriptionProblem names the ACL that is missing. Coordinators describe a consumer,
// share or streams group only to who may see every topic of it.
func descriptionProblem(err error, group string) Problem {
	acl := fmt.Sprintf("DESCRIBE on the group %q", group)
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		acl = fmt.Sprintf("DESCRIBE on all topics of the group %q", group)
	}
	return problemFrom(err, group, fmt.Sprintf("describe the group %q", group), acl)
}

func (d *descriptions) found(answer described) {
	d.groups[answer.name] = answer.group
	d.warnings = append(d.warnings, answer.warnings...)
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
		case !ok:
			unlisted = append(unlisted, group)
		case !slices.Contains(groupTypes(), listed.groupType):
			d.groups[group] = listed.row(group)
			d.missing(Problem{
				Code: CodeUnsupported, Target: group,
				Message: fmt.Sprintf("cannot describe the group %q: it is of the type %q, which this program does not know; look for a newer one", group, listed.groupType),
			})
		default:
			byType[listed.groupType] = append(byType[listed.groupType], group)
		}
	}
	for _, groupType := range groupTypes() {
		asked := byType[groupType]
		answers := in.describeAs(ctx, groupType, asked, listing.coordinators(asked))
		for _, group := range asked {
			answer := answers[group]
			switch {
			case errors.Is(answer.err, kerr.GroupIDNotFound):
				d.notFound(group) // deleted since it was listed
			case answer.err != nil:
				d.failed(group, answer.err)
				d.groups[group] = listing.groups[group].row(group)
			default:
				d.found(answer)
			}
		}
	}
	if len(unlisted) > 0 {
		in.describeUnlisted(ctx, unlisted, listing, topic, d)
	}
	return d
}

// describeUnlisted tells a group that does not exist from one that may not be
// seen, and from one that no broker lists because its coordinator did not answer
// or is moving.
//
// Describing asks for the coordinator, which would create __consumer_offsets
// where it does not exist. Without that topic there is no group, and where there
// is a group there is that topic.
func (in *Inspector) describeUnlisted(ctx context.Context, groups []string, listing listing, topic *offsetsTopic, d *descriptions) {
	if topic.absent || topic.hidden && len(listing.groups) == 0 {
		for _, p := range listing.problems {
			d.missing(p)
		}
		for _, group := range groups {
			switch {
			case len(listing.problems) > 0: // they say all that is known
			case topic.absent && !topic.concealed:
				d.notFound(group)
			default:
				d.missing(hiddenProblem(group, topic.problem.Cause))
			}
		}
		return
	}
	types := groupTypes()
	answers := make([]map[string]described, len(types))
	var asking sync.WaitGroup
	for i, groupType := range types {
		asking.Go(func() { answers[i] = in.describeAs(ctx, groupType, groups, nil) })
	}
	asking.Wait()
	for _, group := range groups {
		var found *described
		var failure error
		for i := range types {
			answer := answers[i][group]
			switch {
			case errors.Is(answer.err, kerr.GroupIDNotFound), errors.Is(answer.err, kerr.UnsupportedVersion):
				// Not of this type, or on brokers that have no groups of it.
			case answer.err != nil:
				failure = cmp.Or(failure, answer.err)
			case found == nil, len(found.group.Members) == 0 && len(answer.group.Members) > 0:
				// A coordinator may show a group of another type as one
				// without members.
				found = &answer
			}
		}
		if found != nil {
			d.found(*found)
		}
		switch {
		case failure != nil && (found == nil || len(found.group.Members) == 0):
			d.failed(group, failure)
		case found == nil:
			d.notFound(group)
		}
	}
}

// hiddenProblem is that of a group that no broker lists, where __consumer_offsets is
// hidden.
func hiddenProblem(group string, cause error) Problem {
	return Problem{
		Code: CodeNotAuthorized, Target: group, Cause: cause,
		Message: fmt.Sprintf("cannot tell whether the group %q exists: no broker lists it, and asking further could create %s, which is hidden; it takes the ACL DESCRIBE on the group %q or on the topic %s",
			group, offsetsTopicName, group, offsetsTopicName),
	}
}
