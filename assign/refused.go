package assign

import (
	"fmt"
	"maps"
	"slices"
)

// refuse narrows who may have the units of which members refuse a partition.
func (p *problem) refuse() {
	refusing := p.refusing()
	if refusing == nil {
		return
	}
	narrowed := make(map[string]int32) // kind, and who refuses → kind of the others, or unassigned
	for i := range p.lanes {
		l := &p.lanes[i]
		for _, t := range l.topics {
			for _, u := range slices.Sorted(maps.Keys(refusing[t])) {
				before, members := l.kind(u), refusing[t][u]
				key := fmt.Sprint(before, members)
				after, known := narrowed[key]
				if !known {
					after = p.narrow(l, before, func(m int32) bool {
						_, refuses := slices.BinarySearch(members, m)
						return !refuses
					})
					narrowed[key] = after
				}
				switch {
				case after == unassigned:
					p.giveUp(t, u, ConstraintRefused, "no member that may have it does not refuse it")
				case after != before:
					l.setKind(u, after)
				}
			}
		}
	}
}

// refusing lists who refuses which partitions: by topic and partition, the members in
// order. It is nil where nobody refuses any.
func (p *problem) refusing() []map[int32][]int32 {
	var refusing []map[int32][]int32
	for m, member := range p.ix.members {
		for _, tp := range member.Refused {
			t, known := p.ix.topicNumber[tp.Topic]
			if !known {
				continue
			}
			for _, n := range tp.Partitions {
				if n < 0 || n >= p.ix.topics[t].Partitions {
					continue
				}
				if refusing == nil {
					refusing = make([]map[int32][]int32, len(p.ix.topics))
				}
				if refusing[t] == nil {
					refusing[t] = make(map[int32][]int32)
				}
				if list := refusing[t][n]; len(list) == 0 || list[len(list)-1] != int32(m) {
					refusing[t][n] = append(list, int32(m))
				}
			}
		}
	}
	return refusing
}
