package assign

// racks knows which units are local to which members: near tells the racks from which
// the partitions of a unit can be read without crossing, by number.
type racks struct {
	ofMember []int32     // member → rack, or unassigned
	near     [][][]int32 // lane → unit → racks
}

// newRacks returns nil where no member told a rack, or nothing is known of partitions'.
// With followers, a replica in the rack makes a partition local; otherwise only the
// leader does. A unit of several partitions is as local as its first topic's.
func newRacks(p *problem, followers bool) *racks {
	numbers := make(map[string]int32)
	r := &racks{ofMember: make([]int32, len(p.ix.members))}
	for m, member := range p.ix.members {
		r.ofMember[m] = unassigned
		if member.Rack != "" {
			n, known := numbers[member.Rack]
			if !known {
				n = int32(len(numbers))
				numbers[member.Rack] = n
			}
			r.ofMember[m] = n
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	r.near = make([][][]int32, len(p.lanes))
	any := false
	for i := range p.lanes {
		topic := p.ix.topics[p.lanes[i].topics[0]]
		r.near[i] = make([][]int32, p.lanes[i].size)
		for u, replicas := range topic.Racks {
			if u >= len(r.near[i]) {
				break
			}
			if !followers {
				replicas = replicas[:min(1, len(replicas))]
			}
			for _, rack := range replicas {
				if n, known := numbers[rack]; known {
					r.near[i][u] = append(r.near[i][u], n)
					any = true
				}
			}
		}
	}
	if !any {
		return nil
	}
	return r
}

// local tells whether the unit is local to the member.
func (r *racks) local(lane, unit int, member int32) bool {
	for _, n := range r.near[lane][unit] {
		if n == r.ofMember[member] {
			return true
		}
	}
	return false
}
