package predict

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// twin is one partition as the controller's event log has it, with sets and nothing
// else: slow, and meant to be read beside KIP-966.
type twin struct {
	fixed    Partition
	min      int
	elrOn    bool
	leader   int32
	isr, elr set
	last     set
}

type set map[int32]bool

func newSet(ids []int32) set {
	s := set{}
	for _, id := range ids {
		s[id] = true
	}
	return s
}

func (s set) minus(id int32) set { c := s.plus(); delete(c, id); return c }
func (s set) plus(ids ...int32) set {
	c := set{}
	for id := range s {
		c[id] = true
	}
	for _, id := range ids {
		c[id] = true
	}
	return c
}

func (s set) String() string {
	ids := []int32{}
	for id := range s {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return fmt.Sprint(ids)
}

func (w twin) String() string {
	return fmt.Sprintf("leader %d isr %v elr %v last %v", w.leader, w.isr, w.elr, w.last)
}

// shrinkOrGrow changes the ISR. Those who leave while too few remain become eligible,
// but not one that crashed.
func (w *twin) shrinkOrGrow(isr set, crashed int32) {
	eligible := set{}
	if len(isr) < w.min && w.elrOn {
		for _, id := range w.fixed.Replicas {
			if (w.isr[id] || w.elr[id]) && !isr[id] && id != crashed {
				eligible[id] = true
			}
		}
	}
	w.elr = eligible
	if len(isr) > 0 || w.elrOn {
		w.isr = isr
	}
}

// lead gives the partition a leader if the one that it has may not go on, given who is
// alive and what the ISR is to be.
func (w *twin) lead(isr set, alive func(int32) bool, uncleanToo bool) {
	may := func(id int32) bool {
		return alive(id) && !slices.Contains(w.fixed.FailedReplicas, id)
	}
	if w.leader != NoLeader && isr[w.leader] && may(w.leader) {
		return
	}
	old := w.leader
	w.leader = NoLeader
	var candidates []int32
	for _, id := range w.fixed.Replicas {
		if isr[id] && may(id) {
			candidates = append(candidates, id)
		}
	}
	lossy := false
	if len(candidates) == 0 && len(isr) == 0 {
		for _, id := range w.fixed.Replicas {
			if w.elr[id] && may(id) {
				candidates = append(candidates, id)
			}
		}
		if len(candidates) > 0 {
			w.isr = newSet(candidates[:1])
			w.elr = w.elr.minus(candidates[0])
		}
	}
	if len(candidates) == 0 && w.elrOn && len(isr) == 0 && len(w.elr) == 0 && len(w.last) == 1 {
		for id := range w.last {
			if may(id) {
				candidates, lossy = append(candidates, id), true
			}
		}
	}
	if len(candidates) == 0 && uncleanToo {
		for _, id := range w.fixed.Replicas {
			if may(id) {
				candidates, lossy = append(candidates, id), true
			}
		}
	}
	if len(candidates) > 0 {
		w.leader = candidates[0]
	}
	if lossy {
		w.isr, w.elr = newSet(candidates[:1]), set{}
	}
	if w.elrOn && w.leader != NoLeader {
		w.last = set{}
	} else if w.elrOn && old != NoLeader && len(w.last) == 0 {
		w.last = newSet([]int32{old})
	}
}

func (w *twin) fence(id int32, alive func(int32) bool) {
	if w.isr[id] {
		isr := w.isr.minus(id)
		w.shrinkOrGrow(isr, NoLeader)
		w.lead(isr, alive, w.fixed.Unclean)
	}
}

func (w *twin) register(id int32, clean bool, alive func(int32) bool) {
	if w.isr[id] || w.elr[id] {
		isr := w.isr.minus(id)
		switch {
		case w.elrOn && !clean:
			w.shrinkOrGrow(isr, id)
			w.lead(isr, alive, w.fixed.Unclean)
		case w.isr[id]:
			w.shrinkOrGrow(isr, NoLeader)
			w.lead(isr, alive, w.fixed.Unclean)
		}
	}
}

func (w *twin) unfence(alive func(int32) bool) {
	if w.leader == NoLeader {
		if len(w.isr) >= w.min {
			w.elr = set{}
		}
		w.lead(w.isr, alive, w.fixed.Unclean)
	}
}

func (w *twin) catchUp(alive func(int32) bool) {
	if w.leader == NoLeader || !alive(w.leader) {
		return
	}
	isr := w.isr.plus()
	for _, id := range w.fixed.Replicas {
		if alive(id) && !slices.Contains(w.fixed.FailedReplicas, id) {
			isr[id] = true
		}
	}
	w.shrinkOrGrow(isr, NoLeader)
}

// twinStep returns all partitions that one may become, by every order of the nodes.
func twinStep(w twin, step Step, brokers []Broker) []twin {
	var all []twin
	for _, order := range permutations(step.nodes) {
		one := w
		up := set{}
		clean := set{}
		for _, b := range brokers {
			if !b.Fenced {
				up[b.ID] = true
			}
			clean[b.ID] = b.Clean
		}
		led := one.leader
		for _, id := range order {
			switch {
			case step.kind == comeBack && !up[id]:
				one.register(id, clean[id], func(other int32) bool { return up[other] && other != id })
				up[id] = true
				one.unfence(func(other int32) bool { return up[other] })
			case step.kind != comeBack && up[id]:
				delete(up, id)
				one.fence(id, func(other int32) bool { return up[other] })
			}
		}
		if step.kind == comeBack && slices.ContainsFunc(step.nodes, func(id int32) bool { return slices.Contains(one.fixed.Replicas, id) }) || one.leader != led {
			one.catchUp(func(id int32) bool { return up[id] })
		}
		all = append(all, one)
	}
	return all
}

func permutations(ids []int32) [][]int32 {
	if len(ids) <= 1 {
		return [][]int32{ids}
	}
	var all [][]int32
	for i := range ids {
		for _, rest := range permutations(append(slices.Clone(ids[:i]), ids[i+1:]...)) {
			all = append(all, append([]int32{ids[i]}, rest...))
		}
	}
	return all
}

// TestTheModelDoesAsItsTwin compares both after each of some steps, on random clusters.
func TestTheModelDoesAsItsTwin(t *testing.T) {
	decided := map[Rule]int{}
	for seed := range uint64(4_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := randomCluster(random)
		var played []string
		for range 6 {
			step := randomStep(random, c)
			played = append(played, fmt.Sprintf("%v %v", step.kind, step.nodes))
			o, err := Run(c, step)
			if err != nil {
				t.Fatal(err)
			}
			changes := map[int]Change{}
			for _, change := range o.Partitions {
				changes[int(change.Partition)] = change
				decided[change.Reason]++
			}
			for i, before := range c.Partitions {
				w := twin{
					// The controller goes by the replicas of partition 0.
					min:   max(1, min(before.MinISR, len(c.Partitions[0].Replicas))),
					fixed: before, elrOn: c.ELR,
					leader: before.Leader, isr: newSet(before.ISR), elr: newSet(before.ELR), last: newSet(before.LastKnownELR),
				}
				possible := twinStep(w, step, c.Brokers)
				after := o.After.Partitions[i]
				got := twin{leader: after.Leader, isr: newSet(after.ISR), elr: newSet(after.ELR), last: newSet(after.LastKnownELR)}
				if got.String() != possible[0].String() {
					t.Fatalf("seed %d, %s: partition %+v\nbecomes   %v\nits twin  %v", seed, strings.Join(played, ", "), before, got, possible[0])
				}
				leaders, said := set{}, newSet(changes[i].Alternatives).plus(after.Leader)
				for _, one := range possible {
					leaders[one.leader] = true
				}
				if leaders.String() != said.String() {
					t.Fatalf("seed %d, %s: partition %+v is led by one of %v, and its twin by one of %v", seed, strings.Join(played, ", "), before, said, leaders)
				}
			}
			c = o.After
		}
	}
	for _, rule := range []Rule{RuleInSync, RuleELR, RuleLastKnownLeader, RuleUnclean, RuleNoLeader} {
		if decided[rule] < 200 {
			t.Errorf("the rule %s decided %d partitions only: %v", rule, decided[rule], decided)
		}
	}
}

// randomCluster has no voters, so it never lacks a majority. Some replicas lag.
func randomCluster(random *rand.Rand) Cluster {
	c := Cluster{ELR: random.IntN(4) > 0}
	n := 2 + random.IntN(5)
	for id := range n {
		c.Brokers = append(c.Brokers, Broker{ID: int32(id)})
	}
	for i := range 4 {
		p := Partition{Topic: "t", Partition: int32(i), MinISR: 1 + random.IntN(3), Unclean: random.IntN(3) == 0}
		for _, id := range random.Perm(n)[:1+random.IntN(n)] {
			p.Replicas = append(p.Replicas, int32(id))
		}
		for _, id := range p.Replicas {
			if random.IntN(4) > 0 {
				p.ISR = append(p.ISR, id)
			}
		}
		if len(p.ISR) == 0 {
			p.ISR = p.Replicas[:1]
		}
		p.Leader = p.ISR[random.IntN(len(p.ISR))]
		if len(p.Replicas) > 1 && random.IntN(8) == 0 {
			if failed := p.Replicas[random.IntN(len(p.Replicas))]; !slices.Contains(p.ISR, failed) {
				p.FailedReplicas = []int32{failed}
			}
		}
		c.Partitions = append(c.Partitions, p)
	}
	return c
}

// randomStep takes up to three nodes down, or brings some back.
func randomStep(random *rand.Rand, c Cluster) Step {
	var up, down []int32
	for _, b := range c.Brokers {
		if b.Down {
			down = append(down, b.ID)
		} else {
			up = append(up, b.ID)
		}
	}
	for _, ids := range [][]int32{up, down} {
		random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	}
	some := func(ids []int32) []int32 { return ids[:min(len(ids), 1+random.IntN(3))] }
	switch kind := random.IntN(3); {
	case len(down) > 0 && (kind == 0 || len(up) == 0):
		return Return(some(down)...)
	case kind == 1:
		return Stop(some(up)...)
	default:
		return Crash(some(up)...)
	}
}
