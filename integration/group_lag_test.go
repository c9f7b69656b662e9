package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// withLag describes groups with their lag.
func withLag(t *testing.T, c *cluster.Cluster, groups ...string) inspect.Answer[[]inspect.Group] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := inspect.New(client).DescribeGroups(ctx, inspect.GroupDetails{Log: true, Lag: true}, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestLagHeedsTheStartOfTheLogAndOpenTransactions(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	admin := kadm.NewClient(newClient(t, c))
	produce(t, c, topic, 40) // 10 in each
	cut := kadm.Offsets{}
	cut.Add(kadm.Offset{Topic: topic, Partition: 1, At: 6})
	if _, err := admin.DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	producer := newClient(t, c, kgo.TransactionalID(unique(t, "producer")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 2, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	offsets := kadm.Offsets{}
	for p, at := range []int64{4, 2, 10} {
		offsets.Add(kadm.Offset{Topic: topic, Partition: int32(p), At: at, LeaderEpoch: -1})
	}
	if err := commitOffsets(t.Context(), admin, group, offsets); err != nil {
		t.Fatal(err)
	}

	answer := withLag(t, c, group)
	lag := answer.Data[0].Lag
	var got []string
	for _, p := range lag.Partitions {
		got = append(got, fmt.Sprintf("%d at %d of %d-%d-%d: %d, %d, lost %d", p.Partition, *p.Committed, *p.Start, *p.Stable, *p.End, *p.Lag, *p.StableLag, p.Lost))
	}
	want := []string{
		"0 at 4 of 0-10-10: 6, 6, lost 0",
		"1 at 2 of 6-10-10: 4, 4, lost 4",
		"2 at 10 of 0-10-13: 3, 0, lost 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(answer.Warnings) != 1 || answer.Warnings[0].Code != inspect.CodeCommittedBeforeStart || answer.Err() != nil {
		t.Errorf("%v %v", answer.Warnings, answer.Errors)
	}
}

func TestAMemberThatDoesNotLetGoHoldsUpTheReconciliation(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	release := make(chan struct{})
	slow := startReader(t, c, group, topic, kgo.ServerSideBalancer(), kgo.ClientID("slow"),
		kgo.OnPartitionsRevoked(func(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
			select {
			case <-release:
			case <-ctx.Done():
			case <-time.After(patience):
			}
		}))
	defer close(release)
	eventually(t, "the first member has all", func() (bool, string) {
		rows, seen := groupsIfAny(t, c, group)
		return len(rows) == 1 && len(rows[0].Members) == 1 && len(rows[0].Members[0].Assigned) == 1 && len(rows[0].Members[0].Assigned[0].Partitions) == 4, seen
	})
	waiting := startReader(t, c, group, topic, kgo.ServerSideBalancer(), kgo.ClientID("waiting"))
	var group848 inspect.Group
	eventually(t, "the slow member holds up the other", func() (bool, string) {
		rows, seen := groupsIfAny(t, c, group)
		if len(rows) != 1 {
			return false, seen
		}
		group848 = rows[0]
		return len(group848.Members) == 2 && len(group848.HeldUpBy) == 1 && len(group848.HeldUpBy[0].Waiting) == 1 &&
			*group848.State == "Reconciling" && *group848.Epoch == *group848.TargetEpoch, fmt.Sprintf("%+v", group848)
	})
	slowID, _ := slow.client.GroupMetadata()
	waitingID, _ := waiting.client.GroupMetadata()
	held := group848.HeldUpBy[0]
	if held.Member != slowID || held.Waiting[0] != waitingID || len(held.Revoke) != 1 || len(held.Revoke[0].Partitions) != 2 || held.Revoke[0].Topic != topic {
		t.Errorf("held up by %+v; slow is %s, waiting %s", held, slowID, waitingID)
	}
	if *held.Epoch >= *group848.TargetEpoch || group848.Since == nil {
		t.Errorf("%+v", group848)
	}
	for _, m := range group848.Members {
		if m.ID == slowID && (len(m.Owned) != 1 || len(m.Owned[0].Partitions) != 4 || len(m.Target[0].Partitions) != 2) {
			t.Errorf("the slow member: %+v", m)
		}
	}
}

// groupViewsAreWhole looks at a classic group of a cluster of any version.
func groupViewsAreWhole(t *testing.T, c *cluster.Cluster) {
	topic, group := newTopic(t, c, 2), unique(t, "group")
	produceValues(t, c, topic, "value", 20)
	startReader(t, c, group, topic)
	eventually(t, "the group has a leader, and its lag is 0", func() (bool, string) {
		answer := withLag(t, c, group)
		if len(answer.Data) != 1 || answer.Err() != nil || len(answer.Warnings) > 0 {
			return false, fmt.Sprintf("%+v", answer)
		}
		g := answer.Data[0]
		return *g.Type == "classic" && len(g.Members) == 1 && g.Leader != nil && *g.Leader == g.Members[0].ID && g.Generation != nil && g.Since != nil &&
			g.Lag.Records == 0 && g.Lag.Uncommitted == 0 && len(g.Lag.Partitions) == 2 && g.Members[0].Lag != nil, fmt.Sprintf("%+v, lag %+v", g, g.Lag)
	})
	in := inspect.New(newClient(t, c))
	var answer inspect.Answer[*inspect.OffsetsHistory]
	eventually(t, "the history is whole", func() (bool, string) {
		var err error
		answer, err = in.OffsetsLog(t.Context(), group, inspect.LogRange{})
		return err == nil && answer.Err() == nil && len(answer.Warnings) == 0 && answer.Data.Complete, fmt.Sprintf("%v: %+v", err, answer)
	})
	kinds := map[inspect.LogKind]int{}
	for _, e := range answer.Data.Entries {
		if e.Unreadable != nil {
			t.Errorf("at %d: %s", e.Offset, *e.Unreadable)
		}
		kinds[e.Kind]++
	}
	if kinds[inspect.LogGeneration] == 0 || kinds[inspect.LogCommit] < 2 {
		t.Errorf("%v", kinds)
	}
}

// groupIsWatchedAndExplained has a member join a classic group of a cluster of any version.
func groupIsWatchedAndExplained(t *testing.T, c *cluster.Cluster) {
	topic, group := newTopic(t, c, 2), unique(t, "group")
	startReader(t, c, group, topic, kgo.ClientID("first"))
	w := startWatch(t, c, inspect.Watched{GroupNames: []string{group}})
	w.await(t, "the group has a member", func(e watch.Event) bool {
		has := func(g watch.Group) bool { return g.Group == group && len(g.Members) == 1 }
		return e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, has) || e.Generation != nil && e.Generation.Members == 1
	})
	startReader(t, c, group, topic, kgo.ClientID("second"))
	e := w.await(t, "the second joined", func(e watch.Event) bool {
		return e.Generation != nil && slices.ContainsFunc(e.Generation.Joined, func(m watch.MemberRef) bool { return m.ClientID == "second" })
	})
	if e.Generation.Source != watch.SourceLog || e.Generation.To == nil || e.Generation.ToLeader == nil {
		t.Errorf("%+v", e.Generation)
	}
	in := inspect.New(newClient(t, c))
	eventually(t, "the group is explained", func() (bool, string) {
		answer, err := in.Explain(t.Context(), group, inspect.Explaining{})
		return err == nil && len(answer.Data.Verdicts) > 0 && answer.Data.Verdicts[0].Cause == explain.Fine && answer.Data.Members != nil && *answer.Data.Members == 2, fmt.Sprintf("%v: %+v", err, answer)
	})
}
