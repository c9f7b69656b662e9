package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/groupkit/groupkit/inspect"
)

// table prints rows in aligned columns.
type table struct{ w *tabwriter.Writer }

func writeTable(w io.Writer, fill func(*table)) error {
	buffered := bufio.NewWriter(w)
	aligned := tabwriter.NewWriter(buffered, 0, 0, 2, ' ', 0)
	fill(&table{aligned})
	if err := aligned.Flush(); err != nil {
		return err
	}
	return buffered.Flush()
}

func (t *table) row(cells ...string) {
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// gap ends a table, so that the next one has columns of its own.
func (t *table) gap() {
	t.w.Flush()
	fmt.Fprintln(t.w)
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

func name(s string) string {
	if s == "" {
		return `""`
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
