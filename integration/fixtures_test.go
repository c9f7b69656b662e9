package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
)

// patience is how long a condition may take to come about. It is long, for the machine
// may be slow; a test that passes does not wait for it.
const patience = 2 * time.Minute

// eventually fails the test when cond does not become true. cond returns what it sees,
// for the failure to tell.
func eventually(t *testing.T, what string, cond func() (ok bool, seen string)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := cond()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s; last seen: %s", patience, what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func newClient(t *testing.T, c *cluster.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	// A broker that does not know a topic yet says that there is none: a producer asks on.
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Seeds()...), kgo.UnknownTopicRetries(-1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

var names atomic.Int64

// unique returns a name that no other test has, also when the cluster is kept.
func unique(t *testing.T, kind string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("%s-%s-%d-%d", kind, name, time.Now().UnixNano(), names.Add(1))
}

// newTopic creates a topic, which all brokers then know, and removes it when the test ends.
func newTopic(t *testing.T, c *cluster.Cluster, partitions int32) string {
	t.Helper()
	topic := unique(t, "topic")
	admin := kadm.NewClient(newClient(t, c))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := admin.CreateTopic(ctx, partitions, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
	known(t, c, topic)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := admin.DeleteTopic(ctx, topic); err != nil {
			t.Logf("topic %s stays behind: %v", topic, err)
		}
	})
	return topic
}

// known waits until all brokers that run know the topic.
func known(t testing.TB, c *cluster.Cluster, topic string) {
	t.Helper()
	if err := c.WaitTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
}

// produce writes n records whose values are 0 to n-1, spread over all partitions.
func produce(t *testing.T, c *cluster.Cluster, topic string, n int) {
	t.Helper()
	produceFrom(t, c, topic, 0, n)
}

// produceFrom does the same with values from first on.
func produceFrom(t *testing.T, c *cluster.Cluster, topic string, first, n int) {
	t.Helper()
	client := newClient(t, c, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(fmt.Sprint(first + i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// described returns what the brokers say of a group: its state, and the assignment of
// every member.
func described(t *testing.T, c *cluster.Cluster, admin *kadm.Client, group string) (state string, members assign.Assignment) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	groups, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	one := groups[group]
	members = make(assign.Assignment)
	for _, m := range one.Members {
		members[m.MemberID] = []assign.TopicPartitions{}
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, topic := range assigned.Topics {
			members[m.MemberID] = append(members[m.MemberID], assign.TopicPartitions{Topic: topic.Topic, Partitions: slices.Clone(topic.Partitions)})
		}
	}
	members.Sort()
	return one.State, members
}

// settled waits until the brokers report a stable group of so many members in which
// every partition of the topic has exactly one owner, and returns who has what.
func settled(t *testing.T, c *cluster.Cluster, group, topic string, members, partitions int) assign.Assignment {
	t.Helper()
	admin := kadm.NewClient(newClient(t, c))
	var found assign.Assignment
	eventually(t, fmt.Sprintf("group %s is stable, with %d members and each of %d partitions once", group, members, partitions), func() (bool, string) {
		var state string
		state, found = described(t, c, admin, group)
		total := 0
		for id := range found {
			total += found.Count(id)
		}
		seen := fmt.Sprintf("state %s, %d members, %v", state, len(found), found)
		return state == "Stable" && len(found) == members && total == partitions && len(found.Owners()[topic]) == partitions, seen
	})
	return found
}
