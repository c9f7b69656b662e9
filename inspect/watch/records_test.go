package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// loggedGroup is a coordinator with one group and its log.
type loggedGroup struct {
	random  *rand.Rand
	now     time.Time
	records []GroupRecord
	state   string
	members map[string]bool
	next    int // the number of the next member
}

func newLoggedGroup(seed uint64) *loggedGroup {
	g := &loggedGroup{random: rand.New(rand.NewPCG(seed, 2)), now: start, members: map[string]bool{}}
	g.join()
	for range g.random.IntN(4) {
		g.step()
	}
	return g
}

func (g *loggedGroup) join() {
	if len(g.records) == 0 {
		g.records = append(g.records, GroupRecord{Group: "g"}) // as Kafka does when it creates a group
	}
	g.members[fmt.Sprint("m", g.next)] = true
	g.next++
	g.state = "PreparingRebalance"
}

// step lets a moment pass, in which something may happen.
func (g *loggedGroup) step() {
	g.now = g.now.Add(time.Duration(1+g.random.IntN(300)) * time.Millisecond)
	switch g.random.IntN(6) {
	case 0:
		g.join()
	case 1: // somebody leaves
		if members := slices.Sorted(maps.Keys(g.members)); len(members) > 0 {
			delete(g.members, members[g.random.IntN(len(members))])
			g.state = "PreparingRebalance"
		}
	case 2, 3:
		if g.state == "PreparingRebalance" {
			g.complete()
		}
	}
}

func (g *loggedGroup) complete() {
	record := GroupRecord{Group: "g", Written: g.now, Generation: g.generation() + 1, Members: g.memberList()}
	if len(record.Members) > 0 {
		record.Leader = &record.Members[0].ID
	}
	g.records = append(g.records, record)
	if g.state = "Stable"; len(g.members) == 0 {
		g.state = "Empty"
	}
}

func (g *loggedGroup) recordOf(generation int32) GroupRecord {
	i := slices.IndexFunc(g.records, func(r GroupRecord) bool { return r.Generation == generation })
	return g.records[i]
}

func (g *loggedGroup) generation() int32 { return g.records[len(g.records)-1].Generation }

func (g *loggedGroup) memberList() []Member {
	all := []Member{}
	for i, id := range slices.Sorted(maps.Keys(g.members)) {
		all = append(all, member(id, int32(i)))
	}
	return all
}

// look describes the group: what is true at one moment between question and answer.
func (g *loggedGroup) look(d *Differ) (events []Event, generation int32) {
	look := GroupsLook{At: g.now, Node: 1}
	g.step()
	seen := Group{Group: "g", Type: "classic", State: g.state, Members: g.memberList(), OffsetsPartition: node(7)}
	if !seen.Settled() {
		for i := range seen.Members {
			seen.Members[i].Topics, seen.Members[i].Assigned = nil, nil
		}
	}
	look.Groups, generation = []Group{seen}, g.generation()
	g.step()
	look.Answered = g.now
	return d.Groups(look), generation
}

// read reads the log from an offset to its end, or not quite, and returns up to where.
func (g *loggedGroup) read(d *Differ, from, most int) ([]Event, int) {
	look := RecordsLook{At: g.now}
	g.step()
	to := min(len(g.records), from+most)
	if look.Records = slices.Clone(g.records[from:to]); to == len(g.records) {
		look.Partitions = []int32{7}
	}
	g.step()
	look.Answered = g.now
	return d.Records(look), to
}

