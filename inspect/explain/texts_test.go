package explain

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect/watch"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// allCases are histories in which everything is said that can be.
func allCases() [][]Observation {
	var all [][]Observation
	for _, c := range verdictCases() {
		all = append(all, c.seen)
	}
	for _, c := range historyCases() {
		all = append(all, c.seen)
	}
	for _, c := range chanceCases() {
		all = append(all, slices.Concat(c.seen...))
	}
	for _, c := range replacedCases() {
		all = append(all, c.seen)
	}
	for _, c := range epochCases() {
		all = append(all, slices.Concat(c.seen...))
	}
	return append(all, rareCases()...)
}

// rareCases are those that no other table has.
func rareCases() [][]Observation {
	a, b, c := member("a-1", 0, 1), member("b-1", 2, 3), member("c-1", 4, 5)
	quiet := polled(0, "Stable", static(a), b)
	refused := func(s Said) []Observation { return []Observation{quiet, polled(9, "Stable", static(a), b), said(3, s)} }
	planned := func(causes ...SaidCause) []Observation {
		return slices.Concat(rounds(0, 1, 1, 1, "a-1", "b-1"), []Observation{
			joining(20, "a-1"), joining(20.1, "b-1"), said(20.2, Said{Member: "a-1", Kind: "elected", Protocol: "range", Generation: 2}),
			said(20.3, Said{Member: "a-1", Kind: "planned", Protocol: "range", Generation: 2, Causes: causes}), assigned(20.4, "a-1", 2), assigned(20.4, "b-1", 2),
		})
	}
	modernSession := func(m watch.Member) watch.Member { m = ofKIP848(m); m.SessionTimeout = 0; return m }
	flips := []Observation{}
	for i := range 4 {
		o := polled(float64(10*i), "Stable", a, b)
		o.Look.Type = []string{"classic", "consumer"}[i%2]
		flips = append(flips, o)
	}
	election := polled(9, "Stable", member("a-1"))
	name := "groupkit-election-v1"
	election.Look.Assignor = &name
	return [][]Observation{
		refused(Said{Member: "a-1", Instance: "inst-a", ClientID: "a", Kind: "lost", Error: "FENCED_INSTANCE_ID"}),
		refused(Said{Member: "a-2", Instance: "inst-a", ClientID: "a", Kind: "lost", Error: "UNRELEASED_INSTANCE_ID"}),
		refused(Said{ClientID: "new", Kind: "lost", Error: "GROUP_ID_NOT_FOUND"}),
		refused(Said{Kind: "lost", Protocol: name, Error: "INCONSISTENT_GROUP_PROTOCOL"}),
		refused(Said{Member: "a-1", Kind: "isolated", Subject: "b-1", Error: "its subscription does not decode"}),
		refused(Said{Member: "a-1", ClientID: "a", Kind: "leaderless"}),
		{election, said(3, Said{ClientID: "app", Kind: "lost", Error: "INCONSISTENT_GROUP_PROTOCOL"})},
		{said(1, Said{Member: "k-1", Kind: "leaderless"})},
		planned(SaidCause{Kind: "subscription", Member: "b-1"}), planned(SaidCause{Kind: "topic", Topic: "orders", Detail: "8 partitions, and had 4"}),
		planned(SaidCause{Kind: "forced", Detail: "the load is uneven"}), planned(SaidCause{Kind: "unheard", Detail: "of"}),
		{said(1, Said{Member: "a-1", Kind: "elected", Generation: 3, Protocol: "range"}), said(8, Said{Member: "a-1", Kind: "planned", Generation: 3, Protocol: "range"}), polled(9, "Stable", a)},
		{polled(0, "Stable", a), {At: at(1), Source: SourcePoll, Topic: &TopicSize{"orders", 4}}, {At: at(5), Source: SourcePoll, Topic: &TopicSize{"orders", 8}}, polled(9, "Stable", a)},
		{polled(0, "CompletingRebalance", a, b), polled(25, "CompletingRebalance", a, b, c)},
		{polled(0, "Stable", a)}, {polled(0, "PreparingRebalance", a), polled(4, "PreparingRebalance", a, b), polled(6, "PreparingRebalance", a, b, c)},
		{logged(0, 1, a, b), logged(10, 2, a, b, c), polled(11, "PreparingRebalance", a, b, c)}, flips,
		{modern(0, "Stable", 3, atEpoch(a, 3, 0, 1, 2, 3)), modern(1, "Reconciling", 4, atEpoch(a, 3, 0, 1, 2, 3), atEpoch(b, 4)), modern(4, "Reconciling", 4, atEpoch(a, 3, 0, 1), atEpoch(b, 4)), modern(12, "Reconciling", 4, atEpoch(a, 3, 0, 1), atEpoch(b, 4))},
		{logged(0, 1, static(modernSession(a)), modernSession(b)), logged(50, 2, modernSession(b)), polled(55, "Stable", b)},
		{
			hurried(polled(0, "Stable", a, b)), hurried(polled(1, "PreparingRebalance", a, b, c)), hurried(polled(10.5, "PreparingRebalance", a, b, c)),
			hurried(polled(11, "Stable", a, c)), said(12, Said{Member: "b-1", Kind: "fenced", Error: "did not acknowledge in time"}),
		},
		slices.Concat(
			[]Observation{polled(0, "Stable", a, b, c), polled(40, "PreparingRebalance", a, b, c, member("d-1")), polled(50, "PreparingRebalance", a, b, c, member("d-1")), polled(51, "Stable", a, b, c, member("d-1"))},
			commits(1, 39, 1, 0, 1), commits(1, 39, 1, 2, 3), commits(1, 49, 1, 4, 5),
		),
		slices.Concat(
			[]Observation{polled(0, "Stable", a, b, c), polled(60, "PreparingRebalance", a, b, c, member("d-1")), polled(68, "PreparingRebalance", a, b, c, member("d-1")), polled(69, "Stable", a, b, c, member("d-1"))},
			commits(1, 59, 1, 0, 1), commits(1, 59, 1, 2, 3), commits(1, 59, 8, 4, 5),
		),
	}
}

