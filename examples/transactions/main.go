// Command transactions puts the hooks on a client that is not this module's: a kgo
// session that reads one topic and writes another exactly once. The poll loop and the
// transactions stay its own; the assignor and the work of the leader come with the hooks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	group := flag.String("group", "transactions", "the consumer group")
	from := flag.String("topic", "orders", "what to consume")
	to := flag.String("to", "invoices", "what to produce")
	id := flag.String("id", "transactions-1", "the transactional id, of its own for each process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	hooks, err := member.NewHooks(member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
		Lead: func(ctx context.Context, term member.Term) error {
			fmt.Println("leading", term.Group)
			<-ctx.Done()
			return nil
		},
	})
	if err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(append(hooks.Opts(),
		kgo.SeedBrokers(strings.Split(*brokers, ",")...),
		kgo.ConsumerGroup(*group), kgo.ConsumeTopics(*from),
		kgo.TransactionalID(*id), kgo.DefaultProduceTopic(*to),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500*time.Millisecond), // for which partitions just assigned may wait
	)...)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := hooks.Attach(session.Client()); err != nil {
		return err
	}
	defer hooks.Close() // before the session: Lead has returned when the group learns

	for {
		fetches := session.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, failed := range fetches.Errors() {
			log.Printf("%s[%d]: %v", failed.Topic, failed.Partition, failed.Err)
		}
		if err := transact(session, fetches); err != nil {
			return err
		}
	}
}

// transact writes one record for each that was read, and commits both or neither.
func transact(session *kgo.GroupTransactSession, fetches kgo.Fetches) error {
	if err := session.Begin(); err != nil {
		return err
	}
	ctx := context.Background() // what was begun is brought to its end
	var failed kgo.FirstErrPromise
	fetches.EachRecord(func(r *kgo.Record) {
		session.Produce(ctx, &kgo.Record{Key: r.Key, Value: append([]byte("invoice for "), r.Value...)}, failed.Promise())
	})
	produced := failed.Err() // waits for all
	committed, err := session.End(ctx, produced == nil)
	if err := errors.Join(produced, err); err != nil {
		return err // what was read is read again, by who has the partition next
	}
	if n := fetches.NumRecords(); n > 0 {
		fmt.Println("records:", n, "committed:", committed)
	}
	return nil
}
