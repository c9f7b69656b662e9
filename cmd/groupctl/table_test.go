package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":      "plain",
		"a b":        "a b",
		"日本 😀":       "日本 😀",
		"a\tb\r\n":   `a\tb\r\n`,
		"\x1b]0;x\a": `\x1b]0;x\a`,
		"a\u202eb":   `a\u202eb`,
		"\u200b":     `\u200b`,
		"\xff":       `\ufffd`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %s, want %s", in, got, want)
		}
	}
	if got := name(`a\n`); got != `a\\n` {
		t.Errorf("a backslash of the name's own shows as %s", got)
	}
	if got := name(" a b"); got != `" a b"` {
		t.Errorf("a name that begins with a blank shows as %s", got)
	}
	if got := name(""); got != `""` {
		t.Errorf("an empty name shows as %s", got)
	}
}

func TestALongNameDoesNotPadTheOtherRows(t *testing.T) {
	long := strings.Repeat("x", 120)
	var out strings.Builder
	err := writeTable(&out, false, func(t *table) {
		t.row("only text")
		t.row("GROUP", "STATE", "MEMBERS", "")
		t.row("orders", "Stable", "2", "")
		t.row(long, "Stable", "3", "x")
		t.row("日本", "Empty", "-", "x")
		t.gap()
		t.row(long, "1")
		t.row(long+"y", "2")
	})
	want := `only text
GROUP   STATE   MEMBERS
orders  Stable  2
` + long + `  Stable  3  x
日本    Empty   -        x

` + long + `   1
` + long + `y  2
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "orders": 6, "日本": 4, "ｋ": 2, "한글": 4, "e\u0301": 1, "é": 1, "😀": 2, "…": 1, "█▍·": 3, "かな ": 5} {
		if got := width(text); got != want {
			t.Errorf("%q is %d columns wide, want %d", text, got, want)
		}
	}
}

func TestColumnsThatSayNothingAreLeftOut(t *testing.T) {
	for wide, want := range map[bool]string{
		false: "A  C\n1  x\n2\n\nELR\n-\n",
		true:  "A  ELR  LOST  C\n1  -    0     x\n2\n\nELR\n-\n",
	} {
		var out strings.Builder
		err := writeTable(&out, wide, func(t *table) {
			t.leaveOut(unknown, "ELR")
			t.leaveOut("0", "LOST", "C")
			t.row("A", "ELR", "LOST", "C")
			t.row("1", unknown, "0", "x")
			t.row("2", "", "", "")
			t.gap()
			t.row("ELR") // of another table
			t.row(unknown)
		})
		if err != nil || out.String() != want {
			t.Errorf("%v, wide %v:\n%s\nwant\n%s", err, wide, out.String(), want)
		}
	}
}

func TestRanges(t *testing.T) {
	for want, in := range map[string][]int32{"": nil, "1": {1}, "0-3": {0, 1, 2, 3}, "0,2-3,9": {0, 2, 3, 9}} {
		if got := ranges(in); got != want {
			t.Errorf("ranges(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestJSONHasNothingThatATerminalActsUpon(t *testing.T) {
	const name = "a\x7fb\u0085c\u202ed\u200be\U000e0041f\ufeffg\u2028 日本 😀 <&> é"
	var out bytes.Buffer
	if err := writeEnvelope(&out, envelope{Data: []string{name}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"a\u007fb\u0085c\u202ed\u200be\udb40\udc41f\ufeffg\u2028 日本 😀 <&> é"`) {
		t.Errorf("%+q", out.String())
	}
	var read struct{ Data []string }
	if err := json.Unmarshal(out.Bytes(), &read); err != nil || len(read.Data) != 1 || read.Data[0] != name {
		t.Errorf("%v: %+q", err, read.Data)
	}
}

func TestManyProblemsAreCutShort(t *testing.T) {
	problems := make([]inspect.Problem, 25)
	for output, want := range map[string]string{outputTable: "and 5 more; -o json shows all", outputJSON: "and 5 more, which the JSON has"} {
		var stderr bytes.Buffer
		s := &session{environment: environment{stderr: &stderr}, output: output}
		s.note("error", problems)
		if lines := strings.Count(stderr.String(), "\n"); lines != 21 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: %d lines: %s", output, lines, stderr.String())
		}
	}
}

func TestALagThatIsNotOfAllPartitions(t *testing.T) {
	of := func(lags ...*int64) string {
		g := inspect.Group{Lag: &inspect.GroupLag{}}
		for _, lag := range lags {
			g.Lag.Partitions = append(g.Lag.Partitions, inspect.PartitionLag{Lag: lag})
			if lag == nil {
				g.Lag.Unknown++
			} else {
				g.Lag.Records += *lag
			}
		}
		return groupLag(g)
	}
	for want, got := range map[string]string{"7": of(new(int64(7))), "7+": of(new(int64(7)), nil), "0+": of(new(int64), nil), "-": of(nil, nil), "0": of()} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
