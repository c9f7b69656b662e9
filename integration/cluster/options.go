package cluster

import (
	"errors"
	"fmt"
	"maps"

	"github.com/groupkit/groupkit/integration/image"
)

// Option changes what [New] and [Start] start.
type Option func(*config)

type config struct {
	nodes          int
	version        string
	zookeeper      bool
	zookeeperTLS   *ZooKeeperTLS
	dynamicQuorum  bool
	listeners      []Listener
	controllers    bool // their listener is published
	properties     map[string]string
	nodeProperties map[int32]map[string]string
}

// WithNodes sets the number of nodes, each of them broker and controller; the
// default is 3. Node ids count from 1.
func WithNodes(n int) Option {
	return func(c *config) { c.nodes = n }
}

// WithVersion sets the version of Kafka, such as "3.9.2"; the default is
// [image.DefaultVersion].
func WithVersion(version string) Option {
	return func(c *config) { c.version = version }
}

// WithZooKeeper runs the cluster with one ZooKeeper server instead of KRaft, in a version
// of Kafka that still has it: [ZooKeeperVersion], unless [WithVersion] follows. Nodes are
// brokers only then, and lose their session after 6 s.
func WithZooKeeper() Option {
	return func(c *config) { c.zookeeper, c.version = true, ZooKeeperVersion }
}

// WithDynamicQuorum lets voters be added and removed while the cluster runs (KIP-853), as
// Kafka can from 3.9 on: the data folders hold the voters, and not the configuration.
func WithDynamicQuorum() Option {
	return func(c *config) { c.dynamicQuorum = true }
}

// WithProperty sets a broker property on all nodes, over what the harness sets;
// see the package comment for that. An empty value takes the property away, so
// that Kafka's own default holds.
func WithProperty(key, value string) Option {
	return func(c *config) { c.properties[key] = value }
}

// WithNodeProperty sets a broker property on one node, over what [WithProperty]
// sets.
func WithNodeProperty(id int32, key, value string) Option {
	return func(c *config) {
		if c.nodeProperties[id] == nil {
			c.nodeProperties[id] = map[string]string{}
		}
		c.nodeProperties[id][key] = value
	}
}

// newConfig applies the options and reports all that is wrong with them.
func newConfig(options []Option) (*config, error) {
	c := &config{
		nodes:          3,
		version:        image.DefaultVersion,
		properties:     map[string]string{},
		nodeProperties: map[int32]map[string]string{},
	}
	for _, option := range options {
		option(c)
	}
	var errs []error
	if c.nodes < 1 || c.nodes > maxNodes {
		errs = append(errs, fmt.Errorf("WithNodes(%d): want 1 to %d", c.nodes, maxNodes))
	}
	errs = append(errs, checkListeners(c.listeners)...)
	if c.version == "" {
		errs = append(errs, errors.New(`WithVersion(""): want a version such as `+image.DefaultVersion))
	}
	for id := range maps.Keys(c.nodeProperties) {
		if id < 1 || int(id) > c.nodes {
			errs = append(errs, fmt.Errorf("WithNodeProperty(%d, …): node ids are 1 to %d", id, c.nodes))
		}
	}
	return c, errors.Join(errs...)
}

func (c *config) ids() []int32 {
	ids := make([]int32, c.nodes)
	for i := range ids {
		ids[i] = int32(i + 1)
	}
	return ids
}
