package integration

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// full makes the tests of this file as large as docs/inspect.md says, and holds them to
// the figures there: make bench-inspect. Without it, they check that what is measured is
// right, on a tenth of it or less, and print the figures.
func full() bool { return os.Getenv("GROUPKIT_FULL") != "" }

// joinByHand makes a stable classic group with one member that no client keeps alive: its
// session lasts for half an hour. That is how thousands of groups fit on one machine.
func joinByHand(ctx context.Context, client *kgo.Client, group, topic string, partitions int32) error {
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Version, metadata.Topics = 1, []string{topic}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 1_800_000, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", metadata.AppendTo(nil)
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(ctx, client)
	if err == nil && kerr.ErrorForCode(joined.ErrorCode) == kerr.MemberIDRequired {
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(ctx, client)
	}
	if err == nil {
		err = kerr.ErrorForCode(joined.ErrorCode)
	}
	if err != nil {
		return err
	}
	var assignment kmsg.ConsumerMemberAssignment
	assigned := kmsg.NewConsumerMemberAssignmentTopic()
	assigned.Topic = topic
	for p := range partitions {
		assigned.Partitions = append(assigned.Partitions, p)
	}
	assignment.Topics = append(assignment.Topics, assigned)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	one := kmsg.NewSyncGroupRequestGroupAssignment()
	one.MemberID, one.MemberAssignment = joined.MemberID, assignment.AppendTo(nil)
	sync.GroupAssignment = append(sync.GroupAssignment, one)
	synced, err := sync.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if err != nil {
		return err
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.MemberID, commit.Generation = group, joined.MemberID, joined.Generation
	of := kmsg.NewOffsetCommitRequestTopic()
	of.Topic = topic
	for p := range partitions {
		at := kmsg.NewOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset = p, int64(p)
		of.Partitions = append(of.Partitions, at)
	}
	commit.Topics = append(commit.Topics, of)
	// A client keeps what IDs topics have, which this one has to be told.
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	commit.Topics[0].TopicID = topics[topic].ID
	for { // who joined anew would wait for the member that is left
		committed, err := commit.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(committed.Topics[0].Partitions[0].ErrorCode)
		}
		if err == nil || !kerr.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
	}
}

// manyGroups makes groups of one member, each with a commit in every partition.
func manyGroups(t *testing.T, c *cluster.Cluster, n int, topic string, partitions int32) []string {
	t.Helper()
	client := newClient(t, c)
	prefix := unique(t, "many")
	names := make([]string, n)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	slots, failures := make(chan struct{}, 32), make(chan error, n)
	var joining sync.WaitGroup
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", prefix, i)
		slots <- struct{}{}
		joining.Go(func() {
			defer func() { <-slots }()
			var err error
			for ctx.Err() == nil {
				if err = joinByHand(ctx, client, names[i], topic, partitions); err == nil || !kerr.IsRetriable(err) {
					break
				}
			}
			if err != nil {
				failures <- fmt.Errorf("%s: %w", names[i], err)
			}
		})
	}
	joining.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	return names
}

// interleaved returns the medians of several runs of each, which take turns.
func interleaved(t *testing.T, runs int, one, other func()) (time.Duration, time.Duration) {
	t.Helper()
	var ones, others []time.Duration
	for range runs {
		start := time.Now()
		one()
		ones = append(ones, time.Since(start))
		start = time.Now()
		other()
		others = append(others, time.Since(start))
	}
	slices.Sort(ones)
	slices.Sort(others)
	return ones[runs/2], others[runs/2]
}

func TestLagOfAllGroupsBesideKadmAndKafkasOwnTool(t *testing.T) {
	c, n := cluster.Shared(t), 100
	if full() {
		c, n = cluster.Start(t, cluster.WithNodes(3)), 3000
	}
	const partitions = 4
	topic := newTopic(t, c, partitions)
	produce(t, c, topic, 40)
	groups := manyGroups(t, c, n, topic, partitions)
	t.Cleanup(func() {
		if !full() {
			removeByHand(t, c, groups)
		}
	})

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	in, admin := inspect.New(newClient(t, c)), kadm.NewClient(newClient(t, c))
	var mine inspect.Answer[[]inspect.Group]
	var theirs kadm.DescribedGroupLags
	ours, kadms := interleaved(t, 9, func() {
		var err error
		if mine, err = in.DescribeGroups(ctx, inspect.GroupDetails{Lag: true}); err != nil {
			t.Fatal(err)
		}
	}, func() {
		var err error
		if theirs, err = admin.Lag(ctx); err != nil {
			t.Fatal(err)
		}
	})
	seen := 0
	for _, g := range mine.Data {
		if !strings.HasPrefix(g.Group, groups[0][:len(groups[0])-4]) {
			continue // of another test
		}
		seen++
		if g.Lag == nil || len(g.Members) != 1 || g.Members[0].Lag == nil {
			t.Fatalf("%+v, %v", g, mine.Errors)
		}
		if g.Lag.Records != 40-(0+1+2+3) || g.Lag.Records != theirs[g.Group].Lag.Total() || len(g.Members) != 1 || *g.Members[0].Lag != g.Lag.Records {
			t.Fatalf("%+v, and to kadm %d", g.Lag, theirs[g.Group].Lag.Total())
		}
	}
	if seen != n {
		t.Errorf("%d groups, want %d", seen, n)
	}
	start := time.Now()
	out, err := c.Exec(ctx, 1, "java", "-cp", "/opt/kafka/libs/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
		"--bootstrap-server", c.InternalSeeds()[0], "--describe", "--all-groups", "--timeout", "60000")
	java := time.Since(start)
	if err != nil || strings.Count(out, groups[n-1]) < partitions {
		t.Fatalf("%v: %.2000s", err, out)
	}
	t.Logf("%d groups, %d partitions each: groupkit %v, kadm %v (%.2f times), kafka-consumer-groups.sh %v (%.0f times)",
		len(mine.Data), partitions, ours.Round(time.Millisecond), kadms.Round(time.Millisecond), float64(ours)/float64(kadms), java.Round(time.Millisecond), float64(java)/float64(ours))
	if full() && (float64(ours) > 1.5*float64(kadms) || java < 20*ours) {
		t.Errorf("too slow: at most 1.5 times kadm's and a twentieth of Kafka's own tool are wanted")
	}
}

