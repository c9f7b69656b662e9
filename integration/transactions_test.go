package integration

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// copyInTransactions copies a topic to another one, record by record, each poll in a
// transaction that also commits the offsets; it is a member with hooks.
func copyInTransactions(ctx context.Context, cfg processConfig, tell func(report)) error {
	hooks, err := member.NewHooks(member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
		OnEvent:   func(e member.Event) { tell(report{Event: e.Kind, Member: e.Member}) },
		Lead: func(ctx context.Context, term member.Term) error {
			tell(report{Lead: "begin", Member: term.Member})
			<-ctx.Done()
			tell(report{Lead: "end", Member: term.Member})
			return nil
		},
	})
	if err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(append(hooks.Opts(),
		kgo.SeedBrokers(cfg.Seeds...), kgo.ConsumerGroup(cfg.Group), kgo.ConsumeTopics(cfg.Topic),
		kgo.DefaultProduceTopic(cfg.To), kgo.TransactionalID(fmt.Sprintf("%s-%d", cfg.Group, os.Getpid())),
		kgo.TransactionTimeout(6*time.Second), // how long a killed process keeps offsets from its successor
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := hooks.Attach(session.Client()); err != nil {
		return err
	}
	defer hooks.Close()
	for ctx.Err() == nil {
		fetches := session.PollRecords(ctx, 5) // many small transactions
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		failed := kgo.AbortingFirstErrPromise(session.Client())
		var values []string
		fetches.EachRecord(func(r *kgo.Record) {
			values = append(values, string(r.Value))
			session.Produce(ctx, &kgo.Record{Value: r.Value}, failed.Promise())
		})
		committed, err := session.End(ctx, failed.Err() == nil)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if committed {
			tell(report{Handled: values})
		}
	}
	return nil
}

// TestTransactionsCopyEachRecordOnceThoughTheLeaderIsKilled: hooks do not get in the way
// of a kgo.GroupTransactSession, in the leader neither, and not when it dies.
func TestTransactionsCopyEachRecordOnceThoughTheLeaderIsKilled(t *testing.T) {
	const partitions, records = 6, 600
	c := cluster.Shared(t)
	from, to, group := newTopic(t, c, partitions), newTopic(t, c, 3), unique(t, "group")
	processes := make([]*process, 3)
	for i := range processes {
		processes[i] = startProcessOf(t, processConfig{Seeds: c.Seeds(), Group: group, Topic: from, To: to})
	}
	settled(t, c, group, from, len(processes), partitions)
	leader := onlyLeader(t, processes)

	producer := newClient(t, c, kgo.DefaultProduceTopic(from), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	copied := make(map[string]int)
	reader := newClient(t, c, kgo.ConsumeTopics(to), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	read := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { copied[string(r.Value)]++ })
	}
	for i := range records {
		producer.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("record %d could not be written: %v", i, err)
			}
		})
		if i == records/2 {
			if err := producer.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the leader copies too", func() (bool, string) {
				read()
				counts := handledCounts([]*process{leader})
				return counts[0] > 0, fmt.Sprint(counts, len(copied))
			})
			leader.kill(t) // while records wait, so in the middle of its work
		}
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every record is copied", func() (bool, string) {
		read()
		return len(copied) == records, fmt.Sprintf("%d of %d", len(copied), records)
	})
	var rest []*process
	for _, p := range processes {
		if p != leader {
			rest = append(rest, p)
		}
	}
	onlyLeader(t, rest)
	for range 10 {
		read() // what comes late
	}
	for value, n := range copied {
		if n != 1 {
			t.Errorf("record %s was copied %d times", value, n)
		}
	}
}
