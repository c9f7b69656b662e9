package member_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// Hooks on a client of your own, whose poll loop stays yours.
func ExampleHooks() {
	cluster, err := kfake.NewCluster(kfake.SeedTopics(4, "orders")) // in place of a real one
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	leading := make(chan struct{})
	hooks, err := member.NewHooks(member.HooksConfig{
		Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
		OnPlan: func(_ context.Context, round member.Round) (assign.Plan, error) {
			fmt.Println("plan for", len(round.Problem.Members), "member,", round.Stats.Partitions, "partitions")
			return round.Proposed, nil
		},
		Lead: func(ctx context.Context, term member.Term) error {
			fmt.Println("leading", term.Group)
			close(leading)
			<-ctx.Done() // do here what only one member may do
			fmt.Println("stopped:", context.Cause(ctx))
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(append(hooks.Opts(),
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.ConsumerGroup("billing"),
		kgo.ConsumeTopics("orders"),
	)...)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := hooks.Attach(client); err != nil {
		log.Fatal(err)
	}
	defer hooks.Close() // before the client: Lead has returned when the group learns

	<-leading // poll here

	// Output:
	// plan for 1 member, 4 partitions
	// leading billing
	// stopped: the member was closed
}

func ExampleMember() {
	cluster, err := kfake.NewCluster(kfake.SeedTopics(1, "orders")) // in place of a real one
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := member.New(member.Config{
		Group:  "billing",
		Topics: []string{"orders"},
		HooksConfig: member.HooksConfig{
			Protocols: []member.Protocol{{Assignor: assign.Balanced{}}},
			Traits:    member.Traits{Capacity: 2, Labels: map[string]string{"zone": "a"}},
		},
		Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close(context.Background())

	if err := m.Client().ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("1 apple")}).FirstErr(); err != nil {
		log.Fatal(err)
	}
	err = m.Run(ctx, func(_ context.Context, records []*kgo.Record) error {
		for _, record := range records {
			fmt.Printf("%s[%d]@%d: %s\n", record.Topic, record.Partition, record.Offset, record.Value)
		}
		cancel() // one batch is enough here
		return nil
	})
	fmt.Println("done:", err)

	// Output:
	// orders[0]@0: 1 apple
	// done: <nil>
}

// What is done with records that cannot be handled is decided one by one.
func ExampleEach() {
	cluster, err := kfake.NewCluster(kfake.SeedTopics(1, "orders")) // in place of a real one
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := member.New(member.Config{
		Group:    "billing",
		Topics:   []string{"orders"},
		Attempts: 2,
		OnFailure: func(_ context.Context, f member.Failure) member.Decision {
			fmt.Printf("skip offset %d after %d attempts: %v\n", f.Records[0].Offset, f.Attempts, f.Err)
			return member.Skip // or DeadLetter, StopPartition, StopMember
		},
		Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close(context.Background())

	for _, order := range []string{"1 apple", "?", "2 pears"} {
		if err := m.Client().ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte(order)}).FirstErr(); err != nil {
			log.Fatal(err)
		}
	}
	err = m.Run(ctx, member.Each(func(_ context.Context, record *kgo.Record) error {
		if string(record.Value) == "?" {
			return errors.New("no order")
		}
		fmt.Printf("%s\n", record.Value)
		if record.Offset == 2 {
			cancel()
		}
		return nil
	}))
	fmt.Println("done:", err)

	// Output:
	// 1 apple
	// skip offset 1 after 2 attempts: no order
	// 2 pears
	// done: <nil>
}
