package main

import (
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestShortIDs(t *testing.T) {
	for id, want := range map[string]string{
		"worker-a-310c3349-77fe-4156-9d32-602b2dead304": "worker-a-310c3349",
		"one-780bdd9c73d82e3c09c58d1fa390bac5":          "one-780bdd9c",
		"Ay7lCWee8LNj6Tg63cLGbg==":                      "Ay7lCWee",
		"cHds_vRHSoKdAQU_D3mJaQ":                        "cHds_vRH",
		"注文処理-0-7285a6c3-b5c0-4f28-b590-f2588575f5f6":   "注文処理-0-7285a6c3",
		"310c3349-77fe-4156-9d32-602b2dead304":          "310c3349-77fe-4156-9d32-602b2dead304",
		"order-processing-name1":                        "order-processing-name1",
		"a\x1b":                                         `a\x1b`,
		"":                                              `""`,
	} {
		if got := shortIDs([]string{id})(id); got != want {
			t.Errorf("%q is shown as %s, want %s", id, got, want)
		}
	}
	const a, b = "w-310c3349-77fe-4156-9d32-602b2dead304", "w-310c3349-77fe-4156-9d32-602b2dead305"
	shown := shortIDs([]string{a, b, "w"})
	if shown(a) != a || shown(b) != b || shown("w") != "w" {
		t.Errorf("members that are alike are shown as %s and %s", shown(a), shown(b))
	}
	members := []assign.Member{{ID: a}, {ID: b}, {ID: "x-410c3349-77fe-4156-9d32-602b2dead304", Instance: "x"}}
	for who, want := range map[string]int{a: 0, b: 1, "w-310c3349": -1, "x-410c3349": 2, "x": 2, "y": -1, "": -1} {
		if got, several := memberCalled(members, who); got != want || several != (who == "w-310c3349") {
			t.Errorf("%q is member %d (of several: %v), want %d", who, got, several, want)
		}
	}
	if shown := shortIDs([]string{a, a}); shown(a) != "w-310c3349" || shown(b) != b {
		t.Errorf("%s, %s", shown(a), shown(b))
	}
}
