package member

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// timed is an assignor that counts its own time.
type timed struct {
	assign.Assignor
	spent time.Duration
}

func (a *timed) Assign(g assign.Group) (assign.Plan, error) {
	began := time.Now()
	defer func() { a.spent += time.Since(began) }()
	return a.Assignor.Assign(g)
}

// fullGroup returns what the coordinator tells the leader of 1,000 members with 100,000
// partitions: each owns one of each topic; where the group is not settled, one member of
// ten has just joined.
func fullGroup(protocol Protocol, settled bool) (group []kmsg.JoinGroupResponseMember, counts map[string]int32) {
	const members, topics, partitions = 1000, 100, 1000
	counts = make(map[string]int32, topics)
	var names []string
	for t := range topics {
		names = append(names, fmt.Sprintf("topic-%03d", t))
		counts[names[t]] = partitions
	}
	for i := range members {
		var owned []assign.TopicPartitions
		if settled || i%10 > 0 {
			for t := range topics {
				owned = append(owned, assign.TopicPartitions{Topic: names[t], Partitions: []int32{int32((i + t) % partitions)}})
			}
		}
		group = append(group, *joined(fmt.Sprintf("member-%04d", i), encodeSubscription(protocol, names, owned, 1, nil)))
	}
	return group, counts
}

// BenchmarkKgo plays the same with kgo's own balancer.
func BenchmarkKgo(b *testing.B) {
	for _, settled := range []bool{true, false} {
		b.Run(fmt.Sprintf("cooperative-sticky/settled=%v", settled), func(b *testing.B) {
			group, counts := fullGroup(Protocol{Assignor: assign.CooperativeSticky()}, settled)
			b.ReportAllocs()
			for b.Loop() {
				r, _, err := kgo.CooperativeStickyBalancer().MemberBalancer(group)
				if err != nil {
					b.Fatal(err)
				}
				into, err := r.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
				if err != nil || len(into.IntoSyncAssignment()) != len(group) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAdapter plays what the leader of 1,000 members does with 100,000 partitions
// between JoinGroup and SyncGroup, from the members' bytes to the bytes of their
// assignments. "overhead-%" is the share of it that is not the assignor's.
func BenchmarkAdapter(b *testing.B) {
	for name, assignor := range map[string]assign.Assignor{"balanced": assign.Balanced{}, "cooperative-sticky": assign.CooperativeSticky()} {
		for _, settled := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/settled=%v", name, settled), func(b *testing.B) {
				clock := &timed{Assignor: assignor}
				protocol := Protocol{Assignor: clock}
				hooks, err := NewHooks(HooksConfig{Protocols: []Protocol{protocol}, OnEvent: func(e Event) {
					if e.Kind == EventFallback {
						b.Error(e.Err)
					}
				}})
				if err != nil {
					b.Fatal(err)
				}
				group, counts := fullGroup(protocol, settled)
				bal := &balancer{hooks: hooks, protocol: protocol, first: true}
				clock.spent = 0
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					r, _, err := bal.MemberBalancer(group)
					if err != nil {
						b.Fatal(err)
					}
					r.(kgo.GroupMemberBalancerInfo).SetBalanceInfo(kgo.BalanceInfo{Group: "g", Generation: 2, LeaderID: "member-0000"})
					into, err := r.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
					if err != nil || len(into.IntoSyncAssignment()) != len(group) {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(100*(1-clock.spent.Seconds()/b.Elapsed().Seconds()), "overhead-%")
				b.ReportMetric(float64(clock.spent.Milliseconds())/float64(b.N), "assignor-ms/op")
			})
		}
	}
}
