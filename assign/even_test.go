package assign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// evenness is the objective of evenCounts as a list of numbers, of which the first that
// differs decides; lower is better.
func evenness(kinds []kind, members int, perKind bool, room []int32) []int {
	equal := sameEligible(kinds) && !binding(kinds, room)
	totals := make([]int, members)
	moved, over := 0, 0
	for k := range kinds {
		share := 0
		if n := len(kinds[k].eligible); n > 0 {
			share = (int(kinds[k].size) + n - 1) / n
		}
		for i, m := range kinds[k].eligible {
			totals[m] += int(kinds[k].want[i])
			if equal { // squares are least where the spread is at most 1
				over += int(kinds[k].want[i] * kinds[k].want[i])
			} else {
				over += max(0, int(kinds[k].want[i])-share)
			}
			moved += max(0, int(kinds[k].owned[i]-kinds[k].want[i]))
		}
	}
	slices.SortFunc(totals, func(l, r int) int { return r - l })
	if perKind {
		return append(totals, over, moved)
	}
	return append(totals, moved)
}

// bestEvenness tries every way to place every partition.
func bestEvenness(kinds []kind, members int, perKind bool, room []int32) []int {
	var best []int
	var place func(k, i int, left int32)
	place = func(k, i int, left int32) {
		if k == len(kinds) {
			if !hasRoom(kinds, room) {
				return
			}
			if e := evenness(kinds, members, perKind, room); best == nil || slices.Compare(e, best) < 0 {
				best = e
			}
			return
		}
		if i == len(kinds[k].eligible)-1 {
			kinds[k].want[i] = left
			next := int32(0)
			if k+1 < len(kinds) {
				next = kinds[k+1].size
			}
			place(k+1, 0, next)
			return
		}
		for n := range left + 1 {
			kinds[k].want[i] = n
			place(k, i+1, left-n)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	place(0, 0, kinds[0].size)
	return best
}

// randomKinds makes a small group: who may have what, and who owns what.
func randomKinds(r *rand.Rand, equal bool) (kinds []kind, members int) {
	members = 1 + r.IntN(4)
	all := make([]int32, members)
	for m := range all {
		all[m] = int32(m)
	}
	for range 1 + r.IntN(3) {
		kd := kind{size: int32(r.IntN(6)), eligible: all}
		if !equal {
			kd.eligible = nil
			for m := range members {
				if r.IntN(2) == 0 {
					kd.eligible = append(kd.eligible, int32(m))
				}
			}
			if len(kd.eligible) == 0 {
				kd.eligible = []int32{int32(r.IntN(members))}
			}
		}
		kd.owned = make([]int32, len(kd.eligible))
		kd.want = make([]int32, len(kd.eligible))
		for range kd.size {
			if r.IntN(4) > 0 {
				kd.owned[r.IntN(len(kd.owned))]++
			}
		}
		kinds = append(kinds, kd)
	}
	return kinds, members
}

// hasRoom tells whether nobody is to have more than there is room for.
func hasRoom(kinds []kind, room []int32) bool {
	if room == nil {
		return true
	}
	left := slices.Clone(room)
	for k := range kinds {
		for i, m := range kinds[k].eligible {
			left[m] -= kinds[k].want[i]
		}
	}
	return slices.Min(left) >= 0
}

func TestEvenCountsAreOptimal(t *testing.T) {
	cases := 9000
	if testing.Short() {
		cases = 900
	}
	for i := range cases {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		kinds, members := randomKinds(r, i%2 == 0)
		var room []int32
		if i%3 > 0 {
			c := ceilings{}
			for range members {
				c.units = append(c.units, int32(r.IntN(8)))
			}
			c.relax(kinds)
			room = c.units
		}
		for _, perKind := range []bool{false, true} {
			evenCounts(kinds, members, perKind, room)
			got := evenness(kinds, members, perKind, room)
			for k := range kinds {
				sum := int32(0)
				for _, n := range kinds[k].want {
					sum += n
				}
				if sum != kinds[k].size {
					t.Fatalf("case %d, perKind %v: kind %d has %d partitions, %d are placed", i, perKind, k, kinds[k].size, sum)
				}
			}
			text := fmt.Sprintf("%+v, room %v", kinds, room)
			if !hasRoom(kinds, room) {
				t.Fatalf("case %d, perKind %v: more than there is room for: %s", i, perKind, text)
			}
			if best := bestEvenness(kinds, members, perKind, room); !slices.Equal(got, best) {
				t.Fatalf("case %d, perKind %v: objective %v, the best is %v: %s", i, perKind, got, best, text)
			}
		}
	}
}

// TestCeilingsGiveWayByAsLittleAsPossible compares with every way to place every
// partition.
func TestCeilingsGiveWayByAsLittleAsPossible(t *testing.T) {
	for i := range 500 {
		r := rand.New(rand.NewPCG(uint64(i), 2))
		kinds, members := randomKinds(r, i%2 == 0)
		var before []int32
		for range members {
			before = append(before, int32(r.IntN(4)))
		}
		c := ceilings{units: slices.Clone(before)}
		c.relax(kinds)
		raised := 0
		for m := range before {
			if c.units[m] < before[m] {
				t.Fatalf("case %d: %v became %v", i, before, c.units)
			}
			raised += int(c.units[m] - before[m])
		}
		if least := leastBeyond(kinds, before); raised != least {
			t.Fatalf("case %d: raised by %d, %d is enough: %v became %v for %+v", i, raised, least, before, c.units, kinds)
		}
		// What was settled once stays.
		evenCounts(kinds, members, true, c.units)
		for k := range kinds {
			kinds[k].owned = slices.Clone(kinds[k].want)
		}
		again := ceilings{units: slices.Clone(before)}
		again.relax(kinds)
		owned := ownedOf(kinds, members)
		for m := range owned {
			if owned[m] > again.units[m] {
				t.Fatalf("case %d: member %d has %d and may then have %d", i, m, owned[m], again.units[m])
			}
		}
	}
}

// leastBeyond tries every way to place every partition.
func leastBeyond(kinds []kind, room []int32) int {
	least := 1 << 30
	left := slices.Clone(room)
	var place func(k int, n int32)
	place = func(k int, n int32) {
		for k < len(kinds) && n == kinds[k].size {
			k, n = k+1, 0
		}
		if k == len(kinds) {
			beyond := 0
			for _, l := range left {
				beyond += int(max(0, -l))
			}
			least = min(least, beyond)
			return
		}
		for _, m := range kinds[k].eligible {
			left[m]--
			place(k, n+1)
			left[m]++
		}
	}
	place(0, 0)
	return least
}
