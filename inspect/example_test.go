package inspect_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/predict"
)

// exampleClient connects to a small cluster in this process. Programs give
// kgo.SeedBrokers the addresses of their own.
func exampleClient() (*kgo.Client, func()) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, "__consumer_offsets"))
	if err != nil {
		log.Fatal(err)
	}
	for partition := range int32(2) {
		if err := fake.MoveTopicPartition("orders", partition, partition); err != nil {
			log.Fatal(err)
		}
	}
	if err := fake.MoveTopicPartition("__consumer_offsets", 31, fake.CoordinatorFor("orders")); err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		log.Fatal(err)
	}
	return client, func() { client.Close(); fake.Close() }
}

func Example() {
	client, stop := exampleClient()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	in := inspect.New(client)
	answer, err := in.Partitions(ctx, "orders", "payments")
	if err != nil {
		log.Fatal(err) // nothing could be found out
	}
	for _, p := range answer.Data {
		if p.Leader == nil {
			fmt.Printf("%s-%d has no leader\n", p.Topic, p.Partition)
			continue
		}
		fmt.Printf("%s-%d is led by broker %d\n", p.Topic, p.Partition, *p.Leader)
	}
	for _, problem := range answer.Errors {
		fmt.Println(problem.Code, problem.Message)
	}
	// Output:
	// orders-0 is led by broker 0
	// orders-1 is led by broker 1
	// TOPIC_NOT_FOUND the topic "payments" does not exist on this cluster; check its name
}

func ExampleInspector_Coordinators() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Coordinators(context.Background(), "orders")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range answer.Data {
		fmt.Println(c.Name, "hashes to", c.Hash, "and belongs to partition", *c.Partition, "of", *c.PartitionCount)
		fmt.Println("both ways agree:", *c.Agrees)
	}
	// Output:
	// orders hashes to -1008770331 and belongs to partition 31 of 50
	// both ways agree: true
}

func ExampleInspector_Controller() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Controller(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if answer.Data.Node == nil {
		// The cluster of this example runs without KRaft.
		fmt.Println("no controller:", answer.Errors[0].Code)
		return
	}
	fmt.Println("the controller is", *answer.Data.Node)
	// Output:
	// no controller: UNSUPPORTED
}

func ExampleInspector_Groups() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Groups(context.Background(), "nobody")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(answer.Data), "groups;", answer.Err())
	// Output:
	// 0 groups; the group "nobody" does not exist on this cluster; check its name, and that a member has joined it or an offset was committed to it
}

func ExampleInspector_Partitions() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Partitions(context.Background(), "orders")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range answer.Data {
		fmt.Println(p.Topic, p.Partition, "leader", *p.Leader, "preferred", *p.Preferred, "offline", p.Offline)
	}
	// Output:
	// orders 0 leader 0 preferred 0 offline false
	// orders 1 leader 1 preferred 1 offline false
}

func ExampleHash() {
	fmt.Println(inspect.Hash("orders"), inspect.Hash("polygenelubricants"))
	// Output: -1008770331 -2147483648
}

func ExampleOffsetsPartition() {
	fmt.Println(inspect.OffsetsPartition("orders", 50), inspect.OffsetsPartition("polygenelubricants", 50))
	// Output: 31 0
}

func ExampleInspector_Brokers() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Brokers(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range answer.Data {
		fmt.Println("broker", b.ID, "up", b.Up, "leads", *b.Leads, "of", *b.Replicas)
	}
}

func ExampleLoadOf() {
	leads := func(broker int32, replicas ...int32) inspect.Partition {
		return inspect.Partition{Leader: &broker, Preferred: &replicas[0], Replicas: replicas}
	}
	loads := inspect.LoadOf([]int32{1, 2}, []inspect.Partition{leads(1, 1, 2), leads(1, 2, 1)})
	for _, broker := range []int32{1, 2} {
		load := loads[broker]
		fmt.Printf("broker %d leads %d, would lead %d, skew %+.0f%%\n", broker, *load.Leads, *load.Preferred, 100**load.Skew)
	}
	// Output:
	// broker 1 leads 2, would lead 1, skew +100%
	// broker 2 leads 0, would lead 1, skew -100%
}

func ExampleShareKey() {
	topicID := [16]byte{0xff, 15: 1}
	fmt.Println(inspect.ShareKey("jobs", topicID, 3))
	// Output:
	// jobs:_wAAAAAAAAAAAAAAAAAAAQ:3
}

func ExampleInspector_Predict() {
	client, stop := exampleClient()
	defer stop()

	answer, err := inspect.New(client).Predict(context.Background(), predict.Crash(0))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range answer.Data.Partitions {
		if p.Topic == "orders" {
			fmt.Println(p.Topic, p.Partition, "from", *p.From, "offline", p.To == nil, "because of", p.Reason)
		}
	}
	// The cluster of this example runs without KRaft.
	fmt.Println("controllers known:", answer.Data.Controller.Quorum.Kept != nil)
	// Output:
	// orders 0 from 0 offline false because of in-sync
	// controllers known: false
}
