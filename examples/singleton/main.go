// Command singleton consumes a topic as one of many, and beside that runs a job of which
// there must be only one: in the member that leads the group. Start it several times,
// stop the one that reports, and another reports.
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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/member"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	group := flag.String("group", "singleton", "the consumer group")
	topic := flag.String("topic", "orders", "what to consume")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var handled atomic.Int64
	m, err := member.New(member.Config{
		Group: *group, Topics: []string{*topic},
		HooksConfig: member.HooksConfig{Lead: report},
		Client:      []kgo.Opt{kgo.SeedBrokers(strings.Split(*brokers, ",")...)},
	})
	if err != nil {
		log.Fatal(err)
	}
	handle := func(_ context.Context, records []*kgo.Record) error {
		fmt.Println("handled", handled.Add(int64(len(records))), "records")
		return nil
	}
	// Close leaves the group, and another member reports at once; report has returned by
	// then.
	if err := errors.Join(m.Run(ctx, handle), m.Close(context.Background())); err != nil {
		log.Fatal(err)
	}
}

// report is the job. It runs in one member of the group at a time.
func report(ctx context.Context, term member.Term) error {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for ctx.Err() == nil { // Err looks at the clock: ask it before each act
		// A store that keeps the number refuses what a former leader still writes:
		// UPDATE report SET … , fence = $1 WHERE fence <= $1
		fmt.Println("reporting under fence", term.Fence().Number)
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
	fmt.Println("not reporting any more:", context.Cause(ctx))
	return nil
}
