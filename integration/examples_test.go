package integration

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/groupkit/groupkit/integration/cluster"
)

// The programs under examples/, which have tests of what they do on a fake cluster, run
// on a real one, and end well when they are asked to.
func TestExamplesRunOnRealKafka(t *testing.T) {
	c := cluster.Shared(t)
	binaries := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binaries+string(filepath.Separator), "./examples/...")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the examples cannot be built: %v: %s", err, out)
	}
	topic := newTopic(t, c, 6)
	produce(t, c, topic, 60)
	for name, example := range map[string]struct {
		args []string
		says []string
	}{
		"singleton":    {[]string{"-topic", topic}, []string{`^reporting under fence \d+$`, `^handled \d+ records$`}},
		"elect":        {[]string{"-address", "here:1"}, []string{`^leading under fence \d{13}$`, `^the leader is at here:1$`}},
		"canary":       {[]string{"-topic", topic, "-canary"}, []string{`^canary has .*\[0 1 2 3 4 5\]`}},
		"lag":          {[]string{"-topic", topic}, []string{`^planned: the most loaded member has 66 records`}},
		"drain":        {[]string{"-topic", topic, "-limit", "100ms"}, []string{`^has .*\[0 1 2 3 4 5\]`}},
		"transactions": {[]string{"-topic", topic, "-to", newTopic(t, c, 1), "-id", unique(t, "id")}, []string{`^leading `, `^records: \d+ committed: true$`}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"-brokers", strings.Join(c.Seeds(), ",")}, example.args...)
			if name == "elect" {
				args = append(args, "-election", unique(t, "election"))
			} else {
				args = append(args, "-group", unique(t, "group"))
			}
			command := exec.Command(filepath.Join(binaries, name), args...)
			out, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			command.Stderr = command.Stdout
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			overdue := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
			defer overdue.Stop()
			missing := make(map[string]bool)
			for _, pattern := range example.says {
				missing[pattern] = true
			}
			var said []string
			asked := false
			for lines := bufio.NewScanner(out); lines.Scan(); {
				said = append(said, lines.Text())
				for pattern := range missing {
					if regexp.MustCompile(pattern).MatchString(lines.Text()) {
						delete(missing, pattern)
					}
				}
				if len(missing) == 0 && !asked { // twice would end it at once
					asked = true
					_ = command.Process.Signal(syscall.SIGTERM)
				}
			}
			if err := command.Wait(); err != nil || len(missing) > 0 {
				t.Errorf("it ended with %v, and never said %v, but:\n%s", err, missing, strings.Join(said, "\n"))
			}
		})
	}
}
