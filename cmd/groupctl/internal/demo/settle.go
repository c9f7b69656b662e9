package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// await looks again and again until nothing is missing. Its error is what is.
func await(ctx context.Context, look func() (missing string)) error {
	for {
		missing := look()
		if missing == "" {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			if errors.Is(ctx.Err(), context.Canceled) {
				return errInterrupted
			}
			return errors.New(missing)
		}
	}
}

var errInterrupted = errors.New("interrupted before it was seen")

// rest is a group in which nothing moves any more.
type rest struct {
	leader     string
	generation string
	has        shares
}

// settled waits until the group is at rest with the members named and no others. The
// members' own events and the coordinator's description must say the same: each
// partition has one member, and one member leads.
func (c *company) settled(ctx context.Context, names ...string) (rest, error) {
	var found rest
	err := await(ctx, func() (missing string) {
		found, missing = c.byMembers(names)
		if missing == "" {
			missing = c.byCoordinator(ctx, names, &found)
		}
		return missing
	})
	return found, err
}

// absent tells that the member has not asked to join, if it has not.
func (c *company) absent(name string) (missing string) {
	a := c.cast(name)[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if !a.joined {
		return name + " has not asked to join"
	}
	return ""
}

// byMembers is the group as its members tell it.
func (c *company) byMembers(names []string) (rest, string) {
	found := rest{has: make(shares)}
	actors := c.cast(names...)
	owner := make(map[int32]string)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range actors {
		if !a.told {
			return found, fmt.Sprintf("%s has not been assigned anything", a.name)
		}
		found.has[a.name] = a.has
		for _, p := range a.has {
			if owner[p] != "" {
				return found, fmt.Sprintf("partition %d is with both %s and %s", p, owner[p], a.name)
			}
			owner[p] = a.name
		}
	}
	if len(owner) != partitionCount {
		return found, fmt.Sprintf("%d of %d partitions are with nobody", partitionCount-len(owner), partitionCount)
	}
	var leaders []string
	for _, a := range actors {
		if a.leading() {
			leaders = append(leaders, a.name)
		}
	}
	if len(leaders) != 1 {
		return found, fmt.Sprintf("the members that lead are: %s; one should", cmp.Or(strings.Join(leaders, ", "), "none"))
	}
	found.leader = leaders[0]
	return found, ""
}

// byCoordinator compares what the members told with what the coordinator knows.
func (c *company) byCoordinator(ctx context.Context, names []string, found *rest) (missing string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	answer, err := c.stage.inspect.Groups(ctx, c.group)
	if err = errors.Join(err, answer.Err()); err != nil || len(answer.Data) != 1 {
		return fmt.Sprintf("the coordinator does not describe the group: %v", err)
	}
	group := answer.Data[0]
	if group.State == nil || *group.State != "Stable" {
		return "the coordinator does not call the group stable"
	}
	has := make(shares)
	var present []string
	for _, m := range group.Members {
		present = append(present, m.ClientID)
		for _, tp := range m.Assigned {
			if tp.Topic == c.stage.topic {
				has[m.ClientID] = tp.Partitions
			}
		}
		// Only real brokers keep a record of who leads.
		if group.Leader != nil && m.ID == *group.Leader && m.ClientID != found.leader {
			return fmt.Sprintf("%s leads, and the brokers have %s on record as the leader", found.leader, m.ClientID)
		}
	}
	slices.Sort(present)
	if !slices.Equal(present, names) {
		return fmt.Sprintf("the coordinator has %s in the group, and not %s", strings.Join(present, ", "), strings.Join(names, ", "))
	}
	if !has.equal(found.has, names) {
		return "the coordinator's description differs from what the members were told"
	}
	if group.Generation != nil {
		found.generation = fmt.Sprint(*group.Generation)
	}
	return ""
}
