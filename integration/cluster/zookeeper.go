package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

// ZooKeeperVersion is the last version of Kafka that runs with ZooKeeper.
const ZooKeeperVersion = "3.9.2"

const (
	zooKeeperName = "zookeeper"
	zooKeeperPort = 2181
	// zooKeeperTLSPort is ZooKeeper's secureClientPort.
	zooKeeperTLSPort = 2182
	zooKeeperFolder  = "/tmp/groupkit/"
	// zooKeeperScript uses only what Kafka's own image and the one of package image have
	// in common.
	zooKeeperScript = `exec /opt/kafka/bin/kafka-run-class.sh org.apache.zookeeper.server.ZooKeeperServerMain ` + zooKeeperFolder + `zookeeper.properties`
)

// ZooKeeperTLS is what ZooKeeper needs to speak TLS.
type ZooKeeperTLS struct {
	// Certificate and Key (PKCS #8) are its own, and Authorities those whose clients it
	// lets in, all in PEM.
	Certificate, Key, Authorities []byte
}

// WithZooKeeperTLS has the cluster's ZooKeeper listen with TLS too, and let in only
// clients with a certificate there. The brokers go on to use the other port.
func WithZooKeeperTLS(secrets ZooKeeperTLS) Option {
	return func(c *config) { c.zookeeperTLS = &secrets }
}

// ZooKeeper is where the cluster's ZooKeeper is reached, as host:port; empty for a
// cluster without.
func (c *Cluster) ZooKeeper() string { return c.zookeeper.plain }

// ZooKeeperTLS is where it is reached with TLS; empty without [WithZooKeeperTLS].
func (c *Cluster) ZooKeeperTLS() string { return c.zookeeper.secured }

// zooKeeperAddresses are where clients reach a ZooKeeper, empty where they do not.
type zooKeeperAddresses struct{ plain, secured string }

// zooKeeperIP is the place of node 0, which does not exist.
func zooKeeperIP(subnet netip.Prefix) netip.Addr { return address(subnet, firstNode) }

// startZooKeeper starts the one server and returns its addresses. It keeps its data for as
// long as the cluster exists.
func (e *engine) startZooKeeper(ctx context.Context, spec nodeSpec) (zooKeeperAddresses, error) {
	var err error
	for range attempts {
		inside := []int{zooKeeperPort}
		if spec.config.zookeeperTLS != nil {
			inside = append(inside, zooKeeperTLSPort)
		}
		addresses := make([]string, 2)
		bindings := dockernetwork.PortMap{}
		for i, port := range inside {
			var chosen int
			if chosen, err = freePort(); err != nil {
				break
			}
			addresses[i] = net.JoinHostPort(e.host, strconv.Itoa(chosen))
			bindings[dockernetwork.MustParsePort(fmt.Sprintf("%d/tcp", port))] = []dockernetwork.PortBinding{{HostIP: publishOn(e.host), HostPort: strconv.Itoa(chosen)}}
		}
		if err != nil {
			break
		}
		if err = e.tryZooKeeper(ctx, spec, bindings); err == nil {
			return zooKeeperAddresses{addresses[0], addresses[1]}, nil
		}
		if !portTaken(err) {
			break
		}
	}
	return zooKeeperAddresses{}, fmt.Errorf("start ZooKeeper: %w", err)
}

// zooKeeperFiles are its configuration and what that names.
func (c *config) zooKeeperFiles() []testcontainers.ContainerFile {
	properties := map[string]string{"dataDir": "/tmp/zookeeper", "clientPort": strconv.Itoa(zooKeeperPort), "admin.enableServer": "false"}
	files := map[string]string{}
	if secrets := c.zookeeperTLS; secrets != nil {
		maps.Copy(properties, map[string]string{
			"secureClientPort":        strconv.Itoa(zooKeeperTLSPort),
			"serverCnxnFactory":       "org.apache.zookeeper.server.NettyServerCnxnFactory",
			"ssl.keyStore.location":   zooKeeperFolder + "keystore.pem",
			"ssl.trustStore.location": zooKeeperFolder + "truststore.pem",
			"ssl.clientAuth":          "need",
		})
		files["keystore.pem"] = string(secrets.Key) + string(secrets.Certificate)
		files["truststore.pem"] = string(secrets.Authorities)
	}
	files["zookeeper.properties"] = formatProperties(properties)
	var all []testcontainers.ContainerFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, testcontainers.ContainerFile{Reader: strings.NewReader(files[name]), ContainerFilePath: zooKeeperFolder + name, FileMode: 0o644})
	}
	return all
}

func (e *engine) tryZooKeeper(ctx context.Context, spec nodeSpec, bindings dockernetwork.PortMap) error {
	var published []string
	for port := range bindings {
		published = append(published, port.String())
	}
	started, err := testcontainers.Run(ctx, spec.image,
		testcontainers.WithName(spec.cluster+"-zookeeper"),
		testcontainers.WithLabels(maps.Clone(spec.labels)),
		testcontainers.WithEntrypoint("/bin/sh", "-c", zooKeeperScript),
		testcontainers.WithEnv(map[string]string{
			"KAFKA_HEAP_OPTS":            "-Xmx128m",
			"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		}),
		testcontainers.WithFiles(spec.config.zooKeeperFiles()...),
		testcontainers.WithExposedPorts(published...),
		testcontainers.WithConfigModifier(func(config *container.Config) { config.Hostname = zooKeeperName }),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.NetworkMode = container.NetworkMode(spec.cluster)
			config.PortBindings = bindings
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
