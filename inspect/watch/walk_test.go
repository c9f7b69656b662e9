package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// walkedCluster changes at random.
type walkedCluster struct {
	random  *rand.Rand
	brokers map[int32]string
	topics  map[string]map[int32]Partition
	next    byte // the ID of the next topic
	last    PartitionsLook
	// first and highest are the epochs that looks showed.
	first, highest map[seenPartition]int32
}

type seenPartition struct {
	id        [16]byte
	partition int32
}

func newWalkedCluster(seed uint64) *walkedCluster {
	w := &walkedCluster{
		random: rand.New(rand.NewPCG(seed, 1)), brokers: map[int32]string{}, topics: map[string]map[int32]Partition{},
		first: map[seenPartition]int32{}, highest: map[seenPartition]int32{},
	}
	for node := int32(1); node <= 4; node++ {
		w.brokers[node] = fmt.Sprintf("host:%d", node)
	}
	w.create("orders", 4)
	return w
}

func (w *walkedCluster) create(topic string, partitions int) {
	w.next++
	w.topics[topic] = map[int32]Partition{}
	w.grow(topic, partitions, [16]byte{w.next})
}

func (w *walkedCluster) grow(topic string, partitions int, id [16]byte) {
	for range partitions {
		number, epoch := int32(len(w.topics[topic])), int32(w.random.IntN(9))
		w.topics[topic][number] = Partition{
			Topic: topic, TopicID: id, Partition: number, Leader: node(1), LeaderEpoch: &epoch, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3},
		}
	}
}

// step has something happen.
func (w *walkedCluster) step() {
	topic := []string{"orders", "payments"}[w.random.IntN(2)]
	partitions, exists := w.topics[topic]
	number := int32(w.random.IntN(max(1, len(partitions))))
	p := partitions[number]
	switch choice := w.random.IntN(20); {
	case choice == 0:
		if number := int32(1 + w.random.IntN(4)); w.brokers[number] == "" {
			w.brokers[number] = fmt.Sprintf("host:%d", w.random.IntN(9))
		} else {
			delete(w.brokers, number)
		}
	case choice == 1:
		if number := int32(1 + w.random.IntN(4)); w.brokers[number] != "" {
			w.brokers[number] = fmt.Sprintf("host:%d", w.random.IntN(9))
		}
	case !exists:
		if choice < 6 {
			w.create(topic, 1+w.random.IntN(4))
		}
	case choice == 2:
		delete(w.topics, topic)
		if w.random.IntN(2) == 0 {
			w.create(topic, 1+w.random.IntN(4))
		}
	case choice == 3:
		w.grow(topic, 1+w.random.IntN(2), p.TopicID)
	case choice < 12: // an election, which may leave no leader
		epoch := *p.LeaderEpoch + 1
		p.Leader, p.LeaderEpoch = node([]int32{-1, 1, 2, 3}[w.random.IntN(4)]), &epoch
		partitions[number] = p
	case choice < 14: // the replicas are moved
		p.Replicas = [][]int32{{1, 2, 3}, {3, 2, 1}, {2, 3, 4}}[w.random.IntN(3)]
		partitions[number] = p
	default:
		p.ISR = []int32{}
		for _, n := range p.Replicas {
			if w.random.IntN(3) > 0 {
				p.ISR = append(p.ISR, n)
			}
		}
		slices.Sort(p.ISR) // another order is no change
		partitions[number] = p
	}
}

// look shows what is there, at times through a broker that has yet to hear of elections.
func (w *walkedCluster) look(at time.Duration, mayLag bool) PartitionsLook {
	l := PartitionsLook{At: start.Add(at), Addresses: maps.Clone(w.brokers)}
	for node := range w.brokers {
		l.Brokers = append(l.Brokers, node)
	}
	lags := mayLag && w.random.IntN(4) == 0
	for _, partitions := range w.topics {
		for _, p := range partitions {
			i := slices.IndexFunc(w.last.Partitions, func(was Partition) bool { return was.TopicID == p.TopicID && was.Partition == p.Partition })
			if lags && i >= 0 && *w.last.Partitions[i].LeaderEpoch < *p.LeaderEpoch {
				p = w.last.Partitions[i]
			}
			l.Partitions = append(l.Partitions, p)
			key := seenPartition{p.TopicID, p.Partition}
			if _, seen := w.first[key]; !seen {
				w.first[key] = *p.LeaderEpoch
			}
			w.highest[key] = max(w.highest[key], *p.LeaderEpoch)
		}
	}
	w.last = l
	return l
}

// elections counts those between the first look at each partition and the last.
func (w *walkedCluster) elections() int32 {
	n := int32(0)
	for key, highest := range w.highest {
		n += highest - w.first[key]
	}
	return n
}

// TestEventsAddUpToTheState walks a cluster at random, looks at it now and then, also
// through brokers that lag behind, and replays the events: they must lead from the
// snapshot to what is there, each told once, with every election told or counted.
func TestEventsAddUpToTheState(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(400) {
		w := newWalkedCluster(seed)
		d, r := NewDiffer(Config{}), newReplay(t, seed)
		fold := func(events []Event) {
			t.Helper()
			for _, e := range events {
				kinds[string(e.Kind)]++
				if e.Topic != nil && e.Topic.Anew {
					kinds["anew"]++
				}
				if e.Leader != nil && e.Leader.Unseen > 0 {
					kinds["unseen"]++
				}
			}
			r.fold(events)
		}
		fold(d.Partitions(w.look(0, false)))
		maps.Copy(r.brokers, w.brokers) // a snapshot has no addresses
		for tick := range 200 {
			if w.step(); w.random.IntN(2) == 0 {
				fold(d.Partitions(w.look(time.Duration(tick+1)*time.Second, true)))
			}
		}
		fold(d.Partitions(w.look(time.Hour, false)))
		if !reflect.DeepEqual(r.partitions, w.topics) {
			t.Fatalf("seed %d: the events lead to %+v, and there is %+v", seed, r.partitions, w.topics)
		}
		if !maps.Equal(r.brokers, w.brokers) {
			t.Fatalf("seed %d: the events lead to the brokers %v, and there are %v", seed, r.brokers, w.brokers)
		}
		if n := w.elections(); r.elections != n {
			t.Fatalf("seed %d: %d elections are told or counted, and there were %d", seed, r.elections, n)
		}
		if again := d.Partitions(w.look(2*time.Hour, false)); len(again) > 0 {
			t.Fatalf("seed %d: told again: %+v", seed, again)
		}
	}
	for _, kind := range []string{"broker", "topic", "anew", "leader", "unseen", "isr"} {
		if kinds[kind] < 100 {
			t.Errorf("%d events of %s, so little is shown: %v", kinds[kind], kind, kinds)
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
