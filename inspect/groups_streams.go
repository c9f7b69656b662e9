package inspect

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeStreams describes the groups of KIP-1071. The client does not route
// this request by coordinator, so each group's is found first.
func (in *Inspector) describeStreams(ctx context.Context, groups []string, to outcome) {
	byNode := map[int32][]string{}
	named := in.findCoordinators(ctx, groups)
	for _, group := range groups {
		switch c := named[group]; {
		case c.problem != nil:
			to.failed(group, c.problem.Cause)
		default:
			byNode[*c.node] = append(byNode[*c.node], group)
		}
	}
	for _, node := range sortedKeys(byNode) {
		batches(byNode[node], describeBatch, func(batch []string) {
			left := newRemainder(batch)
			req := kmsg.NewPtrStreamsGroupDescribeRequest()
			req.Groups = batch
			resp, err := req.RequestWith(ctx, onBroker{in.client.Broker(int(node))})
			if err != nil || resp == nil {
				left.failed(batch, err, to)
				return
			}
			for _, g := range resp.Groups {
				if !left.take(g.Group) {
					continue
				}
				err := kerr.ErrorForCode(g.ErrorCode)
				switch {
				case errors.Is(err, kerr.GroupIDNotFound):
					to.gone(g.Group)
				case err != nil:
					to.failed(g.Group, err)
				default:
					to.found(streamsGroup(g, node))
				}
			}
			left.omitted(to)
		})
	}
}

// onBroker sends requests to one broker, and again if the connection breaks.
type onBroker struct{ broker *kgo.Broker }

func (b onBroker) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return b.broker.RetriableRequest(ctx, req)
}

func streamsGroup(g kmsg.StreamsGroupDescribeResponseGroup, coordinator int32) *Group {
	groupType, protocolType := typeStreams, "streams"
	group := &Group{
		Group:        g.Group,
		Type:         &groupType,
		State:        nonEmpty(g.State),
		ProtocolType: &protocolType,
		Generation:   known(g.Epoch),
		Coordinator:  known(coordinator),
		Members:      make([]Member, 0, len(g.Members)),
	}
	if g.AssignorName != nil {
		group.Assignor = nonEmpty(*g.AssignorName)
	}
	sources := sourceTopics(g.Topology)
	for _, m := range g.Members {
		member := Member{ID: m.MemberID, Instance: m.InstanceID, ClientID: m.ClientID, Host: m.ClientHost}
		if sources != nil {
			member.Topics, member.Assigned = tasksAsPartitions(sources, m.Assignment.ActiveTasks)
		}
		group.Members = append(group.Members, member)
	}
	return group
}

// sourceTopics returns what each subtopology consumes, nil if the topology is
// not known (yet).
func sourceTopics(topology *kmsg.StreamsGroupDescribeResponseGroupTopology) map[string][]string {
	if topology == nil || topology.Subtopologies == nil {
		return nil
	}
	sources := make(map[string][]string, len(topology.Subtopologies))
	for _, sub := range topology.Subtopologies {
		topics := slices.Clone(sub.SourceTopics)
		for _, repartition := range sub.RepartitionSourceTopics {
			topics = append(topics, repartition.Topic)
		}
		sources[sub.SubtopologyID] = topics
	}
	return sources
}

// tasksAsPartitions translates tasks: the active task n of a subtopology
// consumes partition n of each of its source topics. All members of a streams
// group subscribe to all of them.
func tasksAsPartitions(sources map[string][]string, active []kmsg.TaskIDs) ([]string, []TopicPartitions) {
	var topics []string
	for _, of := range sources {
		topics = append(topics, of...)
	}
	assigned := topicPartitions{}
	for _, tasks := range active {
		for _, topic := range sources[tasks.SubtopologyID] {
			assigned.add(topic, tasks.Partitions...)
		}
	}
	return sortedTopics(topics), assigned.sorted()
}
