package predict

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
)

func TestWhatHoldsAfterAnySteps(t *testing.T) {
	holds := func(seed uint64) bool {
		random := rand.New(rand.NewPCG(seed, 2))
		c := randomCluster(random)
		for range 8 {
			step := randomStep(random, c)
			switch random.IntN(8) {
			case 0:
				step = ElectPreferred()
			case 1:
				step = ElectUnclean()
			}
			before, kept := c, reflect.ValueOf(deepCopy(c)).Interface()
			o, err := Run(c, step)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(before, kept) {
				t.Fatalf("seed %d: Run wrote to its argument", seed)
			}
			if again, _ := Run(c, step); !reflect.DeepEqual(o, again) {
				t.Fatalf("seed %d: the same arguments gave another outcome", seed)
			}
			c = o.After
			alive := func(id int32) bool {
				return slices.ContainsFunc(c.Brokers, func(b Broker) bool { return b.ID == id && !b.Down })
			}
			for i, p := range c.Partitions {
				switch {
				case p.Leader != NoLeader && !alive(p.Leader):
					t.Fatalf("seed %d: %+v is led by a broker that is down", seed, p)
				case p.Leader != NoLeader && !slices.Contains(p.ISR, p.Leader):
					t.Fatalf("seed %d: %+v is led by a broker that is not in sync", seed, p)
				case !subset(p.ISR, p.Replicas), !subset(p.ELR, p.Replicas), intersects(p.ISR, p.ELR):
					t.Fatalf("seed %d: ISR and ELR do not fit: %+v", seed, p)
				case len(p.ISR) == 0 && !c.ELR:
					t.Fatalf("seed %d: an ISR is empty without ELR: %+v", seed, p)
				case p.Leader == NoLeader && slices.ContainsFunc(p.ISR, alive):
					t.Fatalf("seed %d: offline with a replica in sync: %+v", seed, p)
				case p.Unclean && p.Leader == NoLeader && slices.ContainsFunc(p.Replicas, func(id int32) bool { return alive(id) && !slices.Contains(p.FailedReplicas, id) }) && step.kind != electPreferred:
					t.Fatalf("seed %d: offline though unclean election is allowed: %+v", seed, p)
				}
				if offline := slices.ContainsFunc(o.Offline, func(off OfflinePartition) bool { return off.TopicPartition == o.name(i) }); offline != (p.Leader == NoLeader) {
					t.Fatalf("seed %d: %+v among the offline ones: %v", seed, p, offline)
				}
			}
			for _, change := range o.Partitions {
				p := before.Partitions[change.Partition]
				if change.Reason == RuleUnclean && !p.Unclean && step.kind != electUnclean {
					t.Fatalf("seed %d: unclean election where it is not allowed: %+v", seed, change)
				}
			}
		}
		return true
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 2_000}); err != nil {
		t.Error(err)
	}
}

// TestAllPartitionsLeadOnceEverybodyIsBack holds whatever crashed in which order, as
// no disk failed.
func TestAllPartitionsLeadOnceEverybodyIsBack(t *testing.T) {
	for seed := range uint64(2_000) {
		random := rand.New(rand.NewPCG(seed, 3))
		c := randomCluster(random)
		for i := range c.Partitions {
			c.Partitions[i].FailedReplicas = nil
			c.Partitions[i].ISR = c.Partitions[i].Replicas
		}
		var steps []Step
		for range 5 {
			step := randomStep(random, c)
			steps = append(steps, step)
		}
		var all []int32
		for _, b := range c.Brokers {
			all = append(all, b.ID)
		}
		o, err := Run(c, append(steps, Return(all...), ElectPreferred())...)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.After.Partitions {
			if p.Leader != p.Replicas[0] || len(p.ISR) != len(p.Replicas) || len(p.ELR)+len(p.LastKnownELR) > 0 && c.ELR {
				t.Fatalf("seed %d: %+v", seed, p)
			}
		}
	}
}

func TestStepsMayBeRunOneByOne(t *testing.T) {
	for seed := range uint64(2_000) {
		random := rand.New(rand.NewPCG(seed, 4))
		c := randomCluster(random)
		one, err := Run(c, Crash(0), Return(0), Stop(1), Crash(0))
		if err != nil {
			t.Fatal(err)
		}
		stepwise := c
		for _, step := range []Step{Crash(0), Return(0), Stop(1), Crash(0)} {
			o, err := Run(stepwise, step)
			if err != nil {
				t.Fatal(err)
			}
			stepwise = o.After
		}
		if !reflect.DeepEqual(one.After, stepwise) {
			t.Fatalf("seed %d: at once %+v, one by one %+v", seed, one.After, stepwise)
		}
	}
}

func TestANodeThatIsNotThere(t *testing.T) {
	c := Cluster{Brokers: []Broker{{ID: 1}}, Voters: []Voter{{ID: 3000}}}
	if _, err := Run(c, Crash(1), Crash(9)); !errors.Is(err, ErrUnknownNode) || err.Error() != "step 2: no such node as 9; there are 1, 3000" {
		t.Error(err)
	}
	if _, err := Run(c, Crash(3000)); err != nil {
		t.Error(err)
	}
}

func TestARackGoesWithAllOfIts(t *testing.T) {
	c := Cluster{Brokers: []Broker{{ID: 1, Rack: "a"}, {ID: 2, Rack: "b"}, {ID: 3, Rack: "a"}, {ID: 4}}}
	o, err := Run(c, CrashRacks("a"))
	if err != nil {
		t.Fatal(err)
	}
	for i, down := range []bool{true, false, true, false} {
		if b := o.After.Brokers[i]; b.Down != down {
			t.Errorf("%+v", b)
		}
	}
	if _, err := Run(c, StopRacks("b"), StopRacks("c")); !errors.Is(err, ErrUnknownRack) || err.Error() != `step 2: no such rack as "c"; there are "a", "b"` {
		t.Error(err)
	}
}

func (o Outcome) name(i int) TopicPartition {
	return TopicPartition{o.After.Partitions[i].Topic, o.After.Partitions[i].Partition}
}

func subset(a, b []int32) bool {
	return !slices.ContainsFunc(a, func(v int32) bool { return !slices.Contains(b, v) })
}

func deepCopy(c Cluster) Cluster {
	c.Brokers = slices.Clone(c.Brokers)
	c.Partitions = slices.Clone(c.Partitions)
	for i := range c.Partitions {
		p := &c.Partitions[i]
		p.Replicas, p.ISR, p.ELR, p.LastKnownELR = slices.Clone(p.Replicas), slices.Clone(p.ISR), slices.Clone(p.ELR), slices.Clone(p.LastKnownELR)
	}
	return c
}

func BenchmarkRun(b *testing.B) {
	c := Cluster{ELR: true}
	for id := range int32(30) {
		c.Brokers = append(c.Brokers, Broker{ID: id})
	}
	for i := range int32(100_000) {
		replicas := []int32{i % 30, (i + 7) % 30, (i + 11) % 30}
		c.Partitions = append(c.Partitions, Partition{Topic: "t", Partition: i, Replicas: replicas, ISR: replicas, Leader: replicas[0], MinISR: 2})
	}
	for b.Loop() {
		if _, err := Run(c, Crash(3, 4)); err != nil {
			b.Fatal(err)
		}
	}
}
