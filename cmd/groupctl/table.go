package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/groupkit/groupkit/inspect"
)

// table prints rows in aligned columns.
type table struct {
	w    io.Writer
	rows [][]string
}

func writeTable(w io.Writer, fill func(*table)) error {
	buffered := bufio.NewWriter(w)
	t := &table{w: buffered}
	fill(t)
	t.flush()
	return buffered.Flush() // has the errors of all writes before it
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// gap ends a table, so that the next one has columns of its own.
func (t *table) gap() {
	t.flush()
	fmt.Fprintln(t.w)
}

const (
	// between is how many blanks there are at least between two cells.
	between = 2
	// overhang is how much wider than the middle one of its column a cell may be to
	// widen it. Cells beyond that, of a name of 200 characters among short ones, push
	// aside what follows in their own row alone.
	overhang = 32
)

func (t *table) flush() {
	begins := t.columns()
	var line strings.Builder
	for _, cells := range t.rows {
		line.Reset()
		at := 0
		for i, cell := range cells {
			if i > 0 {
				blanks := max(between, begins[i]-at)
				line.WriteString(strings.Repeat(" ", blanks))
				at += blanks
			}
			line.WriteString(cell)
			at += utf8.RuneCountInString(cell)
		}
		fmt.Fprintln(t.w, strings.TrimRight(line.String(), " "))
	}
	t.rows = nil
}

// columns returns where each column begins. The last cell of a row is not padded, and so
// has no say.
func (t *table) columns() []int {
	var widths [][]int
	for _, cells := range t.rows {
		for i, cell := range cells[:max(len(cells)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, nil)
			}
			widths[i] = append(widths[i], utf8.RuneCountInString(cell))
		}
	}
	begins := []int{0}
	for i, column := range widths {
		slices.Sort(column)
		most, widest := column[len(column)/2]+overhang, 0
		for _, width := range column {
			if width <= most {
				widest = width
			}
		}
		begins = append(begins, begins[i]+widest+between)
	}
	return begins
}

const unknown = "-"

// printable shows any text on one line: what a terminal would act upon or not
// show is escaped as in Go source.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// name shows a name of somebody's choice; blanks at its ends by quotes around it.
func name(s string) string {
	if s == "" || strings.TrimSpace(s) != s {
		return `"` + printable(strings.ReplaceAll(s, `\`, `\\`)) + `"`
	}
	// A backslash of the name's own is not to be taken for an escape.
	return printable(strings.ReplaceAll(s, `\`, `\\`))
}

func nameOr(s *string) string {
	if s == nil {
		return unknown
	}
	return name(*s)
}

func number[N int32 | int64](n *N) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatInt(int64(*n), 10)
}

// clock shows a time of day in UTC, as all times are: those in JSON, and mostly those in
// the brokers' logs. fraction is such as ".000", or nothing.
func clock(at time.Time, fraction string) string {
	return at.UTC().Format("15:04:05" + fraction + "Z")
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return unknown
	case *b:
		return "yes"
	}
	return "no"
}

func numbers(ns []int32) string {
	if len(ns) == 0 {
		return unknown
	}
	texts := make([]string, len(ns))
	for i, n := range ns {
		texts[i] = strconv.Itoa(int(n))
	}
	return strings.Join(texts, ",")
}

func names(ss []string) string {
	if len(ss) == 0 {
		return unknown
	}
	texts := make([]string, len(ss))
	for i, s := range ss {
		texts[i] = name(s)
	}
	return strings.Join(texts, ",")
}

// assignment shows partitions as orders[0-3,7] payments[1].
func assignment(assigned []inspect.TopicPartitions) string {
	if len(assigned) == 0 {
		return unknown
	}
	texts := make([]string, len(assigned))
	for i, tp := range assigned {
		texts[i] = name(tp.Topic) + "[" + ranges(tp.Partitions) + "]"
	}
	return strings.Join(texts, " ")
}

// ranges shortens sorted numbers that follow each other.
func ranges(sorted []int32) string {
	var parts []string
	for start := 0; start < len(sorted); {
		end := start
		for end+1 < len(sorted) && sorted[end+1] == sorted[end]+1 {
			end++
		}
		part := strconv.Itoa(int(sorted[start]))
		if end > start {
			part += "-" + strconv.Itoa(int(sorted[end]))
		}
		parts = append(parts, part)
		start = end + 1
	}
	return strings.Join(parts, ",")
}
