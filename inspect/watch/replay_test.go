package watch

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// replay is what somebody knows who was told the events and nothing else. It fails at an
// event that does not follow on those before: one that is told twice, or that begins
// elsewhere than where the last one ended.
type replay struct {
	t          *testing.T
	seed       uint64
	brokers    map[int32]string
	partitions map[string]map[int32]Partition
	groups     map[string]*replayedGroup
	absent     map[string]bool
	// elections are those that were told or counted as unseen.
	elections int32
	// rebalances are those that were told to begin.
	rebalances int
}

type replayedGroup struct {
	groupType  string
	settled    bool
	members    map[string]bool
	generation *int32 // of the last event that told one
}

func newReplay(t *testing.T, seed uint64) *replay {
	return &replay{
		t: t, seed: seed, brokers: map[int32]string{}, partitions: map[string]map[int32]Partition{},
		groups: map[string]*replayedGroup{}, absent: map[string]bool{},
	}
}

func (r *replay) fail(e Event, why string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("seed %d: %s: %+v %+v %+v %+v %+v %+v", r.seed, fmt.Sprintf(why, args...), e, e.Broker, e.Topic, e.Leader, e.Group, e.Generation)
}

func (r *replay) fold(events []Event) {
	r.t.Helper()
	for _, e := range events {
		if e.At.Before(e.After) {
			r.fail(e, "it ends before it begins")
		}
		switch e.Kind {
		case KindSnapshot:
			r.snapshot(e)
		case KindBroker:
			_, is := r.brokers[e.Broker.Node]
			switch b := e.Broker; {
			case b.Up == is && (b.WasAt == "" || b.WasAt != r.brokers[b.Node]):
				r.fail(e, "the broker was so before")
			case b.Up:
				r.brokers[b.Node] = b.Address
			default:
				delete(r.brokers, b.Node)
			}
		case KindTopic:
			r.topic(e)
		case KindLeader, KindISR:
			r.partition(e)
		case KindGroup:
			r.group(e)
		case KindGeneration:
			r.rebalance(e)
		default:
			r.fail(e, "nothing of that kind happened")
		}
	}
}

func (r *replay) snapshot(e Event) {
	s := e.Snapshot
	for _, node := range s.Brokers {
		r.brokers[node] = ""
	}
	for _, p := range s.Partitions {
		if r.partitions[p.Topic] == nil {
			r.partitions[p.Topic] = map[int32]Partition{}
		}
		r.partitions[p.Topic][p.Partition] = p
	}
	for _, g := range s.Groups {
		if r.groups[g.Group] != nil || r.absent[g.Group] {
			r.fail(e, "%s is in a snapshot, and was told of before", g.Group)
		}
		r.groups[g.Group] = &replayedGroup{groupType: g.Type, settled: g.Settled(), members: map[string]bool{}}
		for _, m := range g.Members {
			r.groups[g.Group].members[m.ID] = true
		}
	}
	for _, name := range s.Absent {
		if r.groups[name] != nil || r.absent[name] {
			r.fail(e, "%s is absent in a snapshot, and was told of before", name)
		}
		r.absent[name] = true
	}
}

func (r *replay) topic(e Event) {
	c := e.Topic
	known := r.partitions[c.Topic]
	if (c.From != nil) != (known != nil) || c.From != nil && *c.From != len(known) {
		r.fail(e, "it had %d partitions", len(known))
	}
	if c.To == nil {
		delete(r.partitions, c.Topic)
		return
	}
	if known == nil || c.Anew {
		known = map[int32]Partition{}
		r.partitions[c.Topic] = known
	}
	for _, p := range c.Partitions {
		if _, was := known[p.Partition]; was {
			r.fail(e, "partition %d was there", p.Partition)
		}
		known[p.Partition] = p
	}
	if len(known) != *c.To {
		r.fail(e, "that leads to %d partitions", len(known))
	}
}

func (r *replay) partition(e Event) {
	if c := e.Leader; c != nil {
		p, known := r.partitions[c.Topic][c.Partition]
		if !known || !equal(p.Leader, c.From) || !equal(p.LeaderEpoch, c.FromEpoch) || *c.ToEpoch <= *c.FromEpoch || c.Unseen != *c.ToEpoch-*c.FromEpoch-1 {
			r.fail(e, "it does not follow on %+v", p)
		}
		p.Leader, p.LeaderEpoch = c.To, c.ToEpoch
		r.elections += 1 + c.Unseen
		r.partitions[c.Topic][c.Partition] = p
		return
	}
	c := e.ISR
	p, known := r.partitions[c.Topic][c.Partition]
	sorted := func(all []int32) []int32 { return slices.Sorted(slices.Values(all)) }
	follows := slices.Equal(sorted(append(without(p.ISR, c.Left), c.Joined...)), sorted(c.ISR))
	moved := c.WereReplicas != nil
	if !known || !follows || moved == slices.Equal(p.Replicas, c.Replicas) || moved && !slices.Equal(p.Replicas, c.WereReplicas) || !moved && len(c.Left)+len(c.Joined) == 0 {
		r.fail(e, "it does not follow on %+v", p)
	}
	p.ISR, p.Replicas = c.ISR, c.Replicas
	r.partitions[c.Topic][c.Partition] = p
}

func (r *replay) group(e Event) {
	c := e.Group
	g := r.groups[c.Group]
	switch {
	case c.From == nil: // it appeared
		if g != nil {
			r.fail(e, "it was there")
		}
		g = &replayedGroup{members: map[string]bool{}}
		for _, m := range c.Joined {
			g.members[m.ID] = true
		}
		r.groups[c.Group] = g
		delete(r.absent, c.Group)
	case g == nil:
		r.fail(e, "it was not there")
	case *c.FromType != g.groupType:
		r.fail(e, "its type was %s", g.groupType)
	case c.To == nil:
		delete(r.groups, c.Group)
		r.absent[c.Group] = true
		return
	case *c.ToType != g.groupType:
		g.generation = nil
	case !(Group{State: *c.From}).Settled() || (Group{State: *c.To}).Settled():
		r.fail(e, "no rebalance begins")
	default:
		r.rebalances++
	}
	g.groupType, g.settled = *c.ToType, (Group{State: *c.To}).Settled()
}

func (r *replay) rebalance(e Event) {
	c := e.Generation
	g := r.groups[c.Group]
	if g == nil {
		r.fail(e, "there is no such group")
	}
	for _, m := range c.Joined {
		if g.members[m.ID] {
			r.fail(e, "%s joins twice", m.ID)
		}
		g.members[m.ID] = true
	}
	for _, m := range c.Left {
		if !g.members[m.ID] {
			r.fail(e, "%s leaves and was not there", m.ID)
		}
		delete(g.members, m.ID)
	}
	if len(g.members) != c.Members {
		r.fail(e, "there are %d members, by the events %v", c.Members, slices.Sorted(maps.Keys(g.members)))
	}
	if c.To != nil {
		if g.generation != nil && (*c.To < *g.generation || c.Source == SourceLog && *c.To == *g.generation) {
			r.fail(e, "generation %d was told", *g.generation)
		}
		if c.From != nil && (g.generation != nil && *c.From != *g.generation || c.Unseen == nil || *c.Unseen != max(0, *c.To-*c.From-1)) {
			r.fail(e, "it does not follow on %v", g.generation)
		}
	}
	g.generation, g.settled = c.To, true
}
