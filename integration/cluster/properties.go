package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Ports inside the containers. Only the external one is published.
const (
	externalPort   = 19092
	internalPort   = 19093
	controllerPort = 19094
)

// nodeName is the host name under which the other nodes know a node.
func nodeName(id int32) string {
	return fmt.Sprintf("kafka-%d", id)
}

// internalAddress is where processes inside the containers reach a node.
func internalAddress(id int32) string {
	return fmt.Sprintf("%s:%d", nodeName(id), internalPort)
}

// nodeConfig is the whole configuration of a node that clients reach at
// advertised, and at its other listeners' addresses.
func (c *config) nodeConfig(id int32, advertised string, listeners map[string]string) map[string]string {
	var voters []string
	for _, voter := range c.ids() {
		voters = append(voters, fmt.Sprintf("%d@%s:%d", voter, nodeName(voter), controllerPort))
	}
	replicas := strconv.Itoa(min(3, c.nodes))
	inSync := strconv.Itoa(min(2, max(1, c.nodes-1)))
	properties := map[string]string{
		"node.id":                        strconv.Itoa(int(id)),
		"process.roles":                  "broker,controller",
		"broker.rack":                    fmt.Sprintf("rack-%d", id),
		"log.dirs":                       dataFolder,
		"controller.quorum.voters":       strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "INTERNAL",
		"listeners":                      fmt.Sprintf("EXTERNAL://:%d,INTERNAL://:%d,CONTROLLER://:%d", externalPort, internalPort, controllerPort),
		"advertised.listeners":           fmt.Sprintf("EXTERNAL://%s,INTERNAL://%s", advertised, internalAddress(id)),
		"listener.security.protocol.map": "EXTERNAL:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",

		// As many replicas as there are nodes for.
		"default.replication.factor":                       replicas,
		"min.insync.replicas":                              inSync,
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    inSync,
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            inSync,
		"auto.create.topics.enable":                        "false",
		"group.initial.rebalance.delay.ms":                 "100",
		"group.min.session.timeout.ms":                     "1000",
		"group.consumer.min.session.timeout.ms":            "1000",
		"group.consumer.min.heartbeat.interval.ms":         "500",

		// A dead node is noticed after 5 s instead of 9, and a stalled follower
		// after 10 s instead of 30. Less makes loaded machines lose live nodes.
		"broker.session.timeout.ms":          "5000",
		"broker.heartbeat.interval.ms":       "1000",
		"controller.quorum.fetch.timeout.ms": "3000",
		"replica.lag.time.max.ms":            "10000",

		// Three brokers share a small machine: by default the log cleaner alone
		// takes 128 MiB of heap.
		"log.cleaner.dedupe.buffer.size": "4194304",
		"num.io.threads":                 "4",
		"num.network.threads":            "2",
	}
	switch {
	case c.zookeeper:
		zooKeeperConfig(id, properties)
	case c.dynamicQuorum:
		dynamicQuorumConfig(id, c.ids(), properties)
	}
	c.addListeners(properties, listeners)
	for _, overlay := range []map[string]string{c.properties, c.nodeProperties[id]} {
		maps.Copy(properties, overlay)
	}
	maps.DeleteFunc(properties, func(_, value string) bool { return value == "" })
	return properties
}

// formatProperties writes a Java properties file, sorted by key.
func formatProperties(properties map[string]string) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		writeEscaped(&text, key, " :=#!")
		text.WriteByte('=')
		value := properties[key]
		if strings.HasPrefix(value, " ") {
			text.WriteByte('\\') // Java skips blanks before a value
		}
		writeEscaped(&text, value, "")
		text.WriteByte('\n')
	}
	return text.String()
}

// writeEscaped writes text as java.util.Properties.load reads it: in ISO-8859-1,
// anything else as UTF-16 code units in hexadecimal.
func writeEscaped(to *strings.Builder, text, special string) {
	for _, unit := range utf16.Encode([]rune(text)) {
		switch {
		case unit < 0x20 || unit > 0x7e:
			fmt.Fprintf(to, `\u%04x`, unit)
		case unit == '\\' || strings.ContainsRune(special, rune(unit)):
			to.WriteByte('\\')
			fallthrough
		default:
			to.WriteByte(byte(unit))
		}
	}
}
