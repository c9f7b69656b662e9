// Package parity makes random groups to hold assign's Range and RoundRobin to Kafka's
// own assignors with.
package parity

import (
	"fmt"
	"math/rand/v2"

	"github.com/groupkit/groupkit/assign"
)

// RandomGroup returns a group, most often a small one, of a random shape: equal and
// mixed subscriptions, static and dynamic members, racks for all, some or none of
// members and partitions, topics of one size and of many, topics without metadata and
// without a subscriber.
func RandomGroup(r *rand.Rand) assign.Group {
	var g assign.Group
	racks := r.IntN(4) + 1
	rack := func(missing float64) string {
		if r.Float64() < missing {
			return ""
		}
		return string(rune('a' + r.IntN(racks)))
	}
	memberRacksMissing := []float64{0, 0, 0.3, 1}[r.IntN(4)]
	replicaRacksMissing := []float64{0, 0, 0.1, 1}[r.IntN(4)]

	scale := 1
	if r.IntN(10) == 0 {
		scale = 4
	}
	topics := r.IntN(5) + 1
	sizes := []int{r.IntN(12*scale) + 1, r.IntN(12*scale) + 1, 0}
	if r.IntN(3) > 0 {
		sizes = sizes[:1] // co-partitioned, where subscriptions are equal
	}
	alike := r.IntN(3) == 0 // whether topics have their replicas in the same racks
	for t := range topics {
		topic := assign.Topic{Name: fmt.Sprintf("t%d", t), Partitions: int32(sizes[r.IntN(len(sizes))])}
		switch {
		case alike && t > 0 && topic.Partitions == g.Topics[0].Partitions:
			topic.Racks = g.Topics[0].Racks
		case replicaRacksMissing < 1 && r.IntN(8) > 0:
			known := int(topic.Partitions)
			if r.IntN(8) == 0 && known > 0 {
				known = r.IntN(known)
			}
			replicas := r.IntN(3) + 1
			for range known {
				var list []string
				for range replicas {
					list = append(list, rack(replicaRacksMissing))
				}
				topic.Racks = append(topic.Racks, list)
			}
		}
		g.Topics = append(g.Topics, topic)
	}

	everything := make([]string, 0, topics)
	for t := range topics {
		everything = append(everything, fmt.Sprintf("t%d", t))
	}
	equal := r.IntN(2) == 0
	static := []float64{0, 0.4, 1}[r.IntN(3)]
	members := r.IntN(9*scale) + 1
	names := r.Perm(members)
	for m := range members {
		member := assign.Member{ID: fmt.Sprintf("m%d", names[m]), Rack: rack(memberRacksMissing), Topics: everything}
		if !equal {
			member.Topics = nil
			for range r.IntN(topics + 2) {
				member.Topics = append(member.Topics, fmt.Sprintf("t%d", r.IntN(topics+1))) // some twice, some of no topic
			}
		}
		if r.Float64() < static {
			member.Instance = fmt.Sprintf("i%d", (names[m]*5+3)%37)
		}
		g.Members = append(g.Members, member)
	}
	return g
}
