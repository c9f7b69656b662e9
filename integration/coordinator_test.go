package integration

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// groupNames returns at least 1,000 names of all kinds that a hash may trip over.
func groupNames() []string {
	random := rand.New(rand.NewPCG(1, 2))
	from := func(alphabet string, length int) string {
		runes := []rune(alphabet)
		var b strings.Builder
		for range length {
			b.WriteRune(runes[random.IntN(len(runes))])
		}
		return b.String()
	}
	const ascii = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	// The hash of each of these is MinInt32, whose absolute value is none.
	names := []string{"polygenelubricants", "GydZG_", "DESIGNING WORKHOUSES"}
	// Hardly any characters, and such as are easily lost.
	names = append(names, " ", "  ", ".", "-", "--help", "a", "0", "\t", "\n", "\\", "/", "\"", "a b", "\u200b", "\ufeff", "\uffff", "e\u0301", "é")
	for i := range 250 {
		names = append(names,
			from(ascii, 1+i%40),
			from("日本語消费者组분산처리かなカナ漢字", 1+i%30),
			from("😀🦜🎉👩‍👩‍👧‍👦𝔾𝕣𝕠𝕦𝕡🏴", 1+i%20),
			from(ascii+"éßø日😀", 249))
	}
	for i := 0; len(names) < 1400; i++ {
		if name := fmt.Sprintf("orders-%d", i); inspect.Hash(name) < 0 {
			names = append(names, name)
		}
	}
	return names
}

func TestTheComputedCoordinatorIsTheOneThatTheBrokersName(t *testing.T) {
	c := cluster.Shared(t)
	client := newClient(t, c)
	names := groupNames()
	others := kadm.NewClient(newClient(t, c))
	var answer inspect.Answer[[]inspect.Coordinator]
	eventually(t, "all computed coordinators are those that the brokers name", func() (bool, string) {
		var err error
		answer, err = inspect.New(client).Coordinators(t.Context(), names...)
		if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
			return false, fmt.Sprint(err, answer.Err(), answer.Warnings)
		}
		// Asked for here again, by another way through another client.
		named := others.FindGroupCoordinators(t.Context(), names...)
		for _, row := range answer.Data {
			brokers := named[row.Name]
			if brokers.Err != nil {
				return false, fmt.Sprintf("%q: %v", row.Name, brokers.Err)
			}
			if row.Leader == nil || *row.Leader != brokers.NodeID || row.Coordinator == nil || *row.Coordinator != brokers.NodeID || row.Agrees == nil || !*row.Agrees {
				return false, fmt.Sprintf("%q of hash %d in partition %d: led by %v, named %d", row.Name, row.Hash, *row.Partition, show(row.Leader), brokers.NodeID)
			}
		}
		return true, ""
	})
	rows := map[string]inspect.Coordinator{}
	negative, smallest := 0, 0
	for _, row := range answer.Data {
		rows[row.Name] = row
		if row.Hash < 0 {
			negative++
		}
		if row.Hash == math.MinInt32 {
			smallest++
		}
	}
	if len(rows) < 1000 || negative < 300 || smallest < 3 {
		t.Errorf("only %d names were tried, %d of negative hash and %d of the smallest", len(rows), negative, smallest)
	}
}

func TestTheComputedPartitionIsWhereTheBrokersKeepTheGroup(t *testing.T) {
	c := cluster.Shared(t)
	topic := newTopic(t, c, 1)
	suffix := unique(t, "")
	// A name that hashes to the smallest number cannot be made unique, so these
	// are as they are; a kept cluster has them from earlier, in the same place.
	names := []string{"polygenelubricants", "GydZG_", "DESIGNING WORKHOUSES"}
	for _, name := range []string{"orders", "日本", "😀🦜", strings.Repeat("z", 150)} {
		for i := range 5 {
			names = append(names, fmt.Sprintf("%s%d%s", name, i, suffix))
		}
	}
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() { _, _ = admin.DeleteGroups(context.Background(), names...) })
	for _, name := range names {
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1})
		eventually(t, "an offset of "+name+" is committed", func() (bool, string) {
			err := admin.CommitAllOffsets(ctx, name, offsets)
			return err == nil, fmt.Sprint(err)
		})
	}
	var answer inspect.Answer[[]inspect.Coordinator]
	eventually(t, "all groups have a coordinator", func() (bool, string) {
		var err error
		answer, err = inspect.New(client).Coordinators(ctx, names...)
		return err == nil && answer.Err() == nil, fmt.Sprint(err, answer.Err())
	})
	want := map[string]int32{}
	for _, row := range answer.Data {
		want[row.Name] = *row.Partition
	}
	reader := newClient(t, c, kgo.ConsumeTopics("__consumer_offsets"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for len(want) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%v; not seen: %v", err, want)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			key := kmsg.NewOffsetCommitKey()
			if key.ReadFrom(r.Key) != nil || key.Version > 1 || key.Topic != topic {
				return
			}
			partition, ok := want[key.Group]
			if ok && partition != r.Partition {
				t.Errorf("the group %q is kept in partition %d, and %d was computed", key.Group, r.Partition, partition)
			}
			delete(want, key.Group)
		})
	}
}

