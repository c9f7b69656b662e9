package watch

import (
	"testing"
	"time"
)

// electing is a group in which member a counts and somebody is elected.
func electing(elected string, ballot int64) Group {
	e := &Elected{Ballot: ballot}
	if elected != "" {
		e.Member = &elected
	}
	return Group{
		Group: "g", Type: "classic", State: "Stable", Elected: e,
		Members: []Member{{MemberRef: MemberRef{ID: "a"}}, {MemberRef: MemberRef{ID: "b"}}},
	}
}

// A leader that resigns leaves no trace among the members: what they were told shows it.
func TestPollsTellThatSomebodyElseIsElected(t *testing.T) {
	d := NewDiffer(Config{})
	e := looks(d, 0, electing("a", 5))
	if len(e) != 1 || *e[0].Snapshot.Groups[0].Elected.Member != "a" {
		t.Fatalf("%+v", e)
	}
	if e := looks(d, 1*time.Second, electing("a", 5)); len(e) > 0 {
		t.Fatalf("nothing changed: %+v", e)
	}
	asked := electing("a", 5)
	asked.Elected.HandsOver = true
	for i, c := range []struct {
		now      Group
		from, to string
		hands    bool
	}{{asked, "a", "a", true}, {electing("b", 6), "a", "b", false}, {electing("", 6), "b", "", false}, {electing("b", 7), "", "b", false}} {
		e := looks(d, time.Duration(2+i)*time.Second, c.now)
		if len(e) != 1 || e[0].Kind != KindGeneration {
			t.Fatalf("step %d: %+v", i, e)
		}
		g := e[0].Generation
		name := func(e *Elected) string {
			if e.Member == nil {
				return ""
			}
			return *e.Member
		}
		if g.FromElected == nil || name(g.FromElected) != c.from || name(g.ToElected) != c.to || g.ToElected.HandsOver != c.hands || g.ToLeader != nil || len(g.Joined)+len(g.Left) > 0 {
			t.Errorf("step %d: %+v", i, g)
		}
	}
	// During a round nobody is told anything, which is no change.
	between := electing("b", 7)
	between.State, between.Elected = "PreparingRebalance", nil
	if e := looks(d, 7*time.Second, between); len(e) != 1 || e[0].Kind != KindGroup {
		t.Fatalf("%+v", e)
	}
	e = looks(d, 8*time.Second, electing("b", 7))
	if len(e) != 1 || *e[0].Generation.FromElected.Member != "b" || *e[0].Generation.ToElected.Member != "b" {
		t.Fatalf("%+v", e)
	}
}

// The log tells each round, once, with who counts and who is elected.
func TestTheLogTellsWhoIsElected(t *testing.T) {
	d := NewDiffer(Config{})
	partition, counts := int32(3), "a"
	seen := electing("a", 5)
	seen.OffsetsPartition = &partition
	d.Records(RecordsLook{At: after(0), Begun: []int32{partition}})
	if e := looks(d, 1*time.Second, seen); len(e) > 0 {
		t.Fatalf("told before the log was read: %+v", e)
	}
	if e := d.Records(RecordsLook{At: after(2 * time.Second), Partitions: []int32{partition}}); len(e) != 1 || e[0].Kind != KindSnapshot {
		t.Fatalf("%+v", e)
	}
	now := electing("b", 6)
	now.OffsetsPartition = &partition
	record := GroupRecord{Group: "g", Written: after(3 * time.Second), Generation: 9, Leader: &counts, Elected: now.Elected, Members: now.Members}
	e := d.Records(RecordsLook{At: after(3 * time.Second), Partitions: []int32{partition}, Records: []GroupRecord{record}})
	if len(e) != 1 || e[0].Kind != KindGeneration {
		t.Fatalf("%+v", e)
	}
	g := e[0].Generation
	if *g.FromElected.Member != "a" || *g.ToElected.Member != "b" || g.ToElected.Ballot != 6 || *g.ToLeader != "a" || *g.To != 9 || g.Source != SourceLog {
		t.Errorf("%+v", g)
	}
	if e := looks(d, 4*time.Second, now); len(e) > 0 {
		t.Errorf("told twice: %+v", e)
	}
	if e := d.Records(RecordsLook{At: after(5 * time.Second), Partitions: []int32{partition}}); len(e) > 0 {
		t.Errorf("told twice: %+v", e)
	}
}
