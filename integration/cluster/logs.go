package cluster

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// How much of each node's log is shown after a failure: the last warnings and errors of
// its end, and the last lines whatever they are. A reader looks for what the test said,
// which a longer text would bury.
const (
	failureLogLines    = 400 // that are looked at
	failureLogWarnings = 25
	failureLogLast     = 10
	failureLogWidth    = 300 // bytes of a line
)

// Logs returns the last lines that the node printed; also of one that is down.
func (c *Cluster) Logs(ctx context.Context, id int32, lines int) (string, error) {
	n, err := c.node(id)
	if err != nil {
		return "", fmt.Errorf("logs: %w", err)
	}
	stream, err := c.engine.ContainerLogs(ctx, n.container, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(lines),
	})
	if err != nil {
		return "", fmt.Errorf("logs of node %d: %w", id, err)
	}
	defer stream.Close()
	var output bytes.Buffer
	if _, err := stdcopy.StdCopy(&output, &output, stream); err != nil {
		return "", fmt.Errorf("logs of node %d: %w", id, err)
	}
	return output.String(), nil
}

// logTails is what the end of every node's log has to say, for a report of a failure.
func (c *Cluster) logTails(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var text strings.Builder
	for _, id := range c.allIDs() {
		n, err := c.node(id)
		if err != nil {
			continue
		}
		log, err := c.Logs(ctx, id, failureLogLines)
		if err != nil {
			log = err.Error()
		}
		fmt.Fprintf(&text, "--- node %d (%v), the end of its log ---\n%s", id, n.state, digest(log))
	}
	return text.String()
}

// routine are lines that say that all is well.
var routine = regexp.MustCompile(`^\S* ?\S* ?(INFO|DEBUG|TRACE) `)

// digest keeps of a log the last lines that are not routine, and its last lines.
func digest(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	end := max(0, len(lines)-failureLogLast)
	telling := slices.DeleteFunc(slices.Clone(lines[:end]), routine.MatchString)
	telling = telling[max(0, len(telling)-failureLogWarnings):]
	var text strings.Builder
	for _, line := range append(telling, lines[end:]...) {
		if len(line) > failureLogWidth {
			line = line[:failureLogWidth] + "…"
		}
		fmt.Fprintln(&text, line)
	}
	return text.String()
}

// lastBytes cuts text down to its last n bytes, at a line's start.
func lastBytes(text string, n int) string {
	text = strings.TrimRight(text, "\n")
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	return "…\n" + text
}
