package explain

import (
	"fmt"
	"testing"

	"github.com/groupkit/groupkit/inspect/watch"
)

// modern is a look at a KIP-848 group: each member is of an epoch and has partitions of
// "orders".
func modern(seconds float64, state string, epoch int32, members ...watch.Member) Observation {
	o := polled(seconds, state, members...)
	o.Look.Type, o.Look.Generation = "consumer", &epoch
	return o
}

func atEpoch(m watch.Member, epoch int32, owned ...int32) watch.Member {
	m.Epoch, m.Owned = &epoch, []watch.TopicPartitions{{Topic: "orders", Partitions: owned}}
	return m
}

// TestNothingIsWrongWithHealthyGroups has what happens to groups day by day, and nothing
// but Fine said of it.
func TestNothingIsWrongWithHealthyGroups(t *testing.T) {
	one := member("a-1", 0, 1, 2, 3)
	deploy := func(from int, seen func(n int, all []watch.Member) Observation) []Observation {
		var all []watch.Member
		var observed []Observation
		for n := range 10 {
			all = append(all[:len(all):len(all)], member(fmt.Sprintf("pod%d-1", n), int32(n)))
			if n >= from {
				observed = append(observed, seen(n, all))
			}
		}
		return observed
	}
	shares := func(n int) []watch.Member { // of one client's name
		var all []watch.Member
		for i := range n {
			all = append(all, member(fmt.Sprintf("app-%d", i), int32(i)))
		}
		return all
	}
	a, b := member("a-1", 0, 1), member("b-1", 2, 3)
	for name, seen := range map[string][]Observation{
		"ten are deployed at once, by the log": deploy(0, func(n int, all []watch.Member) Observation {
			return logged(float64(n)*0.8, int32(n+1), all...)
		}),
		"ten are deployed at once, by polls": append(deploy(0, func(n int, all []watch.Member) Observation {
			return polled(float64(n)*0.5, "PreparingRebalance", all...)
		}), polled(5, "Stable", shares(10)...)),
		"ten are deployed in one round": {logged(0, 1, shares(1)...), logged(4, 2, shares(10)...)},
		"scaled from 3 to 10":           {logged(0, 5, shares(3)...), polled(8, "PreparingRebalance", shares(10)...), polled(10, "PreparingRebalance", shares(10)...), logged(11, 6, shares(10)...), polled(12, "Stable", shares(10)...)},
		"ten are being deployed, one by one": deploy(0, func(n int, all []watch.Member) Observation {
			return polled(float64(n)*2.9, "PreparingRebalance", all...)
		}),
		"scaled from 10 to 3":                       {logged(0, 5, shares(10)...), logged(11, 6, shares(3)...)},
		"one member":                                {logged(0, 1, one), polled(1, "Stable", one), polled(9, "Stable", one)},
		"one member that was just started":          {{At: at(0), Source: SourcePoll, Absent: true}, polled(1, "PreparingRebalance", one), polled(4, "CompletingRebalance", one), polled(4.5, "Stable", one), logged(4.2, 1, one)},
		"quiet, with a commit a minute":             append(commits(0, 600, 60, 0), logged(0, 1, a, b), polled(600, "Stable", a, b), polled(605, "Stable", a, b)),
		"nothing to read, no commits":               {logged(0, 1, a, b), polled(3600, "Stable", a, b), polled(3605, "Stable", a, b)},
		"a member is stopped that shares the work":  append(commits(0, 30, 1, 0, 1, 2, 3), logged(0, 1, a, b), logged(30, 2, a)),
		"a group that was just created":             {polled(0, "PreparingRebalance", one), polled(3, "PreparingRebalance", one)},
		"a rebalance that waits for heartbeats":     {polled(0, "Stable", a, b), polled(1, "PreparingRebalance", a, b, member("c-1")), polled(4, "PreparingRebalance", a, b, member("c-1")), polled(4.5, "Stable", a, b, member("c-1"))},
		"a topic is created and read by a newcomer": {logged(0, 1, a), logged(20, 2, a, b), {At: at(15), Source: SourcePoll, Topic: &TopicSize{"orders", 4}}},
		"KIP-848 members hear by their heartbeat":   {modern(0, "Stable", 3, atEpoch(a, 3, 0, 1, 2)), modern(1, "Reconciling", 4, atEpoch(a, 3, 0, 1, 2), atEpoch(b, 4)), modern(5.8, "Reconciling", 4, atEpoch(a, 3, 0, 1), atEpoch(b, 4)), modern(6.3, "Stable", 4, atEpoch(a, 4, 0, 1), atEpoch(b, 4, 2, 3))},
		"KIP-848 members join every two seconds":    {modern(0, "Stable", 3, atEpoch(a, 3, 0, 1)), modern(2, "Reconciling", 4, atEpoch(a, 3, 0, 1), b), modern(4, "Reconciling", 5, atEpoch(a, 3, 0, 1), b), modern(5, "Reconciling", 6, atEpoch(a, 5, 0, 1), b), modern(9, "Reconciling", 7, atEpoch(a, 5, 0, 1), b), modern(10, "Reconciling", 8, atEpoch(a, 7, 0, 1), b), modern(14, "Stable", 8, atEpoch(a, 8, 0, 1), b)},
		"a KIP-848 member waits for the others":     {modern(0, "Stable", 3, atEpoch(a, 3, 0, 1), atEpoch(b, 3)), modern(20, "Stable", 3, atEpoch(a, 3, 0, 1), atEpoch(b, 3))},
	} {
		t.Run(name, func(t *testing.T) {
			d := Diagnose("g", seen, Limits{})
			if len(d.Verdicts) != 1 || d.Verdicts[0].Cause != Fine {
				t.Errorf("%+v", d.Verdicts)
			}
		})
	}
}

func TestWhoHoldsUpAGroupOfKIP848(t *testing.T) {
	a, b := member("a-1", 0, 1), member("b-1", 2, 3)
	told := []Observation{
		modern(0, "Stable", 3, atEpoch(a, 3, 0, 1, 2, 3)),
		modern(1, "Reconciling", 4, atEpoch(a, 3, 0, 1, 2, 3), atEpoch(b, 4)),
		modern(4, "Reconciling", 4, atEpoch(a, 3, 0, 1), atEpoch(b, 4)),
		modern(12, "Reconciling", 4, atEpoch(a, 3, 0, 1), atEpoch(b, 4)),
	}
	deaf := []Observation{
		modern(0, "Stable", 3, atEpoch(a, 3, 0, 1, 2, 3)),
		modern(1, "Reconciling", 4, atEpoch(a, 3, 0, 1, 2, 3), atEpoch(b, 4)),
		modern(12, "Reconciling", 4, atEpoch(a, 3, 0, 1, 2, 3), atEpoch(b, 4)),
	}
	for _, test := range []struct {
		name   string
		seen   []Observation
		sure   Sureness
		quotes string
	}{
		{"told what to give up", told, Certain, `"a-1" was told to give up orders-2, orders-3, and had not after 8s`},
		{"never seen to hear of it", deaf, Likely, `"a-1" stayed at epoch 3 for at least 11s, behind its group`},
	} {
		d := Diagnose("g", test.seen, Limits{})
		v := d.Verdicts[0]
		if len(d.Verdicts) != 1 || v.Cause != SlowToRejoin || v.Sure != test.sure || len(v.Members) != 1 || v.Members[0].ID != "a-1" || fmt.Sprint(v.Evidence[0].Text) != test.quotes {
			t.Errorf("%s: %+v", test.name, d.Verdicts)
		}
	}
}
