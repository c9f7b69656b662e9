package main

import "testing"

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
	if got := name(""); got != `""` {
		t.Errorf("an empty name shows as %s", got)
	}
}

func TestRanges(t *testing.T) {
	for want, in := range map[string][]int32{"": nil, "1": {1}, "0-3": {0, 1, 2, 3}, "0,2-3,9": {0, 2, 3, 9}} {
		if got := ranges(in); got != want {
			t.Errorf("ranges(%v) = %q, want %q", in, got, want)
		}
	}
}
