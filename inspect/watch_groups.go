package inspect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

const (
	// listEvery is how often coordinators are asked which groups there are.
	listEvery = 5 * time.Second
	// describeEvery is how far looks at groups lie apart that the log tells of too: it is
	// read between.
	describeEvery = 1500 * time.Millisecond
	// watchBatch is how many groups go into one request.
	watchBatch = 1000
)

// watchedGroup is what has to be known of a group to look at it.
type watchedGroup struct {
	// named: asked for by name, so it is looked for also where it is not listed.
	named bool
	// lister is the broker that listed it last, for where __consumer_offsets is hidden, if
	// it was listed.
	lister int32
	listed bool
	// groupType is empty while it is not known; then tried counts the types that it
	// turned out not to be of.
	groupType string
	tried     int
	// refused is how often the leader of its partition of __consumer_offsets said that
	// it is not the coordinator, and found who is, where that goes on: servers that are
	// not Kafka may place groups otherwise.
	refused int
	found   *int32
	// appeared: it was not in an earlier list of its coordinator.
	appeared bool
	// hidden: it may not be described, which does not pass soon.
	hidden bool
	// topics are those that its members subscribed to or were assigned at the last look.
	topics []string
}

// watchCoordinators has each live broker looked at for the groups that it coordinates.
func (w *watcher) watchCoordinators(ctx context.Context) {
	running := map[int32]context.CancelFunc{}
	for {
		known, moved := w.layoutNow()
		for _, node := range known.brokers {
			if running[node] != nil {
				continue
			}
			nodeCtx, cancel := context.WithCancel(ctx)
			running[node] = cancel
			c := coordinatorWatch{watcher: w, node: node}
			w.all.Go(func() { c.run(nodeCtx) })
		}
		for node, cancel := range running {
			if !slices.Contains(known.brokers, node) {
				cancel()
				delete(running, node)
			}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return
		}
	}
}

// coordinatorWatch looks at the groups of one broker.
type coordinatorWatch struct {
	*watcher
	node   int32
	listed time.Time
	log    logTail
	// failing are the looks at groups that failed last.
	failing map[string]bool
}

// The looks at which groups there are, and at who coordinates those that are refused. The
// others are named for the type.
const (
	ofList         = "list"
	ofCoordinators = "coordinators"
)

// fail tells that a look at the groups of this broker failed.
func (c *coordinatorWatch) fail(ctx context.Context, of string, began time.Time, p Problem) {
	c.failing[of] = true
	c.failed(ctx, sight{partGroups, &c.node, of}, began, p)
}

// settle tells that a look which failed succeeded, or that there is nothing to look at
// any more.
func (c *coordinatorWatch) settle(ctx context.Context, of string) {
	if c.failing[of] {
		delete(c.failing, of)
		c.saw(ctx, sight{partGroups, &c.node, of}, time.Now(), nothingMore)
	}
}

func (c *coordinatorWatch) run(ctx context.Context) {
	c.failing = map[string]bool{}
	c.log = logTail{watcher: c.watcher, node: c.node, failing: map[string]bool{}}
	var described time.Time
	every := time.Duration(0)
	for began := time.Now(); ; began = time.Now() {
		if !c.mustList() {
			c.settle(ctx, ofList)
		} else if time.Since(c.listed) >= listEvery {
			c.list(ctx)
		}
		c.log.begin(ctx)
		if time.Since(described) >= every {
			described = time.Now()
			for _, groupType := range groupTypes() {
				all := true
				batches(c.groupsOf(groupType), watchBatch, func(batch []string) { all = c.describe(ctx, groupType, batch) && all })
				if all {
					c.settle(ctx, groupType)
				}
			}
			c.findRefused(ctx)
		}
		// What is seen for the first time is told after the log was read.
		read := c.log.look(ctx, every > 0)
		if every = 0; read && !c.isLooking() {
			every = describeEvery
		}
		if !pause(ctx, time.Until(began.Add(lookEvery))) {
			return
		}
	}
}

// isLooking says whether it has yet to turn out of which type a group of this broker is,
// or that it is gone.
func (c *coordinatorWatch) isLooking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, group := range c.names {
		if group.groupType == "" && !group.hidden && group.tried < len(groupTypes()) && c.coordinates(name, group) {
			return true
		}
	}
	return false
}

// mustList says whether lists are needed: to know all groups, or where coordinators
// cannot be computed.
func (c *coordinatorWatch) mustList() bool {
	known, _ := c.layoutNow()
	return len(c.what.GroupNames) == 0 || len(known.offsets) == 0 && known.offsetsHidden
}

