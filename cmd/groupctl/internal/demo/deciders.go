package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/inspect"
)

// deciders shows who leads the partitions, and the controller that put them there.
func (p *play) deciders(ctx context.Context) (string, error) {
	ledBy := make(shares) // partitions by broker
	err := await(ctx, func() string {
		clear(ledBy)
		answer, err := p.stage.inspect.Partitions(ctx, p.stage.topic)
		if err = errors.Join(err, answer.Err()); err != nil {
			return err.Error()
		}
		for _, partition := range answer.Data {
			if partition.Leader == nil {
				return fmt.Sprintf("%s-%d has no leader", partition.Topic, partition.Partition)
			}
			broker := fmt.Sprintf("broker %d", *partition.Leader)
			ledBy[broker] = append(ledBy[broker], partition.Partition)
		}
		if len(answer.Data) != partitionCount {
			return fmt.Sprintf("%s has %d partitions, and not %d", p.stage.topic, len(answer.Data), partitionCount)
		}
		return ""
	})
	if err != nil {
		return "", err
	}
	var leaders []string
	for _, broker := range slices.Sorted(maps.Keys(ledBy)) {
		leaders = append(leaders, fmt.Sprintf("%s leads %s", broker, partitionList(ledBy[broker])))
	}
	p.voice.say("partitions: %s", strings.Join(leaders, ", "))

	controller, err := p.stage.inspect.Controller(ctx)
	if err != nil {
		return "", err
	}
	unsupported := len(controller.Errors) > 0 && controller.Errors[0].Code == inspect.CodeUnsupported
	switch {
	case controller.Data.Node != nil:
		p.voice.say("the controller is node %d, elected by %s", *controller.Data.Node, count(len(controller.Data.Voters), "voter"))
		return fmt.Sprintf("%d partitions with a leader each; controller: node %d", partitionCount, *controller.Data.Node), nil
	case unsupported && p.stage.inProcess:
		p.voice.aside("a real cluster has a controller, which picks them; see it with --brokers")
	case unsupported:
		p.voice.aside("these brokers do not tell who is the controller: %v", controller.Err())
	default:
		return "", controller.Err()
	}
	return fmt.Sprintf("%d partitions with a leader each", partitionCount), nil
}

// coordinator computes which broker keeps the group, and asks the brokers as well.
func (p *play) coordinator(ctx context.Context) (string, error) {
	c, err := p.coordinatorOf(ctx, p.stage.billing)
	if err != nil {
		return "", err
	}
	p.voice.say("computed: hash(%q) = %d", c.Name, c.Hash)
	p.voice.say("          |%d| mod %d = %d", c.Hash, *c.PartitionCount, *c.Partition)
	p.voice.say("          __consumer_offsets-%d is led by broker %d", *c.Partition, *c.Leader)
	p.voice.say("asked:    FindCoordinator names broker %d", *c.Coordinator)
	p.voice.aside("so the coordinator is elected too: as the leader of that partition")
	return fmt.Sprintf("both ways say that broker %d coordinates %s", *c.Leader, p.billing.name), nil
}

func (p *play) coordinatorOf(ctx context.Context, group string) (inspect.Coordinator, error) {
	var found inspect.Coordinator
	err := await(ctx, func() string {
		answer, err := p.stage.inspect.Coordinators(ctx, group)
		if err = errors.Join(err, answer.Err()); err != nil {
			return err.Error()
		}
		found = answer.Data[0]
		switch {
		case found.Agrees == nil:
			return "the coordinator was not found in both ways"
		case !*found.Agrees:
			return fmt.Sprintf("computed is broker %d, and the brokers name broker %d", *found.Leader, *found.Coordinator)
		}
		return ""
	})
	return found, err
}
