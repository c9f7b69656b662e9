package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/client"
)

// stopTimeout is how long a broker may take to stop cleanly.
const stopTimeout = 60 * time.Second

// Kill ends the node with SIGKILL and returns once it has ended. Its data and
// its port are kept for [Cluster.Restart]. If ctx ends while Kill waits, the
// node counts as stopped nevertheless.
func (c *Cluster) Kill(ctx context.Context, id int32) error {
	var target node
	err := c.change(id, "kill", stopped, func(n node) error {
		target = n
		_, err := c.engine.ContainerKill(ctx, n.container, client.ContainerKillOptions{Signal: "KILL"})
		return err
	})
	if err != nil {
		return err
	}
	wait := c.engine.ContainerWait(ctx, target.container, client.ContainerWaitOptions{})
	select {
	case <-wait.Result:
		return nil
	case err := <-wait.Error:
		return fmt.Errorf("wait for the end of node %d, which was killed: %w", id, err)
	}
}

// Stop ends the node with SIGTERM, so that the broker hands its partitions over
// first, and returns once it has ended: with SIGKILL if a minute was not enough.
func (c *Cluster) Stop(ctx context.Context, id int32) error {
	return c.change(id, "stop", stopped, func(n node) error {
		seconds := int(stopTimeout.Seconds())
		_, err := c.engine.ContainerStop(ctx, n.container, client.ContainerStopOptions{Timeout: &seconds})
		return err
	})
}

// Restart brings a node back that was killed or stopped, with its data and at
// the same address, and waits as [Cluster.WaitReady] does. Where too few nodes
// run for a controller, it returns as soon as the process runs.
func (c *Cluster) Restart(ctx context.Context, id int32) error {
	err := c.change(id, "restart", running, func(n node) error {
		_, err := c.engine.ContainerStart(ctx, n.container, client.ContainerStartOptions{})
		return err
	})
	return c.waitBack(ctx, "restart", id, err)
}

// Pause freezes the node's processes: its connections stay open, and nothing
// answers.
func (c *Cluster) Pause(ctx context.Context, id int32) error {
	return c.change(id, "pause", paused, func(n node) error {
		_, err := c.engine.ContainerPause(ctx, n.container, client.ContainerPauseOptions{})
		return err
	})
}

// Unpause lets the node go on, and waits as [Cluster.Restart] does.
func (c *Cluster) Unpause(ctx context.Context, id int32) error {
	err := c.change(id, "unpause", running, func(n node) error {
		_, err := c.engine.ContainerUnpause(ctx, n.container, client.ContainerUnpauseOptions{})
		return err
	})
	return c.waitBack(ctx, "unpause", id, err)
}

// Disconnect takes the node off the network while its processes run on. The
// other nodes get no answer from it; clients on this machine find their
// connections closed and new ones refused.
func (c *Cluster) Disconnect(ctx context.Context, id int32) error {
	return c.change(id, "disconnect", disconnected, func(n node) error {
		_, err := c.engine.NetworkDisconnect(ctx, c.name, client.NetworkDisconnectOptions{Container: n.container})
		return err
	})
}

// Reconnect puts the node back on the network, with the addresses it had inside
// and outside, and waits as [Cluster.Restart] does.
func (c *Cluster) Reconnect(ctx context.Context, id int32) error {
	err := c.change(id, "reconnect", running, func(n node) error {
		_, err := c.engine.NetworkConnect(ctx, c.name, client.NetworkConnectOptions{
			Container: n.container, EndpointConfig: n.endpoint(),
		})
		return err
	})
	return c.waitBack(ctx, "reconnect", id, err)
}

// allowed says from which states a node may get into another.
var allowed = map[nodeState]map[nodeState]bool{
	running:      {stopped: true, paused: true, disconnected: true},
	paused:       {running: true, stopped: true},
	disconnected: {running: true},
	stopped:      {running: true},
}

// change does something to a node that leaves it in another state. The state is
// set first when a node is taken away, so that a wait elsewhere does not count
// on it any more.
func (c *Cluster) change(id int32, verb string, to nodeState, do func(node) error) error {
	n, err := c.node(id)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if !allowed[n.state][to] {
		return fmt.Errorf("%s node %d: it is %v", verb, id, n.state)
	}
	if to != running {
		c.setState(id, to)
	}
	if err := do(n); err != nil {
		c.setState(id, n.state)
		return fmt.Errorf("%s node %d: %w", verb, id, err)
	}
	c.setState(id, to)
	return nil
}

// waitBack waits for a node that has come back, if it can.
func (c *Cluster) waitBack(ctx context.Context, verb string, id int32, err error) error {
	if err != nil {
		return err
	}
	if up, _ := c.runningNodes(); len(up) <= len(c.NodeIDs())/2 {
		return nil
	}
	if err := c.WaitReady(ctx); err != nil {
		return fmt.Errorf("%s node %d: %w", verb, id, err)
	}
	return nil
}
