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

	"github.com/groupkit/groupkit/inspect"
)

// table prints rows in aligned columns.
type table struct {
	w    io.Writer
	rows [][]string
	// optional are the columns, by their headings, that are left out where each row has
	// that value.
	optional map[string]string
	// wide shows all columns, and everything in full.
	wide bool
}

func writeTable(w io.Writer, wide bool, fill func(*table)) error {
	buffered := bufio.NewWriter(w)
	t := &table{w: buffered, wide: wide}
	fill(t)
	t.flush()
	return buffered.Flush() // has the errors of all writes before it
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// leaveOut names columns that are of no use where all rows have the same value in them,
// such as nothing. A wide table has them nevertheless.
func (t *table) leaveOut(value string, headings ...string) {
	if t.optional == nil {
		t.optional = make(map[string]string)
	}
	for _, heading := range headings {
		t.optional[heading] = value
	}
}

// withoutOptional takes out of the rows the columns that are left out.
func (t *table) withoutOptional() {
	if len(t.rows) == 0 || len(t.optional) == 0 || t.wide {
		return
	}
	head, rows := t.rows[0], t.rows[1:]
	out := make([]bool, len(head))
	for i, heading := range head {
		value, optional := t.optional[heading]
		out[i] = optional && !slices.ContainsFunc(rows, func(cells []string) bool { return i < len(cells) && cells[i] != value && cells[i] != "" })
	}
	for n, cells := range t.rows {
		var kept []string
		for i, cell := range cells {
			if i >= len(out) || !out[i] {
				kept = append(kept, cell)
			}
		}
		t.rows[n] = kept
	}
}

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
	// page is how wide a table may be for that not to matter.
	page = 120
)

func (t *table) flush() {
	t.withoutOptional()
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
			at += width(cell)
		}
		fmt.Fprintln(t.w, strings.TrimRight(line.String(), " "))
	}
	t.rows, t.optional = nil, nil
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
			widths[i] = append(widths[i], width(cell))
		}
	}
	all := 0
	for _, column := range widths {
		all += slices.Max(column) + between
	}
	begins := []int{0}
	for i, column := range widths {
		slices.Sort(column)
		most, widest := column[len(column)/2]+overhang, 0
		if all <= page {
			most = page
		}
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
