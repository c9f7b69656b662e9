package explain

import (
	"slices"
	"strings"
	"testing"
)

// takenIn, given and closed are what members of KIP-848 log, with their own epochs.
func takenIn(seconds float64, id string, epoch int32) []Observation {
	client, _, _ := strings.Cut(id, "-")
	return []Observation{
		said(seconds, Said{Member: id, ClientID: client, Kind: "syncing", State: "syncing", Generation: epoch}),
		said(seconds, Said{Member: id, ClientID: client, Kind: "assigned", State: "leaderless", Generation: epoch}),
	}
}

func given(seconds float64, id string, epoch int32) []Observation {
	client, _, _ := strings.Cut(id, "-")
	return []Observation{said(seconds, Said{Member: id, ClientID: client, Kind: "assigned", Generation: epoch})}
}

func ends(seconds float64, id, kind string, epoch int32) []Observation {
	client, _, _ := strings.Cut(id, "-")
	return []Observation{said(seconds, Said{Member: id, ClientID: client, Kind: kind, State: "closed", Generation: epoch, Error: "the member lost its membership"})}
}

type epochCase struct {
	name       string
	seen       [][]Observation
	cause      Cause
	sure       Sureness
	says       string
	rebalances int
}

func epochCases() []epochCase {
	began := slices.Concat(takenIn(0, "a-1", 2), takenIn(0.1, "b-1", 2), given(1, "a-1", 2), given(1, "b-1", 3))
	return []epochCase{
		{"two start, and remain", [][]Observation{began, given(60, "a-1", 3)}, Fine, Likely, "rebalanced once: 1 member joined", 1},
		{"one leaves again and again", [][]Observation{began,
			takenIn(10, "x-1", 4), ends(12, "x-1", "closed", 4), given(12.5, "a-1", 5), takenIn(14, "x-2", 5), given(14.5, "x-2", 6),
			ends(16, "x-2", "closed", 6), given(16.5, "b-1", 7), takenIn(18, "x-3", 7), given(18.5, "x-3", 8),
		}, LeavesRepeatedly, Certain, `The client "x" leaves the group and comes back`, 6},
		{"one is cut off", [][]Observation{began, ends(20, "b-1", "lost", 3), given(23, "a-1", 4)}, SessionExpired, Possible, `the client "b"`, 2},
		{"an epoch of which nobody tells why", [][]Observation{began, given(60, "a-1", 4)}, Unexplained, Possible, "1 of 2 rebalances cannot", 2},
		{"a static member restarts", [][]Observation{began,
			{said(2, Said{Member: "s-1", Instance: "s", Kind: "syncing", Generation: 4}), said(2, Said{Member: "s-1", Instance: "s", Kind: "assigned", State: "leaderless", Generation: 4})},
			{said(9, Said{Member: "s-1", Instance: "s", Kind: "closed", Generation: 4})},
			{said(12, Said{Member: "s-2", Instance: "s", Kind: "syncing", Generation: 4}), said(12, Said{Member: "s-2", Instance: "s", Kind: "assigned", State: "leaderless", Generation: 4})},
		}, Fine, Likely, "rebalanced twice: 2 members joined", 2},
	}
}

// TestWhatMembersOfKIP848Say is judged by itself: each tells of an epoch of its own, that
// of a newcomer being earlier than the one in which it joined.
func TestWhatMembersOfKIP848Say(t *testing.T) {
	for _, test := range epochCases() {
		d := Diagnose("g", slices.Concat(test.seen...), Limits{})
		v := d.Verdicts[0]
		if d.Rebalances != test.rebalances || v.Cause != test.cause || v.Sure != test.sure || !strings.Contains(v.Says, test.says) {
			t.Errorf("%s: %d rebalances, want %d, %s, %s and %q: %+v", test.name, d.Rebalances, test.rebalances, test.sure, test.cause, test.says, d.Verdicts)
		}
	}
}
