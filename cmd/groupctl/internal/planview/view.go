// Package planview shows plans to people: bars in text, and columns of partitions in SVG.
package planview

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/groupkit/groupkit/assign"
)

// A Picture is a group before and after, with the same members in every panel.
type Picture struct {
	Title    string
	Subtitle string
	Unit     string // what weights count, such as "partitions"
	Topics   []string
	Members  []Member
	Panels   []Panel
}

// A Member is a column of every panel.
type Member struct {
	ID       string
	Name     string // what is written under the column
	Note     string // a second line, such as "joins" or "rack a"
	Capacity float64
	// Joins and Leaves say that it is not there in the first panel, or in the
	// others.
	Joins, Leaves bool
}

// A Panel is one assignment.
type Panel struct {
	Title   string
	Note    string
	Columns [][]Block // by member
	Share   float64   // the weight of an even share for capacity 1, 0 when there is none
}

// A Block is one partition.
type Block struct {
	Topic     int // in Picture.Topics
	Partition int32
	Weight    float64
	Moves     bool // it has another member in the first panel, or in one of the others
}

// Before is a panel of what is owned. moves are what leaves, by any plan shown.
func (p *Picture) Before(title, note string, g assign.Group, owned assign.Assignment, moves ...[]assign.Move) {
	p.add(title, note, g, owned, moves, func(m assign.Move) string { return m.From })
}

// After is a panel of a plan that moves so much.
func (p *Picture) After(title, note string, g assign.Group, plan assign.Assignment, moves []assign.Move) {
	p.add(title, note, g, plan, [][]assign.Move{moves}, func(m assign.Move) string { return m.To })
}

type partition struct {
	topic  string
	number int32
}

func (p *Picture) add(title, note string, g assign.Group, a assign.Assignment, moves [][]assign.Move, end func(assign.Move) string) {
	moved := make(map[partition]bool)
	for _, list := range moves {
		for _, m := range list {
			if end(m) != "" && m.From != "" {
				moved[partition{m.Topic, m.Partition}] = true
			}
		}
	}
	weights := Weights(g)
	panel := Panel{Title: title, Note: note, Columns: make([][]Block, len(p.Members))}
	total, capacity := 0.0, 0.0
	for i := range g.Members {
		if !g.Members[i].Draining {
			capacity += g.Members[i].EffectiveCapacity()
		}
	}
	for i, m := range p.Members {
		for _, tp := range a[m.ID] {
			topic, _ := slices.BinarySearch(p.Topics, tp.Topic)
			for _, n := range tp.Partitions {
				b := Block{topic, n, 0, moved[partition{tp.Topic, n}]}
				if list := weights[tp.Topic]; int(n) < len(list) {
					b.Weight = list[n]
				}
				total += b.Weight
				panel.Columns[i] = append(panel.Columns[i], b)
			}
		}
		// What moves is on top, where it is seen to come or go.
		slices.SortFunc(panel.Columns[i], func(l, r Block) int {
			if l.Moves != r.Moves {
				if r.Moves {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(l.Topic, r.Topic), cmp.Compare(l.Partition, r.Partition))
		})
	}
	if capacity > 0 {
		panel.Share = total / capacity
	}
	p.Panels = append(p.Panels, panel)
}

// mostWeight is what any number of partitions can weigh without their sum being infinite.
const mostWeight = 1e290

// Weights returns the weights that assignors go by: where all are zero, 1 for every
// partition.
func Weights(g assign.Group) map[string][]float64 {
	weights := make(map[string][]float64, len(g.Topics))
	any := false
	for i := range g.Topics {
		list := g.Topics[i].EffectiveWeights()
		for p, w := range list {
			list[p] = min(w, mostWeight)
		}
		weights[g.Topics[i].Name] = list
		any = any || slices.ContainsFunc(list, func(w float64) bool { return w > 0 })
	}
	if !any {
		for _, list := range weights {
			for p := range list {
				list[p] = 1
			}
		}
	}
	return weights
}

// Short keeps the beginning and the end of a name of more than most characters; member
// ids differ at their end.
func Short(name string, most int) string {
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	runes := []rune(name)
	tail := most / 2
	return string(runes[:most-1-tail]) + "…" + string(runes[len(runes)-tail:])
}
