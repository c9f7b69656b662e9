package member

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

// Whether all that is owned was given is told as a look at each partition by itself tells
// it, in whatever order the given ones are.
func TestWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	some := func() (list []assign.TopicPartitions) {
		for range r.IntN(5) {
			tp := assign.TopicPartitions{Topic: []string{"a", "b", "c"}[r.IntN(3)]}
			for range r.IntN(4) {
				tp.Partitions = append(tp.Partitions, int32(r.IntN(6)))
			}
			list = append(list, tp)
		}
		return list
	}
	in := func(list []assign.TopicPartitions, topic string, p int32) bool {
		return assign.Plan{Assignment: assign.Assignment{"m": list}}.Clone().Assignment.Owners()[topic][p] == "m"
	}
	all, not := 0, 0
	for range 5000 {
		owned, given := some(), some()
		if r.IntN(2) == 0 {
			given = append(given, owned...)
		}
		want := true
		for _, tp := range owned {
			for _, p := range tp.Partitions {
				want = want && in(given, tp.Topic, p)
			}
		}
		a := assign.Assignment{"m": owned}.Clone()
		a.Sort()
		distinct := a["m"]
		for i := range distinct { // what is owned is so once
			distinct[i].Partitions = slices.Compact(distinct[i].Partitions)
		}
		if got := within(distinct, inOrder(given)); got != want {
			t.Fatalf("%v within %v: %v", distinct, given, got)
		}
		if want {
			all++
		} else {
			not++
		}
	}
	if all < 500 || not < 500 {
		t.Errorf("%d were within and %d not", all, not)
	}
}
