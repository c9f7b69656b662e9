package member_test

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/member"
)

func ExampleElect() {
	cluster, err := kfake.NewCluster() // in place of a real one
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	ctx := context.Background()
	candidate := func(address string) *member.Election {
		election, err := member.Elect("billing-reports", member.ElectionConfig{
			Client:  []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
			Payload: []byte(address),
			Lead: func(ctx context.Context, term member.Term) error {
				<-ctx.Done() // do here what only one process may do
				return nil
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		return election
	}
	a := candidate("a:80")
	leader, err := a.WaitLeader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s leads\n", leader.Payload)

	b := candidate("b:80")
	if leader, err = b.WaitLeader(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("b follows %s\n", leader.Payload)

	if err := a.Close(ctx); err != nil { // Lead of a has returned, then b leads
		log.Fatal(err)
	}
	for leader := range b.Leaders(ctx) {
		if string(leader.Payload) == "b:80" {
			fmt.Println("b leads")
			break
		}
	}
	if err := b.Close(ctx); err != nil {
		log.Fatal(err)
	}

	// Output:
	// a:80 leads
	// b follows a:80
	// b leads
}

// Work that comes to an end says so. What it returns otherwise while its term is on, nil
// too, has it called again.
func ExampleErrTermDone() {
	cluster, err := kfake.NewCluster() // in place of a real one
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	fillCache := func(context.Context) error { fmt.Println("the cache is full"); return nil }
	done := make(chan struct{})
	election, err := member.Elect("cache", member.ElectionConfig{
		Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		Lead: func(ctx context.Context, term member.Term) error {
			if err := fillCache(ctx); err != nil {
				return err // called again in this term
			}
			return member.ErrTermDone // called again in the next one
		},
		OnEvent: func(e member.Event) {
			if e.Kind == member.EventLeadDone {
				close(done)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	<-done
	fmt.Println("leading:", election.Leading())
	if err := election.Close(context.Background()); err != nil {
		log.Fatal(err)
	}

	// Output:
	// the cache is full
	// leading: true
}