// deleteOffsetsTopic makes a cluster as if it never had a group.
func deleteOffsetsTopic(t *testing.T, c *cluster.Cluster) {
	client := newClient(t, c)
	if _, err := kadm.NewClient(client).DeleteTopic(t.Context(), "__consumer_offsets"); err != nil {
		t.Fatal(err)
	}
	// On every broker: one that has not heard of it yet would be asked for a
	// coordinator, and the next would create the topic.
	eventually(t, "the offsets topic is gone", func() (bool, string) {
		for _, id := range c.NodeIDs() {
			req := kmsg.NewPtrMetadataRequest()
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = kmsg.StringPtr("__consumer_offsets")
			req.Topics = append(req.Topics, topic)
			resp, err := client.Broker(int(id)).RetriableRequest(t.Context(), req)
			if err != nil {
				return false, err.Error()
			}
			if code := resp.(*kmsg.MetadataResponse).Topics[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code {
				return false, fmt.Sprintf("broker %d: %v", id, kerr.ErrorForCode(code))
			}
			// Coordinators forget their groups a moment later.
			resp, err = client.Broker(int(id)).RetriableRequest(t.Context(), kmsg.NewPtrListGroupsRequest())
			if err != nil {
				return false, err.Error()
			}
			if listed := resp.(*kmsg.ListGroupsResponse); listed.ErrorCode != 0 || len(listed.Groups) > 0 {
				return false, fmt.Sprintf("broker %d lists %d groups, %v", id, len(listed.Groups), kerr.ErrorForCode(listed.ErrorCode))
			}
		}
		return true, ""
	})
}

// offsetsTopicIsCreatedOnRequest asks for a coordinator in a cluster without the topic.
func offsetsTopicIsCreatedOnRequest(t *testing.T, c *cluster.Cluster) {
	client := newClient(t, c)
	deleteOffsetsTopic(t, c)
	exists := func() bool {
		answer, err := inspect.New(client).Partitions(t.Context(), "__consumer_offsets")
		return err == nil && len(answer.Data) > 0
	}

	answer, err := inspect.New(client).Coordinators(t.Context(), "orders")
	if err != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != inspect.CodeOffsetsTopicAbsent || len(answer.Data) != 1 {
		t.Fatalf("%v: %+v", err, answer)
	}
	if row := answer.Data[0]; row.Hash != inspect.Hash("orders") || row.Partition != nil || row.Coordinator != nil {
		t.Errorf("row %+v", row)
	}
	groups, err := inspect.New(client).Groups(t.Context(), "orders")
	if err != nil || len(groups.Errors) != 1 || groups.Errors[0].Code != inspect.CodeGroupNotFound {
		t.Errorf("%v: %+v", err, groups)
	}
	if exists() {
		t.Fatal("the topic was created without being asked for")
	}

	eventually(t, "the topic is created, and has a coordinator", func() (bool, string) {
		answer, err = inspect.New(client, inspect.CreateInternalTopics()).Coordinators(t.Context(), "orders")
		if err != nil || answer.Err() != nil {
			return false, fmt.Sprint(err, answer.Err())
		}
		row := answer.Data[0]
		return row.Partition != nil && *row.PartitionCount == 50 && row.Agrees != nil && *row.Agrees, fmt.Sprintf("%+v", row)
	})
}

// coordinatorIsReplaced kills the broker that coordinates a group.
func coordinatorIsReplaced(t *testing.T, c *cluster.Cluster) {
	const partitions, batch = 6, 300
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	in := inspect.New(newClient(t, c))
	first, second := startReader(t, c, group, topic), startReader(t, c, group, topic)
	settled(t, c, group, topic, 2, partitions) // or the first has read all before the second is in
	produceValues(t, c, topic, "before", batch)
	eventually(t, "both readers read", func() (bool, string) {
		return first.count()+second.count() >= batch && first.count() > 0 && second.count() > 0, fmt.Sprint(first.count(), second.count())
	})

	before := coordinatorOf(t, in, group)
	replicas := partitionOf(t, in, "__consumer_offsets", *before.Partition)
	killed := *before.Coordinator
	if *before.Leader != killed || !*before.Agrees {
		t.Fatalf("before: %+v", before)
	}
	want := nextLeader(replicas, killed)
	kill(t, c, killed)

	var after inspect.Coordinator
	eventually(t, "another broker coordinates the group", func() (bool, string) {
		answer, err := in.Coordinators(t.Context(), group)
		if err != nil {
			return false, err.Error()
		}
		after = answer.Data[0]
		return after.Agrees != nil && *after.Agrees && *after.Leader != killed, fmt.Sprintf("%s %v", show(after.Leader), answer.Errors)
	})
	if *after.Leader != want || *after.Partition != *before.Partition || *after.LeaderEpoch <= *before.LeaderEpoch {
		t.Errorf("partition %d went from %d in epoch %d to %d in epoch %d, want %d: replicas %v, in sync %v",
			*after.Partition, *before.Leader, *before.LeaderEpoch, *after.Leader, *after.LeaderEpoch, want, replicas.Replicas, replicas.ISR)
	}
	produceValues(t, c, topic, "after", batch)
	eventually(t, "the members go on and read every record", func() (bool, string) {
		n := distinctValues(first, second)
		return n == 2*batch, fmt.Sprintf("%d of %d", n, 2*batch)
	})
	eventually(t, "the new coordinator describes the group", func() (bool, string) {
		answer, err := in.Groups(t.Context(), group)
		return err == nil && answer.Err() == nil && len(answer.Data) == 1 && *answer.Data[0].Coordinator == want && len(answer.Data[0].Members) == 2,
			fmt.Sprintf("%v %+v", err, answer)
	})
}

func coordinatorOf(t *testing.T, in *inspect.Inspector, group string) inspect.Coordinator {
	t.Helper()
	var row inspect.Coordinator
	eventually(t, "the group "+group+" has a coordinator", func() (bool, string) {
		answer, err := in.Coordinators(t.Context(), group)
		if err != nil {
			return false, err.Error()
		}
		row = answer.Data[0]
		return row.Agrees != nil && *row.Agrees, fmt.Sprint(answer.Errors, answer.Warnings)
	})
	return row
}

func show(n *int32) string {
	if n == nil {
		return "nobody"
	}
	return fmt.Sprint(*n)
}
