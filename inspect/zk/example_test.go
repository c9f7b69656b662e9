package zk_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/groupkit/groupkit/inspect/zk"
)

func ExampleController() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := zk.Controller(ctx, "zk-1:2181,zk-2:2181/kafka")
	if err != nil {
		log.Fatal(err) // ZooKeeper did not answer
	}
	if c := answer.Data; c.Node != nil {
		fmt.Println("controller", *c.Node, "held by", *c.Mode, "of the brokers", c.ZooKeeper.Brokers)
	}
}

func ExampleWatch() {
	for event, err := range zk.Watch(context.Background(), "zk-1:2181") {
		if err != nil {
			log.Fatal(err) // there was no first answer
		}
		if event.Kind == zk.ControllerChanged && event.To != nil {
			fmt.Println("broker", *event.To, "is the controller;", event.Missed, "elections were not seen")
		}
	}
}
