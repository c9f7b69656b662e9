package offline

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/groupkit/groupkit/assign"
)

// A Problem is one line of input: a group, and who shall plan for it.
type Problem struct {
	// ID is repeated in the result, so that lines can be told apart. It need
	// not be unique.
	ID string

	// Group is the group to plan for. As anywhere, its claims may be wrong
	// and its members may subscribe to topics that it does not have.
	Group assign.Group

	// Assignors are names out of [Assignors]; nil means "balanced".
	Assignors []string

	// Options are for "balanced".
	Options Options
}

// Limits of one problem, so that a short line cannot ask for all memory.
const (
	// MaxPartitions is how many partitions all topics of a problem may have together.
	MaxPartitions = 10_000_000
	// MaxPairs is how many pairs of a member and a topic a problem may have,
	// subscribed or not.
	MaxPairs = 100_000_000
)

// Check reports what makes p no problem to solve, all of it, joined: what
// [assign.Group.Check] and [Build] report, no assignor, and a size beyond the limits.
func (p Problem) Check() error {
	errs := []error{p.Group.Check()}
	partitions := int64(0)
	for i := range p.Group.Topics {
		partitions += int64(p.Group.Topics[i].Partitions)
	}
	if partitions > MaxPartitions {
		errs = append(errs, fmt.Errorf("the topics have %d partitions together and may have %d; plan for fewer topics at a time", partitions, MaxPartitions))
	}
	if pairs := int64(len(p.Group.Topics)) * int64(len(p.Group.Members)); pairs > MaxPairs {
		errs = append(errs, fmt.Errorf("%d members and %d topics make %d pairs and may make %d; plan for fewer topics at a time", len(p.Group.Members), len(p.Group.Topics), pairs, MaxPairs))
	}
	if p.Assignors != nil && len(p.Assignors) == 0 {
		errs = append(errs, errors.New("assignors is empty; name at least one, or leave it out for balanced"))
	}
	for _, name := range p.assignors() {
		if _, err := Build(name, p.Options); err != nil {
			errs = append(errs, err)
			break // the options are wrong for all
		}
	}
	return errors.Join(errs...)
}

func (p Problem) assignors() []string {
	if p.Assignors == nil {
		return []string{"balanced"}
	}
	return p.Assignors
}

// MarshalJSON writes p as a line of input, without the line's end. Options at their
// defaults are left out.
func (p Problem) MarshalJSON() ([]byte, error) {
	line := struct {
		ID        string          `json:"id"`
		Topics    []assign.Topic  `json:"topics"`
		Members   []assign.Member `json:"members"`
		Assignors []string        `json:"assignors,omitempty"`
		Options   *optionsLine    `json:"options,omitempty"`
	}{p.ID, p.Group.Topics, p.Group.Members, p.Assignors, p.Options.line()}
	if line.Topics == nil {
		line.Topics = []assign.Topic{}
	}
	line.Members = append([]assign.Member{}, line.Members...)
	for i := range line.Members {
		if line.Members[i].Topics == nil {
			line.Members[i].Topics = []string{}
		}
	}
	return json.Marshal(line)
}

// UnmarshalJSON reads what [Parse] reads.
func (p *Problem) UnmarshalJSON(line []byte) error {
	parsed, err := Parse(line)
	if err == nil {
		*p = parsed
	}
	return err
}
