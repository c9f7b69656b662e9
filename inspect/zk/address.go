package zk

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// defaultPort is where ZooKeeper listens if nobody says otherwise.
const defaultPort = "2181"

// parseConnect reads servers as Kafka's zookeeper.connect has them: host:port with commas
// between, and after the last a path, the chroot, below which Kafka keeps its nodes.
func parseConnect(connect string) (servers []string, chroot string, err error) {
	hosts, path, _ := strings.Cut(connect, "/")
	if path = strings.TrimRight(path, "/"); path != "" {
		chroot = "/" + path
		parts := strings.Split(path, "/")
		if slices.Contains(parts, "") || slices.Contains(parts, ".") || slices.Contains(parts, "..") || strings.ContainsAny(path, "\x00 ,") {
			return nil, "", fmt.Errorf("%q is no path in ZooKeeper", chroot)
		}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		host = strings.TrimSpace(host)
		if host == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
		}
		name, port, err := net.SplitHostPort(host)
		if err != nil || name == "" || port == "" || strings.ContainsAny(name, " @") {
			return nil, "", fmt.Errorf("%q is not the address of a ZooKeeper server; give host:port", host)
		}
		servers = append(servers, host)
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("%q names no ZooKeeper server; give host:port, with commas between, and the chroot after the last", connect)
	}
	return servers, chroot, nil
}

// roundRobin gives the servers to the client, one after the other. Names are looked up when
// they are dialed, so that the lookup ends with the context.
type roundRobin struct {
	servers []string
	next    int
	tried   int
}

func (r *roundRobin) Init(servers []string) error {
	r.servers = servers
	return nil
}

func (r *roundRobin) Len() int { return len(r.servers) }

// Next returns the server to try, and whether all were tried since one last answered.
func (r *roundRobin) Next() (server string, allTried bool) {
	server = r.servers[r.next%len(r.servers)]
	r.next++
	r.tried++
	if r.tried > len(r.servers) {
		r.tried = 1
		return server, true
	}
	return server, false
}

func (r *roundRobin) Connected() { r.tried = 0 }
