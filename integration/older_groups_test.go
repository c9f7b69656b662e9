package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// rawMember is a member of KIP-848 by requests alone, as kgo speaks that protocol from
// Kafka 4.0 on only. It takes whatever it is assigned.
type rawMember struct {
	client *kgo.Client
	group  string

	mu    sync.Mutex
	id    string
	epoch int32
	owned []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic
}

func startRawMember(t *testing.T, c *cluster.Cluster, group, topic, clientID string) *rawMember {
	t.Helper()
	m := &rawMember{client: newClient(t, c, kgo.ClientID(clientID)), group: group}
	eventually(t, "the coordinator lets a member join", func() (bool, string) {
		err := m.beat(t.Context(), func(req *kmsg.ConsumerGroupHeartbeatRequest) {
			req.RebalanceTimeoutMillis, req.SubscribedTopicNames = 10_000, []string{topic}
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		})
		return err == nil, fmt.Sprint(err)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ticker := time.NewTicker(300 * time.Millisecond); ; {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			if err := m.beat(ctx, m.owns); err != nil && ctx.Err() == nil && !kerr.IsRetriable(err) {
				t.Errorf("%s in %s: %v", clientID, group, err)
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return m
}

// owns says what the member has, which is all that it was given.
func (m *rawMember) owns(req *kmsg.ConsumerGroupHeartbeatRequest) {
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, t := range m.owned {
		topic := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		topic.TopicID, topic.Partitions = t.TopicID, t.Partitions
		req.Topics = append(req.Topics, topic)
	}
}

func (m *rawMember) beat(ctx context.Context, fill func(*kmsg.ConsumerGroupHeartbeatRequest)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = m.group, m.id, m.epoch
	req.RebalanceTimeoutMillis = -1
	fill(req)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	if resp.MemberID != nil {
		m.id = *resp.MemberID
	}
	m.epoch = resp.MemberEpoch
	if resp.Assignment != nil {
		m.owned = resp.Assignment.Topics
	}
	return nil
}

// commit commits an offset of partition 0 to 1.
func (m *rawMember) commit(ctx context.Context, topic string, offset int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.epoch
	one := kmsg.NewOffsetCommitRequestTopic()
	one.Topic = topic
	for p := range int32(2) {
		partition := kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = p, offset
		one.Partitions = append(one.Partitions, partition)
	}
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return err
}

// uniqueGroupAt returns the name of a group that would be coordinated by a broker.
func uniqueGroupAt(t *testing.T, in *inspect.Inspector, broker int32) string {
	t.Helper()
	var group string
	eventually(t, fmt.Sprintf("a group is coordinated by broker %d", broker), func() (bool, string) {
		group = unique(t, "group")
		found, err := in.Coordinators(t.Context(), group)
		return err == nil && found.Err() == nil && *found.Data[0].Coordinator == broker, fmt.Sprint(err, found.Errors)
	})
	return group
}

// consumerGroupsOfAnOlderKafka has groups of KIP-848 on the one broker that was told to
// serve them, and looks for groups that do not exist on that and another.
func consumerGroupsOfAnOlderKafka(t *testing.T, c *cluster.Cluster, with, without int32) {
	in := inspect.New(newClient(t, c))
	g := buildGroupctl(t, c)
	for _, broker := range []int32{with, without} {
		absent := uniqueGroupAt(t, in, broker)
		if a := g.run(t, 3, nil, "group", "describe", absent); len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeGroupNotFound {
			t.Errorf("a group that broker %d does not have: %+v", broker, a)
		}
		if a := g.run(t, 3, nil, "group", "explain", absent); len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeGroupNotFound {
			t.Errorf("a group that broker %d does not have: %+v", broker, a)
		}
		w := startWatch(t, c, inspect.Watched{GroupNames: []string{absent}})
		w.await(t, "the watch tells of no such group", func(e watch.Event) bool { return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, absent) })
	}

	topic, group := newTopic(t, c, 2), uniqueGroupAt(t, in, with)
	produceValues(t, c, topic, "value", 20)
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the group is absent", func(e watch.Event) bool { return e.Snapshot != nil && slices.Contains(e.Snapshot.Absent, group) })
	first := startRawMember(t, c, group, topic, "first")
	w.await(t, "the group is told of as one of KIP-848", func(e watch.Event) bool {
		return e.Group != nil && e.Group.From == nil && e.Group.ToType != nil && *e.Group.ToType == "consumer" && e.Group.Members != nil && *e.Group.Members == 1
	})
	eventually(t, "the member commits", func() (bool, string) {
		err := first.commit(t.Context(), topic, 1)
		return err == nil, fmt.Sprint(err)
	})
	startRawMember(t, c, group, topic, "second")
	e := w.await(t, "the second joined", func(e watch.Event) bool {
		return e.Generation != nil && slices.ContainsFunc(e.Generation.Joined, func(m watch.MemberRef) bool { return m.ClientID == "second" })
	})
	if e.Generation.To == nil || e.Generation.From == nil || *e.Generation.To <= *e.Generation.From || e.Generation.Members != 2 {
		t.Errorf("%+v", e.Generation)
	}

	eventually(t, "the group is whole", func() (bool, string) {
		answer := withLag(t, c, group)
		if len(answer.Data) != 1 || answer.Err() != nil || len(answer.Warnings) > 0 {
			return false, fmt.Sprintf("%+v", answer)
		}
		row := answer.Data[0]
		ok := *row.Type == "consumer" && *row.State == "Stable" && len(row.Members) == 2 && row.Leader == nil && row.Epoch != nil && *row.Epoch == *row.TargetEpoch &&
			row.Since != nil && len(row.HeldUpBy) == 0 && row.Lag != nil && len(row.Lag.Partitions) == 2 && row.Lag.Records == 18
		for _, m := range row.Members {
			ok = ok && m.Epoch != nil && *m.Epoch == *row.Epoch && len(m.Owned) == 1 && len(m.Owned[0].Partitions) == 1 && m.Owned[0].Topic == topic &&
				slices.Equal(m.Owned[0].Partitions, m.Target[0].Partitions) && slices.Equal(m.Topics, []string{topic})
		}
		return ok, fmt.Sprintf("%+v, lag %+v", row, row.Lag)
	})
	var listed []inspect.Group
	eventually(t, group+" is in the list of consumer groups", func() (bool, string) {
		_, err := g.ask(t, 0, &listed, "group", "list", "--type", "consumer")
		return err == nil && slices.ContainsFunc(listed, func(l inspect.Group) bool { return l.Group == group && *l.Type == "consumer" }), fmt.Sprintf("%v: %+v", err, listed)
	})

	var history inspect.Answer[*inspect.OffsetsHistory]
	eventually(t, "the history is whole", func() (bool, string) {
		var err error
		history, err = in.OffsetsLog(t.Context(), group, inspect.LogRange{})
		return err == nil && history.Err() == nil && len(history.Warnings) == 0 && history.Data.Complete, fmt.Sprintf("%v: %+v", err, history)
	})
	kinds := map[inspect.LogKind]int{}
	for _, e := range history.Data.Entries {
		if e.Unreadable != nil {
			t.Errorf("at %d: %s", e.Offset, *e.Unreadable)
		}
		kinds[e.Kind]++
	}
	for _, kind := range []inspect.LogKind{inspect.LogEpoch, inspect.LogMember, inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent, inspect.LogTopics, inspect.LogCommit} {
		if kinds[kind] == 0 {
			t.Errorf("the log has no %s: %v", kind, kinds)
		}
	}
	eventually(t, "the group is explained", func() (bool, string) {
		answer, err := in.Explain(t.Context(), group, inspect.Explaining{})
		return err == nil && answer.Err() == nil && len(answer.Data.Verdicts) > 0 && answer.Data.Verdicts[0].Cause == explain.Fine && answer.Data.Members != nil && *answer.Data.Members == 2, fmt.Sprintf("%v: %+v", err, answer)
	})
}
