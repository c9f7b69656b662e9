package cluster

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

const (
	// failureLogLines is how much of each node's log is shown after a failure.
	failureLogLines = 80
	// failureLogBytes bounds it for lines that are long.
	failureLogBytes = 16 << 10
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

// logTails is the end of every node's log, for a report of a failure.
func (c *Cluster) logTails(ctx context.Context, lines int) string {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var text strings.Builder
	for _, id := range c.allIDs() {
		n, err := c.node(id)
		if err != nil {
			continue
		}
		tail, err := c.Logs(ctx, id, lines)
		if err != nil {
			tail = err.Error()
		}
		fmt.Fprintf(&text, "--- log of node %d (%v), last %d lines ---\n%s\n", id, n.state, lines, lastBytes(tail, failureLogBytes))
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
