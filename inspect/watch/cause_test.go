package watch

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func node(n int32) *int32 {
	if n < 0 {
		return nil
	}
	return &n
}

// part is orders-0 with a leader, an epoch, replicas 1, 2, 3 and an ISR.
func part(leader, epoch int32, isr ...int32) Partition {
	return Partition{Topic: "orders", Leader: node(leader), LeaderEpoch: &epoch, Replicas: []int32{1, 2, 3}, ISR: isr}
}

func with(p Partition, change func(*Partition)) Partition {
	change(&p)
	return p
}

func elr(nodes ...int32) func(*Partition) {
	return func(p *Partition) { p.ELR, p.LastKnownELR = append([]int32{}, nodes...), []int32{} }
}

func TestCauses(t *testing.T) {
	all := []int32{1, 2, 3}
	for _, test := range []struct {
		name          string
		before, after Partition
		were, are     []int32
		gap           time.Duration
		cause         Cause
		says          string
	}{
		{"killed", part(1, 5, 1, 2, 3), part(2, 6, 2, 3), all, []int32{2, 3}, 0, CauseBrokerGone, "broker 1 is not among the live brokers [2,3]"},
		{"killed, the ISR still old", part(1, 5, 1, 2, 3), part(2, 6, 2, 3), all, []int32{2, 3}, time.Minute, CauseBrokerGone, "not among the live"},
		{"shutting down", part(1, 5, 1, 2, 3), part(2, 6, 2, 3), all, all, 0, CauseBrokerGone, "left the ISR with the election"},
		{"disk failed", part(1, 5, 1, 2, 3), with(part(2, 6, 2, 3), func(p *Partition) { p.Offline = []int32{1} }), all, all, 0, CauseBrokerGone, "its replica is offline"},
		{"nobody can take over", part(1, 5, 1), part(-1, 6, 1), all, []int32{2, 3}, 0, CauseBrokerGone, "no replica in sync"},
		{"preferred", part(2, 6, 1, 2, 3), part(1, 7, 1, 2, 3), all, all, 0, CausePreferred, "broker 1 is the first replica"},
		{"preferred, or gone and back unseen", part(2, 6, 1, 2, 3), part(1, 7, 1, 2, 3), all, all, time.Minute, CauseUnknown, "nothing was seen for 1m0s"},
		{"preferred, after others", part(2, 6, 1, 2, 3), part(1, 9, 1, 2, 3), all, all, 0, CauseUnknown, "2 elections between were not seen"},
		{"not the first, for no reason", part(1, 6, 1, 2, 3), part(3, 7, 1, 2, 3), all, all, 0, CauseUnknown, "live and in sync"},
		{"moved away", part(1, 6, 1, 2, 3), with(part(4, 7, 2, 3, 4), func(p *Partition) { p.Replicas = []int32{4, 2, 3} }), all, all, 0, CauseReassignment, "broker 1 is not a replica any more"},
		{"moved, the same leader", part(1, 6, 1, 2, 3), with(part(1, 7, 1, 2), func(p *Partition) { p.Replicas = []int32{1, 2} }), all, all, 0, CauseReassignment, "the replicas were [1,2,3] and are [1,2]"},
		{"the same leader again", part(1, 6, 1, 2, 3), part(1, 8, 1, 2, 3), all, all, 0, CauseUnknown, "broker 1 leads as before"},
		{"back", part(-1, 6, 1), part(1, 7, 1), []int32{2, 3}, all, 0, CauseBrokerBack, "was not among the live brokers before"},
		{"back by the ELR", with(part(-1, 6), elr(2)), part(2, 7, 2), []int32{3}, []int32{2, 3}, 0, CauseBrokerBack, "in the ELR [2]"},
		{"back as the last leader known", with(part(-1, 6), func(p *Partition) { p.ELR, p.LastKnownELR = []int32{}, []int32{3} }), part(3, 7, 3), []int32{1}, []int32{1, 3}, 0, CauseBrokerBack, "last leader known"},
		{"unclean at once", with(part(1, 6, 1), elr()), part(2, 7, 2), all, []int32{2, 3}, 0, CauseUnclean, "records may be lost"},
		{"unclean on demand", with(part(-1, 6, 1), elr()), part(2, 7, 2), []int32{2, 3}, []int32{2, 3}, 0, CauseUnclean, "records may be lost"},
		{"alone, and the ELR is not known", part(1, 6, 1), part(2, 7, 2), all, []int32{2, 3}, 0, CauseUnknown, "unless it was in the ELR"},
		{"clean by the ELR", with(part(1, 6, 1), elr(2)), part(2, 7, 2), all, []int32{2, 3}, 0, CauseBrokerGone, "not among the live"},
		{"joined unseen", with(part(1, 6, 1), elr()), part(2, 7, 2, 3), all, []int32{2, 3}, 0, CauseBrokerGone, "has joined it since"},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := leaderChange(election{before: test.before, after: test.after, wereLive: test.were, areLive: test.are, gap: test.gap})
			if change == nil {
				t.Fatal("nothing is told")
			}
			if change.Cause != test.cause || !strings.Contains(strings.Join(change.Evidence, "; "), test.says) {
				t.Errorf("%s because %q, want %s with %q", change.Cause, change.Evidence, test.cause, test.says)
			}
			if len(change.Evidence) == 0 || slices.Contains(change.Evidence, "") {
				t.Errorf("evidence %q", change.Evidence)
			}
		})
	}
}

