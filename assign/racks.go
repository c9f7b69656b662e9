package assign

import (
	"encoding/binary"
	"slices"
)

// racks knows which units are local to which members. Units from which the partitions
// can be read in the same racks without crossing have the same set.
type racks struct {
	ofMember []int32   // member → rack, or unassigned
	count    int       // racks of members
	sets     [][]int32 // set → racks, ascending; set 0 is empty
	local    []bool    // set × count + rack
	set      [][]int32 // lane → unit → set
}

// newRacks returns nil where no member told a rack, or nothing is known of partitions'.
// With followers, a replica in the rack makes a partition local; otherwise only the
// leader does. A unit of several partitions is as local as its first topic's.
func newRacks(p *problem, followers bool) *racks {
	numbers := make(map[string]int32)
	r := &racks{}
	for _, member := range p.ix.members {
		if _, known := numbers[member.Rack]; !known && member.Rack != "" {
			numbers[member.Rack] = int32(len(numbers))
		}
	}
	r.count = len(numbers)
	units, any := 0, false
	for i := range p.lanes {
		units += int(p.lanes[i].size)
		any = any || len(p.ix.topics[p.lanes[i].topics[0]].Racks) > 0
	}
	if r.count == 0 || !any {
		return nil
	}
	r.ofMember = make([]int32, len(p.ix.members))
	for m, member := range p.ix.members {
		r.ofMember[m] = unassigned
		if n, known := numbers[member.Rack]; known {
			r.ofMember[m] = n
		}
	}
	r.sets = [][]int32{nil}
	bySet := map[string]int32{"": 0}
	all := make([]int32, units)
	var set []int32
	var key []byte
	for i := range p.lanes {
		r.set = append(r.set, all[:p.lanes[i].size])
		all = all[p.lanes[i].size:]
		for u, replicas := range p.ix.topics[p.lanes[i].topics[0]].Racks {
			if u >= len(r.set[i]) {
				break
			}
			if !followers {
				replicas = replicas[:min(1, len(replicas))]
			}
			set = set[:0]
			for _, rack := range replicas {
				if n, known := numbers[rack]; known {
					set = append(set, n)
				}
			}
			slices.Sort(set)
			set = slices.Compact(set)
			key = key[:0]
			for _, n := range set {
				key = binary.LittleEndian.AppendUint32(key, uint32(n))
			}
			n, known := bySet[string(key)]
			if !known {
				n = int32(len(r.sets))
				bySet[string(key)] = n
				r.sets = append(r.sets, slices.Clone(set))
			}
			r.set[i][u] = n
		}
	}
	if len(r.sets) == 1 {
		return nil
	}
	r.local = make([]bool, len(r.sets)*r.count)
	for s, set := range r.sets {
		for _, n := range set {
			r.local[s*r.count+int(n)] = true
		}
	}
	return r
}

// isLocal tells whether units of the set are local to the member.
func (r *racks) isLocal(set, member int32) bool {
	rack := r.ofMember[member]
	return rack != unassigned && r.local[int(set)*r.count+int(rack)]
}
