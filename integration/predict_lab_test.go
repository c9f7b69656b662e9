package integration

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
	"github.com/groupkit/groupkit/integration/cluster"
)

// electionLab is a cluster of five nodes with 200 partitions of all kinds and 500
// groups, on which predictions are tried.
type electionLab struct {
	t      *testing.T
	c      *cluster.Cluster
	client *kgo.Client
	in     *inspect.Inspector
	of     map[int32]*inspect.Inspector // who asks that node only
	topics []string
	groups []string
	ctl    groupctl
	elr    bool           // whether the cluster has eligible leader replicas
	down   map[int32]bool // the value is whether it stopped cleanly

	candidates []int32 // who may be the controller by the last prediction

	decided  map[predict.Rule]int
	compared int // partitions
	located  int // coordinators
	steps    int
}

const (
	labNodes  = 5
	labGroups = 500
)

func newElectionLab(t *testing.T, options ...cluster.Option) *electionLab {
	t.Helper()
	began := time.Now()
	c := cluster.Start(t, append(options, cluster.WithNodes(labNodes),
		// The controller would move leaders back by itself, every 5 minutes.
		cluster.WithProperty("auto.leader.rebalance.enable", "false"),
		// A container that is gone answers no attempt to connect. Brokers that ask a dead
		// controller would wait for it for 10 s and more.
		cluster.WithProperty("socket.connection.setup.timeout.ms", "2000"),
		cluster.WithProperty("socket.connection.setup.timeout.max.ms", "2000"))...)
	l := &electionLab{t: t, c: c, down: map[int32]bool{}, decided: map[predict.Rule]int{}}
	l.client = newClient(t, c, kgo.DialTimeout(2*time.Second))
	l.in = inspect.New(l.client, inspect.SkipMinISR())
	l.of = map[int32]*inspect.Inspector{}
	for _, id := range c.NodeIDs() {
		l.of[id] = inspect.New(newClient(t, c, onlyNode(c, id)), inspect.SkipMinISR())
	}
	started := time.Now()
	l.ctl = buildGroupctl(t, c)
	built := time.Now()
	l.createTopics([]placedTopic{
		{20, 1, 1, false}, {10, 1, 1, true},
		{30, 2, 1, false}, {20, 2, 1, true}, {30, 2, 2, false},
		{40, 3, 2, false}, {20, 3, 2, true},
		{15, 4, 3, false}, {15, 5, 3, false},
	})
	l.placeFirst(placedTopic{15, 4, 3, false}.name(), 1, 2)
	created := time.Now()
	for i := range labGroups {
		l.groups = append(l.groups, fmt.Sprintf("group-%d", i))
	}
	l.commitFor(l.groups)
	// A follower learns with one record that the one before is committed, and a
	// coordinator below min.insync.replicas shows only what is: a group that was made by
	// the very last record of its partition would be missing for as long.
	l.commitFor(oneOfEachPartition(l.groups))
	t.Logf("%.1f s to start the cluster, %.1f s to build groupctl, %.1f s to create the topics, %.1f s for the groups",
		started.Sub(began).Seconds(), built.Sub(started).Seconds(), created.Sub(built).Seconds(), time.Since(created).Seconds())
	return l
}

// placedTopic is a topic with replicas placed so that each broker leads, in orders that
// differ.
type placedTopic struct {
	partitions, replicas, minISR int
	unclean                      bool
}

func (p placedTopic) name() string {
	return fmt.Sprintf("replicas-%d-min-%d-unclean-%v", p.replicas, p.minISR, p.unclean)
}

func (p placedTopic) request() kmsg.CreateTopicsRequestTopic {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = p.name(), -1, -1
	for i := range p.partitions {
		place := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		place.Partition = int32(i)
		stride := 1 + (i/labNodes)%(labNodes-1) // 1 to 4, all of which go around 5
		for r := range p.replicas {
			place.Replicas = append(place.Replicas, int32(1+(i+r*stride)%labNodes))
		}
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, place)
	}
	for key, value := range map[string]string{"min.insync.replicas": strconv.Itoa(p.minISR), "unclean.leader.election.enable": strconv.FormatBool(p.unclean)} {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, &value
		topic.Configs = append(topic.Configs, config)
	}
	return topic
}

// createTopics creates topics of 200 partitions in all, with records: a replica that comes
// back has something to catch up with.
func (l *electionLab) createTopics(topics []placedTopic) {
	l.t.Helper()
	l.topics = []string{predict.OffsetsTopic}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	var records []*kgo.Record
	for _, topic := range topics {
		l.topics = append(l.topics, topic.name())
		req.Topics = append(req.Topics, topic.request())
		for i := range 20 * topic.partitions {
			records = append(records, &kgo.Record{Topic: topic.name(), Partition: int32(i % topic.partitions), Value: []byte(strings.Repeat("x", 100))})
		}
	}
	if len(records) != 20*200 {
		l.t.Fatalf("%d records", len(records))
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	resp, err := req.RequestWith(ctx, l.client)
	if err == nil {
		for _, topic := range resp.Topics {
			err = cmp.Or(err, kerr.ErrorForCode(topic.ErrorCode))
		}
	}
	if err != nil {
		l.t.Fatalf("create the topics: %v", err)
	}
	producer := newClient(l.t, l.c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		l.t.Fatalf("produce: %v", err)
	}
}

// placeFirst gives partition 0 of a topic fewer replicas than the other partitions have:
// the controller goes by those of partition 0 for all of them.
func (l *electionLab) placeFirst(topic string, replicas ...int32) {
	l.t.Helper()
	var move kadm.AlterPartitionAssignmentsReq
	move.Assign(topic, 0, replicas)
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	if resp, err := kadm.NewClient(l.client).AlterPartitionAssignments(ctx, move); cmp.Or(err, resp.Error()) != nil {
		l.t.Fatal(err, resp.Error())
	}
	leadersOf(l.t, l.in, topic, func(rows []inspect.Partition) bool {
		return len(rows) > 0 && slices.Equal(rows[0].Replicas, replicas) && sameBrokers(rows[0].ISR, replicas)
	})
}

// oneOfEachPartition picks a group for each partition of __consumer_offsets that has any.
func oneOfEachPartition(groups []string) []string {
	picked := map[int32]string{}
	for _, group := range groups {
		picked[inspect.OffsetsPartition(group, 50)] = group
	}
	return slices.Sorted(maps.Values(picked))
}

// commitFor commits an offset for each of the groups, which makes it one.
func (l *electionLab) commitFor(groups []string) {
	l.t.Helper()
	admin := kadm.NewClient(l.client)
	admin.DescribeGroups(l.t.Context(), groups...) // finds all coordinators at once
	offsets := kadm.Offsets{}
	offsets.AddOffset(l.topics[1], 0, 1, -1)
	var working sync.WaitGroup
	names := make(chan string)
	errs := make(chan error, labGroups)
	for range 50 {
		working.Go(func() {
			for name := range names {
				ctx, cancel := context.WithTimeout(l.t.Context(), patience)
				err := commitOffsets(ctx, admin, name, offsets)
				cancel()
				if err != nil {
					errs <- fmt.Errorf("group %s: %w", name, err)
				}
			}
		})
	}
	for _, group := range groups {
		names <- group
	}
	close(names)
	working.Wait()
	select {
	case err := <-errs:
		l.t.Fatal(err)
	default:
	}
}
