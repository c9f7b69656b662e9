package cluster

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Listener is one that nodes have beside the plain one that the harness itself uses.
type Listener struct {
	// Name is in capitals, such as "LOGIN".
	Name string
	// Protocol is Kafka's security protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	Protocol string
}

// WithListeners gives each node more listeners, published like the plain one. What a
// protocol needs beside, such as certificates and users, is set by [WithProperty]. The
// plain listener stays open to everybody; with an authorizer its user is
// User:ANONYMOUS, who has to be among the super.users for the cluster to become ready.
func WithListeners(listeners ...Listener) Option {
	return func(c *config) { c.listeners = append(c.listeners, listeners...) }
}

// controllerListener is the one that controllers have for each other.
const controllerListener = "CONTROLLER"

// WithControllersPublished publishes the listener that controllers have for each other,
// as "CONTROLLER" for [Cluster.ListenerSeeds]. Controllers do not advertise it.
func WithControllersPublished() Option {
	return func(c *config) { c.controllers = true }
}

// firstListenerPort is where the first of these listens inside the containers.
const firstListenerPort = 19100

// ListenerSeeds are the addresses of all nodes at one listener, in the order of their
// ids; none for a listener that there is not.
func (c *Cluster) ListenerSeeds(name string) []string {
	var seeds []string
	for _, id := range c.NodeIDs() {
		if n, err := c.node(id); err == nil && n.listeners[name] != "" {
			seeds = append(seeds, n.listeners[name])
		}
	}
	return seeds
}

func checkListeners(listeners []Listener) (errs []error) {
	names := []string{"EXTERNAL", "INTERNAL", "CONTROLLER"}
	for _, l := range listeners {
		if l.Name == "" || l.Name != strings.ToUpper(l.Name) || slices.Contains(names, l.Name) {
			errs = append(errs, fmt.Errorf("WithListeners: the name %q is taken, or not in capitals", l.Name))
		}
		names = append(names, l.Name)
	}
	return errs
}

// ports are where a node is published.
type ports struct {
	external  int
	listeners map[string]int
}

// freePorts chooses as many as a node needs.
func (c *config) freePorts() (ports, error) {
	p := ports{listeners: map[string]int{}}
	taken := map[int]bool{0: true}
	next := func() (port int, err error) {
		for taken[port] && err == nil {
			port, err = freePort()
		}
		taken[port] = true
		return port, err
	}
	var err error
	if p.external, err = next(); err != nil {
		return p, err
	}
	if c.controllers {
		if p.listeners[controllerListener], err = next(); err != nil {
			return p, err
		}
	}
	for _, l := range c.listeners {
		if p.listeners[l.Name], err = next(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// addresses are where clients on host reach a node's listeners.
func (p ports) addresses(host string) map[string]string {
	addresses := make(map[string]string, len(p.listeners))
	for name, port := range p.listeners {
		addresses[name] = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return addresses
}

// published are the ports inside a container, by the port that each is published at.
func (c *config) published(p ports) map[int]int {
	published := map[int]int{p.external: externalPort}
	if c.controllers {
		published[p.listeners[controllerListener]] = controllerPort
	}
	for i, l := range c.listeners {
		published[p.listeners[l.Name]] = firstListenerPort + i
	}
	return published
}

// addListeners adds them to a node's properties. advertised are their addresses.
func (c *config) addListeners(properties, advertised map[string]string) {
	for i, l := range c.listeners {
		properties["listeners"] += fmt.Sprintf(",%s://:%d", l.Name, firstListenerPort+i)
		properties["advertised.listeners"] += fmt.Sprintf(",%s://%s", l.Name, advertised[l.Name])
		properties["listener.security.protocol.map"] += fmt.Sprintf(",%s:%s", l.Name, l.Protocol)
	}
}