var quoted = regexp.MustCompile(`"[^"]*"|\d[\w.:+-]*`)

// TestEveryText holds all that can be said to a file, each text once, so that one may read
// them in one place. Texts that differ in names and numbers alone are one.
func TestEveryText(t *testing.T) {
	texts := map[string]map[string]string{} // by section, and without names and numbers
	take := func(section, text string) {
		if texts[section] == nil {
			texts[section] = map[string]string{}
		}
		bare := quoted.ReplaceAllString(text, "_")
		if known, ok := texts[section][bare]; !ok || text < known {
			texts[section][bare] = text
		}
	}
	for _, seen := range allCases() {
		d := Diagnose("g", seen, Limits{})
		for _, v := range d.Verdicts {
			cause := string(v.Cause)
			take(cause+"\n\nsays", fmt.Sprintf("%s (%s)", v.Says, v.Sure))
			take(cause+"\n\nto do", v.Do)
			for _, e := range v.Evidence {
				take(cause+"\n\nseen", e.Text)
			}
			if strings.Contains(v.Says+v.Do, "%!") || !strings.HasSuffix(v.Says, ".") || !strings.HasSuffix(v.Do, ".") || upperFirst(v.Says) != v.Says {
				t.Errorf("%q %q", v.Says, v.Do)
			}
		}
		for _, u := range d.Unknown {
			take("not seen", u)
		}
	}
	var out strings.Builder
	last := ""
	for _, section := range slices.Sorted(func(yield func(string) bool) {
		for section := range texts {
			if !yield(section) {
				return
			}
		}
	}) {
		cause, part, _ := strings.Cut(section, "\n\n")
		if cause != last {
			fmt.Fprintf(&out, "# %s\n", cause)
			last = cause
		}
		if part != "" {
			fmt.Fprintf(&out, "## %s\n", part)
		}
		var lines []string
		for _, text := range texts[section] {
			lines = append(lines, text)
		}
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Fprintln(&out, line)
		}
		fmt.Fprintln(&out)
	}
	const golden = "testdata/texts.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("what is said differs from %s; see it, and run with -update:\n%s", golden, out.String())
	}
}
