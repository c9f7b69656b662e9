package assign_test

import (
	"slices"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestOwnership(t *testing.T) {
	static := group("t:3", "C0: t | t:0 @3", "C1: t | t:0 @3")
	static.Members[1].Instance = "i1"
	tests := []struct {
		name  string
		group assign.Group
		want  string
	}{
		{"nobody", group("t:3"), ""},
		{"no claims", group("t:3", "C0: t", "C1: t"), "C0[] C1[]"},
		{"claims without conflict", group("t:3 u:1", "C0: t u | u:0 t:2,0 @4", "C1: t | t:1 @2"), "C0[t:0,2 u:0] C1[t:1]"},
		{"a stale claim loses", group("t:3", "C0: t | t:0,1 @4", "C1: t | t:1,2 @5"), "C0[t:0] C1[t:1,2]"},
		{"a stale claim without a rival holds", group("t:3", "C0: t | t:0 @1", "C1: t | t:1 @9"), "C0[t:0] C1[t:1]"},
		{"an unknown generation loses", group("t:3", "C0: t | t:0 @-1", "C1: t | t:0 @1"), "C0[] C1[t:0]"},
		{"unknown generations are equal", group("t:3", "C0: t | t:0 @0", "C1: t | t:0 @-1", "C2: t | t:0 @-7"), "C0[t:0] C1[] C2[]"},
		{"equal generations: the first by id", group("t:3", "C1: t | t:0 @3", "C0: t | t:0 @3"), "C0[t:0] C1[]"},
		{"equal generations: static first", static, "C0[] C1[t:0]"},
		{"unknown topic", group("t:3", "C0: t | gone:0 t:1 @3"), "C0[t:1]"},
		{"out of range", group("t:3", "C0: t | t:-1,3,2,2147483647,-2147483648 @3"), "C0[t:2]"},
		{"the owner does not subscribe", group("t:3", "C0: u | t:0 @3", "C1: t"), "C0[t:0] C1[]"},
		{"nobody subscribes", group("t:3", "C0: u | t:0 @3"), "C0[]"},
		{"twice in one claim", group("t:3", "C0: t | t:0,0 t:1 t:0 @3"), "C0[t:0,1]"},
		{"of no partitions", group("t:0", "C0: t | t:0 @3"), "C0[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := brief(test.group.Ownership()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestOwnershipOfRandomGroups asks for each partition on its own who has it.
func TestOwnershipOfRandomGroups(t *testing.T) {
	r := newRand(t)
	for range cases(20000) {
		g := randomGroup(r)
		want := assign.NewPlan(g)
		for _, topic := range g.Topics {
			for p := range topic.Partitions {
				if owner := ownerByHand(g, topic.Name, p); owner != "" {
					want.Give(owner, topic.Name, p)
				}
			}
		}
		got := g.Ownership()
		if err := checkForm(g, got); err != nil {
			t.Fatalf("%v\n%s", err, inJSON(g))
		}
		if !got.Equal(want.Assignment) {
			t.Fatalf("got %s, want %s\n%s", brief(got), brief(want.Assignment), inJSON(g))
		}
	}
}

func ownerByHand(g assign.Group, topic string, partition int32) string {
	var rivals []assign.Member
	subscribed := false
	for _, m := range g.Members {
		subscribed = subscribed || slices.Contains(m.Topics, topic)
		for _, tp := range m.Owned {
			if tp.Topic == topic && slices.Contains(tp.Partitions, partition) {
				rivals = append(rivals, m)
				break
			}
		}
	}
	if !subscribed || len(rivals) == 0 {
		return ""
	}
	return slices.MinFunc(rivals, func(l, r assign.Member) int {
		first := func(yes bool) int {
			if yes {
				return -1
			}
			return 1
		}
		switch left, right := max(l.Generation, 0), max(r.Generation, 0); {
		case left != right:
			return first(left > right)
		case (l.Instance == "") != (r.Instance == ""):
			return first(l.Instance != "")
		case l.Instance != r.Instance:
			return first(l.Instance < r.Instance)
		}
		return first(l.ID < r.ID)
	}).ID
}
