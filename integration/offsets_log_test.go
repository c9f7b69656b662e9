package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// offsetsLog reads the whole history of a group, in which nothing may be unknown or
// unreadable.
func offsetsLog(t *testing.T, c *cluster.Cluster, group string) []inspect.LogEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := inspect.New(client).OffsetsLog(ctx, group, inspect.LogRange{})
	if err != nil || answer.Data == nil {
		return nil
	}
	if answer.Err() != nil || !answer.Data.Complete {
		return nil // who is slow to read gives up at some time
	}
	if len(answer.Data.Unknown) > 0 {
		t.Fatalf("%+v", answer)
	}
	for _, e := range answer.Data.Entries {
		if e.Unreadable != nil {
			t.Fatalf("offset %d, %s: %s", e.Offset, e.Kind, *e.Unreadable)
		}
	}
	return answer.Data.Entries
}

func kindsOf(entries []inspect.LogEntry) map[inspect.LogKind]int {
	kinds := map[inspect.LogKind]int{}
	for _, e := range entries {
		kinds[e.Kind]++
	}
	return kinds
}

func TestTheLogTellsWhoLedJoinedAndLeft(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 4), unique(t, "group")
	produce(t, c, topic, 40)
	first := startConsumer(t, c, group, topic, func(cfg *member.Config) {
		cfg.Traits = member.Traits{Capacity: 2, Labels: map[string]string{"tier": "gold"}}
	})
	first.leads(t)
	settled(t, c, group, topic, 1, 4)
	second := startConsumer(t, c, group, topic, nil)
	settled(t, c, group, topic, 2, 4)
	a, b := first.id(), second.id()
	eventually(t, "all is handled", func() (bool, string) {
		n := distinct(first, second)
		return n == 40, fmt.Sprint(n)
	})
	first.leave(t)
	settled(t, c, group, topic, 1, 4)

	var joined, left, leaders []string
	traits := false
	committed := map[int32]int64{}
	eventually(t, "the log tells of all rounds", func() (bool, string) {
		joined, left, leaders, traits = nil, nil, nil, false
		entries := offsetsLog(t, c, group)
		for _, e := range entries {
			switch {
			case e.Commit != nil && e.Commit.Offset != nil:
				committed[e.Commit.Partition] = *e.Commit.Offset
			case e.Generation != nil:
				joined = append(joined, e.Generation.Joined...)
				left = append(left, e.Generation.Left...)
				if e.Generation.Leader != nil {
					leaders = append(leaders, *e.Generation.Leader)
				}
				for _, m := range e.Generation.Members {
					traits = traits || m.ID == a && m.Traits != nil && m.Traits.Capacity == 2 && m.Traits.Labels["tier"] == "gold"
				}
			}
		}
		sum := int64(0) // of all that is committed, which may be later
		for _, at := range committed {
			sum += at
		}
		return slices.Contains(joined, b) && slices.Contains(left, a) && len(leaders) > 0 && leaders[len(leaders)-1] == b && sum == 40,
			fmt.Sprintf("joined %v, left %v, led %v, committed %v", joined, left, leaders, committed)
	})
	if leaders[0] != a || !traits {
		t.Errorf("first leader %s, want %s; traits seen: %v", leaders[0], a, traits)
	}
	eventually(t, "what the history ends with is what describing shows", func() (bool, string) {
		rows, seen := groupsIfAny(t, c, group)
		return len(rows) == 1 && rows[0].Since != nil && time.Since(*rows[0].Since) < 5*patience && rows[0].Leader != nil && *rows[0].Leader == b &&
			len(rows[0].Members) == 1 && rows[0].Members[0].Leader != nil && *rows[0].Members[0].Leader, seen
	})
}

