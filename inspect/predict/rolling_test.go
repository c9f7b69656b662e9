package predict

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestARollingRestartIsItsSteps rolls over all brokers of random clusters, and compares with
// the steps one by one.
func TestARollingRestartIsItsSteps(t *testing.T) {
	for seed := range uint64(1_000) {
		random := rand.New(rand.NewPCG(seed, 6))
		c := randomCluster(random)
		var rounds, steps []Step
		for _, b := range c.Brokers {
			down := Stop
			if random.IntN(2) == 0 {
				down = Crash
			}
			rounds = append(rounds, down(b.ID))
			steps = append(steps, down(b.ID), Return(b.ID))
		}
		r, err := Roll(c, rounds...)
		if err != nil {
			t.Fatal(err)
		}
		end, err := Run(c, steps...)
		if err != nil || !reflect.DeepEqual(r.Outcome, end) || len(r.Rounds) != len(c.Brokers) {
			t.Fatalf("seed %d: %v, %+v, one by one %+v", seed, err, r.Outcome, end)
		}
		before := c
		for i, round := range r.Rounds {
			while, err := Run(before, steps[2*i])
			if err != nil || !reflect.DeepEqual(round.Outcome, while) || !slices.Equal(round.Nodes, []int32{c.Brokers[i].ID}) {
				t.Fatalf("seed %d, round %d: %v, %+v, by itself %+v", seed, i, err, round, while)
			}
			back, err := Run(while.After, steps[2*i+1])
			if err != nil {
				t.Fatal(err)
			}
			before = back.After
		}
	}
}

func TestARollingRestartRackByRack(t *testing.T) {
	three := []int32{1, 2, 3}
	c := Cluster{
		Brokers: []Broker{{ID: 1, Rack: "a"}, {ID: 2, Rack: "b"}, {ID: 3, Rack: "a"}, {ID: 4, Rack: "b", Down: true, Fenced: true}},
		Partitions: []Partition{
			{Topic: "all", Replicas: three, ISR: three, Leader: 1, MinISR: 2},
			{Topic: "rack-a", Replicas: []int32{3, 1}, ISR: []int32{1, 3}, Leader: 3, MinISR: 1},
			{Topic: "down", Replicas: []int32{4}, ISR: []int32{4}, Leader: NoLeader, MinISR: 1},
		},
	}
	r, err := Roll(c, StopRacks("a"), StopRacks("b"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := r.Rounds[0], r.Rounds[1]
	if !slices.Equal(first.Nodes, []int32{1, 3}) || len(first.Offline) != 2 || first.Offline[0].Already || !first.Offline[1].Already || len(first.UnderMinISR) != 3 {
		t.Errorf("%+v", first)
	}
	// 4 is down before its round, and so stays down.
	if !slices.Equal(second.Nodes, []int32{2}) || len(second.Offline) != 1 || !slices.Equal(r.Idle, []Idle{{Step: 2, Node: 4, Down: true}}) {
		t.Errorf("%+v, %+v", second, r.Idle)
	}
	if len(r.Offline) != 1 || !r.Offline[0].Already || r.After.Brokers[2].Down || !r.After.Brokers[3].Down {
		t.Errorf("%+v", r.Outcome)
	}
	if _, err := Roll(c, StopRacks("a"), Crash(9)); !errors.Is(err, ErrUnknownNode) || err.Error() != "round 2: no such node as 9; there are 1, 2, 3, 4" {
		t.Error(err)
	}
	if empty, err := Roll(c); err != nil || empty.Rounds == nil || empty.Partitions == nil {
		t.Errorf("%v, %+v", err, empty)
	}
}
