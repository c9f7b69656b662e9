package explain

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestReadSaid(t *testing.T) {
	lines := `{"time":"2026-01-02T03:04:05Z","member":"m-1","kind":"lost","error":"UNKNOWN_MEMBER_ID"}
{"time":"2026-01-02T03:04:06Z","level":"INFO","msg":"group member joining","group":"g","member":"m-2"}
{"time":"2026-01-02T03:04:06Z","level":"INFO","msg":"an order was handled"}
{"time":"2026-01-02T03:04:06Z","msg":"joining","group":"another"}
not JSON
{"msg":"no time"}
{"time":"2026-01-02T03:04:07Z","member":"m-3","event":"left","err":"closed"}
{"time":"2026-01-02T03:04:07Z","event":"http_request"}
{"time":"2026-01-02T03:04:04Z","member":"m-3","kind":"joining"}
{"time":"2026-01-02T03:04:07Z","msg":"of another service","error":{"code":5},"topics":"all"}
{"time":"2026-01-02T03:04:07Z","msg":"group member isolated","kafka":{"group":"other"}}
`
	heard, err := ReadSaid(strings.NewReader(lines), "g", start)
	all := heard.Said
	if err != nil || heard.Lines != 11 || heard.Skipped != 2 || heard.Early != 1 || len(all) != 3 {
		t.Fatalf("%v, %+v", err, heard)
	}
	if !reflect.DeepEqual(*all[0].Said, Said{Member: "m-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}) || all[1].Said.Kind != "joining" || all[2].Said.Kind != "left" || all[2].Said.Error != "closed" {
		t.Errorf("%+v %+v %+v", all[0].Said, all[1].Said, all[2].Said)
	}
	long := strings.Repeat("x", 2<<20) + "\n" + lines
	if heard, err := ReadSaid(strings.NewReader(long), "g", start); err != nil || heard.Skipped != 3 || len(heard.Said) != 3 {
		t.Errorf("after a line of 2 MiB: %v, %+v", err, heard)
	}
}

// TestReadSaidKeepsWhatItReadBeforeAnError has a file end in an error.
func TestReadSaidKeepsWhatItReadBeforeAnError(t *testing.T) {
	failed := errors.New("the disk is gone")
	lines := io.MultiReader(strings.NewReader(line(1, `"kind":"lost","member":"a-1"`)+line(2, `"kind":"left","member":"a-1"`)), iotest.ErrReader(failed))
	if heard, err := ReadSaid(lines, "g", start); !errors.Is(err, failed) || heard.Skipped != 0 || len(heard.Said) != 2 {
		t.Errorf("%v, %+v", err, heard)
	}
}

// line is a line of a log at a time, with some fields.
func line(seconds float64, fields string) string {
	return fmt.Sprintf(`{"time":%q,`, at(seconds).Format(time.RFC3339Nano)) + fields + "}\n"
}

// TestLinesThatNameNobodyAccuseNobody has whole logs of services, with fields of theirs, and
// with members' own in a slog group, where they are not looked for.
func TestLinesThatNameNobodyAccuseNobody(t *testing.T) {
	grouped := func(kind, fields string) string {
		return fmt.Sprintf(`"msg":"group member %s","kafka":{"group":"g",%s}`, kind, fields)
	}
	for _, lines := range []string{
		line(1, grouped("elected", `"member":"a-1","generation":3`)) + line(6, grouped("planned", `"member":"a-1","generation":3`)),
		line(1, grouped("isolated", `"member":"a-1","subject":"b-1"`)),
		line(1, `"event":"http_request"`) + line(2, `"msg":"closed"`) + line(3, `"event":"left","generation":3000000000`),
		line(1, `"msg":"x","error":{"code":1}`) + line(2, `"msg":"x","group":7`) + line(3, `"msg":"x","member":7`),
	} {
		heard, err := ReadSaid(strings.NewReader(lines), "g", start)
		if err != nil || heard.Skipped != 0 || len(heard.Said) != 0 {
			t.Errorf("%v, %+v of %s", err, heard, lines)
		}
	}
	// A program may give such ones itself.
	nameless := []Observation{
		polled(0, "Stable", member("a-1", 0)), said(1, Said{Kind: "elected", Generation: 3}), said(6, Said{Kind: "planned", Generation: 3}),
		said(7, Said{Member: "a-1", Kind: "isolated"}), polled(9, "Stable", member("a-1", 0)),
	}
	if d := Diagnose("g", nameless, Limits{}); d.Verdicts[0].Cause != Fine || len(d.Verdicts) != 1 {
		t.Errorf("%+v", d.Verdicts)
	}
}

// TestWhyAFileHasNothingOfAGroup is said in one sentence each.
func TestWhyAFileHasNothingOfAGroup(t *testing.T) {
	of := func(group string) string {
		return line(1, fmt.Sprintf(`"msg":"group member joining","member":"a-1","group":%q`, group))
	}
	var hundreds strings.Builder
	for i := range 205 {
		hundreds.WriteString(of(fmt.Sprintf("g-%03d", i%201)))
	}
	for _, test := range []struct{ lines, want string }{
		{of("g"), ""},
		{of("g") + of("billing"), ""},
		{"", "it is empty"},
		{of("billing") + of("mailer") + of("billing") + line(2, `"msg":"an order was handled"`), `none of its 4 lines is about group "g"; 3 are about "billing" and "mailer"`},
		{line(-5, `"kind":"left","member":"a-1"`) + line(1, `"msg":"x"`), `1 of its 2 lines is about group "g", and none is recent enough; read further back (--since)`},
		{line(1, `"msg":"an order was handled"`), `none of its 1 line is about membership of group "g"; give what its members log, with slog's JSON handler`},
		{hundreds.String(), `none of its 205 lines is about group "g"; 205 are about "g-000", "g-001", "g-002", "g-003", "g-004" and 96 or more other groups`},
	} {
		heard, err := ReadSaid(strings.NewReader(test.lines), "g", start)
		if got := heard.Without("g"); err != nil || got != test.want {
			t.Errorf("%v, %q, want %q", err, got, test.want)
		}
	}
}

// TestElectionsAreTold by their own logs, without a client's ID where it was refused before
// it had one, and each with the advice that fits.
func TestElectionsAreTold(t *testing.T) {
	const refused = `"protocol":"groupkit-election-v1","err":"group \"g\" is no election: INCONSISTENT_GROUP_PROTOCOL"`
	heard, err := ReadSaid(strings.NewReader(line(1, `"msg":"election lost","group":"g","member":"",`+refused)), "g", start)
	if err != nil || len(heard.Said) != 1 || heard.Said[0].Said.Kind != "lost" {
		t.Fatalf("%v, %+v", err, heard)
	}
	v := Diagnose("g", append(heard.Said, polled(2, "Stable", member("a-1", 0))), Limits{}).Verdicts[0]
	if v.Cause != ProtocolMismatch || v.Says != "A client whose id is not known is refused: the group of this name is no election, but of another kind." || !strings.Contains(v.Do, "the first argument of member.Elect") || strings.Contains(v.Do, "assignor") {
		t.Errorf("%+v", v)
	}

	election := polled(2, "Stable", member("a-1"))
	assignor := "groupkit-election-v1"
	election.Look.Assignor = &assignor
	v = Diagnose("g", []Observation{election, said(1, Said{ClientID: "app", Kind: "lost", Error: "INCONSISTENT_GROUP_PROTOCOL"})}, Limits{}).Verdicts[0]
	if v.Cause != ProtocolMismatch || !strings.Contains(v.Do, "takes in no consumers") {
		t.Errorf("%+v", v)
	}

	// A term that is taken over takes two rounds of the same candidates.
	again := []Observation{with(assignor, logged(0, 1, member("a-1"), member("b-1"))), with(assignor, logged(20, 2, member("a-1"), member("b-1"))), with(assignor, logged(21, 3, member("a-1"), member("b-1")))}
	if v := Diagnose("g", again, Limits{}).Verdicts[0]; v.Cause != Fine || !strings.Contains(v.Says, "asked for") {
		t.Errorf("%+v", v)
	}
}

// TestWhoDoesNotTellOfAGenerationThatIsSoonOverIsThere: the next one came before it had its
// part.
func TestWhoDoesNotTellOfAGenerationThatIsSoonOverIsThere(t *testing.T) {
	d := Diagnose("g", slices.Concat(rounds(0, 1, 1, 1, "a-1", "b-1"), []Observation{assigned(1, "a-1", 2)}, rounds(1.2, 3, 1, 1, "a-1", "b-1"), []Observation{polled(60, "Stable", member("a-1"), member("b-1"))}), Limits{})
	if v := d.Verdicts[0]; v.Cause == SessionExpired || v.Cause == LeavesRepeatedly || strings.Contains(v.Says, "went") {
		t.Errorf("%+v", d.Verdicts)
	}
}
