package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// strangerAge is how old something must be to be removed whose owner is on
// another machine and so cannot be looked at. No test run lasts that long.
const strangerAge = 12 * time.Hour

// removeLeftovers removes what runs that ended without cleaning up left on the
// engine, such as those whose reaper was killed as well.
func (e *engine) removeLeftovers(ctx context.Context, self owner) error {
	containers, err := e.harnessContainers(ctx)
	if err != nil {
		return err
	}
	// A kept cluster stays for as long as all of it runs.
	broken := map[string]bool{}
	for _, each := range containers {
		if each.State != container.StateRunning {
			broken[each.Labels[labelCluster]] = true
		}
	}
	left := func(labels map[string]string, created time.Time) bool {
		if labels[labelKeep] != "" && !broken[labels[labelCluster]] {
			return false
		}
		switch self.judge(labels, processRunning) {
		case dead:
			return true
		case unknown:
			return time.Since(created) > strangerAge
		default:
			return false
		}
	}

	var errs []error
	for _, each := range containers {
		if left(each.Labels, time.Unix(each.Created, 0)) {
			errs = append(errs, e.removeContainer(ctx, each.ID))
		}
	}
	networks, err := e.NetworkList(ctx, client.NetworkListOptions{Filters: harnessFilter()})
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("list the networks of earlier runs: %w", err))...)
	}
	kept := map[string]bool{}
	for _, each := range containers {
		kept[each.Labels[labelCluster]] = true
	}
	for _, each := range networks.Items {
		// The network of a kept cluster that has lost its containers is of no use.
		if each.Labels[labelKeep] != "" && !kept[each.Labels[labelCluster]] {
			broken[each.Labels[labelCluster]] = true
		}
		if left(each.Labels, each.Created) {
			errs = append(errs, e.removeNetwork(ctx, each.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what an earlier run left behind: %w", err)
	}
	return nil
}

// removeCluster removes all containers and networks of one cluster, and returns
// how many it found.
func (e *engine) removeCluster(ctx context.Context, name string) (found int, err error) {
	filter := harnessFilter().Add("label", labelCluster+"="+name)
	containers, err := e.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return 0, fmt.Errorf("list the containers of cluster %s: %w", name, err)
	}
	removed := make(chan error)
	for _, each := range containers.Items {
		go func() { removed <- e.removeContainer(ctx, each.ID) }()
	}
	var errs []error
	for range containers.Items {
		errs = append(errs, <-removed)
	}
	networks, err := e.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		return 0, errors.Join(append(errs, fmt.Errorf("list the networks of cluster %s: %w", name, err))...)
	}
	for _, each := range networks.Items {
		errs = append(errs, e.removeNetwork(ctx, each.ID))
	}
	return len(containers.Items) + len(networks.Items), errors.Join(errs...)
}

// harnessContainers lists the containers of all runs, the oldest first.
func (e *engine) harnessContainers(ctx context.Context) ([]container.Summary, error) {
	list, err := e.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: harnessFilter()})
	if err != nil {
		return nil, fmt.Errorf("list the containers of earlier runs: %w", err)
	}
	slices.Reverse(list.Items)
	return list.Items, nil
}

func harnessFilter() client.Filters {
	return client.Filters{}.Add("label", labelHarness+"=1")
}

// removeContainer kills and removes it. That it is gone already, or is being
// removed by another run, is no error.
func (e *engine) removeContainer(ctx context.Context, id string) error {
	_, err := e.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("remove container %.12s: %w", id, err)
	}
	return nil
}

func (e *engine) removeNetwork(ctx context.Context, id string) error {
	if _, err := e.NetworkRemove(ctx, id, client.NetworkRemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove network %.12s: %w", id, err)
	}
	return nil
}
