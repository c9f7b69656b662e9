package assign_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestWithhold(t *testing.T) {
	tests := []struct {
		name     string
		group    assign.Group
		target   string
		want     string
		withheld string
	}{
		{"settled", group("t:2", "C0: t | t:0 @1", "C1: t | t:1 @1"), "C0[t:0] C1[t:1]", "C0[t:0] C1[t:1]", "[]"},
		{"nobody owns anything", group("t:2", "C0: t", "C1: t"), "C0[t:0] C1[t:1]", "C0[t:0] C1[t:1]", "[]"},
		{"moved", group("t:2", "C0: t | t:0,1 @1", "C1: t"), "C0[t:0] C1[t:1]", "C0[t:0] C1[]",
			"[{t 1 C1 C0 C0 may still hold it}]"},
		{"exchanged", group("t:2", "C0: t | t:0 @1", "C1: t | t:1 @1"), "C0[t:1] C1[t:0]", "C0[] C1[]",
			"[{t 1 C0 C1 C1 may still hold it} {t 0 C1 C0 C0 may still hold it}]"},
		{"the owner does not subscribe any more", group("t:1", "C0: u | t:0 @1", "C1: t"), "C1[t:0]", "C1[]",
			"[{t 0 C1 C0 C0 may still hold it}]"},
		{"the owner left", group("t:1", "C1: t"), "C1[t:0]", "C1[t:0]", "[]"},
		{"a stale claim withholds nothing from the owner", group("t:1", "C0: t | t:0 @1", "C1: t | t:0 @2"), "C1[t:0]", "C1[t:0]", "[]"},
		{"meant for the one with the stale claim", group("t:1", "C0: t | t:0 @1", "C1: t | t:0 @2"), "C0[t:0]", "C0[]",
			"[{t 0 C0 C1 C1 may still hold it}]"},
		{"claimed twice in one generation, for the first", group("t:1", "C0: t | t:0 @2", "C1: t | t:0 @2"), "C0[t:0]", "C0[t:0]", "[]"},
		{"claimed twice in one generation, for the second", group("t:1", "C0: t | t:0 @2", "C1: t | t:0 @2"), "C1[t:0]", "C1[]",
			"[{t 0 C1 C0 C0 may still hold it}]"},
		{"claimed twice, for a third", group("t:1", "C0: t | t:0 @1", "C1: t | t:0 @2", "C2: t"), "C2[t:0]", "C2[]",
			"[{t 0 C2 C1 C1 may still hold it}]"},
		{"what the group does not have stays", group("t:1", "C0: t"), "C0[gone:0 t:0,7]", "C0[gone:0 t:0,7]", "[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			target := planOf(test.target)
			got := assign.Withhold(test.group, target)
			if brief(got.Assignment) != test.want || fmt.Sprint(got.Withheld) != test.withheld {
				t.Errorf("got  %s %v\nwant %s %s", brief(got.Assignment), got.Withheld, test.want, test.withheld)
			}
			if !reflect.DeepEqual(target, planOf(test.target)) {
				t.Errorf("the target became %+v", target)
			}
		})
	}
}

func TestWithholdKeepsWhatTheTargetWithholds(t *testing.T) {
	target := planOf("C0[t:0]")
	target.Withheld = []assign.Withheld{{Topic: "t", Partition: 1, Member: "C0", Reason: "the leader says so"}}
	got := assign.Withhold(group("t:2", "C0: t", "C1: t | t:0 @1"), target)
	if len(got.Withheld) != 2 || got.Withheld[0] != target.Withheld[0] || len(target.Withheld) != 1 {
		t.Errorf("got %+v, the target has %+v", got.Withheld, target.Withheld)
	}
}
