package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	dockernetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go/network"
)

// attempts bounds what is tried again after losing a race for a free port or
// subnet.
const attempts = 5

// createNetwork makes a network whose subnet is given explicitly, since only
// there a container may be given an address, which it then keeps over restarts
// and reconnections. Brokers look each other's address up once.
//
// The engine knows which subnets are free: it makes a network by its own
// choice first, and that choice is then asked for.
func (e *engine) createNetwork(ctx context.Context, name string, labels map[string]string) (subnet netip.Prefix, err error) {
	for range attempts {
		if subnet, err = e.freeSubnet(ctx, labels); err != nil {
			return netip.Prefix{}, err
		}
		_, err = e.NetworkCreate(ctx, name, client.NetworkCreateOptions{
			Driver: "bridge",
			Labels: labels,
			IPAM: &dockernetwork.IPAM{Config: []dockernetwork.IPAMConfig{
				{Subnet: subnet, Gateway: address(subnet, 1)},
			}},
		})
		if err == nil {
			return subnet, nil
		}
		if !errdefs.IsPermissionDenied(err) && !strings.Contains(err.Error(), "overlaps") {
			break
		}
	}
	return netip.Prefix{}, fmt.Errorf("create network %s: %w", name, err)
}

func (e *engine) freeSubnet(ctx context.Context, labels map[string]string) (netip.Prefix, error) {
	probe, err := network.New(ctx, network.WithLabels(labels))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("find a free subnet: %w", err)
	}
	inspected, err := e.NetworkInspect(ctx, probe.ID, client.NetworkInspectOptions{})
	if removeErr := e.removeNetwork(ctx, probe.ID); err == nil {
		err = removeErr
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("find a free subnet: %w", err)
	}
	for _, config := range inspected.Network.IPAM.Config {
		if config.Subnet.Addr().Is4() {
			return config.Subnet.Masked(), nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("find a free subnet: the engine's own network has none for IPv4")
}

// firstNode is the place of node 0 in the subnet; gateways are at its start.
const firstNode = 10

// maxNodes keeps all nodes in a subnet of 64 addresses.
const maxNodes = 32

// address is the one at that offset into the subnet.
func address(subnet netip.Prefix, offset int) netip.Addr {
	addr := subnet.Masked().Addr()
	for range offset {
		addr = addr.Next()
	}
	return addr
}
