package assign

import (
	"cmp"
	"slices"
	"strconv"
)

// Failover is the assignor "failover": one member has everything, the others stand by.
// The member with the lowest priority number has it as long as it is there; when it
// goes, the next one takes over, and gives it back when the first returns. A topic that
// it does not subscribe to goes to the first in order that does. The zero value is
// ready to use.
//
// Priorities are a label of members. One without it, or with one that is no number,
// comes after all that have one; equal ones come in order of instance, then of id,
// static members first. Draining members come last.
type Failover struct {
	// ProtocolName replaces the name "failover".
	ProtocolName string

	// Label is the label that holds the priority, a whole number; the default is
	// "priority".
	Label string

	// StayPut keeps a topic's partitions with their owner when one of a better
	// priority comes, until the owner goes or drains.
	StayPut bool
}

// Name returns the protocol name.
func (f Failover) Name() string { return cmp.Or(f.ProtocolName, "failover") }

// Assign returns the target for g. It fails when g fails [Group.Check].
func (f Failover) Assign(g Group) (Plan, error) {
	if err := g.Check(); err != nil {
		return Plan{}, err
	}
	p := newProblem(g, &Balanced{})
	for i := range p.lanes {
		l := &p.lanes[i]
		first := f.first(p, l.same)
		if f.StayPut {
			if owner, all := l.onlyOwner(p.owner[i]); all {
				first = owner
			}
		}
		for u := range p.placed[i] {
			p.placed[i][u] = first
			if kind := l.kind(int32(u)); kind != l.same && !slices.Contains(p.kinds[kind].eligible, first) {
				p.placed[i][u] = f.first(p, kind)
			}
		}
	}
	return p.plan(), nil
}

// first returns the member that comes first of those that may have units of a kind.
func (f Failover) first(p *problem, kind int32) int32 {
	return slices.MinFunc(p.kinds[kind].eligible, func(a, b int32) int {
		return cmp.Or(cmp.Compare(f.priority(p.ix.members[a]), f.priority(p.ix.members[b])), cmp.Compare(a, b))
	})
}

// onlyOwner returns the one member that owns all units that have an owner, but for those
// that some member refuses.
func (l *lane) onlyOwner(owners []int32) (owner int32, one bool) {
	owner = unassigned
	for u, m := range owners {
		if m != unassigned && l.kind(int32(u)) == l.same {
			if owner != unassigned && owner != m {
				return unassigned, false
			}
			owner = m
		}
	}
	return owner, owner != unassigned
}

func (f Failover) priority(m *Member) int {
	n, err := strconv.Atoi(m.Labels[cmp.Or(f.Label, "priority")])
	if err != nil {
		return int(^uint(0) >> 1) // after every number
	}
	return n
}
