package offline

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/assign"
)

// Options say what "balanced" is to heed. Start from [DefaultOptions].
type Options struct {
	// PerTopic evens each topic, and each class of topics, by itself.
	PerTopic bool

	// Racks seeks partitions whose leader is in the rack of their member, and
	// FollowerFetching those with any replica there (KIP-392).
	Racks            bool
	FollowerFetching bool

	// Tolerance is how far a load may be from its fair share, as a fraction of
	// it, before partitions move; 0 is exact, unlike in [assign.Balanced].
	Tolerance float64

	// MaxMoves caps how many partitions leave their owner; 0 means no cap.
	MaxMoves int

	// CoPartition and Pins are those of assign.Balanced.
	CoPartition [][]string
	Pins        []assign.Pin
}

// DefaultOptions are the options of a problem that names none: each topic even, racks
// heeded, a tolerance of 0.05, and no cap, groups or pins.
func DefaultOptions() Options {
	return Options{PerTopic: true, Racks: true, Tolerance: assign.DefaultTolerance}
}

// builders say how each assignor is made.
func builders() map[string]func(Options) assign.Assignor {
	plain := func(a assign.Assignor) func(Options) assign.Assignor {
		return func(Options) assign.Assignor { return a }
	}
	return map[string]func(Options) assign.Assignor{
		"balanced":           Options.balanced,
		"range":              plain(assign.Range()),
		"roundrobin":         plain(assign.RoundRobin()),
		"sticky":             plain(assign.Sticky()),
		"cooperative-sticky": plain(assign.CooperativeSticky()),
		"rendezvous":         plain(assign.Rendezvous{}),
		"failover":           plain(assign.Failover{}),
		"keep": plain(assign.New("keep", func(g assign.Group) (assign.Plan, error) {
			if err := g.Check(); err != nil {
				return assign.Plan{}, err
			}
			return assign.Keep(g), nil
		})),
	}
}

// Assignors returns the names that [Build] knows, sorted. "keep" is [assign.Keep]: what
// moving nothing would cost.
func Assignors() []string {
	known := builders()
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Build makes the assignor of that name. The options are for "balanced" and are checked for
// all. It fails where the name is not among [Assignors], where the tolerance is not a
// finite number of at least 0, where the cap is negative, and where a pin does not say
// what is pinned where.
func Build(name string, o Options) (assign.Assignor, error) {
	build, known := builders()[name]
	if !known {
		return nil, fmt.Errorf("the assignor %q is not known; name one of %s", name, strings.Join(Assignors(), ", "))
	}
	if !(o.Tolerance >= 0) || math.IsInf(o.Tolerance, 1) {
		return nil, fmt.Errorf("the tolerance is %v; give a finite number, 0 or more", o.Tolerance)
	}
	if o.MaxMoves < 0 {
		return nil, fmt.Errorf("maxMoves is %d; give 1 or more, or leave it out for no cap", o.MaxMoves)
	}
	if _, err := o.balanced().Assign(assign.Group{}); err != nil {
		return nil, err
	}
	return build(o), nil
}

func (o Options) balanced() assign.Assignor {
	tolerance := o.Tolerance
	if tolerance == 0 {
		tolerance = assign.Exact
	}
	return assign.Balanced{
		Tolerance:        tolerance,
		MaxMoves:         o.MaxMoves,
		IgnoreTopics:     !o.PerTopic,
		IgnoreRacks:      !o.Racks,
		FollowerFetching: o.FollowerFetching,
		CoPartition:      o.CoPartition,
		Pins:             o.Pins,
	}
}

// optionsLine is Options in a line; what is at its default is left out.
type optionsLine struct {
	PerTopic         *bool        `json:"perTopic,omitempty"`
	Racks            *bool        `json:"racks,omitempty"`
	FollowerFetching bool         `json:"followerFetching,omitempty"`
	Tolerance        *float64     `json:"tolerance,omitempty"`
	MaxMoves         int          `json:"maxMoves,omitempty"`
	CoPartition      [][]string   `json:"coPartition,omitempty"`
	Pins             []assign.Pin `json:"pins,omitempty"`
}

// line returns nil where all is at its default.
func (o Options) line() *optionsLine {
	l := optionsLine{
		FollowerFetching: o.FollowerFetching, MaxMoves: o.MaxMoves,
		CoPartition: o.CoPartition, Pins: o.Pins,
	}
	same := !o.FollowerFetching && o.MaxMoves == 0 && len(o.CoPartition) == 0 && len(o.Pins) == 0
	if !o.PerTopic {
		l.PerTopic, same = &o.PerTopic, false
	}
	if !o.Racks {
		l.Racks, same = &o.Racks, false
	}
	if o.Tolerance != assign.DefaultTolerance {
		l.Tolerance, same = &o.Tolerance, false
	}
	if same {
		return nil
	}
	return &l
}
