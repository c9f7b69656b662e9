package predict

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRegisteringAndUnfencingInterleave has brokers that come back at once register and be
// unfenced in every order in which each registers before it is unfenced: nobody leads then
// whom the model does not name.
func TestRegisteringAndUnfencingInterleave(t *testing.T) {
	for seed := range uint64(3_000) {
		random := rand.New(rand.NewPCG(seed, 5))
		c := randomCluster(random)
		for range 6 {
			step := randomStep(random, c)
			o, err := Run(c, step)
			if err != nil {
				t.Fatal(err)
			}
			if step.kind == comeBack && len(step.nodes) > 1 {
				for i, before := range c.Partitions {
					said := []int32{o.After.Partitions[i].Leader}
					for _, change := range o.Partitions {
						if change.Partition == before.Partition {
							said = append(said, change.Alternatives...)
						}
					}
					for _, leader := range interleaved(before, c, step.nodes) {
						if !slices.Contains(said, leader) {
							t.Fatalf("seed %d: %+v may be led by %d after the return of %v, and the model names %v", seed, before, leader, step.nodes, said)
						}
					}
				}
			}
			c = o.After
		}
	}
}

// interleaved returns who leads the partition after any such order.
func interleaved(p Partition, c Cluster, nodes []int32) []int32 {
	var leaders []int32
	clean := map[int32]bool{}
	up := set{}
	for _, b := range c.Brokers {
		clean[b.ID] = b.Clean
		if !b.Fenced {
			up[b.ID] = true
		}
	}
	var play func(w twin, up set, registered set)
	play = func(w twin, up set, registered set) {
		done := true
		for _, n := range nodes {
			switch {
			case !registered[n]:
				done = false
				next := w
				next.register(n, clean[n], func(o int32) bool { return up[o] && o != n })
				play(next, up, registered.plus(n))
			case !up[n]:
				done = false
				next := w
				more := up.plus(n)
				next.unfence(func(o int32) bool { return more[o] })
				play(next, more, registered)
			}
		}
		if done && !slices.Contains(leaders, w.leader) {
			leaders = append(leaders, w.leader)
		}
	}
	first := c.Partitions[0]
	w := twin{fixed: p, min: max(1, min(p.MinISR, len(first.Replicas))), elrOn: c.ELR, leader: p.Leader, isr: newSet(p.ISR), elr: newSet(p.ELR), last: newSet(p.LastKnownELR)}
	play(w, up, set{})
	return leaders
}
