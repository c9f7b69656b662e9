package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/moby/moby/client"
)

// migrationProperties tell a node of a cluster with ZooKeeper of the KRaft controller
// that it migrates to (KIP-866).
func migrationProperties(controller int32) map[string]string {
	return map[string]string{
		"zookeeper.metadata.migration.enable": "true",
		"zookeeper.connect":                   fmt.Sprintf("%s:%d", zooKeeperName, zooKeeperPort),
		"controller.quorum.voters":            fmt.Sprintf("%d@%s", controller, controllerAddress(controller)),
		"controller.listener.names":           "CONTROLLER",
		"listener.security.protocol.map":      "EXTERNAL:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
	}
}

// StartKRaftController adds a KRaft controller, which is no broker, to a cluster with
// ZooKeeper, and returns its id, the next after the brokers'. It claims the cluster once
// all brokers know of it, by [Cluster.MigrateBroker]. Clients cannot reach it, and
// [Cluster.NodeIDs] leaves it out; Stop and Restart take it as they take others.
func (c *Cluster) StartKRaftController(ctx context.Context, clusterID string) (int32, error) {
	if c.ZooKeeper() == "" || c.kept {
		return 0, errors.New("start a KRaft controller: the cluster does not run with a ZooKeeper of its own")
	}
	spec := c.spec
	config := *spec.config
	id := int32(config.nodes + 1)
	config.zookeeper = false
	properties := migrationProperties(id)
	maps.Copy(properties, map[string]string{
		"process.roles":        "controller",
		"listeners":            fmt.Sprintf("CONTROLLER://:%d", controllerPort),
		"advertised.listeners": "",
		"broker.rack":          "",
	})
	config.nodeProperties = map[int32]map[string]string{id: properties}
	spec.config, spec.clusterID = &config, clusterID
	started, err := c.engine.startNode(ctx, spec, id)
	if err != nil {
		return 0, err
	}
	started.controllerOnly = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id] = started
	return id, nil
}

// MigrateBroker stops a broker and starts it again: still with ZooKeeper, but knowing of
// the KRaft controller, or with KRaft alone. It returns as [Cluster.Restart] does.
func (c *Cluster) MigrateBroker(ctx context.Context, id, controller int32, kraft bool) error {
	properties := migrationProperties(controller)
	if kraft {
		maps.Copy(properties, map[string]string{
			"process.roles": "broker", "node.id": fmt.Sprint(id), "broker.id": "",
			"zookeeper.metadata.migration.enable": "", "zookeeper.connect": "",
			"zookeeper.session.timeout.ms": "", "zookeeper.connection.timeout.ms": "",
		})
	}
	return c.RestartWith(ctx, id, properties)
}

// FinalizeMigration restarts the KRaft controller without ZooKeeper, after which there is
// no way back.
func (c *Cluster) FinalizeMigration(ctx context.Context, controller int32) error {
	return c.RestartWith(ctx, controller, map[string]string{"zookeeper.metadata.migration.enable": "", "zookeeper.connect": ""})
}

// RestartWith stops a node and starts it with other properties, on top of those that it
// has; an empty value takes a property away. It returns as [Cluster.Restart] does.
func (c *Cluster) RestartWith(ctx context.Context, id int32, changes map[string]string) error {
	if err := c.StopToChange(ctx, id, changes); err != nil {
		return err
	}
	return c.Restart(ctx, id)
}

// StopToChange stops a node, and changes what it will have when it starts again, as
// [Cluster.RestartWith] does.
func (c *Cluster) StopToChange(ctx context.Context, id int32, changes map[string]string) error {
	n, err := c.node(id)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if n.properties == nil {
		return fmt.Errorf("restart node %d with other properties: an earlier run started it", id)
	}
	properties := maps.Clone(n.properties)
	maps.Copy(properties, changes)
	maps.DeleteFunc(properties, func(_, value string) bool { return value == "" })
	if err := c.Stop(ctx, id); err != nil {
		return err
	}
	if err := c.engine.writeFile(ctx, n.container, propertiesFile, formatProperties(properties)); err != nil {
		return fmt.Errorf("write the properties of node %d: %w", id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id].properties = properties
	return nil
}

// writeFile writes a file into a container, whether that runs or not.
func (e *engine) writeFile(ctx context.Context, container, name, content string) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Name: path.Base(name), Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = strings.NewReader(content).WriteTo(w)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	_, err = e.CopyToContainer(ctx, container, client.CopyToContainerOptions{DestinationPath: path.Dir(name), Content: &archive})
	return err
}
