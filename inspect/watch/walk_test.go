package watch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestEventsAddUpToTheState walks a cluster at random, looks at it now and then, also
// through brokers that lag behind, and folds the events: they must lead from the
// snapshot to what is there, tell each election that was seen once, and count all that
// were not.
func TestEventsAddUpToTheState(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		cluster := map[int32]Partition{}
		for p := range int32(4) {
			epoch := int32(random.IntN(9))
			cluster[p] = Partition{Topic: "orders", Partition: p, Leader: node(1), LeaderEpoch: &epoch, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}
		}
		elections := int32(0)
		d := NewDiffer(Config{})
		var folded map[int32]Partition
		told := int32(0)
		var lastLook PartitionsLook
		look := func(at time.Time) {
			l := PartitionsLook{At: at, Brokers: []int32{1, 2, 3}}
			for _, p := range cluster {
				l.Partitions = append(l.Partitions, p)
			}
			// A broker that lags behind answers with what was.
			if len(lastLook.Partitions) > 0 && random.IntN(4) == 0 {
				for i, p := range lastLook.Partitions {
					if j := slices.IndexFunc(l.Partitions, func(q Partition) bool { return q.Partition == p.Partition }); *p.LeaderEpoch < *l.Partitions[j].LeaderEpoch {
						l.Partitions[j] = lastLook.Partitions[i]
					}
				}
			}
			lastLook = l
			for _, e := range d.Partitions(l) {
				switch e.Kind {
				case KindSnapshot:
					folded = map[int32]Partition{}
					for _, p := range e.Snapshot.Partitions {
						folded[p.Partition] = p
					}
				case KindLeader:
					p := folded[e.Leader.Partition]
					if !equal(p.Leader, e.Leader.From) || !equal(p.LeaderEpoch, e.Leader.FromEpoch) {
						t.Fatalf("seed %d: %+v begins elsewhere than at %+v", seed, e.Leader, p)
					}
					p.Leader, p.LeaderEpoch = e.Leader.To, e.Leader.ToEpoch
					folded[p.Partition] = p
					told += 1 + e.Leader.Unseen
				case KindISR:
					p := folded[e.ISR.Partition]
					if !slices.Equal(slices.Sorted(slices.Values(append(without(p.ISR, e.ISR.Left), e.ISR.Joined...))), slices.Sorted(slices.Values(e.ISR.ISR))) {
						t.Fatalf("seed %d: %+v does not follow from %v", seed, e.ISR, p.ISR)
					}
					p.ISR = e.ISR.ISR
					folded[p.Partition] = p
				default:
					t.Fatalf("seed %d: %+v", seed, e)
				}
			}
		}
		look(start)
		for tick := range 200 {
			p := cluster[int32(random.IntN(len(cluster)))]
			switch random.IntN(3) {
			case 0: // an election, which may leave no leader
				epoch := *p.LeaderEpoch + 1
				p.Leader, p.LeaderEpoch = node(int32(random.IntN(4))-1), &epoch
				if p.Leader != nil && *p.Leader == 0 {
					p.Leader = node(3)
				}
				elections++
			case 1:
				p.ISR = []int32{}
				for _, n := range p.Replicas {
					if random.IntN(3) > 0 {
						p.ISR = append(p.ISR, n)
					}
				}
			}
			cluster[p.Partition] = p
			if random.IntN(2) == 0 {
				look(start.Add(time.Duration(tick+1) * time.Second))
			}
		}
		lastLook = PartitionsLook{}
		look(start.Add(time.Hour))
		if !reflect.DeepEqual(folded, cluster) {
			t.Fatalf("seed %d: the events lead to %+v, and there is %+v", seed, folded, cluster)
		}
		if told != elections {
			t.Fatalf("seed %d: %d elections are told or counted, and there were %d", seed, told, elections)
		}
		if again := d.Partitions(PartitionsLook{At: start.Add(2 * time.Hour), Brokers: []int32{3, 2, 1}, Partitions: slices.Collect(valuesOf(cluster))}); len(again) > 0 {
			t.Fatalf("seed %d: told again: %+v", seed, again)
		}
	}
}

func valuesOf(m map[int32]Partition) func(func(Partition) bool) {
	return func(yield func(Partition) bool) {
		for _, p := range m {
			if !yield(p) {
				return
			}
		}
	}
}

// TestGenerationsAddUp walks a group at random and looks at it by polls and by the log,
// each at times of its own: every generation is told, or counted as unseen, once.
func TestGenerationsAddUp(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		d := NewDiffer(Config{})
		partition := int32(0)
		group := Group{Group: "g", Type: "classic", State: "Stable", OffsetsPartition: &partition, Members: []Member{{MemberRef: MemberRef{ID: "m0"}, Assigned: []TopicPartitions{}}}}
		generation, next := int32(7), 1
		var written []GroupRecord
		members := map[string]bool{"m0": true}
		seen := int32(-1)
		fold := func(events []Event) {
			for _, e := range events {
				if e.Kind != KindGeneration {
					continue
				}
				g := e.Generation
				if g.Source != SourceLog {
					t.Fatalf("seed %d: told from polls although the log is read: %+v", seed, g)
				}
				for _, m := range g.Joined {
					if members[m.ID] {
						t.Fatalf("seed %d: %s joins twice", seed, m.ID)
					}
					members[m.ID] = true
				}
				for _, m := range g.Left {
					if !members[m.ID] {
						t.Fatalf("seed %d: %s leaves and was not there", seed, m.ID)
					}
					delete(members, m.ID)
				}
				if seen >= 0 && (g.From == nil || *g.From != seen || *g.Unseen != *g.To-*g.From-1) {
					t.Fatalf("seed %d: %+v does not follow on %d", seed, g, seen)
				}
				seen = *g.To
				if len(members) != g.Members {
					t.Fatalf("seed %d: %d members, and %v", seed, g.Members, members)
				}
			}
		}
		at, unread := start, 0
		fold(d.Groups(GroupsLook{At: at, Node: 1, Groups: []Group{group}}))
		fold(d.Records(RecordsLook{At: at, Partitions: []int32{0}}))
		for range 150 {
			at = at.Add(time.Second)
			choice := random.IntN(5)
			if unread++; unread > 4 { // the log is read every few seconds
				choice = 3
			}
			switch choice {
			case 0: // a rebalance, in which somebody joins or leaves or nobody does
				generation++
				all := slices.Clone(group.Members)
				switch random.IntN(3) {
				case 0:
					all = append(all, Member{MemberRef: MemberRef{ID: fmt.Sprintf("m%d", next)}, Assigned: []TopicPartitions{}})
					next++
				case 1:
					if len(all) > 1 {
						all = all[1:]
					}
				}
				group.Members, group.State = all, "Stable"
				written = append(written, GroupRecord{Group: "g", Written: at, Generation: generation, Leader: &all[0].ID, Members: all})
			case 1:
				group.State = "PreparingRebalance"
			case 2:
				fold(d.Groups(GroupsLook{At: at, Node: 1, Groups: []Group{group}}))
			case 3:
				unread = 0
				fold(d.Records(RecordsLook{At: at, Partitions: []int32{0}, Records: written}))
				if random.IntN(3) > 0 { // at times the same is read again
					written = nil
				}
			}
		}
		fold(d.Records(RecordsLook{At: at, Partitions: []int32{0}, Records: written}))
		if generation > 7 && seen != generation {
			t.Fatalf("seed %d: the last one told is %d, and it is %d", seed, seen, generation)
		}
		if len(members) != len(group.Members) {
			t.Fatalf("seed %d: events leave %v, and there are %v", seed, members, group.Members)
		}
	}
}
