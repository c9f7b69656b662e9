package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

func TestTheComputedCoordinatorsOfTransactionsAndSharesAreTheBrokers(t *testing.T) {
	c := cluster.Shared(t)
	client := newClient(t, c)
	in := inspect.New(client, inspect.CreateInternalTopics())
	names := groupNames()
	agreed := func(kind, topic string, ask func() (inspect.Answer[[]inspect.Coordinator], error)) []inspect.Coordinator {
		t.Helper()
		var rows []inspect.Coordinator
		// The partitions of a topic that was just created are loaded one by one.
		eventually(t, "each "+kind+" has a coordinator", func() (bool, string) {
			answer, err := ask()
			if err != nil || answer.Err() != nil || len(answer.Warnings) > 0 {
				return false, fmt.Sprint(err, answer.Warnings, len(answer.Errors))
			}
			rows = answer.Data
			for _, row := range rows {
				if row.Kind != kind || row.Topic != topic || *row.PartitionCount != 50 || row.Agrees == nil || !*row.Agrees {
					return false, fmt.Sprintf("%+v", row)
				}
			}
			return true, ""
		})
		return rows
	}
	rows := agreed("transaction", "__transaction_state", func() (inspect.Answer[[]inspect.Coordinator], error) {
		return in.TransactionCoordinators(t.Context(), names...)
	})
	eventually(t, "the brokers name the same", func() (bool, string) {
		named := kadm.NewClient(client).FindTxnCoordinators(t.Context(), names...)
		for _, row := range rows {
			if by := named[row.Name]; by.Err != nil || by.NodeID != *row.Coordinator {
				return false, fmt.Sprintf("%q: %d, named %+v", row.Name, *row.Coordinator, by)
			}
		}
		return true, ""
	})
	if len(rows) < 1000 {
		t.Errorf("only %d names were tried", len(rows))
	}

	topic := newTopic(t, c, 1)
	var keys []string
	for i, name := range names[:600] {
		if strings.TrimSpace(name) != "" && !strings.Contains(name, ":") { // for others Kafka has none
			keys = append(keys, fmt.Sprintf("%s:%s:%d", name, topic, i))
		}
	}
	if rows := agreed("share", "__share_group_state", func() (inspect.Answer[[]inspect.Coordinator], error) {
		return in.ShareCoordinators(t.Context(), keys...)
	}); len(rows) != len(keys) {
		t.Errorf("%d rows for %d keys", len(rows), len(keys))
	}
}

// transactionsTopicIsCreatedOnRequest begins where nobody used a transaction so far.
func transactionsTopicIsCreatedOnRequest(t *testing.T, c *cluster.Cluster) {
	client := newClient(t, c)
	ask := func(options ...inspect.Option) inspect.Answer[[]inspect.Coordinator] {
		t.Helper()
		answer, err := inspect.New(client, options...).TransactionCoordinators(t.Context(), "writer")
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for range 3 {
		if a := ask(); len(a.Errors) != 1 || a.Errors[0].Code != inspect.CodeStateTopicAbsent || a.Data[0].Partition != nil || a.Data[0].Coordinator != nil {
			t.Fatalf("%+v", a)
		}
	}
	eventually(t, "the topic is created, and has a coordinator", func() (bool, string) {
		a := ask(inspect.CreateInternalTopics())
		return a.Err() == nil && a.Data[0].Agrees != nil && *a.Data[0].Agrees, fmt.Sprint(a.Err())
	})
	// It is the one that a transaction goes to.
	producer := newClient(t, c, kgo.TransactionalID("writer"))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: newTopic(t, c, 1), Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the transaction has that coordinator", func() (bool, string) {
		described, err := kadm.NewClient(client).DescribeTransactions(t.Context(), "writer")
		a := ask()
		return err == nil && described["writer"].Err == nil && a.Data[0].Coordinator != nil && described["writer"].Coordinator == *a.Data[0].Coordinator,
			fmt.Sprintf("%v: %+v, %+v", err, described, a)
	})
	if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Error(err)
	}
}
