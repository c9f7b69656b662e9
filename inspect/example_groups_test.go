package inspect_test

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
)

func ExampleInspector_DescribeGroups() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 1, LeaderEpoch: -1})
	for range 3 {
		client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Key: []byte("a")})
	}
	if err := kadm.NewClient(client).CommitAllOffsets(ctx, "billing", offsets); err != nil {
		log.Fatal(err)
	}

	answer, err := inspect.New(client).DescribeGroups(ctx, inspect.GroupDetails{Lag: true}, "billing")
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range answer.Data {
		fmt.Println(*g.Type, *g.State, len(g.Members), "members")
		for _, p := range g.Lag.Partitions {
			fmt.Printf("%s-%d: committed %d of %d to %d\n", p.Topic, p.Partition, *p.Committed, *p.Start, *p.End)
		}
	}
	// Output:
	// classic Empty 0 members
	// orders-0: committed 1 of 0 to 3
}

func ExampleInspector_OffsetsLog() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).OffsetsLog(context.Background(), "billing", inspect.LogRange{
		Kinds: []inspect.LogKind{inspect.LogGeneration}, Limit: 20,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range answer.Data.Entries {
		if g := e.Generation; g != nil && g.Leader != nil {
			fmt.Println(e.Timestamp, "generation", g.Generation, "led by", *g.Leader, "joined", g.Joined, "left", g.Left)
		}
	}
	fmt.Println("whole:", answer.Data.Complete, "after", answer.Data.Records, "records")
	// Output:
	// whole: true after 0 records
}
