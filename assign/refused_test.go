package assign_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// Nobody gets what it refuses, unless all who may have it refuse it, which is told.
func TestRefusedPartitionsGoToOthers(t *testing.T) {
	r := newRand(t)
	assignors := []assign.Assignor{
		assign.Balanced{}, assign.Balanced{MaxMoves: 1}, assign.Rendezvous{}, assign.Failover{}, assign.Failover{StayPut: true},
		assign.Balanced{CoPartition: [][]string{{"t00", "t01"}}},
	}
	met, given := 0, 0
	for range cases(2_000) {
		g := randomGroup(r)
		for i := range g.Members {
			g.Members[i].Draining = false
			for _, topic := range g.Topics {
				for p := range topic.Partitions {
					if r.IntN(4) == 0 {
						g.Members[i].Refused = append(g.Members[i].Refused, assign.TopicPartitions{Topic: topic.Name, Partitions: []int32{p, topic.Partitions}})
					}
				}
			}
		}
		for _, assignor := range assignors {
			plan := mustAssign(t, assignor, g)
			told := make(map[string]bool)
			for _, u := range plan.Unmet {
				if u.Constraint == assign.ConstraintRefused {
					told[fmt.Sprint(u.Topic, u.Partition)] = true
				}
			}
			b, _ := assignor.(assign.Balanced)
			for _, topic := range g.Topics {
				for p := range topic.Partitions {
					to, ok := plan.Owner(topic.Name, p)
					if !ok {
						continue
					}
					refuses := func(m assign.Member) bool {
						return slices.ContainsFunc(m.Refused, func(tp assign.TopicPartitions) bool { return tp.Topic == topic.Name && tp.Partitions[0] == p })
					}
					gets := g.Members[slices.IndexFunc(g.Members, func(m assign.Member) bool { return m.ID == to })]
					all := !slices.ContainsFunc(g.Members, func(m assign.Member) bool { return slices.Contains(m.Topics, topic.Name) && !refuses(m) })
					switch unmet := told[fmt.Sprint(topic.Name, p)]; {
					case refuses(gets) && !unmet:
						t.Fatalf("%s: %s[%d] goes to %s, which refuses it, and nothing is told", assignor.Name(), topic.Name, p, to)
					case unmet && !all && b.CoPartition == nil:
						t.Fatalf("%s: %s[%d] is told to be refused by all, and is not", assignor.Name(), topic.Name, p)
					case all && !unmet:
						t.Fatalf("%s: that all refuse %s[%d] is not told", assignor.Name(), topic.Name, p)
					case unmet:
						given++
					default:
						met++
					}
				}
			}
		}
	}
	if met == 0 || given == 0 {
		t.Errorf("%d partitions could go to others, %d could not; both are to be tried", met, given)
	}
}

// With StayPut one refused partition takes nothing else from its owner.
func TestStayPutHoldsBesideARefusedPartition(t *testing.T) {
	of := func(partitions ...int32) []assign.TopicPartitions {
		return []assign.TopicPartitions{{Topic: "t", Partitions: partitions}}
	}
	g := group("t:3", "C0: t", "C1: t", "C2: t")
	g.Members[1].Owned, g.Members[2].Owned = of(1, 2), of(0)
	g.Members[1].Refused = of(0)
	if got, want := brief(mustAssign(t, assign.Failover{StayPut: true}, g).Assignment), "C0[t:0] C1[t:1,2] C2[]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
