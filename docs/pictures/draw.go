package main

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"github.com/groupkit/groupkit/assign"
)

// Sizes, in pixels.
const (
	column  = 52 // of a member, with the space beside it
	block   = 40 // width of a partition
	unit    = 15 // height of a weight of 1
	head    = 58 // title and caption
	foot    = 24 // names
	between = 40
	margin  = 12
)

// The colours are those of Okabe and Ito, which differ for every kind of sight.
var colours = []string{"#56b4e9", "#e69f00", "#009e73", "#cc79a7"}

// svg draws members as columns and partitions as blocks as high as they weigh; what moved
// has a thick edge and an arrow.
func (s scene) svg() ([]byte, error) {
	groups, plans, err := s.plans()
	if err != nil {
		return nil, err
	}
	highest, x := 0.0, margin
	starts := make([]int, len(groups))
	for i, g := range groups {
		for _, list := range plans[i].Assignment {
			highest = max(highest, weightOf(g, list))
		}
		starts[i] = x
		x += max(column*len(g.Members), 250) + between
	}
	width, height := x-between+margin, head+int(highest*unit)+foot+margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", margin, escape(s.assignor.Name()))
	for i, g := range groups {
		caption := s.captions[i]
		first, second := wrap(caption, 46)
		fmt.Fprintf(&b, `<text x="%d" y="34" font-size="11" fill="#444444">%s`, starts[i], escape(first))
		if second != "" {
			fmt.Fprintf(&b, `<tspan x="%d" dy="13">%s</tspan>`, starts[i], escape(second))
		}
		fmt.Fprintln(&b, `</text>`)
		owners := assign.Assignment{}.Owners()
		if i > 0 {
			owners = plans[i-1].Assignment.Owners()
		}
		drawPlan(&b, g, plans[i], owners, starts[i], head+int(highest*unit))
	}
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes(), nil
}

// drawPlan draws one plan with its floor at y.
func drawPlan(b *bytes.Buffer, g assign.Group, plan assign.Plan, owners map[string]map[int32]string, x, y int) {
	fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#444444"/>`+"\n", x, y, x+column*len(g.Members)-column+block, y)
	for n, m := range g.Members {
		left, top := x+n*column, float64(y)
		name := m.ID
		if m.Capacity > 1 {
			name += fmt.Sprintf(" ×%g", m.Capacity)
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", left+block/2, y+16, escape(name))
		for t, topic := range g.Topics {
			weights := topic.EffectiveWeights()
			for _, tp := range plan.Assignment[m.ID] {
				if tp.Topic != topic.Name {
					continue
				}
				for _, p := range tp.Partitions {
					high := weights[p] * unit
					top -= high
					owner, owned := owners[topic.Name][p]
					moved := owned && owner != m.ID
					edge, label := "none", fmt.Sprintf("%s%d", topic.Name, p)
					if moved {
						edge, label = "#000000", owner+"→"+label
					}
					fmt.Fprintf(b, `<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s" stroke="%s" stroke-width="1.5"/>`+"\n", left+1, top+1, block-2, high-2, colours[t], edge)
					fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="middle" font-size="10">%s</text>`+"\n", left+block/2, top+high/2+4, escape(label))
				}
			}
		}
	}
}

func weightOf(g assign.Group, list []assign.TopicPartitions) (weight float64) {
	for _, topic := range g.Topics {
		weights := topic.EffectiveWeights()
		for _, tp := range list {
			if tp.Topic == topic.Name {
				for _, p := range tp.Partitions {
					weight += weights[p]
				}
			}
		}
	}
	return weight
}

// wrap breaks text at a space before so many characters.
func wrap(text string, most int) (first, second string) {
	if len(text) <= most {
		return text, ""
	}
	at := most
	for at > 0 && text[at] != ' ' {
		at--
	}
	return text[:at], text[at+1:]
}

func escape(text string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		return ""
	}
	return b.String()
}
