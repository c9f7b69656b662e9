// Command drain hands its partitions over before it ends, as a deploy wants it: at
// SIGTERM it tells the leader that it is draining, goes on with what it has until the
// others have taken all of it, and leaves with nothing. No partition waits for a session
// to end.
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
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	group := flag.String("group", "drain", "the consumer group")
	topic := flag.String("topic", "orders", "what to consume")
	limit := flag.Duration("limit", 20*time.Second, "how long to drain at most")
	flag.Parse()
	asked, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	owned := make(chan []assign.TopicPartitions, 1) // the newest
	m, err := member.New(member.Config{
		Group: *group, Topics: []string{*topic},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.Balanced{}}}, // heeds draining
			OnEvent: func(e member.Event) {
				if e.Kind != member.EventAssigned {
					return
				}
				fmt.Println("has", e.Assigned)
				select {
				case <-owned:
				default:
				}
				owned <- e.Assigned
			},
		},
		Client: []kgo.Opt{kgo.SeedBrokers(strings.Split(*brokers, ",")...)},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	go func() {
		defer end()
		<-asked.Done()
		fmt.Println("draining")
		if err := m.SetTraits(member.Traits{Draining: true}); err != nil {
			log.Print(err)
			return
		}
		late := time.After(*limit)
		for {
			select {
			case has := <-owned:
				if len(has) == 0 {
					fmt.Println("drained")
					return
				}
			case <-late: // nobody else is there, say
				fmt.Println("leaves with what it has")
				return
			}
		}
	}()
	handle := func(context.Context, []*kgo.Record) error { return nil }
	if err := errors.Join(m.Run(ctx, handle), m.Close(context.Background())); err != nil {
		log.Fatal(err)
	}
}
