// Command canary lets a new version prove itself on a small part of the load: whoever
// leads the group gives each member that is labelled canary one partition and no more.
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

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "where the cluster is")
	group := flag.String("group", "canary", "the consumer group")
	topic := flag.String("topic", "orders", "what to consume")
	canary := flag.Bool("canary", false, "this is the new version")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	labels := map[string]string{"version": "stable"}
	if *canary {
		labels["version"] = "canary"
	}
	m, err := member.New(member.Config{
		Group: *group, Topics: []string{*topic},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
			Traits:    member.Traits{Labels: labels},
			OnPlan:    small, // in all members, for any may lead
			OnEvent: func(e member.Event) {
				if e.Kind == member.EventAssigned {
					fmt.Println(labels["version"], "has", e.Assigned)
				}
			},
		},
		Client: []kgo.Opt{kgo.SeedBrokers(strings.Split(*brokers, ",")...)},
	})
	if err != nil {
		log.Fatal(err)
	}
	handle := func(context.Context, []*kgo.Record) error { return nil }
	if err := errors.Join(m.Run(ctx, handle), m.Close(context.Background())); err != nil {
		log.Fatal(err)
	}
}

// small makes the plan of the same problem with one thing added: a canary takes one
// partition at most. What it returns is checked before it is sent, like any plan.
func small(_ context.Context, round member.Round) (assign.Plan, error) {
	problem := round.Problem.Clone()
	stable := 0
	for i := range problem.Members {
		if m := &problem.Members[i]; m.Labels["version"] == "canary" {
			m.MaxPartitions = 1
		} else {
			stable++
		}
	}
	if stable == 0 {
		return round.Proposed, nil // they have to take all
	}
	return assign.Balanced{}.Assign(problem)
}
