package offline

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentedLinesHold reads the examples of docs/planning.md.
func TestTheDocumentedLinesHold(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "planning.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```json\n")[1:]
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of JSON, want a problem, a result and an error", len(blocks))
	}
	for i := range blocks {
		blocks[i], _, _ = strings.Cut(blocks[i], "```")
	}
	p, err := Parse([]byte(blocks[0]))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Solver{Settle: true}.Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	var result struct{ Results map[string]Outcome }
	if err := json.Unmarshal([]byte(blocks[1]), &result); err != nil {
		t.Fatal(err)
	}
	want := result.Results["balanced"]
	if o := got["balanced"]; !o.Assignment.Equal(want.Assignment) || !o.Settled.Equal(want.Settled) || o.Rounds != want.Rounds ||
		o.Stats.MaxLoad != want.Stats.MaxLoad || math.Abs(o.Stats.LowerBound-want.Stats.LowerBound) > 1e-6 || o.Stats.RackLocal != want.Stats.RackLocal {
		t.Errorf("the page says %+v, it is %+v", want, o)
	}
	wrong := strings.Replace(blocks[0], `"capacity":2`, `"capacity":"2"`, 1)
	_, err = Parse([]byte(wrong))
	var said struct{ Error string }
	if jsonErr := json.Unmarshal([]byte(blocks[2]), &said); jsonErr != nil || err == nil || err.Error() != said.Error {
		t.Errorf("the page says %q, it is %v (%v)", said.Error, err, jsonErr)
	}
}
