package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/groupkit/groupkit/assign"
)

// Parse reads one line of input. The error, one sentence, names the field that is wrong
// and what to give, or the offset in bytes at which the line is not JSON. What a group
// itself has to keep is checked too, by [Problem.Check].
func Parse(line []byte) (Problem, error) {
	if !utf8.Valid(line) {
		return Problem{}, errors.New("the line is not valid UTF-8; encode it anew")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return Problem{}, notJSON(err)
	}
	r := &reader{data: line, strings: make(map[string]string)}
	p := r.problem()
	if r.err != nil {
		return Problem{}, r.err
	}
	if err := p.Check(); err != nil {
		return Problem{}, oneLine(err)
	}
	return p, nil
}

func notJSON(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the line is not one JSON object: at byte %d, %w", syntax.Offset, err)
	}
	return fmt.Errorf("the line is not one JSON object: %w", err)
}

// oneLine tells the first of joined errors, and how many more there are.
func oneLine(err error) error {
	first, more := err, 0
	for {
		joined, ok := first.(interface{ Unwrap() []error })
		if !ok {
			break
		}
		list := joined.Unwrap()
		first, more = list[0], more+len(list)-1
	}
	if more > 0 {
		return fmt.Errorf("%w (and %d more)", first, more)
	}
	return first
}

// readID finds the id of a line that is wrong elsewhere; nil where that cannot be done.
func readID(line []byte) *string {
	if !utf8.Valid(line) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil
		}
		if key == "id" {
			if value, err := decoder.Token(); err == nil {
				if id, ok := value.(string); ok {
					return &id
				}
			}
			return nil
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return nil
		}
	}
	return nil
}

func (r *reader) problem() Problem {
	p := Problem{Options: DefaultOptions()}
	r.object([]field{
		{"id", true, func() { p.ID = r.string() }},
		{"topics", true, func() { p.Group.Topics = list(r, r.topic) }},
		{"members", false, func() { p.Group.Members = list(r, r.member) }},
		{"assignors", false, func() { p.Assignors = list(r, r.string) }},
		{"options", false, func() { p.Options = r.options() }},
	})
	return p
}

func (r *reader) topic() assign.Topic {
	var t assign.Topic
	r.object([]field{
		{"name", true, func() { t.Name = r.string() }},
		{"partitions", true, func() { t.Partitions = r.int32() }},
		{"weights", false, func() { t.Weights = list(r, r.number) }},
		{"class", false, func() { t.Class = r.string() }},
		{"racks", false, func() { t.Racks = list(r, func() []string { return list(r, r.string) }) }},
	})
	return t
}

func (r *reader) member() assign.Member {
	var m assign.Member
	r.object([]field{
		{"id", true, func() { m.ID = r.string() }},
		{"topics", true, func() { m.Topics = list(r, r.string) }},
		{"instance", false, func() { m.Instance = r.string() }},
		{"rack", false, func() { m.Rack = r.string() }},
		{"owned", false, func() { m.Owned = list(r, r.topicPartitions) }},
		{"generation", false, func() { m.Generation = r.int32() }},
		{"capacity", false, func() { m.Capacity = r.number() }},
		{"maxPartitions", false, func() { m.MaxPartitions = r.int32() }},
		{"maxWeight", false, func() { m.MaxWeight = r.number() }},
		{"labels", false, func() { m.Labels = r.labels() }},
		{"draining", false, func() { m.Draining = r.boolean() }},
	})
	return m
}

func (r *reader) topicPartitions() assign.TopicPartitions {
	var tp assign.TopicPartitions
	r.object([]field{
		{"topic", true, func() { tp.Topic = r.string() }},
		{"partitions", true, func() { tp.Partitions = list(r, r.int32) }},
	})
	return tp
}

func (r *reader) options() Options {
	o := DefaultOptions()
	r.object([]field{
		{"perTopic", false, func() { o.PerTopic = r.boolean() }},
		{"racks", false, func() { o.Racks = r.boolean() }},
		{"followerFetching", false, func() { o.FollowerFetching = r.boolean() }},
		{"tolerance", false, func() { o.Tolerance = r.number() }},
		{"maxMoves", false, func() {
			// 0 could be taken for no moves at all, which no cap gives.
			if o.MaxMoves = int(r.int32()); o.MaxMoves == 0 {
				r.fail("is 0; give 1 or more, or leave it out for no cap")
			}
		}},
		{"coPartition", false, func() { o.CoPartition = list(r, func() []string { return list(r, r.string) }) }},
		{"pins", false, func() { o.Pins = list(r, r.pin) }},
	})
	return o
}

func (r *reader) pin() assign.Pin {
	var p assign.Pin
	r.object([]field{
		{"topic", true, func() { p.Topic = r.string() }},
		{"partitions", false, func() {
			if p.Partitions = list(r, r.int32); len(p.Partitions) == 0 {
				r.fail("is empty; name partitions, or leave it out for all of the topic")
			}
		}},
		{"instance", false, func() { p.Instance = r.string() }},
		{"label", false, func() { p.Label = r.string() }},
	})
	return p
}
