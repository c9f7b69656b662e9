package watch

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

func after(d time.Duration) time.Time { return start.Add(d) }

func member(id string, partitions ...int32) Member {
	m := Member{MemberRef: MemberRef{ID: id, ClientID: "c-" + id}, Topics: []string{"orders"}, Assigned: []TopicPartitions{}}
	if len(partitions) > 0 {
		m.Assigned = []TopicPartitions{{Topic: "orders", Partitions: partitions}}
	}
	return m
}

func group(state string, members ...Member) Group {
	return Group{Group: "g", Type: "classic", State: state, Members: members}
}

func ids(refs []MemberRef) []string {
	all := []string{}
	for _, r := range refs {
		all = append(all, r.ID)
	}
	return all
}

func looks(d *Differ, at time.Duration, g Group) []Event {
	return d.Groups(GroupsLook{At: after(at), Node: 1, Groups: []Group{g}})
}

func TestARebalanceIsToldByPolls(t *testing.T) {
	d := NewDiffer(Config{})
	if e := looks(d, 0, group("Stable", member("a", 0, 1))); len(e) != 1 || e[0].Kind != KindSnapshot || len(e[0].Snapshot.Groups) != 1 {
		t.Fatalf("%+v", e)
	}
	bare := group("PreparingRebalance", Member{MemberRef: MemberRef{ID: "a"}}, Member{MemberRef: MemberRef{ID: "b"}})
	e := looks(d, 1*time.Second, bare)
	if len(e) != 1 || e[0].Kind != KindGroup || *e[0].Group.From != "Stable" || *e[0].Group.To != "PreparingRebalance" {
		t.Fatalf("%+v", e)
	}
	bare.State = "CompletingRebalance"
	if e := looks(d, 3*time.Second, bare); len(e) > 0 {
		t.Fatalf("told between: %+v", e)
	}
	e = looks(d, 4*time.Second, group("Stable", member("a", 0), member("b", 1)))
	if len(e) != 1 || e[0].Kind != KindGeneration {
		t.Fatalf("%+v", e)
	}
	g := e[0].Generation
	if g.From != nil || g.To != nil || g.Unseen != nil || g.ToLeader != nil || g.Source != SourcePoll {
		t.Errorf("polls do not know generations and leaders: %+v", g)
	}
	if !reflect.DeepEqual(ids(g.Joined), []string{"b"}) || len(g.Left) > 0 || g.Moved == nil || *g.Moved != 1 {
		t.Errorf("%+v", g)
	}
	if g.NotStable.AtLeast.Duration() != 2*time.Second || g.NotStable.AtMost.Duration() != 4*time.Second {
		t.Errorf("not stable for %v to %v", g.NotStable.AtLeast, g.NotStable.AtMost)
	}
	if e := looks(d, 5*time.Second, group("Stable", member("a", 0), member("b", 1))); len(e) > 0 {
		t.Errorf("told twice: %+v", e)
	}
}

func TestARebalanceBetweenTwoLooksShows(t *testing.T) {
	joinedWith := func(m Member, generation int32) Member { m.JoinedWith = &generation; return m }
	for name, test := range map[string]struct {
		before, after Group
		unseen        *int32
		told          bool
	}{
		"nothing":               {group("Stable", member("a", 0)), group("Stable", member("a", 0)), nil, false},
		"another member":        {group("Stable", member("a", 0)), group("Stable", member("b", 0)), nil, true},
		"partitions moved":      {group("Stable", member("a", 0), member("b", 1)), group("Stable", member("a", 1), member("b", 0)), nil, true},
		"joined again":          {group("Stable", joinedWith(member("a", 0), 3)), group("Stable", joinedWith(member("a", 0), 4)), node(0), true},
		"joined again and more": {group("Stable", joinedWith(member("a", 0), 3)), group("Stable", joinedWith(member("a", 0), 7)), node(3), true},
		"all left":              {group("Stable", member("a", 0)), group("Empty"), nil, true},
	} {
		d := NewDiffer(Config{})
		looks(d, 0, test.before)
		e := looks(d, time.Second, test.after)
		if (len(e) > 0) != test.told || len(e) > 1 {
			t.Errorf("%s: %+v", name, e)
			continue
		}
		if test.told && !equal(e[0].Generation.Unseen, test.unseen) {
			t.Errorf("%s: unseen %v", name, e[0].Generation.Unseen)
		}
	}
}

