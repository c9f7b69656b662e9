package watch

import (
	"cmp"
	"time"
)

// Differ turns looks into events. Its zero value is not ready; use [NewDiffer]. It is
// for one goroutine: looks are given one after the other, in the order of their times.
type Differ struct {
	config Config

	brokers      []int32
	addresses    map[int32]string
	topics       map[string]*topicState // nil before the first look
	partitionsAt time.Time
	// partitionLooks counts the looks at partitions.
	partitionLooks int
	// lost are the last leaders of partitions that are without one, although replicas
	// could lead.
	lost map[partitionKey]lostLeader

	controller   *Controller
	controllerAt time.Time

	groups groups
	lags   map[string]map[partitionKey]*lagState // by group
	blind  map[sightKey]*blindness
}

// Config says what to make events of. Its zero value is ready.
type Config struct {
	// Topics are those whose leaders and ISR make events; nil for all of them. Those of
	// __consumer_offsets are needed in looks for coordinators, whether or not it is
	// among these.
	Topics []string
	// OnlyCoordinators leaves out events of partitions and brokers altogether.
	OnlyCoordinators bool
	// StallAfter is how long a committed offset may stand still behind the end of the
	// log until that is told. 0 means a minute.
	StallAfter time.Duration
	// Patience is how long looks may fail until that is told. 0 means two seconds.
	Patience time.Duration
}

const (
	defaultStallAfter = time.Minute
	defaultPatience   = 2 * time.Second

	offsetsTopic = "__consumer_offsets"
)

// NewDiffer returns a Differ that has seen nothing.
func NewDiffer(config Config) *Differ {
	config.StallAfter = cmp.Or(config.StallAfter, defaultStallAfter)
	config.Patience = cmp.Or(config.Patience, defaultPatience)
	return &Differ{
		config: config,
		lost:   map[partitionKey]lostLeader{},
		groups: groups{known: map[string]*groupState{}, held: map[string]*heldGroup{}},
		lags:   map[string]map[partitionKey]*lagState{},
		blind:  map[sightKey]*blindness{},
	}
}

// Controller takes a look at the controller.
func (d *Differ) Controller(look ControllerLook) []Event {
	before, after := d.controller, d.controllerAt
	if before != nil && look.Epoch < before.Epoch {
		return nil // from a node that has not heard of the last election
	}
	if before != nil && look.Epoch == before.Epoch && look.Node == nil {
		// The epoch had a leader: who says otherwise has not heard of it, or has lost
		// it, and then a new epoch follows.
		return nil
	}
	now := look.Controller
	d.controller, d.controllerAt = &now, look.At
	switch {
	case before == nil:
		return []Event{{Kind: KindSnapshot, At: look.At, Snapshot: &Snapshot{Controller: &now}}}
	case before.Epoch == now.Epoch && equal(before.Node, now.Node):
		return nil
	}
	return []Event{{
		Kind: KindController, At: look.At, After: after,
		Controller: &ControllerChange{
			From: before.Node, To: now.Node, FromEpoch: &before.Epoch, ToEpoch: &now.Epoch,
			Unseen: max(0, now.Epoch-before.Epoch-1),
		},
	}}
}
