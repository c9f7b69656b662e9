package predict_test

import (
	"fmt"
	"log"

	"github.com/groupkit/groupkit/inspect/predict"
)

func ExampleRun() {
	cluster := predict.Cluster{
		Brokers: []predict.Broker{{ID: 1}, {ID: 2}, {ID: 3}},
		Voters:  []predict.Voter{{ID: 1}, {ID: 2}, {ID: 3}},
		ELR:     true,
		Partitions: []predict.Partition{{
			Topic: "orders", Replicas: []int32{3, 1, 2}, Leader: 3, ISR: []int32{3, 1, 2}, MinISR: 2,
		}},
	}
	outcome, err := predict.Run(cluster, predict.Crash(3))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range outcome.Partitions {
		fmt.Printf("%s-%d: %d to %d, %s\n", p.Topic, p.Partition, *p.From, *p.To, p.Reason)
	}

	// With a second broker gone, no majority of the controllers is left.
	outcome, err = predict.Run(outcome.After, predict.Crash(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("majority kept:", *outcome.Controller.Quorum.Kept)
	fmt.Println(outcome.Partitions[0].To == nil, outcome.Partitions[0].Reason)
	// Output:
	// orders-0: 3 to 1, in-sync
	// majority kept: false
	// true no-quorum
}
