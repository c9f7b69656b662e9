package demo

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// group is a group of members with what they own, on a topic with a hot partition.
func group(owned map[string][]int32, names ...string) assign.Group {
	g := assign.Group{Topics: []assign.Topic{{Name: "t", Partitions: 4, Weights: []float64{3, 1, 1, 1}}}}
	for _, name := range names {
		m := assign.Member{ID: name, Topics: []string{"t"}, Labels: map[string]string{labelName: name}}
		if len(owned[name]) > 0 {
			m.Owned, m.Generation = []assign.TopicPartitions{{Topic: "t", Partitions: owned[name]}}, 1
		}
		g.Members = append(g.Members, m)
	}
	return g
}

func TestHeaviestFirst(t *testing.T) {
	for _, test := range []struct {
		what  string
		group assign.Group
		want  shares
	}{
		{"nobody owns anything", group(nil, "ann", "bob", "cid"),
			shares{"ann": {0}, "bob": {1, 3}, "cid": {2}}},
		{"shares stay with those who own their heaviest partition",
			group(shares{"ann": {2}, "cid": {0}, "bob": {1, 3}}, "ann", "bob", "cid", "dan", "eve"),
			shares{"ann": {2}, "bob": {1}, "cid": {0}, "dan": {3}}},
		{"the idle member takes over",
			group(shares{"bob": {1}, "cid": {0}, "dan": {3}}, "bob", "cid", "dan", "eve"),
			shares{"bob": {1}, "cid": {0}, "dan": {3}, "eve": {2}}},
	} {
		plan, err := heaviestFirst(test.group)
		if err != nil {
			t.Fatal(err)
		}
		got := sharesOf(member.Round{Problem: test.group}, plan)
		if names := []string{"ann", "bob", "cid", "dan", "eve"}; !got.equal(test.want, names) {
			t.Errorf("%s: got %v, want %v", test.what, got, test.want)
		}
	}
}

func TestHeaviestFirstAndTheHookKeepTheRules(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		g := assign.Group{Topics: []assign.Topic{{Name: "t", Partitions: random.Int32N(9)}}}
		topic := &g.Topics[0]
		for range topic.Partitions {
			topic.Weights = append(topic.Weights, float64(random.IntN(4)))
		}
		for i := range 1 + random.IntN(6) {
			m := assign.Member{ID: string(rune('a' + i)), Topics: []string{"t"}}
			if random.IntN(3) == 0 {
				m.Labels = map[string]string{labelDisk: fastDisk}
			}
			for p := range topic.Partitions {
				if random.IntN(3) == 0 {
					m.Owned = append(m.Owned, assign.TopicPartitions{Topic: "t", Partitions: []int32{p}})
				}
			}
			g.Members = append(g.Members, m)
		}
		plan, err := heaviestFirst(g)
		if err == nil {
			err = assign.Validate(g, plan)
		}
		if err == nil {
			plan, err = hotOnFastDisk(context.Background(), member.Round{Problem: g, Proposed: plan})
		}
		if err == nil {
			err = assign.Validate(g, plan)
		}
		if err != nil {
			t.Fatalf("%v\nof %+v", err, g)
		}
	}
}