func TestTheLogOfGroupsWhoseRebalancesTheBrokerRuns(t *testing.T) {
	c := cluster.Shared(t)
	topic := newTopic(t, c, 4)
	want := []inspect.LogKind{inspect.LogEpoch, inspect.LogMember, inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent}
	hasAll := func(entries []inspect.LogEntry, kinds ...inspect.LogKind) (bool, string) {
		has := kindsOf(entries)
		for _, kind := range append(kinds, want...) {
			if has[kind] == 0 {
				return false, fmt.Sprintf("no %s in %v", kind, has)
			}
		}
		return true, ""
	}
	t.Run("consumer", func(t *testing.T) {
		group := unique(t, "group")
		startReader(t, c, group, topic, kgo.ServerSideBalancer(), kgo.Rack("rack-2"))
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		byPattern := newClient(t, c, kgo.ConsumerGroup(group), kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+topic+"$"), kgo.ServerSideBalancer(), kgo.MetadataMinAge(time.Second), kgo.MetadataMaxAge(2*time.Second))
		go func() {
			for ctx.Err() == nil {
				byPattern.PollFetches(ctx)
			}
		}()
		eventually(t, "both members are told of, with the topic by name", func() (bool, string) {
			entries := offsetsLog(t, c, group)
			ok, seen := hasAll(entries)
			named, racks := false, false
			for _, e := range entries {
				if e.Kind == inspect.LogCurrent && e.Assignment != nil && len(e.Assignment.Assigned) > 0 {
					named = e.Assignment.Assigned[0].Topic == topic
				}
				if e.Details != nil && e.Details.Classic {
					return false, "a member that speaks the classic protocol"
				}
				racks = racks || e.Details != nil && e.Details.Rack != nil && *e.Details.Rack == "rack-2"
			}
			return ok && named && racks && kindsOf(entries)[inspect.LogMember] >= 2, fmt.Sprintf("%s; named %v, racks %v; %+v", seen, named, racks, kindsOf(entries))
		})
		stop()
		leaving, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := byPattern.LeaveGroupContext(leaving); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the member left", func() (bool, string) {
			entries := offsetsLog(t, c, group)
			return slices.ContainsFunc(entries, func(e inspect.LogEntry) bool { return e.Kind == inspect.LogMember && e.Deleted }), fmt.Sprint(kindsOf(entries))
		})
	})
	t.Run("share", func(t *testing.T) {
		group := unique(t, "group")
		startSharer(t, c, group, topic)
		eventually(t, "all kinds are told", func() (bool, string) {
			return hasAll(offsetsLog(t, c, group), inspect.LogShareState)
		})
	})
	t.Run("streams", func(t *testing.T) {
		group := unique(t, "group")
		startStreamsMember(t, c, group, topic)
		eventually(t, "all kinds are told", func() (bool, string) {
			return hasAll(offsetsLog(t, c, group), inspect.LogTopology)
		})
		eventually(t, "the group is described", func() (bool, string) {
			rows, seen := groupsIfAny(t, c, group)
			if len(rows) != 1 || *rows[0].Type != "streams" || len(rows[0].Members) != 1 || rows[0].Since == nil {
				return false, seen
			}
			m := rows[0].Members[0]
			return slices.Equal(m.Topics, []string{topic}) && len(m.Target) == 1 && len(m.Target[0].Partitions) == 4 && m.Rack != nil && *m.Rack == "rack-1", seen
		})
	})
}

func TestCommitsInTransactionsTellTheirOutcome(t *testing.T) {
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, 1), unique(t, "group")
	// Each producer commits an offset of the group in a transaction.
	for i, end := range []func(*kgo.Client) error{
		func(p *kgo.Client) error { return p.EndTransaction(t.Context(), kgo.TryCommit) },
		func(p *kgo.Client) error { return p.EndTransaction(t.Context(), kgo.TryAbort) },
		func(*kgo.Client) error { return nil },
	} {
		producer := newClient(t, c, kgo.TransactionalID(unique(t, "producer")), kgo.DefaultProduceTopic(topic))
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		commitInTransaction(t, producer, group, topic, int64(i+1))
		if err := end(producer); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	want := "commit committed, transactionEnd committed, commit aborted, transactionEnd aborted, commit open"
	eventually(t, "all outcomes are told", func() (bool, string) {
		told = nil
		for _, e := range offsetsLog(t, c, group) {
			if e.Transaction != nil {
				told = append(told, fmt.Sprintf("%s %s", e.Kind, e.Transaction.Outcome))
			}
		}
		return strings.Join(told, ", ") == want, strings.Join(told, ", ")
	})
}

// commitInTransaction does what a transactional consumer does before it ends a
// transaction.
func commitInTransaction(t *testing.T, producer *kgo.Client, group, topic string, offset int64) {
	t.Helper()
	id, epoch, err := producer.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	transactional, _ := producer.OptValue(kgo.TransactionalID).(string)
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = transactional, id, epoch, group
	added, err := add.RequestWith(t.Context(), producer)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = transactional, group, id, epoch
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	eventually(t, "the offset is committed in the transaction", func() (bool, string) {
		resp, err := req.RequestWith(t.Context(), producer)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		}
		return err == nil, fmt.Sprint(err)
	})
}
