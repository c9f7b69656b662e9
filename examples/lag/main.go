// Command lag shares out partitions by how far behind they are: the leader asks the
// cluster for the lag of each partition, and plans so that no member has much more to
// catch up on than another. While that stays uneven it makes a new plan.
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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	group := flag.String("group", "lag", "the consumer group")
	topic := flag.String("topic", "orders", "what to consume")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	seeds := kgo.SeedBrokers(strings.Split(*brokers, ",")...)
	admin, err := kadm.NewOptClient(seeds)
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	m, err := member.New(member.Config{
		Group: *group, Topics: []string{*topic},
		HooksConfig: member.HooksConfig{
			Protocols:    []member.Protocol{{Assignor: assign.Balanced{}}},
			Weights:      lagOf(admin, *group),
			ReplanOnLoad: member.LoadPolicy{Every: 30 * time.Second, Imbalance: 1.5},
			OnEvent: func(e member.Event) {
				if e.Kind == member.EventPlanned {
					fmt.Printf("planned: the most loaded member has %.0f records to catch up on, the least %.0f\n", e.Stats.MaxLoad, e.Stats.MinLoad)
				}
			},
		},
		Client: []kgo.Opt{seeds},
	})
	if err != nil {
		log.Fatal(err)
	}
	handle := func(ctx context.Context, records []*kgo.Record) error {
		select { // slow work
		case <-time.After(time.Duration(len(records)) * time.Millisecond):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	if err := errors.Join(m.Run(ctx, handle), m.Close(context.Background())); err != nil {
		log.Fatal(err)
	}
}

// lagOf returns a function that weighs each partition by its lag, plus 1 so that those
// without any are spread too. When it fails the round goes on without weights.
func lagOf(admin *kadm.Client, group string) func(context.Context, []assign.Topic) (map[string][]float64, error) {
	return func(ctx context.Context, topics []assign.Topic) (map[string][]float64, error) {
		names := make([]string, len(topics))
		for i, t := range topics {
			names[i] = t.Name
		}
		ends, err := admin.ListEndOffsets(ctx, names...)
		if err != nil {
			return nil, err
		}
		starts, err := admin.ListStartOffsets(ctx, names...)
		if err != nil {
			return nil, err
		}
		commits, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return nil, err
		}
		weights := make(map[string][]float64)
		for _, t := range topics {
			weights[t.Name] = make([]float64, t.Partitions)
			for p := range t.Partitions {
				at := int64(0)
				if start, ok := starts.Lookup(t.Name, p); ok {
					at = start.Offset
				}
				if commit, ok := commits.Lookup(t.Name, p); ok {
					at = max(at, commit.At)
				}
				if end, ok := ends.Lookup(t.Name, p); ok {
					weights[t.Name][p] = 1 + float64(max(end.Offset-at, 0))
				}
			}
		}
		return weights, nil
	}
}
