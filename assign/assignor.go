package assign

// An Assignor computes the assignment of a whole group. It corresponds to
// org.apache.kafka.clients.consumer.ConsumerPartitionAssignor in Kafka's Java
// client.
//
// Only the group's leader calls Assign, on the goroutine that manages its group
// membership; no heartbeat is sent meanwhile, so Assign should return well within
// the session timeout.
type Assignor interface {
	// Name is the protocol name under which members offer the assignor in
	// JoinGroup. A group runs only a protocol that all its members offer, so
	// the name says which members can be in one group.
	Name() string

	// Assign returns the target for g: each partition of every subscribed
	// topic exactly once, to a member that subscribes to it. It must not
	// modify g, must not keep it, and must return the same Plan for the same
	// Group. The Plan is the caller's from then on, and must not be changed; it
	// may hold lists of g.
	Assign(g Group) (Plan, error)
}

// New returns an Assignor of the given protocol name that calls assign.
func New(name string, assign func(Group) (Plan, error)) Assignor {
	return assignorFunc{name, assign}
}

type assignorFunc struct {
	name   string
	assign func(Group) (Plan, error)
}

func (a assignorFunc) Name() string                 { return a.name }
func (a assignorFunc) Assign(g Group) (Plan, error) { return a.assign(g) }

// A solver returns the group of ix, which has passed Group.Check, as a problem that is
// solved. owned is who owns what, and the solver's from then on.
type solver func(ix *index, owned table) (*problem, error)

// solverOf returns that of an assignor which has one; nil for any other, and for one that
// embeds it, whose Assign may be its own.
func solverOf(a Assignor) solver {
	switch a := a.(type) {
	case Balanced:
		return a.solve
	case *Balanced:
		return a.solve
	case sticky:
		return a.solve
	}
	return nil
}

func (solve solver) assign(g Group) (Plan, error) {
	ix := newIndex(g)
	if err := g.check(ix); err != nil {
		return Plan{}, err
	}
	solved, err := solve(ix, ix.owned())
	if err != nil {
		return Plan{}, err
	}
	return solved.plan(), nil
}