func TestGroupsComeAndGo(t *testing.T) {
	d := NewDiffer(Config{})
	if e := d.Groups(GroupsLook{At: after(0), Node: 1, Absent: []string{"g"}}); len(e) != 1 || len(e[0].Snapshot.Absent) != 1 {
		t.Fatalf("%+v", e)
	}
	if e := d.Groups(GroupsLook{At: after(1), Node: 1, Absent: []string{"g"}}); len(e) > 0 {
		t.Fatalf("%+v", e)
	}
	if e := looks(d, 2, group("Stable", member("a", 0))); len(e) != 1 || e[0].Kind != KindGroup || e[0].Group.From != nil || *e[0].Group.To != "Stable" {
		t.Fatalf("%+v", e)
	}
	converted := group("Stable", member("a", 0))
	converted.Type, converted.Generation = "consumer", node(4)
	if e := looks(d, 3, converted); len(e) != 1 || e[0].Kind != KindGroup || *e[0].Group.FromType != "classic" || *e[0].Group.ToType != "consumer" {
		t.Fatalf("%+v", e)
	}
	converted.Generation = node(9)
	if e := looks(d, 4, converted); len(e) != 1 || e[0].Kind != KindGeneration || *e[0].Generation.From != 4 || *e[0].Generation.To != 9 || *e[0].Generation.Unseen != 4 {
		t.Fatalf("%+v", e)
	}
	if e := d.Groups(GroupsLook{At: after(5), Node: 1, Absent: []string{"g"}}); len(e) != 1 || e[0].Group.To != nil {
		t.Fatalf("%+v", e)
	}
	if e := d.Groups(GroupsLook{At: after(6), Node: 1, Groups: []Group{{Group: "h", Type: "classic", State: "Empty"}}, Appeared: []string{"h"}}); len(e) != 1 || e[0].Kind != KindGroup || e[0].Group.From != nil {
		t.Fatalf("%+v", e)
	}
}

func TestACoordinatorThatMovesIsToldForEachOfItsGroups(t *testing.T) {
	d := NewDiffer(Config{OnlyCoordinators: true})
	offsets := func(leader, epoch int32) PartitionsLook {
		p := part(leader, epoch, 1, 2)
		p.Topic = "__consumer_offsets"
		other := p
		other.Partition = 1
		return PartitionsLook{At: after(time.Duration(epoch) * time.Second), Brokers: []int32{leader, 3}, Partitions: []Partition{p, other}}
	}
	if e := d.Partitions(offsets(1, 1)); len(e) > 0 {
		t.Fatalf("%+v", e)
	}
	g := group("Stable")
	g.OffsetsPartition = node(0)
	looks(d, 0, g)
	e := d.Partitions(offsets(2, 2))
	if len(e) != 1 || e[0].Kind != KindCoordinator || e[0].Coordinator.Group != "g" || *e[0].Coordinator.From != 1 || *e[0].Coordinator.To != 2 || e[0].Coordinator.Cause != CauseBrokerGone {
		t.Fatalf("%+v", e)
	}
}

func TestLagStallsOnceAndGoesOnOnce(t *testing.T) {
	d := NewDiffer(Config{StallAfter: 10 * time.Second})
	looks(d, 0, group("Stable", member("a", 0)))
	look := func(at time.Duration, committed, end int64) []Event {
		return d.Offsets(OffsetsLook{At: after(at), Group: "g", Offsets: []Offset{
			{Topic: "orders", Partition: 0, Committed: committed, End: end},
			{Topic: "orders", Partition: 1, Committed: 1, End: 9}, // nobody owns it
		}})
	}
	for at, offsets := range [][2]int64{0: {5, 5}, 20: {5, 5}, 21: {5, 8}, 25: {5, 9}, 30: {5, 9}} {
		if offsets[1] > 0 {
			if e := look(time.Duration(at)*time.Second, offsets[0], offsets[1]); len(e) > 0 {
				t.Fatalf("at %d: %+v", at, e)
			}
		}
	}
	e := look(31*time.Second, 5, 9)
	if len(e) != 1 || !e[0].Lag.Stalled || e[0].Lag.Lag != 4 || e[0].Lag.For.Duration() != 10*time.Second || e[0].Lag.Owner.ID != "a" {
		t.Fatalf("%+v", e)
	}
	if e := look(60*time.Second, 5, 12); len(e) > 0 {
		t.Fatalf("told twice: %+v", e)
	}
	if e := look(61*time.Second, 6, 12); len(e) != 1 || e[0].Lag.Stalled {
		t.Fatalf("%+v", e)
	}
	if e := look(62*time.Second, 7, 12); len(e) > 0 {
		t.Fatalf("%+v", e)
	}
}

func TestWhatCannotBeLookedAtIsToldOnce(t *testing.T) {
	d := NewDiffer(Config{})
	failed := func(at time.Duration) []Event {
		return d.Failed(FailedLook{At: after(at), Part: "groups", Node: node(2), Code: "TIMEOUT", Message: "no answer"})
	}
	if e := failed(0); len(e) > 0 {
		t.Fatalf("%+v", e)
	}
	if e := d.Saw("groups", node(2), "", after(time.Second)); len(e) > 0 {
		t.Fatalf("a moment is told: %+v", e)
	}
	failed(2 * time.Second)
	failed(3 * time.Second)
	if e := failed(4 * time.Second); len(e) != 1 || !e[0].Sight.Lost || !e[0].After.Equal(after(2*time.Second)) {
		t.Fatalf("%+v", e)
	}
	if e := failed(5 * time.Second); len(e) > 0 {
		t.Fatalf("told twice: %+v", e)
	}
	if e := d.Saw("groups", node(2), "", after(9*time.Second)); len(e) != 1 || e[0].Sight.Lost || e[0].Sight.For.Duration() != 7*time.Second {
		t.Fatalf("%+v", e)
	}
	failed(10 * time.Second)
	failed(13 * time.Second)
	if e := d.Gone([]int32{2}, after(14*time.Second)); len(e) > 0 {
		t.Fatalf("a broker that is gone, which its own event tells: %+v", e)
	}
	if e := d.Saw("groups", node(2), "", after(14*time.Second)); len(e) > 0 {
		t.Fatalf("a broker that was gone: %+v", e)
	}
}

