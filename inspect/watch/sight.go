package watch

import (
	"cmp"
	"slices"
	"time"
)

type sightKey struct {
	part string
	node int32
}

// blindness is a part that cannot be looked at.
type blindness struct {
	since time.Time
	// failing is since when which of its looks fail.
	failing map[string]time.Time
	told    bool
}

const anyNode = -1

func keyOf(part string, node *int32) sightKey {
	if node == nil {
		return sightKey{part, anyNode}
	}
	return sightKey{part, *node}
}

// Failed takes a look that failed. It is told when looks at the same have failed for
// [Config.Patience]: once. A look that took as long to fail is told at once.
func (d *Differ) Failed(look FailedLook) []Event {
	if look.Began.IsZero() {
		look.Began = look.At
	}
	key := keyOf(look.Part, look.Node)
	blind, ok := d.blind[key]
	if !ok {
		blind = &blindness{since: look.Began, failing: map[string]time.Time{}}
		d.blind[key] = blind
	}
	since, fails := blind.failing[look.Of]
	if !fails {
		since = look.Began
		blind.failing[look.Of] = since
	}
	if blind.told || look.At.Sub(since) < d.config.Patience {
		return nil
	}
	blind.told = true
	return []Event{{Kind: KindSight, At: look.At, After: since, Sight: &SightChange{
		Part: look.Part, Node: look.Node, Lost: true, Code: look.Code, Message: look.Message,
	}}}
}

// Saw takes note that a look at a part of a node succeeded, that [FailedLook.Of] of it.
// Give it before the look itself, so that the events tell first that it can be looked at
// again.
func (d *Differ) Saw(part string, node *int32, of string, at time.Time) []Event {
	key := keyOf(part, node)
	blind, ok := d.blind[key]
	if !ok {
		return nil
	}
	if delete(blind.failing, of); len(blind.failing) > 0 {
		return nil
	}
	if !blind.told {
		delete(d.blind, key)
		return nil
	}
	return []Event{d.seen(key, at)}
}

// isBlind says whether it was told that a part of a node cannot be looked at.
func (d *Differ) isBlind(part string, node int32) bool {
	blind := d.blind[keyOf(part, &node)]
	return blind != nil && blind.told
}

// Gone forgets what could not be looked at at brokers that are gone, which their own
// events tell. Where those are left out, with [Config.OnlyCoordinators], it is told that
// it is over.
func (d *Differ) Gone(nodes []int32, at time.Time) []Event {
	var over []sightKey
	for key, blind := range d.blind {
		if !slices.Contains(nodes, key.node) {
			continue
		}
		if d.config.OnlyCoordinators && blind.told {
			over = append(over, key)
			continue
		}
		delete(d.blind, key)
	}
	slices.SortFunc(over, func(a, b sightKey) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.node, b.node))
	})
	var events []Event
	for _, key := range over {
		events = append(events, d.seen(key, at))
	}
	return events
}

// seen forgets what was told as lost, and tells that it is not.
func (d *Differ) seen(key sightKey, at time.Time) Event {
	since := d.blind[key].since
	delete(d.blind, key)
	change := &SightChange{Part: key.part, For: Millis(max(0, at.Sub(since)))}
	if key.node != anyNode {
		change.Node = &key.node
	}
	return Event{Kind: KindSight, At: at, After: since, Sight: change}
}
