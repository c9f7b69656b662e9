package assign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// evenness is the objective of evenCounts as a list of numbers, of which the first that
// differs decides; lower is better.
func evenness(kinds []kind, members int, perKind bool) []int {
	equal := sameEligible(kinds)
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
func bestEvenness(kinds []kind, members int, perKind bool) []int {
	var best []int
	var place func(k, i int, left int32)
	place = func(k, i int, left int32) {
		if k == len(kinds) {
			if e := evenness(kinds, members, perKind); best == nil || slices.Compare(e, best) < 0 {
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

func TestEvenCountsAreOptimal(t *testing.T) {
	cases := 6000
	if testing.Short() {
		cases = 600
	}
	for i := range cases {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		kinds, members := randomKinds(r, i%2 == 0)
		for _, perKind := range []bool{false, true} {
			evenCounts(kinds, members, perKind)
			got := evenness(kinds, members, perKind)
			for k := range kinds {
				sum := int32(0)
				for _, n := range kinds[k].want {
					sum += n
				}
				if sum != kinds[k].size {
					t.Fatalf("case %d, perKind %v: kind %d has %d partitions, %d are placed", i, perKind, k, kinds[k].size, sum)
				}
			}
			text := fmt.Sprintf("%+v", kinds)
			if best := bestEvenness(kinds, members, perKind); !slices.Equal(got, best) {
				t.Fatalf("case %d, perKind %v: objective %v, the best is %v: %s", i, perKind, got, best, text)
			}
		}
	}
}
