package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
)

// dataFolder is in the container's own file system: it outlives a restart of
// the container, and goes with it.
const dataFolder = "/tmp/kafka-data"

const propertiesFile = "/tmp/groupkit/server.properties"

// startScript formats the data folder the first time, where it is KRaft's. What comes after it uses
// only what Kafka's own image and the one of package image have in common.
const startScript = `set -e
if grep -q ^process.roles ` + propertiesFile + ` && ! [ -e ` + dataFolder + `/meta.properties ]; then
  /opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id="$GROUPKIT_CLUSTER_ID" -c ` + propertiesFile + ` $GROUPKIT_FORMAT_ARGUMENTS
fi
exec /opt/kafka/bin/kafka-server-start.sh ` + propertiesFile

// node is one container.
type node struct {
	id        int32
	container string // the container's id on the engine
	address   string // where clients reach it, host:port
	listeners map[string]string
	ip        netip.Addr
	state     nodeState
	// properties are those that the node was started with; nil if an earlier run did.
	properties map[string]string
	// controllerOnly nodes are no brokers, and clients cannot reach them.
	controllerOnly bool
}

// nodeState is what the harness last did to a node.
type nodeState int

const (
	running nodeState = iota
	paused
	disconnected
	stopped // killed as well
)

func (s nodeState) String() string {
	return [...]string{"running", "paused", "disconnected", "stopped"}[s]
}

// nodeSpec is what a node is made from.
type nodeSpec struct {
	cluster   string
	image     string
	clusterID string // as Kafka has it
	subnet    netip.Prefix
	labels    map[string]string
	config    *config
}

// startNode makes and starts a container. Its port is chosen beforehand, since
// the broker has to be told what address to advertise; if another process takes
// the port in between, another is chosen.
func (e *engine) startNode(ctx context.Context, spec nodeSpec, id int32) (*node, error) {
	var err error
	for range attempts {
		var chosen ports
		if chosen, err = spec.config.freePorts(); err != nil {
			break
		}
		var started *node
		if started, err = e.tryNode(ctx, spec, id, chosen); err == nil {
			return started, nil
		}
		if !portTaken(err) {
			break
		}
	}
	return nil, fmt.Errorf("start node %d: %w", id, err)
}

func (e *engine) tryNode(ctx context.Context, spec nodeSpec, id int32, chosen ports) (*node, error) {
	made := &node{
		id:        id,
		address:   net.JoinHostPort(e.host, strconv.Itoa(chosen.external)),
		listeners: chosen.addresses(e.host),
		ip:        address(spec.subnet, firstNode+int(id)),
	}
	made.properties = spec.config.nodeConfig(id, made.address, made.listeners)
	labels := maps.Clone(spec.labels)
	labels[labelNode] = strconv.Itoa(int(id))
	labels[labelAddress] = made.address
	labels[labelIP] = made.ip.String()

	var exposed []string
	bindings := dockernetwork.PortMap{}
	for port, inside := range spec.config.published(chosen) {
		published := fmt.Sprintf("%d/tcp", inside)
		exposed = append(exposed, published)
		bindings[dockernetwork.MustParsePort(published)] = []dockernetwork.PortBinding{{HostIP: publishOn(e.host), HostPort: strconv.Itoa(port)}}
	}
	started, err := testcontainers.Run(ctx, spec.image,
		testcontainers.WithName(fmt.Sprintf("%s-%d", spec.cluster, id)),
		testcontainers.WithLabels(labels),
		testcontainers.WithEntrypoint("/bin/sh", "-c", startScript),
		testcontainers.WithEnv(map[string]string{
			"GROUPKIT_CLUSTER_ID":        spec.clusterID,
			"GROUPKIT_FORMAT_ARGUMENTS":  spec.config.formatArguments(spec.clusterID),
			"KAFKA_HEAP_OPTS":            "-Xmx256m",
			"KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		}),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			Reader: strings.NewReader(formatProperties(made.properties)), ContainerFilePath: propertiesFile, FileMode: 0o644,
		}),
		testcontainers.WithConfigModifier(func(config *container.Config) { config.Hostname = nodeName(id) }),
		testcontainers.WithHostConfigModifier(func(config *container.HostConfig) {
			config.NetworkMode = container.NetworkMode(spec.cluster)
			config.PortBindings = bindings
			// The names of nodes that are down must resolve as well: Java remembers
			// for 10 s that a name did not.
			if spec.config.zookeeper {
				config.ExtraHosts = append(config.ExtraHosts, fmt.Sprintf("%s:%s", zooKeeperName, zooKeeperIP(spec.subnet)))
			}
			for _, other := range spec.config.ids() {
				if other != id {
					config.ExtraHosts = append(config.ExtraHosts,
						fmt.Sprintf("%s:%s", nodeName(other), address(spec.subnet, firstNode+int(other))))
				}
			}
		}),
		testcontainers.CustomizeRequestOption(func(request *testcontainers.GenericContainerRequest) error {
			request.Networks = []string{spec.cluster}
			return nil
		}),
		testcontainers.WithEndpointSettingsModifier(func(settings map[string]*dockernetwork.EndpointSettings) {
			settings[spec.cluster] = made.endpoint()
		}),
	)
	if err != nil {
		if started != nil && started.GetContainerID() != "" {
			err = errors.Join(err, e.removeContainer(context.WithoutCancel(ctx), started.GetContainerID()))
		}
		return nil, err
	}
	made.container = started.GetContainerID()
	return made, nil
}

// endpoint is how the node is connected to the cluster's network.
func (n *node) endpoint() *dockernetwork.EndpointSettings {
	return &dockernetwork.EndpointSettings{
		IPAMConfig: &dockernetwork.EndpointIPAMConfig{IPv4Address: n.ip},
		Aliases:    []string{nodeName(n.id)},
	}
}

// publishOn is the address that a port is published on: this machine's own
// where the engine is here, and all of the engine's machine where it is not.
func publishOn(host string) netip.Addr {
	if host == localhost {
		return netip.MustParseAddr(localhost)
	}
	return netip.IPv4Unspecified()
}

// freePort chooses a port that nothing listens on, below those that systems
// hand out for outgoing connections: one of these could take the port of a node
// while that is stopped.
func freePort() (int, error) {
	const lowest, count = 20000, 10000
	var err error
	for range 100 {
		port := lowest + rand.IntN(count)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort(localhost, strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// portTaken recognises the engine's errors for a port that is in use.
func portTaken(err error) bool {
	text := err.Error()
	return strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use") ||
		strings.Contains(text, "ports are not available")
}