// removeByHand removes groups whose members no client runs.
func removeByHand(t *testing.T, c *cluster.Cluster, groups []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
	if err != nil {
		t.Log(err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	described, err := admin.DescribeGroups(ctx, groups...)
	if err != nil {
		t.Log(err)
		return
	}
	for _, g := range described {
		for _, m := range g.Members {
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = g.Group
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			leave.Members = append(leave.Members, member)
			if _, err := leave.RequestWith(ctx, client); err != nil {
				t.Log(err)
			}
		}
	}
	if _, err := admin.DeleteGroups(ctx, groups...); err != nil {
		t.Log(err)
	}
}

func TestTheLeaderIsFoundInALargeOffsetsPartition(t *testing.T) {
	c, records := cluster.Shared(t), 100_000
	if full() {
		c, records = cluster.Start(t, cluster.WithNodes(3)), 1_000_000
	}
	topic, group, filler := newTopic(t, c, 1), unique(t, "group"), ""
	for i := 0; filler == ""; i++ { // another group that is kept in the same partition
		if name := fmt.Sprintf("%s-filler-%d", group, i); inspect.OffsetsPartition(name, 50) == inspect.OffsetsPartition(group, 50) {
			filler = name
		}
	}
	client := newClient(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	join := func(name string) {
		eventually(t, name+" is stable", func() (bool, string) {
			err := joinByHand(ctx, client, name, topic, 1)
			return err == nil, fmt.Sprint(err)
		})
		t.Cleanup(func() {
			if !full() {
				removeByHand(t, c, []string{name})
			}
		})
	}
	buried := group + "-buried"
	for i := 0; inspect.OffsetsPartition(buried, 50) != inspect.OffsetsPartition(group, 50); i++ {
		buried = fmt.Sprintf("%s-buried-%d", group, i)
	}
	join(buried)
	fillLog(t, c, filler, topic, records)
	join(group)

	in := inspect.New(newClient(t, c))
	find := func(name string) (inspect.Answer[[]inspect.Group], time.Duration) {
		start := time.Now()
		answer, err := in.Groups(ctx, name)
		if err != nil || len(answer.Data) != 1 {
			t.Fatal(err, answer.Errors)
		}
		return answer, time.Since(start)
	}
	find(group) // connects
	var took []time.Duration
	for range 9 {
		answer, d := find(group)
		if answer.Data[0].Leader == nil || *answer.Data[0].Leader != answer.Data[0].Members[0].ID {
			t.Fatalf("%+v, %v", answer.Data[0], answer.Warnings)
		}
		took = append(took, d)
	}
	slices.Sort(took)

	// A group that rebalanced before all that is looked for as far as the budget goes.
	peak := peakHeap()
	answer, far := find(buried)
	heap := peak()
	found := answer.Data[0].Leader != nil
	t.Logf("a partition of %d records: the leader after %v, at most %v; of a group that rebalanced before them all, found %v after %v, with a heap of at most %d MiB more",
		records, took[len(took)/2].Round(time.Millisecond/10), took[len(took)-1].Round(time.Millisecond/10), found, far.Round(time.Millisecond), heap>>20)
	if found != (records <= 500_000) && far < 3*time.Second {
		t.Errorf("found %v, with a budget of 500,000 records: %v", found, answer.Warnings)
	}
	if heap > 64<<20 {
		t.Errorf("reading the log took %d MiB of heap, want at most 64", heap>>20)
	}
	if full() && took[len(took)/2] > 300*time.Millisecond {
		t.Errorf("too slow: at most 300 ms are wanted")
	}
}

// fillLog appends commits of a group to its partition of __consumer_offsets, as the
// coordinator would. Brokers let only those in whose client ID is that of Kafka's admin
// client.
func fillLog(t *testing.T, c *cluster.Cluster, group, topic string, records int) {
	t.Helper()
	client := newClient(t, c, kgo.ClientID("__admin_client"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(50_000))
	key := kmsg.NewOffsetCommitKey()
	key.Version, key.Group, key.Topic = 1, group, topic
	value := kmsg.NewOffsetCommitValue()
	value.Version, value.CommitTimestamp = 3, time.Now().UnixMilli()
	rawKey := key.AppendTo(nil)
	var mu sync.Mutex
	var failed error
	for i := range records {
		value.Offset = int64(i)
		client.Produce(t.Context(), &kgo.Record{Topic: "__consumer_offsets", Partition: inspect.OffsetsPartition(group, 50), Key: rawKey, Value: value.AppendTo(nil)}, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	if err := client.Flush(t.Context()); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// peakHeap watches the heap until the function that it returns is called, which tells
// how much it grew at most.
func peakHeap() func() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, highest := stats.HeapAlloc, stats.HeapAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			runtime.ReadMemStats(&stats)
			highest = max(highest, stats.HeapAlloc)
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return highest - before
	}
}