func (c *coordinatorWatch) list(ctx context.Context) {
	resp, at, err := ask[*kmsg.ListGroupsResponse](ctx, c.watcher, c.node, c.listed.IsZero(), lookTimeout, kmsg.NewPtrListGroupsRequest())
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		if !errors.Is(err, kerr.CoordinatorLoadInProgress) && !errors.Is(err, kerr.CoordinatorNotAvailable) {
			c.fail(ctx, ofList, at, problemFrom(err, "", fmt.Sprintf("list the groups of broker %d", c.node), "DESCRIBE on the cluster or on each group"))
		}
		return
	}
	c.settle(ctx, ofList)
	c.takeList(resp, at)
	for _, name := range c.neverListed() {
		p := hiddenProblem(name, kerr.TopicAuthorizationFailed)
		c.failed(ctx, sight{part: partGroup + name}, at, p)
	}
}

// neverListed are the groups of which nothing is known, as no broker lists them and
// __consumer_offsets is hidden. There are none until all brokers were heard.
func (c *coordinatorWatch) neverListed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.layout.offsets) > 0 || !c.layout.offsetsHidden {
		return nil
	}
	if slices.ContainsFunc(c.layout.brokers, func(node int32) bool { return !c.haveListed[node] }) {
		return nil
	}
	var names []string
	for name, group := range c.names {
		if !group.listed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (c *coordinatorWatch) takeList(resp *kmsg.ListGroupsResponse, at time.Time) {
	first := c.listed.IsZero()
	c.listed = at
	c.mu.Lock()
	defer c.mu.Unlock()
	c.haveListed[c.node] = true
	for _, g := range resp.Groups {
		group, known := c.names[g.Group]
		if !known {
			if len(c.what.GroupNames) > 0 {
				continue
			}
			group = &watchedGroup{appeared: !first}
			c.names[g.Group] = group
		}
		group.lister, group.listed = c.node, true
		if t := typeOf(resp.Version, g.GroupType); t != group.groupType && slices.Contains(groupTypes(), t) {
			group.groupType, group.tried = t, 0
		}
	}
}

// groupsOf returns the groups that this broker coordinates and that are to be looked at
// as one type: those that are of it, and those of a type unknown that have yet to be
// looked for as it.
func (c *coordinatorWatch) groupsOf(groupType string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var groups []string
	for name, group := range c.names {
		wanted := group.groupType
		if wanted == "" {
			wanted = groupTypes()[group.tried%len(groupTypes())]
		}
		if wanted == groupType && c.coordinates(name, group) {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	return groups
}

// coordinates says whether a group is for this broker to tell of. Without
// __consumer_offsets there are no groups, and any broker may say so. It is called with the
// lock held.
func (c *coordinatorWatch) coordinates(name string, group *watchedGroup) bool {
	return c.layout.offsetsAbsent() || c.coordinatorOf(name, group) == c.node
}

// coordinatorOf is the broker that coordinates a group: as its name has it, or who was
// found where that one refuses, or who listed it where __consumer_offsets is hidden; -1 if
// that is not known. It is called with the lock held.
func (w *watcher) coordinatorOf(name string, group *watchedGroup) int32 {
	switch count := int32(len(w.layout.offsets)); {
	case group.found != nil && slices.Contains(w.layout.brokers, *group.found):
		return *group.found // one that is gone is asked nothing, and so cannot refuse
	case count > 0:
		return w.layout.offsets[OffsetsPartition(name, count)]
	case group.listed:
		return group.lister
	}
	return -1
}

// describe looks at groups as one type, and says whether the broker answered.
func (c *coordinatorWatch) describe(ctx context.Context, groupType string, groups []string) bool {
	req := describeRequest(groupType, groups)
	resp, at, err := ask[kmsg.Response](ctx, c.watcher, c.node, true, lookTimeout, req)
	if err != nil {
		err = c.lacks(ctx, c.node, req.Key(), err)
		if !errors.Is(err, kerr.UnsupportedVersion) {
			c.fail(ctx, groupType, at, problemFrom(err, "", fmt.Sprintf("describe the groups of broker %d", c.node), "DESCRIBE on each group"))
			return false
		}
	}
	taken := watch.GroupsLook{At: at, Answered: time.Now(), Node: c.node}
	answered := map[string]bool{}
	if err == nil {
		for _, d := range watchedGroups(resp) {
			answered[d.name] = true
			switch {
			case d.err == nil:
				c.isOf(d.name, groupType, &taken, d.group)
			case errors.Is(d.err, kerr.GroupIDNotFound), errors.Is(d.err, kerr.UnsupportedVersion):
				// Kafka 3.9 lists the requests of types that it has to be told to serve, and
				// refuses them for each group.
				c.isNot(d.name, groupType, &taken)
			case coordinatorMoved(d.err):
				c.refuse(d.name, groupType, &taken)
			default:
				p := descriptionProblem(d.err, d.name)
				c.hide(d.name, p.Code == CodeNotAuthorized)
				c.failed(ctx, sight{part: partGroup + d.name}, at, p)
			}
		}
	}
	for _, name := range groups {
		if err != nil && !answered[name] {
			c.isNot(name, groupType, &taken) // the broker has no groups of that type
		}
	}
	c.send(ctx, func(d *watch.Differ) []watch.Event {
		var events []watch.Event
		for _, g := range taken.Groups {
			events = append(events, d.Saw(partGroup+g.Group, nil, "", at)...)
		}
		for _, name := range taken.Absent {
			events = append(events, d.Saw(partGroup+name, nil, "", at)...)
		}
		return append(events, d.Groups(taken)...)
	})
	return true
}

// hide takes whether a group that could not be described may not be.
func (c *coordinatorWatch) hide(name string, hidden bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if group := c.names[name]; group != nil {
		group.hidden = hidden
	}
}

// mostRefusals is how often a coordinator may say that it is none, as it does while an
// election spreads, until the brokers are asked who is.
const mostRefusals = 2

// refuse takes a group of which a broker says that it does not coordinate it. So do all
// where there is no __consumer_offsets, and then there is no such group.
func (c *coordinatorWatch) refuse(name, groupType string, taken *watch.GroupsLook) {
	if known, _ := c.layoutNow(); known.offsetsAbsent() {
		c.isNot(name, groupType, taken)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if group := c.names[name]; group != nil {
		group.refused++
		group.found = nil
	}
}

// findRefused asks this broker who coordinates the groups for which it is computed to be
// the coordinator, and which it goes on to refuse. It asks only where __consumer_offsets is
// seen: FindCoordinator would create it.
func (c *coordinatorWatch) findRefused(ctx context.Context) {
	if layout, _ := c.layoutNow(); len(layout.offsets) == 0 {
		return
	}
	c.mu.Lock()
	var groups []string
	for name, group := range c.names {
		if group.refused >= mostRefusals && group.found == nil && c.coordinatorOf(name, group) == c.node && len(groups) < watchBatch {
			groups = append(groups, name)
		}
	}
	c.mu.Unlock()
	if len(groups) == 0 {
		c.settle(ctx, ofCoordinators)
		return
	}
	slices.Sort(groups)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = groups
	req.CoordinatorKey = groups[0] // what a broker before v4 (Kafka 3.0) reads; it answers for that one
	resp, at, err := ask[*kmsg.FindCoordinatorResponse](ctx, c.watcher, c.node, false, lookTimeout, req)
	if err != nil {
		c.fail(ctx, ofCoordinators, at, problemFrom(err, "", fmt.Sprintf("find the coordinators of groups that broker %d refuses", c.node), "DESCRIBE on each group"))
		return
	}
	c.settle(ctx, ofCoordinators)
	answers := resp.Coordinators
	if resp.Version < 4 {
		one := kmsg.NewFindCoordinatorResponseCoordinator()
		one.Key, one.NodeID, one.ErrorCode = groups[0], resp.NodeID, resp.ErrorCode
		answers = append(answers, one)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range answers {
		if group := c.names[answer.Key]; group != nil && answer.ErrorCode == 0 && group.refused >= mostRefusals {
			group.found = known(answer.NodeID)
		}
	}
}

// isOf takes a group that is of the type that it was looked at as.
func (c *coordinatorWatch) isOf(name, groupType string, taken *watch.GroupsLook, group watch.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.names[name]
	if known == nil {
		return // not asked for
	}
	known.groupType, known.tried, known.refused, known.hidden = groupType, 0, 0, false
	known.topics = topicsOfMembers(group.Members)
	if n := len(c.layout.offsets); n > 0 {
		partition := OffsetsPartition(name, int32(n))
		group.OffsetsPartition = &partition
	}
	taken.Groups = append(taken.Groups, group)
	if known.appeared {
		taken.Appeared = append(taken.Appeared, name)
	}
}

// isNot takes a group that is not of the type that it was looked at as. It is absent if
// it is of none.
func (c *coordinatorWatch) isNot(name, groupType string, taken *watch.GroupsLook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.names[name]
	if known == nil {
		return
	}
	known.hidden = false
	if known.groupType != "" {
		known.groupType, known.tried = "", 0
		return
	}
	if known.tried++; known.tried%len(groupTypes()) != 0 {
		return
	}
	taken.Absent = append(taken.Absent, name)
	if !known.named {
		delete(c.names, name)
		taken.Forgotten = append(taken.Forgotten, name)
	}
}

// topicsOfMembers are the topics that members subscribe to or are assigned, in no order.
func topicsOfMembers(members []watch.Member) []string {
	seen := map[string]bool{}
	for i, m := range members {
		if i == 0 || !slices.Equal(m.Topics, members[i-1].Topics) { // most are alike
			for _, topic := range m.Topics {
				seen[topic] = true
			}
		}
		for _, of := range m.Assigned {
			seen[of.Topic] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}
