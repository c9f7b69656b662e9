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
// another is elected, as with ZooKeeper: in the same epoch, in the next one, or in both.
func TestAnElectionThatFollowsLateHasItsCause(t *testing.T) {
	type look struct {
		brokers []int32
		part    Partition
		cause   Cause
		says    string
	}
	gone := []int32{2, 3}
	same := look{gone, part(-1, 5, 1, 2, 3), CauseBrokerGone, "brokers [2,3] are live and in sync, and none of them is elected yet"}
	next := look{gone, part(-1, 6, 2, 3), CauseBrokerGone, "none of them is elected yet"}
	for _, test := range []struct {
		name  string
		looks []look
	}{
		{"then another is elected", []look{same, {gone, part(2, 6, 2, 3), CauseBrokerGone, "broker 1, which led last, in epoch 5, is not among the live brokers [2,3]"}}},
		{"two epochs on", []look{same, {gone, part(2, 7, 2, 3), CauseBrokerGone, "one election between was not seen"}}},
		{"in the next epoch", []look{next, {gone, part(2, 7, 2, 3), CauseBrokerGone, "broker 1, which led last, in epoch 5"}}},
		{"in both", []look{same, {gone, part(-1, 6, 2, 3), CauseBrokerGone, "broker 1, which led last, left the ISR"}, {gone, part(2, 7, 2, 3), CauseBrokerGone, "in epoch 5"}}},
		{"nobody can lead meanwhile", []look{same, {[]int32{3}, part(-1, 6, 2), CauseBrokerGone, "broker 1, which led last, left the ISR"}, {gone, part(2, 7, 2), CauseBrokerBack, "broker 2 was not among the live brokers before, and is"}}},
		{"it is back before", []look{same, {[]int32{1, 2, 3}, part(1, 5, 1, 2, 3), CauseBrokerBack, "broker 1 was not among the live brokers before, and is"}}},
		{"it is back, and another leads", []look{same, {[]int32{1, 2, 3}, part(2, 6, 1, 2, 3), CauseUnknown, "broker 2 was among the live brokers before"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := NewDiffer(Config{})
			at := time.Unix(0, 0)
			d.Partitions(PartitionsLook{At: at, Brokers: []int32{1, 2, 3}, Partitions: []Partition{part(1, 5, 1, 2, 3)}})
			for i, look := range test.looks {
				at = at.Add(time.Second)
				var told []*LeaderChange
				for _, e := range d.Partitions(PartitionsLook{At: at, Brokers: look.brokers, Partitions: []Partition{look.part}}) {
					if e.Leader != nil {
						told = append(told, e.Leader)
					}
				}
				if len(told) != 1 || told[0].Cause != look.cause || !strings.Contains(strings.Join(told[0].Evidence, "; "), look.says) {
					t.Fatalf("look %d: %+v, want %s with %q", i, told, look.cause, look.says)
				}
			}
			if len(d.lost) != 0 {
				t.Errorf("it remembers %v", d.lost)
			}
		})
	}
	d := NewDiffer(Config{})
	d.Partitions(PartitionsLook{At: time.Unix(1, 0), Brokers: []int32{1, 2, 3}, Partitions: []Partition{part(1, 5, 1, 2, 3)}})
	d.Partitions(PartitionsLook{At: time.Unix(2, 0), Brokers: []int32{2, 3}, Partitions: []Partition{part(-1, 5, 1, 2, 3)}})
	remembered := len(d.lost)
	d.Partitions(PartitionsLook{At: time.Unix(3, 0), Brokers: []int32{2, 3}})
	if remembered != 1 || len(d.lost) != 0 {
		t.Errorf("a topic was deleted: it remembered %d, and remembers %v", remembered, d.lost)
	}
}
