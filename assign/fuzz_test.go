package assign_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// FuzzAssign reads a group, fit for Check or not, from bytes and gives it to every
// assignor.
func FuzzAssign(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a group of some members and topics, with claims and weights \x00\x01\x02\xff\xfe"))
	r := newRand(f)
	for range 8 {
		seed := make([]byte, 300)
		for i := range seed {
			seed[i] = byte(r.IntN(1 << (1 + r.IntN(8))))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, rest := readGroup(data)
		if err := assign.Validate(g, assign.Keep(g)); err != nil {
			t.Errorf("keep: %v", err)
		}
		if err := checkForm(g, g.Ownership()); err != nil && g.Check() == nil {
			t.Errorf("ownership: %v", err)
		}
		assignors := append(everyAssignor(), promises{Assignor: readBalanced(rest)})
		for _, a := range assignors {
			plan, err := a.Assign(g)
			if err != nil {
				if _, otherwise := a.Assign(assign.Group{}); g.Check() == nil && otherwise == nil {
					t.Errorf("%s: %v", a.Name(), err)
				}
				continue
			}
			if err := assign.Validate(g, plan); err != nil {
				t.Errorf("%s: %v", a.Name(), err)
			}
			if err := assign.Validate(g, assign.Withhold(g, plan)); err != nil {
				t.Errorf("%s, some withheld: %v", a.Name(), err)
			}
			if g.Check() == nil {
				inJSON(assign.Measure(g, plan)) // panics at what is not finite
			}
		}
	})
}

// reader gives out bytes, and zeros after the last.
type reader []byte

func (r *reader) below(n int) int {
	if len(*r) == 0 {
		return 0
	}
	b := (*r)[0]
	*r = (*r)[1:]
	return int(b) % n
}

func (r *reader) number() float64 {
	special := []float64{0, 1, -1, 0.1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1e308, math.SmallestNonzeroFloat64}
	if n := r.below(40); n < len(special) {
		return special[n]
	}
	return math.Ldexp(float64(r.below(256)), r.below(256)*8-1074)
}

func (r *reader) partition() int32 {
	special := []int32{-1, math.MaxInt32, math.MinInt32}
	if n := r.below(16); n < len(special) {
		return special[n]
	}
	return int32(r.below(40))
}

func (r *reader) topic() string {
	if n := r.below(9); n > 0 {
		return fmt.Sprintf("t%d", n)
	}
	return ""
}

// readBalanced reads options, sound or not.
func readBalanced(r *reader) assign.Balanced {
	b := assign.Balanced{
		IgnoreTopics: r.below(2) == 1, IgnoreRacks: r.below(2) == 1, FollowerFetching: r.below(2) == 1,
		MaxMoves: r.below(6) - 1, Tolerance: []float64{0, assign.Exact, 0.3, r.number()}[r.below(4)],
	}
	for range r.below(4) {
		var topics []string
		for range r.below(4) {
			topics = append(topics, r.topic())
		}
		b.CoPartition = append(b.CoPartition, topics)
	}
	for range r.below(5) {
		pin := assign.Pin{Topic: r.topic()}
		for range r.below(4) {
			pin.Partitions = append(pin.Partitions, r.partition())
		}
		if r.below(2) == 0 {
			pin.Instance = fmt.Sprintf("i%d", r.below(9))
		} else {
			pin.Label = []string{"a=1", "a=", "a", "=", ""}[r.below(5)]
		}
		b.Pins = append(b.Pins, pin)
	}
	return b
}

func readGroup(data []byte) (assign.Group, *reader) {
	r := (*reader)(&data)
	var g assign.Group
	for range r.below(8) {
		t := assign.Topic{Name: r.topic(), Partitions: int32(r.below(41)) - 1}
		for range r.below(12) {
			t.Weights = append(t.Weights, r.number())
		}
		for range r.below(4) {
			t.Racks = append(t.Racks, []string{"", "a"}[:r.below(3)])
		}
		g.Topics = append(g.Topics, t)
	}
	for range r.below(12) {
		m := assign.Member{Generation: int32(r.below(8)) - 2, Draining: r.below(4) == 1}
		if n := r.below(32); n > 0 {
			m.ID = fmt.Sprintf("m%d", n)
		}
		if n := r.below(9); n > 4 {
			m.Instance = fmt.Sprintf("i%d", n)
		}
		if r.below(2) == 1 {
			m.Capacity = r.number()
		}
		if r.below(3) == 1 {
			m.MaxPartitions, m.MaxWeight = r.partition(), r.number()
		}
		if r.below(3) == 1 {
			m.Labels = map[string]string{"a": []string{"", "1"}[r.below(2)]}
		}
		for range r.below(9) {
			m.Topics = append(m.Topics, r.topic())
		}
		for range r.below(6) {
			tp := assign.TopicPartitions{Topic: r.topic()}
			for range r.below(9) {
				tp.Partitions = append(tp.Partitions, r.partition())
			}
			m.Owned = append(m.Owned, tp)
		}
		if r.below(5) == 1 {
			m.Refused = append(m.Refused, assign.TopicPartitions{Topic: r.topic(), Partitions: []int32{r.partition(), r.partition()}})
		}
		g.Members = append(g.Members, m)
	}
	return g, r
}