// TestWhatIsLostAtABrokerThatGoesIsOverWhereBrokersAreNotTold: with coordinators alone no
// other event would end it, and it would be lost twice in a row.
func TestWhatIsLostAtABrokerThatGoesIsOverWhereBrokersAreNotTold(t *testing.T) {
	d := NewDiffer(Config{OnlyCoordinators: true})
	d.Partitions(PartitionsLook{At: start, Brokers: []int32{0, 1}})
	lost := func(from time.Duration, part string, at int32) []Event {
		return d.Failed(FailedLook{Began: after(from), At: after(from + 3*time.Second), Part: part, Node: node(at), Of: "list"})
	}
	for _, e := range [][]Event{lost(0, "log", 1), lost(0, "groups", 1), lost(0, "groups", 0)} {
		if len(e) != 1 || !e[0].Sight.Lost {
			t.Fatalf("%+v", e)
		}
	}
	if e := d.Failed(FailedLook{At: after(3 * time.Second), Part: "offsets", Node: node(1)}); len(e) > 0 {
		t.Fatalf("a moment is told: %+v", e)
	}
	events := d.Gone([]int32{1}, after(4*time.Second))
	var told []string
	for _, e := range events {
		if e.Kind != KindSight || !e.At.Equal(after(4*time.Second)) || !e.After.Equal(start) || e.Sight.Lost || e.Sight.Node == nil || e.Sight.For.Duration() != 4*time.Second {
			t.Errorf("%+v %+v", e, e.Sight)
			continue
		}
		told = append(told, fmt.Sprint(e.Sight.Part, " ", *e.Sight.Node))
	}
	if !slices.Equal(told, []string{"groups 1", "log 1"}) {
		t.Errorf("of %v it is told that it is over", told)
	}
	if e := d.Saw("groups", node(1), "list", after(10*time.Second)); len(e) > 0 {
		t.Errorf("it is told twice that it is over: %+v", e)
	}
	if e := lost(20*time.Second, "groups", 1); len(e) != 1 || !e[0].Sight.Lost {
		t.Errorf("what is lost again is not told: %+v", e)
	}
	if len(d.blind) != 2 {
		t.Errorf("%d parts cannot be looked at, want those of broker 0 and 1", len(d.blind))
	}
}

// TestGroupsThatComeAndGoLeaveNothingBehind: a long watch does not grow with them.
func TestGroupsThatComeAndGoLeaveNothingBehind(t *testing.T) {
	d := NewDiffer(Config{})
	now := start
	for n := range 100 {
		name := fmt.Sprint("console-", n)
		group := Group{Group: name, Type: "consumer", State: "Stable", Members: []Member{member("a", 0)}}
		d.Groups(GroupsLook{At: now, Groups: []Group{group}, Appeared: []string{name}})
		d.Offsets(OffsetsLook{At: now, Group: name, Offsets: []Offset{{"orders", 0, 1, 2}}})
		d.Failed(FailedLook{At: now, Part: "group " + name})
		now = now.Add(time.Second)
		events := d.Groups(GroupsLook{At: now, Absent: []string{name}, Forgotten: []string{name}})
		if len(events) != 1 || events[0].Group == nil || events[0].Group.To != nil {
			t.Fatalf("%+v", events)
		}
	}
	if len(d.groups.known)+len(d.lags)+len(d.blind) > 0 {
		t.Errorf("%d groups are known, %d have lags, %d cannot be seen", len(d.groups.known), len(d.lags), len(d.blind))
	}
	// One that is named stays known as absent, and what it consumed does not.
	group := Group{Group: "g", Type: "consumer", State: "Stable", Members: []Member{member("a", 0)}}
	d.Groups(GroupsLook{At: now, Groups: []Group{group}})
	d.Offsets(OffsetsLook{At: now, Group: "g", Offsets: []Offset{{"orders", 0, 1, 2}, {"deleted", 0, 1, 2}}})
	later := now.Add(time.Hour)
	d.Groups(GroupsLook{At: later, Groups: []Group{group}})
	d.Offsets(OffsetsLook{At: later, Group: "g", Offsets: []Offset{{"orders", 0, 1, 2}}})
	if len(d.lags["g"]) != 1 {
		t.Errorf("%d partitions are known, and the topic of one is gone", len(d.lags["g"]))
	}
	d.Groups(GroupsLook{At: later.Add(time.Second), Absent: []string{"g"}})
	if len(d.groups.known) != 1 || len(d.lags) > 0 {
		t.Errorf("%d groups are known, %d have lags", len(d.groups.known), len(d.lags))
	}
}
