package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// Exec runs a command inside the node's container and returns its standard
// output. A command that fails is an error with its exit code and the end of
// what it printed, standard error included. If ctx ends first, the command runs
// on inside the container.
//
// The jars of Kafka's own clients and tools are at /opt/kafka/libs:
//
//	cluster.Exec(ctx, 1, "java", "-cp", "/opt/kafka/libs/*",
//		"org.apache.kafka.tools.TopicCommand", "--list", "--bootstrap-server", cluster.InternalSeeds()[0])
func (c *Cluster) Exec(ctx context.Context, id int32, command ...string) (string, error) {
	n, err := c.node(id)
	if err != nil {
		return "", fmt.Errorf("exec: %w", err)
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("exec %q in node %d: %w", command, id, err)
	}
	created, err := c.engine.ExecCreate(ctx, n.container, client.ExecCreateOptions{
		Cmd: command, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return fail(err)
	}
	attached, err := c.engine.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return fail(err)
	}
	defer attached.Close()
	// The connection is the engine's, and knows nothing of ctx.
	unblock := context.AfterFunc(ctx, attached.Close)
	defer unblock()
	var output, all bytes.Buffer
	_, err = stdcopy.StdCopy(io.MultiWriter(&output, &all), &all, attached.Reader)
	if ctx.Err() != nil {
		return fail(ctx.Err())
	}
	if err != nil {
		return fail(err)
	}
	inspected, err := c.engine.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
	if err != nil {
		return fail(err)
	}
	if inspected.ExitCode != 0 {
		return output.String(), fmt.Errorf("exec %q in node %d: exit code %d: %s",
			command, id, inspected.ExitCode, lastBytes(all.String(), 2000))
	}
	return output.String(), nil
}