// TestTheLogTellsEachGenerationAfterTheFirstLookOnce has a group rebalance at any moment
// while looks and readings of the log go on, and expects of what is told that it follows
// on the first look: nothing from before it, nothing left out, and nothing twice.
func TestTheLogTellsEachGenerationAfterTheFirstLookOnce(t *testing.T) {
	told := 0
	for seed := range uint64(600) {
		g := newLoggedGroup(seed)
		d := NewDiffer(Config{})
		at := len(g.records)
		d.Records(RecordsLook{At: g.now, Begun: []int32{7}})
		g.step()
		var events []Event
		var began int32 // the generation that the snapshot shows
		var empty bool
		for round := range 60 {
			if round == 50 { // it comes to rest
				g.complete()
				g.random = rand.New(quiet{})
			}
			more, generation := g.look(d)
			if len(more) > 0 && more[0].Snapshot != nil {
				t.Fatalf("seed %d: told before the log was read: %+v", seed, more)
			}
			most := 99
			if g.random.IntN(4) == 1 {
				most = 1
			}
			logged, to := g.read(d, at, most)
			if at = to; len(logged) > 0 && logged[0].Snapshot != nil {
				empty = len(logged[0].Snapshot.Groups[0].Members) == 0
				began, logged = generation, logged[1:]
			}
			events = slices.Concat(events, more, logged)
		}
		last := began
		for _, e := range events {
			if e.Kind != KindGeneration {
				continue
			}
			c := e.Generation
			if last == began && empty && *c.To == last+2 && len(g.recordOf(last+1).Members) == 0 {
				last++ // that it stayed empty is not told: the first record may be of the snapshot
			}
			if c.Source != SourceLog || *c.To != last+1 || c.From == nil && last > began+1 || c.From != nil && *c.From != last {
				t.Fatalf("seed %d: after generation %d of %d: %+v", seed, last, began, c)
			}
			if (c.ToLeader == nil) != (c.Members == 0) {
				t.Fatalf("seed %d: %+v", seed, c)
			}
			last = *c.To
			told++
		}
		if last != g.generation() {
			t.Fatalf("seed %d: told up to %d of %d", seed, last, g.generation())
		}
	}
	if told < 3_000 {
		t.Errorf("only %d generations were told", told)
	}
}

// quiet has nothing happen any more.
type quiet struct{}

func (quiet) Uint64() uint64 { return 1<<64 - 1 }

// TestWhatTheLogLeavesOutIsToldByLooks has the log fail for a while, with a gap
// or without: the members that are told add up to those that there are, no
// generation is told twice, and the log tells again in the end.
func TestWhatTheLogLeavesOutIsToldByLooks(t *testing.T) {
	for seed := range uint64(600) {
		g := newLoggedGroup(seed)
		d := NewDiffer(Config{})
		at := len(g.records)
		d.Records(RecordsLook{At: g.now, Begun: []int32{7}})
		members := map[string]bool{}
		highest := int32(-1)
		source := Source("")
		fold := func(events []Event) {
			for _, e := range events {
				switch {
				case e.Snapshot != nil:
					for _, m := range e.Snapshot.Groups[0].Members {
						members[m.ID] = true
					}
				case e.Generation != nil:
					c := e.Generation
					if source = c.Source; c.To != nil && *c.To <= highest {
						t.Fatalf("seed %d: after generation %d: %+v", seed, highest, c)
					}
					if c.To != nil {
						highest = *c.To
					}
					for _, m := range c.Joined {
						if members[m.ID] {
							t.Fatalf("seed %d: %s joined twice: %+v", seed, m.ID, c)
						}
						members[m.ID] = true
					}
					for _, m := range c.Left {
						if !members[m.ID] {
							t.Fatalf("seed %d: %s left twice: %+v", seed, m.ID, c)
						}
						delete(members, m.ID)
					}
				}
			}
		}
		rest := func(rounds int) {
			busy := g.random
			g.complete()
			g.random = rand.New(quiet{})
			for range rounds {
				events, _ := g.look(d)
				fold(events)
				events, at = g.read(d, at, 99)
				fold(events)
			}
			if !maps.Equal(members, g.members) {
				t.Fatalf("seed %d: there are %v, and told were %v", seed, g.members, members)
			}
			g.random = busy
		}
		for range 40 {
			events, _ := g.look(d)
			fold(events)
			switch g.random.IntN(4) {
			case 0: // it fails
			case 1:
				at = len(g.records)
				fold(d.Records(RecordsLook{At: g.now, Gaps: []int32{7}}))
			default:
				events, at = g.read(d, at, 99)
				fold(events)
			}
		}
		rest(6)
		g.join()
		rest(1)
		if source != SourceLog {
			t.Fatalf("seed %d: told by %q in the end", seed, source)
		}
	}
}

