package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"

	"github.com/moby/moby/api/types/container"
	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

// ZooKeeperVersion is the last version of Kafka that runs with ZooKeeper.
const ZooKeeperVersion = "3.9.2"

const (
	zooKeeperName = "zookeeper"
	zooKeeperPort = 2181
	// zooKeeperScript uses only what Kafka's own image and the one of package image have
	// in common.
	zooKeeperScript = `exec /opt/kafka/bin/kafka-run-class.sh org.apache.zookeeper.server.ZooKeeperServerMain 2181 /tmp/zookeeper`
)

// ZooKeeper is where the cluster's ZooKeeper is reached, as host:port; empty for a
// cluster without.
func (c *Cluster) ZooKeeper() string { return c.zookeeper }

// zooKeeperIP is the place of node 0, which does not exist.
func zooKeeperIP(subnet netip.Prefix) netip.Addr { return address(subnet, firstNode) }

// startZooKeeper starts the one server and returns its address. It keeps its data for as
// long as the cluster exists.
func (e *engine) startZooKeeper(ctx context.Context, spec nodeSpec) (string, error) {
	var err error
	for range attempts {
		var port int
		if port, err = freePort(); err != nil {
			break
		}
		if err = e.tryZooKeeper(ctx, spec, port); err == nil {
			return net.JoinHostPort(e.host, strconv.Itoa(port)), nil
		}
		if !portTaken(err) {
			break
		}
	}
	return "", fmt.Errorf("start ZooKeeper: %w", err)
}

func (e *engine) tryZooKeeper(ctx context.Context, spec nodeSpec, port int) error {
	published := fmt.Sprintf("%d/tcp", zooKeeperPort)
	started, err := testcontainers.Run(ctx, spec.image,
		testcontainers.WithName(spec.cluster+"-zookeeper"),
		testcontainers.WithLabels(maps.Clone(spec.labels)),
		testcontainers.WithEntrypoint("/bin/sh", "-c", zooKeeperScript),
		testcontainers.WithEnv(map[string]string{
			"KAFKA_HEAP_OPTS":            "-Xmx128m",
			"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
			"KAFKA_OPTS":                 "-Dzookeeper.admin.enableServer=false",
		}),
		testcontainers.WithExposedPorts(published),
		testcontainers.WithConfigModifier(func(config *container.Config) { config.Hostname = zooKeeperName }),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.NetworkMode = container.NetworkMode(spec.cluster)
			config.PortBindings = dockernetwork.PortMap{
				dockernetwork.MustParsePort(published): {{HostIP: publishOn(e.host), HostPort: strconv.Itoa(port)}},
			}
		}),
		testcontainers.CustomizeRequestOption(func(request *testcontainers.GenericContainerRequest) error {
			request.Networks = []string{spec.cluster}
			return nil
		}),
		testcontainers.WithEndpointSettingsModifier(func(settings map[string]*dockernetwork.EndpointSettings) {
			settings[spec.cluster] = &dockernetwork.EndpointSettings{
				IPAMConfig: &dockernetwork.EndpointIPAMConfig{IPv4Address: zooKeeperIP(spec.subnet)},
				Aliases:    []string{zooKeeperName},
			}
		}),
	)
	if err != nil && started != nil && started.GetContainerID() != "" {
		err = errors.Join(err, e.removeContainer(context.WithoutCancel(ctx), started.GetContainerID()))
	}
	return err
}

// zooKeeperConfig turns a node's properties for KRaft into those of a broker that runs
// with ZooKeeper.
func zooKeeperConfig(id int32, properties map[string]string) {
	for _, key := range []string{"node.id", "process.roles", "controller.quorum.voters", "controller.listener.names", "controller.quorum.fetch.timeout.ms"} {
		delete(properties, key)
	}
	properties["broker.id"] = strconv.Itoa(int(id))
	properties["listeners"] = fmt.Sprintf("EXTERNAL://:%d,INTERNAL://:%d", externalPort, internalPort)
	properties["listener.security.protocol.map"] = "EXTERNAL:PLAINTEXT,INTERNAL:PLAINTEXT"
	properties["zookeeper.connect"] = fmt.Sprintf("%s:%d", zooKeeperName, zooKeeperPort)
	properties["zookeeper.session.timeout.ms"] = "6000"
	properties["zookeeper.connection.timeout.ms"] = "60000"
}
