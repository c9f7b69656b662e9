package inspect

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// groupBatch is how many groups go into one request.
	groupBatch = 500
	// coordinatorRounds is how often a group is looked for where its coordinator
	// has moved or is still loading it, and coordinatorPause the time between.
	coordinatorRounds = 4
	coordinatorPause  = 250 * time.Millisecond
	// brokersAtOnce is how many brokers are asked at a time.
	brokersAtOnce = 16
)

var errLeftOut = errors.New("the broker's answer leaves it out")

// ofGroup is what a coordinator answered for one group.
type ofGroup[T any] struct {
	value T
	err   error
}

// askCoordinators asks for groups, each of its coordinator. at holds those that are
// known from before, and may be nil; the others are looked up. ask sends one request
// and returns what it learned of some of its groups; the error is that of the others,
// errLeftOut if it is nil. The result has every group.
//
// Brokers are asked next to each other, so that one that hangs takes the others no
// time.
func askCoordinators[T any](ctx context.Context, in *Inspector, groups []string, at map[string]int32, ask func(ctx context.Context, node int32, groups []string) (map[string]ofGroup[T], error)) map[string]ofGroup[T] {
	all := make(map[string]ofGroup[T], len(groups))
	for round := 0; len(groups) > 0; round++ {
		askOnce(ctx, in, groups, at, ask, all)
		var moved []string
		for _, group := range groups {
			if coordinatorMoved(all[group].err) {
				moved = append(moved, group)
			}
		}
		groups = moved
		// A coordinator that was known from before may have moved long ago: the
		// first time there is nothing to wait for.
		first := round == 0 && at != nil
		at = nil
		if len(groups) > 0 && (round+1 == coordinatorRounds || !first && !pause(ctx, coordinatorPause)) {
			break
		}
	}
	return all
}

func coordinatorMoved(err error) bool {
	return errors.Is(err, kerr.NotCoordinator) || errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress)
}

func askOnce[T any](ctx context.Context, in *Inspector, groups []string, at map[string]int32, ask func(context.Context, int32, []string) (map[string]ofGroup[T], error), all map[string]ofGroup[T]) {
	byNode := map[int32][]string{}
	var unplaced []string
	for _, group := range groups {
		if node, ok := at[group]; ok {
			byNode[node] = append(byNode[node], group)
		} else {
			unplaced = append(unplaced, group)
		}
	}
	if len(unplaced) > 0 {
		named := in.findCoordinators(ctx, unplaced)
		for _, group := range unplaced {
			if c := named[group]; c.problem != nil {
				all[group] = ofGroup[T]{err: c.problem.Cause}
			} else {
				byNode[*c.node] = append(byNode[*c.node], group)
			}
		}
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	slots := make(chan struct{}, brokersAtOnce)
	for _, node := range sortedKeys(byNode) {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			batches(byNode[node], groupBatch, func(batch []string) {
				answered, err := ask(ctx, node, batch)
				if err == nil {
					err = errLeftOut
				}
				mu.Lock()
				defer mu.Unlock()
				for _, group := range batch {
					if one, ok := answered[group]; ok {
						all[group] = one
					} else {
						all[group] = ofGroup[T]{err: err}
					}
				}
			})
		})
	}
	asking.Wait()
}
