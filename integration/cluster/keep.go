package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/groupkit/groupkit/integration/image"
)

// keepVariable asks for a shared cluster that is kept between runs.
const keepVariable = "GROUPKIT_KEEP_CLUSTER"

// adoptTimeout is how long a kept cluster may take to prove that it is well.
const adoptTimeout = 20 * time.Second

// startKept returns the cluster that an earlier run kept, or starts one to keep.
func startKept(ctx context.Context, logf func(string, ...any)) (c *Cluster, err error) {
	// go test runs the test binaries of several packages at once: the second
	// has to find what the first starts.
	unlock, err := lockKept()
	if err != nil {
		return nil, err
	}
	defer unlock()

	config, err := newConfig(nil)
	if err != nil {
		return nil, err
	}
	engine, err := connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("find a kept Kafka cluster: %w", err)
	}
	defer func() {
		if c == nil || c.engine != engine {
			_ = engine.Close()
		}
	}()
	keep := config.fingerprint()
	containers, err := engine.harnessContainers(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string][]container.Summary{}
	for _, each := range containers {
		if label := each.Labels[labelKeep]; label != "" {
			kept[each.Labels[labelCluster]] = append(kept[each.Labels[labelCluster]], each)
		}
	}
	for name, nodes := range kept {
		if nodes[0].Labels[labelKeep] == keep {
			c, err := engine.adopt(ctx, name, nodes, config)
			if err == nil {
				return c, nil
			}
			logf("the kept cluster %s is replaced: %v", name, err)
		}
		if _, err := engine.removeCluster(ctx, name); err != nil {
			return nil, fmt.Errorf("remove a kept Kafka cluster: %w", err)
		}
	}
	return start(ctx, keep, logf, nil)
}

// adopt makes a Cluster of containers that an earlier run kept.
func (e *engine) adopt(ctx context.Context, name string, containers []container.Summary, config *config) (*Cluster, error) {
	c := &Cluster{name: name, engine: e, kept: true, nodes: map[int32]*node{}}
	for _, each := range containers {
		id, err := strconv.ParseInt(each.Labels[labelNode], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("label %s of container %.12s: %w", labelNode, each.ID, err)
		}
		ip, err := netip.ParseAddr(each.Labels[labelIP])
		if err != nil {
			return nil, fmt.Errorf("label %s of container %.12s: %w", labelIP, each.ID, err)
		}
		if each.State != container.StateRunning {
			return nil, fmt.Errorf("node %d is %s", id, each.State)
		}
		c.nodes[int32(id)] = &node{id: int32(id), container: each.ID, address: each.Labels[labelAddress], ip: ip}
	}
	if !slices.Equal(c.NodeIDs(), config.ids()) {
		return nil, fmt.Errorf("it has nodes %v, not %v", c.NodeIDs(), config.ids())
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	return c, c.WaitReady(ctx)
}

// removeKept removes every kept cluster.
func removeKept(ctx context.Context) error {
	unlock, err := lockKept()
	if err != nil {
		return err
	}
	defer unlock()
	engine, err := connect(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	containers, err := engine.harnessContainers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	removed := map[string]bool{}
	for _, each := range containers {
		if name := each.Labels[labelCluster]; each.Labels[labelKeep] != "" && !removed[name] {
			removed[name] = true
			_, err := engine.removeCluster(ctx, name)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// fingerprint is the same for clusters that can stand for each other.
func (c *config) fingerprint() string {
	hash := sha256.New()
	fmt.Fprintln(hash, image.Wanted(c.version), c.nodes)
	for _, id := range c.ids() {
		fmt.Fprintln(hash, formatProperties(c.nodeConfig(id, "", nil)))
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// lockKept keeps other processes from looking for or starting a kept cluster.
// The lock goes with the process.
func lockKept() (unlock func(), err error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("groupkit-keep-%d.lock", os.Getuid()))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the kept Kafka cluster: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the kept Kafka cluster: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}
