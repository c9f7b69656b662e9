package assign_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// TestRangeAndRoundRobinPlanAsJavaDid compares with what Kafka's RangeAssignor and
// RoundRobinAssignor answered; bench/parity writes the files, and compares many more
// groups where there is a JVM.
func TestRangeAndRoundRobinPlanAsJavaDid(t *testing.T) {
	for _, a := range []assign.Assignor{assign.Range(), assign.RoundRobin()} {
		t.Run(a.Name(), func(t *testing.T) {
			file, err := os.Open(filepath.Join("testdata", "java", a.Name()+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			lines := bufio.NewScanner(file)
			lines.Buffer(nil, 1<<20)
			compared := 0
			for ; lines.Scan(); compared++ {
				var line struct {
					Group      assign.Group      `json:"group"`
					Assignment assign.Assignment `json:"assignment"`
				}
				if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				if got := mustAssign(t, a, line.Group).Assignment; !got.Equal(line.Assignment) {
					t.Errorf("got  %s\njava %s\n%s", brief(got), brief(line.Assignment), inJSON(line.Group))
				}
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			if compared < 100 {
				t.Errorf("only %d groups were compared", compared)
			}
		})
	}
}