// TestAnElectionThatFollowsLateHasItsCause has brokers tell that a leader is gone before
// another is elected, as with ZooKeeper.
func TestAnElectionThatFollowsLateHasItsCause(t *testing.T) {
	changes := func(d *Differ, brokers []int32, p Partition) (changes []*LeaderChange) {
		for _, e := range d.Partitions(PartitionsLook{At: time.Unix(int64(d.partitionLooks), 0), Brokers: brokers, Partitions: []Partition{p}}) {
			if e.Leader != nil {
				changes = append(changes, e.Leader)
			}
		}
		return changes
	}
	start := func() *Differ {
		d := NewDiffer(Config{})
		changes(d, []int32{1, 2, 3}, part(1, 5, 1, 2, 3))
		gone := changes(d, []int32{2, 3}, part(-1, 5, 1, 2, 3))
		if len(gone) != 1 || gone[0].Cause != CauseBrokerGone || gone[0].To != nil || !strings.Contains(strings.Join(gone[0].Evidence, "; "), "no election is held yet") {
			t.Fatalf("%+v", gone)
		}
		return d
	}
	for _, test := range []struct {
		name    string
		brokers []int32
		then    Partition
		cause   Cause
		says    string
	}{
		{"another is elected", []int32{2, 3}, part(2, 6, 2, 3), CauseBrokerGone, "broker 1, which led in epoch 5, was gone"},
		{"it is back before", []int32{1, 2, 3}, part(1, 5, 1, 2, 3), CauseBrokerBack, "broker 1 was not among the live brokers before, and is"},
		{"an election was not seen", []int32{2, 3}, part(2, 7, 2, 3), CauseUnknown, "one election between was not seen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := start()
			got := changes(d, test.brokers, test.then)
			if len(got) != 1 || got[0].From != nil || got[0].Cause != test.cause || !strings.Contains(strings.Join(got[0].Evidence, "; "), test.says) {
				t.Errorf("%+v", got)
			}
			if len(d.lost) != 0 {
				t.Errorf("it remembers %v", d.lost)
			}
		})
	}
	d := start()
	d.Partitions(PartitionsLook{At: time.Unix(9, 0), Brokers: []int32{2, 3}})
	if len(d.lost) != 0 {
		t.Errorf("a topic was deleted, and it remembers %v", d.lost)
	}
}
