package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// walkedGroups is a coordinator with groups that begin, rebalance, are converted, end and
// begin anew, at random, and the log that it writes.
type walkedGroups struct {
	random *rand.Rand
	now    time.Time
	groups map[string]*walkedGroup
	log    []GroupRecord
	next   int // the number of the next member
	rests  bool
	began  int // rebalances of groups that were settled
}

type walkedGroup struct {
	groupType  string
	state      string
	generation int32
	members    map[string]bool
}

func newWalkedGroups(seed uint64) *walkedGroups {
	w := &walkedGroups{random: rand.New(rand.NewPCG(seed, 3)), now: start, groups: map[string]*walkedGroup{}}
	for range 40 {
		w.step()
	}
	return w
}

// step lets a moment pass, in which something may happen to one of the groups.
func (w *walkedGroups) step() {
	w.now = w.now.Add(time.Duration(1+w.random.IntN(300)) * time.Millisecond)
	if w.rests {
		return
	}
	name := fmt.Sprint("g", w.random.IntN(3))
	g := w.groups[name]
	choice := w.random.IntN(16)
	if g == nil {
		if choice < 4 {
			g = &walkedGroup{groupType: typeClassic, members: map[string]bool{}}
			if choice == 0 {
				g.groupType = "consumer"
			} else {
				w.log = append(w.log, GroupRecord{Group: name, Written: w.now}) // as Kafka does when it creates a group
			}
			w.groups[name] = g
			w.join(g)
		}
		return
	}
	switch {
	case choice < 3:
		w.join(g)
	case choice < 6: // somebody leaves
		if members := slices.Sorted(maps.Keys(g.members)); len(members) > 0 {
			delete(g.members, members[w.random.IntN(len(members))])
			w.rebalance(g)
		}
	case choice < 12:
		w.complete(name, g)
	case choice == 12 && g.state == "Empty":
		w.delete(name, g)
		if w.random.IntN(2) == 0 {
			w.step()
		}
	case choice == 13 && g.state == "Stable": // a member of the new protocol joins, or the last of them leaves
		if g.groupType == typeClassic {
			w.log = append(w.log, GroupRecord{Group: name, Tombstone: true})
			g.groupType = "consumer"
			w.join(g)
			return
		}
		g.groupType = typeClassic
		w.rebalance(g)
	}
}

func (w *walkedGroups) delete(name string, g *walkedGroup) {
	if g.groupType == typeClassic {
		w.log = append(w.log, GroupRecord{Group: name, Tombstone: true})
	}
	delete(w.groups, name)
}

func (w *walkedGroups) join(g *walkedGroup) {
	g.members[fmt.Sprint("m", w.next)] = true
	w.next++
	w.rebalance(g)
}

func (w *walkedGroups) rebalance(g *walkedGroup) {
	if g.state == "Stable" || g.state == "Empty" {
		w.began++
	}
	if g.state = "PreparingRebalance"; g.groupType != typeClassic {
		g.state = "Reconciling"
		g.generation++
	}
}

func (w *walkedGroups) complete(name string, g *walkedGroup) {
	if g.state == "Stable" || g.state == "Empty" {
		return
	}
	if g.state = "Stable"; len(g.members) == 0 {
		g.state = "Empty"
	}
	if g.groupType != typeClassic {
		return
	}
	g.generation++
	record := GroupRecord{Group: name, Written: w.now, Generation: g.generation, Members: memberList(g.members)}
	if len(record.Members) > 0 {
		record.Leader = &record.Members[0].ID
	}
	w.log = append(w.log, record)
}

func memberList(members map[string]bool) []Member {
	all := []Member{}
	for i, id := range slices.Sorted(maps.Keys(members)) {
		all = append(all, member(id, int32(i)))
	}
	return all
}

// describe is what the coordinator says of all groups at this moment.
func (w *walkedGroups) describe(look GroupsLook) GroupsLook {
	look.Answered = w.now
	for n := range 3 {
		name := fmt.Sprint("g", n)
		g := w.groups[name]
		if g == nil {
			look.Absent = append(look.Absent, name)
			continue
		}
		seen := Group{Group: name, Type: g.groupType, State: g.state, Members: memberList(g.members), OffsetsPartition: node(7)}
		switch {
		case g.groupType != typeClassic:
			generation := g.generation
			seen.Generation = &generation
		case !seen.Settled():
			for i := range seen.Members {
				seen.Members[i].Topics, seen.Members[i].Assigned = nil, nil
			}
		}
		look.Groups = append(look.Groups, seen)
	}
	return look
}

// TestGroupsOfManyLivesAreToldOnce has looks and readings of the log go on beside each
// other, each asked for at one moment and answered at another, while groups begin,
// rebalance, are converted, end and begin anew. What is told has to follow on what was told
// before, and to lead to what is there.
func TestGroupsOfManyLivesAreToldOnce(t *testing.T) {
	for _, logged := range []bool{true, false} {
		kinds := map[string]int{}
		for seed := range uint64(400) {
			w := newWalkedGroups(seed)
			d, r := NewDiffer(Config{}), newReplay(t, seed)
			fold := func(events []Event) {
				t.Helper()
				for _, e := range events {
					kinds[string(e.Kind)]++
				}
				r.fold(events)
			}
			at := len(w.log)
			if logged {
				fold(d.Records(RecordsLook{At: w.now, Begun: []int32{7}}))
			}
			var looking *GroupsLook
			var reading *RecordsLook
			move := func() {
				switch choice := w.random.IntN(4); {
				case choice == 0 && looking == nil:
					looking = &GroupsLook{At: w.now, Node: 1}
				case choice == 1 && looking != nil:
					described := w.describe(*looking)
					if looking = nil; w.random.IntN(2) == 0 {
						w.step() // while the answer is under way
						described.Answered = w.now
					}
					fold(d.Groups(described))
				case choice == 2 && logged && reading == nil:
					reading = &RecordsLook{At: w.now}
				case choice == 3 && reading != nil:
					to := len(w.log)
					if w.random.IntN(4) == 0 {
						to = min(to, at+1)
					}
					if reading.Records = slices.Clone(w.log[at:to]); to == len(w.log) {
						reading.Partitions = []int32{7}
					}
					reading.Answered = w.now
					at = to
					fold(d.Records(*reading))
					reading = nil
				}
			}
			for range 300 {
				w.step()
				move()
			}
			w.rests = true
			for name, g := range w.groups {
				w.complete(name, g)
			}
			for range 200 {
				w.now = w.now.Add(100 * time.Millisecond)
				move()
			}
			if r.rebalances > w.began {
				t.Fatalf("logged %v, seed %d: %d rebalances were told to begin, and %d did", logged, seed, r.rebalances, w.began)
			}
			for name, g := range w.groups {
				told := r.groups[name]
				if told == nil || told.groupType != g.groupType || !told.settled || !maps.Equal(told.members, g.members) {
					t.Fatalf("logged %v, seed %d: the events lead to %+v of %s, and there is %+v", logged, seed, told, name, g)
				}
				if logged && g.groupType == typeClassic && told.generation != nil && *told.generation != g.generation {
					t.Fatalf("seed %d: generation %d of %s is told last, and there is %d", seed, *told.generation, name, g.generation)
				}
			}
			if len(r.groups) != len(w.groups) {
				t.Fatalf("logged %v, seed %d: the events lead to %v, and there are %v", logged, seed, slices.Sorted(maps.Keys(r.groups)), slices.Sorted(maps.Keys(w.groups)))
			}
		}
		if kinds["group"] < 1000 || kinds["generation"] < 1000 {
			t.Errorf("little is shown: %v", kinds)
		}
	}
}