// TestALogThatIsNotReadIsNotWaitedForLong: what looks show is told when it was said that
// the log cannot be read, or after some time, and not again when it can be read.
func TestALogThatIsNotReadIsNotWaitedForLong(t *testing.T) {
	for name, test := range map[string]struct {
		fails bool
		until time.Duration
	}{
		"it fails": {true, 4 * time.Second},
		"it hangs": {false, 14 * time.Second},
	} {
		d := NewDiffer(Config{})
		seen := group("Stable", member("a", 0))
		seen.OffsetsPartition = node(7)
		d.Records(RecordsLook{At: after(0), Begun: []int32{7}})
		if e := looks(d, 1, seen); len(e) > 0 {
			t.Fatalf("%s: %+v", name, e)
		}
		if e := d.Records(RecordsLook{At: after(2), Partitions: []int32{7}}); len(e) != 1 || e[0].Snapshot == nil {
			t.Fatalf("%s: %+v", name, e)
		}
		seen.Members = append(seen.Members, member("b", 1))
		var told []Event
		at := time.Second
		for ; len(told) == 0 && at < time.Minute; at += time.Second {
			if test.fails {
				d.Failed(FailedLook{At: after(at), Part: "log", Node: node(1)})
			}
			told = looks(d, at, seen)
		}
		if len(told) != 1 || told[0].Generation.Source != SourcePoll || len(told[0].Generation.Joined) != 1 || at > test.until {
			t.Errorf("%s: at %v %+v", name, at, told)
		}
		record := GroupRecord{Group: "g", Generation: 2, Leader: &seen.Members[0].ID, Members: seen.Members}
		if e := d.Records(RecordsLook{At: after(at), Records: []GroupRecord{record}, Partitions: []int32{7}}); len(e) > 0 {
			t.Errorf("%s: told twice: %+v", name, e)
		}
		looks(d, at+time.Second, seen)
		d.Records(RecordsLook{At: after(at + 2*time.Second), Partitions: []int32{7}})
		record.Generation = 3
		if e := d.Records(RecordsLook{At: after(at + 3*time.Second), Records: []GroupRecord{record}, Partitions: []int32{7}}); len(e) != 0 {
			// The record of generation 2 was passed over, so this may be the same.
			t.Errorf("%s: %+v", name, e)
		}
		record.Generation, record.Members = 4, record.Members[:1]
		if e := d.Records(RecordsLook{At: after(at + 4*time.Second), Records: []GroupRecord{record}, Partitions: []int32{7}}); len(e) != 1 || e[0].Generation.Source != SourceLog || *e[0].Generation.From != 3 {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestALogThatIsNotWrittenIsNotWaitedFor: some servers keep groups elsewhere.
func TestALogThatIsNotWrittenIsNotWaitedFor(t *testing.T) {
	d := NewDiffer(Config{})
	seen := group("Stable", member("a", 0))
	seen.OffsetsPartition = node(7)
	d.Records(RecordsLook{At: after(0), Begun: []int32{7}})
	looks(d, time.Second, seen)
	d.Records(RecordsLook{At: after(2 * time.Second), Partitions: []int32{7}})
	seen.Members = append(seen.Members, member("b", 1))
	for n := range time.Duration(3) {
		e := looks(d, (2*n+3)*time.Second, seen)
		if told := len(e) > 0; told != (n == 2) {
			t.Fatalf("look %d: %+v", n, e)
		}
		d.Records(RecordsLook{At: after((2*n + 4) * time.Second), Partitions: []int32{7}})
	}
}

// TestAGroupOfTheSameNameBeginsAnew has a group deleted and made again between two looks.
func TestAGroupOfTheSameNameBeginsAnew(t *testing.T) {
	d := NewDiffer(Config{})
	seen := group("Stable", member("a", 0))
	seen.OffsetsPartition = node(7)
	d.Records(RecordsLook{At: after(0), Begun: []int32{7}})
	looks(d, 1, seen)
	d.Records(RecordsLook{At: after(2), Partitions: []int32{7}})
	records := []GroupRecord{
		{Group: "g", Generation: 8, Members: []Member{}},
		{Group: "g", Tombstone: true},
		{Group: "g", Generation: 0},
		{Group: "g", Generation: 1, Leader: &seen.Members[0].ID, Members: seen.Members},
	}
	e := d.Records(RecordsLook{At: after(3), Records: records, Partitions: []int32{7}})
	if len(e) != 4 || len(e[0].Generation.Left) != 1 || *e[0].Generation.To != 8 || e[1].Group.To != nil || e[2].Group.From != nil ||
		len(e[3].Generation.Joined) != 1 || *e[3].Generation.From != 0 || *e[3].Generation.To != 1 {
		t.Fatalf("%+v", e)
	}
}

// TestAGroupThatTheLogShowsFirstWasNotStableSinceItWasAbsent, and not for ever.
func TestAGroupThatTheLogShowsFirstWasNotStableSinceItWasAbsent(t *testing.T) {
	d := NewDiffer(Config{})
	d.Records(RecordsLook{At: after(0), Begun: []int32{7}})
	d.Groups(GroupsLook{At: after(0), Node: 1, Absent: []string{"g"}})
	d.Groups(GroupsLook{At: after(time.Second), Node: 1, Absent: []string{"g"}})
	seen := group("Stable", member("a", 0))
	record := GroupRecord{Group: "g", Generation: 1, Leader: &seen.Members[0].ID, Members: seen.Members}
	e := d.Records(RecordsLook{At: after(3 * time.Second), Answered: after(3 * time.Second), Records: []GroupRecord{record}, Partitions: []int32{7}})
	if len(e) != 2 || e[0].Group == nil || e[1].Generation == nil || e[1].Generation.NotStable != (Span{AtMost: Millis(2 * time.Second)}) {
		t.Fatalf("%+v", e)
	}
}

// TestTheLogSaysThatAStaticMemberWasReplaced: the record has the time at which the group
// became stable, which may be long ago, and nobody was stopped.
func TestTheLogSaysThatAStaticMemberWasReplaced(t *testing.T) {
	instance := "inst-b"
	static := func(id string) Member {
		m := member(id, 1)
		m.Instance = &instance
		return m
	}
	a, was, is := member("a", 0), static("b-1"), static("b-2")
	leader := "a"
	restart := GroupRecord{
		Group: "g", Written: start.Add(50 * time.Minute), Entered: start, Generation: 5, Leader: &leader, Members: []Member{a, is},
	}
	for _, before := range []*GroupRecord{nil, {Group: "g", Written: start, Entered: start, Generation: 5, Leader: &leader, Members: []Member{a, was}}} {
		d := NewDiffer(Config{})
		d.Records(RecordsLook{At: start, Begun: []int32{7}})
		d.Groups(GroupsLook{At: start, Groups: []Group{{Group: "g", Type: "classic", State: "Stable", OffsetsPartition: node(7), Members: []Member{a, was}}}})
		d.Records(RecordsLook{At: start.Add(time.Second), Partitions: []int32{7}})
		if before != nil {
			d.Records(RecordsLook{At: start.Add(2 * time.Second), Partitions: []int32{7}, Records: []GroupRecord{*before}})
		}
		events := d.Records(RecordsLook{At: restart.Written, Partitions: []int32{7}, Records: []GroupRecord{restart}})
		if len(events) != 1 || events[0].Generation == nil || len(events[0].Generation.Joined) != 1 || events[0].Generation.NotStable != (Span{}) {
			t.Errorf("%+v", events)
		}
	}
}
