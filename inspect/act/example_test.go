package act_test

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/inspect/predict"
)

func ExampleActor_Elect() {
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Without act.RecordsMayBeLost, nothing is sent.
	_, err = act.New(client).Elect(context.Background(), act.Unclean(""), predict.TopicPartition{Topic: "orders"})
	fmt.Println(err)
	// Output:
	// an unclean election loses the records that the new leader does not have; it takes the consent act.RecordsMayBeLost
}
