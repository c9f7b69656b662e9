package cluster

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// controllerAddress is where the other nodes reach a node's controller.
func controllerAddress(id int32) string {
	return fmt.Sprintf("%s:%d", nodeName(id), controllerPort)
}

// dynamicQuorumConfig has the nodes look for voters instead of being told them.
func dynamicQuorumConfig(id int32, ids []int32, properties map[string]string) {
	var servers []string
	for _, voter := range ids {
		servers = append(servers, controllerAddress(voter))
	}
	delete(properties, "controller.quorum.voters")
	properties["controller.quorum.bootstrap.servers"] = strings.Join(servers, ",")
	properties["advertised.listeners"] += ",CONTROLLER://" + controllerAddress(id)
}

// formatArguments are what kafka-storage.sh needs beside the configuration.
func (c *config) formatArguments(clusterID string) string {
	if !c.dynamicQuorum {
		return ""
	}
	var voters []string
	for _, id := range c.ids() {
		voters = append(voters, fmt.Sprintf("%d@%s:%s", id, controllerAddress(id), directoryID(clusterID, id)))
	}
	return "--initial-controllers " + strings.Join(voters, ",")
}

// directoryID is the id of a node's data folder, which all nodes have to know before the
// folders exist.
func directoryID(clusterID string, id int32) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %d", clusterID, id))
	hash[0] &= 0x7f // a leading dash would be taken for an option
	return base64.RawURLEncoding.EncodeToString(hash[:16])
}
