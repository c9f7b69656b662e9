package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// rounds are what members say of generations in which all of them take part.
func rounds(from float64, first, n int32, every float64, ids ...string) []Observation {
	var all []Observation
	for i := range n {
		begin := from + float64(i)*every
		for _, id := range ids {
			all = append(all, joining(begin, id))
		}
		for _, id := range ids {
			all = append(all, assigned(begin+0.3, id, first+i))
		}
	}
	return all
}

func joining(seconds float64, id string) Observation {
	return said(seconds, Said{
		Member: id, Kind: "joining", Topics: []string{"orders"},
		SessionTimeout: watch.Millis(45 * time.Second), RebalanceTimeout: watch.Millis(time.Minute),
	})
}

func assigned(seconds float64, id string, generation int32) Observation {
	return said(seconds, Said{Member: id, Kind: "assigned", Protocol: "range", Generation: generation})
}

type chanceCase struct {
	name  string
	seen  [][]Observation
	cause Cause
	sure  Sureness
	says  string
}

func chanceCases() []chanceCase {
	patient := func(id string, partitions ...int32) watch.Member {
		m := member(id, partitions...)
		m.SessionTimeout, m.RebalanceTimeout = watch.Millis(45*time.Second), watch.Millis(300*time.Second)
		return m
	}
	a, b, slow := member("a-1", 0), member("b-1", 1), member("slow-1", 2)
	pa, pb, pc, pd := patient("a-1", 0), patient("b-1", 1), patient("c-1", 2), patient("d-2", 2)
	var failed []Observation
	for g := range int32(10) {
		when := 10 + float64(g)*3
		failed = append(failed, joining(when, "a-1"), joining(when+0.1, "b-1"),
			said(when+0.2, Said{Member: "a-1", Kind: "elected", Protocol: "range", Generation: 2 + g}), said(when+0.2, Said{Member: "b-1", Kind: "syncing", Protocol: "range", Generation: 2 + g}))
	}
	refused := func(text string) Observation { return said(3, Said{ClientID: "x", Kind: "lost", Error: text}) }
	return []chanceCase{
		{
			"most members hear late of a rebalance", [][]Observation{
				rounds(0, 1, 1, 1, "a-1", "b-1", "c-1"), {joining(10, "a-1"), joining(18, "b-1"), joining(18.1, "c-1")},
				{assigned(18.3, "a-1", 2), assigned(18.3, "b-1", 2), assigned(18.3, "c-1", 2)},
			}, SlowToRejoin, Possible, "which one was not seen",
		},
		{
			"generations whose plan fails come to be in quick succession", [][]Observation{
				rounds(0, 1, 1, 1, "a-1", "b-1"), failed, {assigned(37.4, "a-1", 11), assigned(37.4, "b-1", 11)},
			}, Unexplained, Possible, "1 of 1 rebalance",
		},
		{
			"one joins at once for the round after the one that was slow", [][]Observation{
				{polled(0, "Stable", a, b, slow), polled(9.5, "Stable", a, b, slow), polled(10, "PreparingRebalance", a, b, slow), polled(17, "PreparingRebalance", a, b, slow)},
				{polled(17.5, "Stable", a, b, slow), logged(0, 1, a, b, slow), logged(17.1, 2, a, b, slow)},
				{joining(10.1, "b-1"), joining(10.2, "a-1"), assigned(17.15, "b-1", 2), assigned(17.15, "a-1", 2), joining(17.6, "b-1")},
			}, SlowToRejoin, Possible, "which one was not seen",
		},
		{
			"a member dies while another joins, and its session ends long before it is dropped", [][]Observation{
				{logged(0, 1, pa, pb, pc), polled(1, "Stable", pa, pb, pc), polled(99.5, "Stable", pa, pb, pc), polled(103, "PreparingRebalance", pa, pb, pc, pd)},
				{polled(144.5, "PreparingRebalance", pa, pb, pc, pd), logged(145, 2, pa, pb, pd), polled(145.2, "Stable", pa, pb, pd)},
				commits(1, 100, 1, 2), commits(1, 105, 1, 0, 1),
			}, SessionExpired, Likely, `the client "c"`,
		},
		{
			"a client was refused an hour ago", [][]Observation{
				{refused("INCONSISTENT_GROUP_PROTOCOL"), polled(3600, "Stable", a, b), polled(3605, "Stable", a, b)},
			}, ProtocolMismatch, Possible, "was refused",
		},
		{
			"a client was refused by the group's type an hour ago", [][]Observation{
				{refused("the group has custom assignors: a custom assignor cannot be migrated"), polled(3600, "Stable", a, b), polled(3605, "Stable", a, b)},
			}, BetweenTypes, Possible, "was refused",
		},
		{
			"the log of a member that left ends before it says so", [][]Observation{
				rounds(0, 1, 1, 1, "a-1", "b-1"), {logged(1, 1, a, b), logged(1200, 2, a)},
			}, SessionExpired, Possible, `the client "b"`,
		},
		{
			"the same of a static member, which does not leave", [][]Observation{
				rounds(0, 1, 1, 1, "a-1", "b-1"), {logged(1, 1, static(a), static(b)), logged(1200, 2, static(a))},
			}, SessionExpired, Likely, `"inst-b"`,
		},
	}
}

// TestWhatMembersSayAccusesNobodyByChance has members' words, and those of the coordinator,
// of what is nobody's fault, or another's.
func TestWhatMembersSayAccusesNobodyByChance(t *testing.T) {
	for _, test := range chanceCases() {
		t.Run(test.name, func(t *testing.T) {
			var seen []Observation
			for _, some := range test.seen {
				seen = append(seen, some...)
			}
			d := Diagnose("g", seen, Limits{})
			if v := d.Verdicts[0]; v.Cause != test.cause || v.Sure != test.sure || !strings.Contains(v.Says, test.says) {
				t.Errorf("want %s, %s, and %q: %+v", test.cause, test.sure, test.says, d.Verdicts)
			}
			for _, v := range d.Verdicts[1:] {
				if v.Sure != Possible {
					t.Errorf("accuses somebody: %+v", v)
				}
			}
		})
	}
}

// TestWhoseSessionIsNotKnownIsNotTakenForSilent: any silence would be too long.
func TestWhoseSessionIsNotKnownIsNotTakenForSilent(t *testing.T) {
	a, b := member("a-1", 0), member("b-1", 1)
	a.SessionTimeout, b.SessionTimeout = 0, 0
	d := Diagnose("g", []Observation{
		logged(1, 1, a, b), assigned(1, "a-1", 1), assigned(1, "b-1", 1), logged(20, 2, a), assigned(20, "a-1", 2),
	}, Limits{})
	if d.Verdicts[0].Cause != Fine || len(d.Verdicts) != 1 {
		t.Errorf("%+v", d.Verdicts)
	}
}

// BenchmarkDiagnoseOfWhatMembersSay judges a day of eight members' logs with one rebalance
// after the other, and a part of it: the time for each event is to be the same.
func BenchmarkDiagnoseOfWhatMembersSay(b *testing.B) {
	for _, n := range []int32{500, 2000} {
		b.Run(fmt.Sprintf("rebalances=%d", n), func(b *testing.B) {
			seen := rounds(0, 1, n, 22.5, "a-1", "b-1", "c-1", "d-1", "e-1", "f-1", "g-1", "h-1")
			for b.Loop() {
				if d := Diagnose("g", seen, Limits{}); d.Rebalances != int(n)-1 {
					b.Fatalf("%d rebalances", d.Rebalances)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(seen)), "ns/event")
		})
	}
}
