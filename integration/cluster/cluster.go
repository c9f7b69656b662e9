package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/groupkit/groupkit/integration/image"
)

// Cluster is a running Kafka cluster. Its methods may be called from any
// goroutine; two that change the same node at once leave it in the state of
// either.
type Cluster struct {
	name   string
	engine *engine
	kept   bool // left running by Close

	zookeeper zooKeeperAddresses // empty for KRaft
	spec      nodeSpec

	closing sync.Once
	closed  error

	mu    sync.Mutex
	nodes map[int32]*node
}

// errGone says that a node that should run has ended, so that waiting for it
// is in vain.
var errGone = errors.New("node has ended")

// New starts a cluster and returns once it is ready, as [Cluster.WaitReady] has
// it. Close must be called; if the process ends before that, a second process of
// the same program, which New starts, removes the cluster.
//
// It first removes what killed runs left on the engine. The error is
// [ErrNoEngine] where no Docker engine answers; if the cluster does not become
// ready, the error holds the end of the nodes' logs. Nothing is left behind.
//
// Tests call [Start] or [Shared] instead.
func New(ctx context.Context, options ...Option) (*Cluster, error) {
	return start(ctx, "", func(string, ...any) {}, options)
}

// start is New for a cluster that is kept for others under the label keep,
// unless that is empty.
func start(ctx context.Context, keep string, logf func(string, ...any), options []Option) (*Cluster, error) {
	config, err := newConfig(options)
	if err != nil {
		return nil, fmt.Errorf("start a Kafka cluster: %w", err)
	}
	engine, err := connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("start a Kafka cluster: %w", err)
	}
	c, err := engine.start(ctx, config, keep, logf)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a Kafka cluster: %w", err), engine.Close())
	}
	return c, nil
}

func (e *engine) start(ctx context.Context, config *config, keep string, logf func(string, ...any)) (*Cluster, error) {
	self := currentOwner()
	// What earlier runs left is in nobody's way enough to fail this one.
	if err := e.removeLeftovers(ctx, self); err != nil {
		logf("%v", err)
	}
	var ref string
	err := interruptible(ctx, func(ctx context.Context) (err error) {
		ref, err = image.Ensure(ctx, e, config.version, logf)
		return err
	})
	if err != nil {
		return nil, err
	}

	c := &Cluster{name: "groupkit-" + randomName(), engine: e, nodes: map[int32]*node{}}
	labels := self.labels()
	labels[labelHarness] = "1"
	labels[labelCluster] = c.name
	if keep != "" {
		labels[labelKeep] = keep
	}
	if err := ourReaper.expect(c.name); err != nil {
		return nil, err
	}
	if err := c.start(ctx, config, ref, labels); err != nil {
		logs := c.logTails(context.WithoutCancel(ctx))
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, logs), c.Close())
	}
	if c.kept = keep != ""; c.kept {
		ourReaper.forget(c.name)
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, config *config, ref string, labels map[string]string) error {
	subnet, err := c.engine.createNetwork(ctx, c.name, labels)
	if err != nil {
		return err
	}
	spec := nodeSpec{
		cluster: c.name, image: ref, clusterID: kafkaClusterID(),
		subnet: subnet, labels: labels, config: config,
	}
	c.spec = spec
	if config.zookeeper {
		if c.zookeeper, err = c.engine.startZooKeeper(ctx, spec); err != nil {
			return err
		}
	}
	failures := make(chan error)
	for _, id := range config.ids() {
		go func() {
			started, err := c.engine.startNode(ctx, spec, id)
			if err == nil {
				c.mu.Lock()
				c.nodes[id] = started
				c.mu.Unlock()
			}
			failures <- err
		}()
	}
	var errs []error
	for range config.ids() {
		errs = append(errs, <-failures)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.WaitReady(ctx)
}

// Close removes the cluster with all its data. It may be called again, and then
// returns what it returned first. A kept cluster stays.
func (c *Cluster) Close() error {
	c.closing.Do(func() {
		defer c.engine.Close()
		if c.kept {
			return
		}
		// Whatever ended the run must not keep it from cleaning up.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := c.engine.removeCluster(ctx, c.name); err != nil {
			c.closed = fmt.Errorf("remove Kafka cluster %s: %w", c.name, err)
			return // the reaper tries again
		}
		ourReaper.forget(c.name)
	})
	return c.closed
}

// NodeIDs are the ids of all nodes in order, also of those that are down.
func (c *Cluster) NodeIDs() []int32 {
	return slices.DeleteFunc(c.allIDs(), func(id int32) bool {
		n, err := c.node(id)
		return err != nil || n.controllerOnly
	})
}

// allIDs has those that clients cannot reach as well.
func (c *Cluster) allIDs() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.nodes))
}

// Seeds are the addresses of all nodes, in the order of their ids. They do not
// change while the cluster exists.
func (c *Cluster) Seeds() []string {
	var seeds []string
	for _, id := range c.NodeIDs() {
		seeds = append(seeds, c.Address(id))
	}
	return seeds
}

// Address is where clients reach the node, as host:port; empty for an id that
// the cluster does not have.
func (c *Cluster) Address(id int32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[id]; n != nil {
		return n.address
	}
	return ""
}

// InternalSeeds are the addresses of all nodes for clients that run inside the
// containers, by [Cluster.Exec].
func (c *Cluster) InternalSeeds() []string {
	var seeds []string
	for _, id := range c.NodeIDs() {
		seeds = append(seeds, internalAddress(id))
	}
	return seeds
}

// node returns a copy of what is known of the node.
func (c *Cluster) node(id int32) (node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[id]
	if n == nil {
		return node{}, fmt.Errorf("the cluster has no node %d", id)
	}
	return *n, nil
}

func (c *Cluster) setState(id int32, state nodeState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id].state = state
}

// runningNodes are those that nothing was done to.
func (c *Cluster) runningNodes() (ids []int32, seeds []string) {
	for _, id := range c.NodeIDs() {
		if n, err := c.node(id); err == nil && n.state == running {
			ids, seeds = append(ids, id), append(seeds, n.address)
		}
	}
	return ids, seeds
}

// alive returns errGone if a node that should run has ended.
func (c *Cluster) alive(ctx context.Context) error {
	ids, _ := c.runningNodes()
	for _, id := range ids {
		n, err := c.node(id)
		if err != nil {
			return err
		}
		inspected, err := c.engine.ContainerInspect(ctx, n.container, client.ContainerInspectOptions{})
		if err != nil {
			return fmt.Errorf("look at node %d: %w", id, err)
		}
		if state := inspected.Container.State; state != nil && !state.Running {
			return fmt.Errorf("node %d: %w with exit code %d", id, errGone, state.ExitCode)
		}
	}
	return nil
}

func randomName() string {
	var bytes [5]byte
	_, _ = rand.Read(bytes[:]) // it never fails
	return hex.EncodeToString(bytes[:])
}

// kafkaClusterID is a random UUID in the form that kafka-storage.sh takes.
func kafkaClusterID() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:]) // it never fails
	bytes[0] &= 0x7f           // a leading dash would be taken for an option
	return base64.RawURLEncoding.EncodeToString(bytes[:])
}
