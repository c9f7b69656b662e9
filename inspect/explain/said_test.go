package explain

import (
	"errors"
	"fmt"
	"io"
	"reflect"
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
	all, skipped, err := ReadSaid(strings.NewReader(lines), "g", start)
	if err != nil || skipped != 2 || len(all) != 3 {
		t.Fatalf("%v, %d skipped, %+v", err, skipped, all)
	}
	if !reflect.DeepEqual(*all[0].Said, Said{Member: "m-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}) || all[1].Said.Kind != "joining" || all[2].Said.Kind != "left" || all[2].Said.Error != "closed" {
		t.Errorf("%+v %+v %+v", all[0].Said, all[1].Said, all[2].Said)
	}
	long := strings.Repeat("x", 2<<20) + "\n" + lines
	if all, skipped, err := ReadSaid(strings.NewReader(long), "g", start); err != nil || skipped != 3 || len(all) != 3 {
		t.Errorf("after a line of 2 MiB: %v, %d skipped, %d read", err, skipped, len(all))
	}
}

// TestReadSaidKeepsWhatItReadBeforeAnError has a file end in an error.
func TestReadSaidKeepsWhatItReadBeforeAnError(t *testing.T) {
	failed := errors.New("the disk is gone")
	lines := io.MultiReader(strings.NewReader(line(1, `"kind":"lost","member":"a-1"`)+line(2, `"kind":"left","member":"a-1"`)), iotest.ErrReader(failed))
	if all, skipped, err := ReadSaid(lines, "g", start); !errors.Is(err, failed) || skipped != 0 || len(all) != 2 {
		t.Errorf("%v, %d skipped, %d read", err, skipped, len(all))
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
		all, skipped, err := ReadSaid(strings.NewReader(lines), "g", start)
		if err != nil || skipped != 0 || len(all) != 0 {
			t.Errorf("%v, %d skipped, %d read of %s", err, skipped, len(all), lines)
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
