package integration

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// startSharer starts a member of a share group.
func startSharer(t *testing.T, c *cluster.Cluster, group, topic string) {
	t.Helper()
	client := newClient(t, c, kgo.ShareGroup(group), kgo.ConsumeTopics(topic))
	polling, stop := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			client.PollFetches(polling)
		}
	}()
	t.Cleanup(func() { stop(); <-polled })
}

// streamsMember is a member of a streams group.
type streamsMember struct {
	client    *kgo.Client
	group, id string
	epoch     atomic.Int32
	tasks     []kmsg.TaskIDs // that it was given, nil if it was given none yet
}

// startStreamsMember speaks the protocol of streams groups (KIP-1071) by itself, for
// there is no client for it in Go: it joins with a topology that reads one topic, and
// takes what it is given.
func startStreamsMember(t *testing.T, c *cluster.Cluster, group, topic string) *streamsMember {
	t.Helper()
	m := &streamsMember{client: newClient(t, c), group: group, id: unique(t, "member")}
	eventually(t, "the coordinator lets the member join", func() (bool, string) {
		err := m.heartbeat(t.Context(), m.join(topic))
		return err == nil, fmt.Sprint(err)
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				m.epoch.Store(-1) // leaves
				leaving, cancel := context.WithTimeout(context.Background(), patience)
				_ = m.heartbeat(leaving, m.beat())
				cancel()
				return
			case <-time.After(500 * time.Millisecond):
			}
			_ = m.heartbeat(ctx, m.beat())
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return m
}

func (m *streamsMember) beat() *kmsg.StreamsGroupHeartbeatRequest {
	req := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = m.group, m.id, m.epoch.Load()
	req.RebalanceTimeoutMillis = -1
	if m.tasks != nil {
		req.ActiveTasks, req.StandbyTasks, req.WarmupTasks = m.tasks, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	}
	return req
}

func (m *streamsMember) join(topic string) *kmsg.StreamsGroupHeartbeatRequest {
	req := m.beat()
	req.RebalanceTimeoutMillis = 30_000
	req.RackID, req.ProcessID = kmsg.StringPtr("rack-1"), kmsg.StringPtr("process")
	topology := kmsg.NewStreamsGroupHeartbeatRequestTopology()
	sub := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
	sub.SubtopologyID, sub.SourceTopics = "0", []string{topic}
	topology.Subtopologies = append(topology.Subtopologies, sub)
	req.Topology = &topology
	req.ActiveTasks, req.StandbyTasks, req.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	req.ClientTags = []kmsg.StreamsGroupHeartbeatRequestClientTag{}
	return req
}

// heartbeat sends one to the coordinator, which kgo does not know that it goes to.
func (m *streamsMember) heartbeat(ctx context.Context, req *kmsg.StreamsGroupHeartbeatRequest) error {
	answer, err := inspect.New(m.client).Coordinators(ctx, m.group)
	if err == nil {
		err = answer.Err()
	}
	if err != nil {
		return err
	}
	resp, err := m.client.Broker(int(*answer.Data[0].Coordinator)).RetriableRequest(ctx, req)
	if err != nil {
		return err
	}
	beat := resp.(*kmsg.StreamsGroupHeartbeatResponse)
	if err := kerr.ErrorForCode(beat.ErrorCode); err != nil {
		return err
	}
	m.epoch.Store(beat.MemberEpoch)
	if beat.ActiveTasks != nil {
		m.tasks = beat.ActiveTasks
	}
	return nil
}

// commit commits as a member of the group.
func (m *streamsMember) commit(ctx context.Context, topic string, offsets map[int32]int64) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = m.group, m.id, m.epoch.Load()
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = topic
	metadata, err := kadm.NewClient(m.client).Metadata(ctx, topic)
	if err != nil {
		return err
	}
	rt.TopicID = metadata.Topics[topic].ID
	for p, at := range offsets {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = p, at
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	var errs []error
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			errs = append(errs, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return errors.Join(errs...)
}
