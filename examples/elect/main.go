// Command elect elects a leader among processes that consume nothing: no topic is needed.
// Start it several times with different addresses; all know where the leader is. Stop the
// leader, and another leads. One with a higher -priority takes over.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/member"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	name := flag.String("election", "elect", "the election's name")
	address := flag.String("address", "localhost:8080", "where this process is, for the others")
	priority := flag.Int("priority", 0, "the candidate with the highest leads")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	election, err := member.Elect(*name, member.ElectionConfig{
		Client:   []kgo.Opt{kgo.SeedBrokers(strings.Split(*brokers, ",")...)},
		Priority: int32(*priority),
		Payload:  []byte(*address),
		Lead: func(ctx context.Context, term member.Term) error {
			fmt.Println("leading under fence", term.Fence().Number)
			<-ctx.Done() // what only the leader may do
			fmt.Println("not leading any more:", context.Cause(ctx))
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for leader := range election.Leaders(ctx) {
		if leader.Member == "" {
			fmt.Println("nobody leads")
			continue
		}
		fmt.Printf("the leader is at %s\n", leader.Payload)
	}
	// The term ends, Lead returns, and only then this process leaves the group.
	if err := election.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
}
