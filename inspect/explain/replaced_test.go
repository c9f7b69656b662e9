package explain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// entered has a record say when the coordinator entered its state.
func entered(o Observation, seconds float64) Observation {
	o.Record.Entered = at(seconds)
	return o
}

// ofKIP848 is a member as the log of a group of KIP-848 has it, without a session timeout.
func ofKIP848(m watch.Member) watch.Member {
	classic := false
	m.Classic, m.SessionTimeout = &classic, 0
	return m
}

type replacedCase struct {
	name  string
	seen  []Observation
	cause Cause
	says  string
	// rounds are how many rebalances there were.
	rounds int
}

func replacedCases() []replacedCase {
	a, b, b2 := static(member("a-1", 0, 1)), static(member("b-1", 2, 3)), static(member("b-2", 2, 3))
	first, second := member("n-1", 0), member("n-2", 1)
	modern, successor := ofKIP848(first), ofKIP848(second)
	return []replacedCase{
		{
			// Kafka writes the record with the time at which the group became stable.
			"a static member restarts in a group that was long stable", []Observation{
				entered(logged(0, 5, a, b), -0.01), entered(logged(3000, 5, a, b2), 0.005),
			}, Fine, "did not rebalance", 0,
		},
		{
			"a static leader of package member restarts, and asks for a rebalance", []Observation{
				logged(0, 5, b, a), logged(100, 5, b2, a), logged(100.5, 6, b2, a),
			}, Fine, "rebalanced once: a member asked for it", 1,
		},
		{
			"a static member restarts, and the record of the generation itself is compacted away", []Observation{
				logged(0, 4, a), entered(logged(3000, 5, a, b2), 10),
			}, Fine, "1 member joined.", 1,
		},
		{
			"a static member restarts, by polls", []Observation{
				polled(0, "Stable", a, b), polled(1, "Stable", a, b2), polled(9, "Stable", a, b2),
			}, Fine, "did not rebalance", 0,
		},
		{
			"a static member restarts while the group rebalances for another", []Observation{
				logged(0, 5, a, b), entered(logged(20, 6, a, b2, member("c-1", 4)), 13),
			}, Fine, "1 member joined; 1 static member restarted", 1,
		},
		{
			"the plan of a group with static members is slow", []Observation{
				logged(0, 5, a, b), entered(logged(20, 6, a, b, member("c-1", 4)), 13),
			}, SlowPlan, "up to 7s to plan", 1,
		},
		{
			"scaled up, and down again 40 minutes later, under one name", slices.Concat([]Observation{
				logged(0, 1, member("n-1", 0, 1)), logged(300, 2, first, second), logged(2700, 3, member("n-2", 0, 1)),
			}, commits(2600, 2699, 1, 0, 1)), Fine, "1 member joined; 1 member went as the record ends", 2,
		},
		{
			"the same where nothing is committed", []Observation{
				logged(0, 1, member("n-1", 0, 1)), logged(300, 2, first, second), logged(2700, 3, member("n-2", 0, 1)),
			}, Fine, "1 member joined; 1 member went as the record ends", 2,
		},
		{
			"a successor joins a classic group, and then the old one goes", []Observation{
				logged(0, 1, member("n-1", 0, 1)), logged(10, 2, first, second), logged(20, 3, member("n-2", 0, 1)),
			}, Fine, "went after another of the same name had joined", 2,
		},
		{
			"killed and started anew in a group of KIP-848", []Observation{
				logged(0, 1, modern), logged(10, 2, modern, successor), logged(55, 3, successor),
			}, SessionExpired, "heard nothing", 2,
		},
		{
			"a group of KIP-848 is scaled up, and down again", []Observation{
				logged(0, 1, modern), logged(10, 2, modern, successor), logged(2700, 3, successor),
			}, Fine, "1 member joined; 1 member went as the record ends", 2,
		},
		{
			"the same within a minute, and it worked until it went", slices.Concat([]Observation{
				logged(0, 1, modern), logged(10, 2, modern, successor), logged(55, 3, successor),
			}, commits(1, 54.5, 0.5, 0, 1)), Fine, "went after another of the same name had joined", 2,
		},
		{
			"scaled down at night, and up in the morning, on two hosts", []Observation{
				logged(0, 1, member("a-1"), member("b-1"), member("c-1")), logged(10, 2, member("b-1"), member("c-1")), logged(20, 3, member("c-1")),
				logged(30000, 4, member("a-2"), member("c-1")), logged(30010, 5, member("a-2"), member("b-2"), member("c-1")),
			}, Fine, "2 members went and were back, each within 8h20m", 4,
		},
	}
}

// TestMembersThatAreReplaced has members come back, or not, under other IDs.
func TestMembersThatAreReplaced(t *testing.T) {
	for _, test := range replacedCases() {
		t.Run(test.name, func(t *testing.T) {
			d := Diagnose("g", test.seen, Limits{})
			if !slices.Equal(causesOf(d), []Cause{test.cause}) || !strings.Contains(d.Verdicts[0].Says, test.says) || d.Rebalances != test.rounds {
				t.Errorf("%d rebalances, want %d, %s and %q: %+v", d.Rebalances, test.rounds, test.cause, test.says, d.Verdicts)
			}
		})
	}
}

// TestMembersOfWhichOnlyTheIDIsKnownAreNotTakenForOneAnother: the log may not reach back
// to the record that names them.
func TestMembersOfWhichOnlyTheIDIsKnownAreNotTakenForOneAnother(t *testing.T) {
	nameless := func(id string) watch.Member { return ofKIP848(watch.Member{MemberRef: watch.MemberRef{ID: id}}) }
	d := Diagnose("g", []Observation{
		logged(0, 1, nameless("x")), logged(10, 2, nameless("x"), nameless("y")), logged(time.Minute.Seconds(), 3, nameless("y")),
	}, Limits{})
	if !slices.Equal(causesOf(d), []Cause{Fine}) {
		t.Errorf("%+v", d.Verdicts)
	}
}
