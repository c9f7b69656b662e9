package demo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shares says which partitions each member has, by name.
type shares map[string][]int32

func (s shares) equal(other shares, names []string) bool {
	for _, name := range names {
		if !slices.Equal(s[name], other[name]) {
			return false
		}
	}
	return true
}

// owner returns the name of the member that has the partition, or "nobody".
func (s shares) owner(partition int32) string {
	for name, partitions := range s {
		if slices.Contains(partitions, partition) {
			return name
		}
	}
	return "nobody"
}

// partitionList shows partitions as "1 3".
func partitionList(partitions []int32) string {
	if len(partitions) == 0 {
		return "-"
	}
	texts := make([]string, len(partitions))
	for i, p := range partitions {
		texts[i] = strconv.Itoa(int(p))
	}
	return strings.Join(texts, " ")
}

// fraction returns how much of all weight the partitions have.
func fraction(weights []float64, partitions []int32) float64 {
	total, part := 0.0, 0.0
	for p, w := range weights {
		total += w
		if slices.Contains(partitions, int32(p)) {
			part += w
		}
	}
	return part / max(total, 1)
}

func percent(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) }

// barWidth is how many marks all records together are.
const barWidth = 30

// table shows who has what, and how much of the records that is. notes stand at the
// end of a member's line.
func (v *voice) table(names []string, has shares, weights []float64, notes map[string]string) {
	v.gap()
	v.say("%s", v.paint(dim, fmt.Sprintf("%-8s%-12s%s", "member", "partitions", "part of the records")))
	for _, name := range names {
		part := fraction(weights, has[name])
		bar := strings.Repeat(v.mark(), int(part*barWidth+0.5))
		pad := strings.Repeat(" ", max(barWidth/2+2-len([]rune(bar)), 1))
		v.say("%s%s%-12s%s%s%5s  %s", v.member(name), strings.Repeat(" ", 8-len(name)), partitionList(has[name]),
			v.paint(memberColours[name], bar), pad, percent(part), notes[name])
	}
	v.gap()
}

// column is one plan among others, side by side.
type column struct {
	title string
	has   shares
}

// compare shows several plans side by side, with the part of the records that each
// one's busiest member has.
func (v *voice) compare(names []string, weights []float64, columns ...column) {
	const width = 16
	cell := func(s string) string { return fmt.Sprintf("%-*s", width, s) }
	header := fmt.Sprintf("%-10s", "member")
	for _, c := range columns {
		header += cell(c.title)
	}
	v.gap()
	v.say("%s", v.paint(dim, strings.TrimRight(header, " ")))
	for _, name := range names {
		line := v.member(name) + strings.Repeat(" ", 10-len(name))
		for _, c := range columns {
			line += cell(partitionList(c.has[name]))
		}
		v.say("%s", line)
	}
	line := fmt.Sprintf("%-10s", "busiest")
	for _, c := range columns {
		most := 0.0
		for _, name := range names {
			most = max(most, fraction(weights, c.has[name]))
		}
		line += cell(percent(most))
	}
	v.say("%s", v.paint(bold, strings.TrimRight(line, " ")))
	v.gap()
}
