package member

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/internal/memberbytes"
)

func TestIsolatedMembersHoldPartitionsBackForOneRound(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	given := l.round(6, joined("me", l.says(0, 1)), joined("bad", garbled))
	if !reflect.DeepEqual(given, map[string][]int32{"me": {0, 1}, "bad": nil}) || !l.replans() {
		t.Fatalf("what nobody claims must be withheld and a round follow: %v", given)
	}
	if got := l.of(EventIsolated); len(got) != 1 || got[0].Subject != "bad" || got[0].Err == nil {
		t.Errorf("got %+v", got)
	}
	if got := l.of(EventPlanned); len(got) != 1 || len(got[0].Plan.Withheld) != 4 || !strings.Contains(got[0].Plan.Withheld[0].Reason, "bad cannot be read") {
		t.Errorf("got %+v", got)
	}
	for range 3 {
		given = l.round(6, joined("me", l.says(given["me"]...)), joined("bad", garbled))
		if len(given["me"]) != 6 || l.replans() {
			t.Fatalf("all must be given out, and no round follow: %v", given)
		}
	}
	// It cannot have got anything by joining again.
	given = l.round(8, joined("me", l.says(given["me"]...)), joined("bad-2", garbled))
	if len(given["me"]) != 8 || l.replans() {
		t.Errorf("new partitions must be given out, and no round follow: %v", given)
	}
}

func TestMembersThatComeBackWithGarbageAndANewIDStopNobody(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.round(6, joined("me", l.says()), joined("bad", garbled))
	for i := range 5 {
		l.replans()
		given := l.round(6, joined("me", l.says()), joined(fmt.Sprint("bad-", i), garbled))
		if len(given["me"]) != 6 || l.replans() {
			t.Fatalf("round %d: %v", i, given)
		}
	}
}

func TestAMemberThatWasReadBeforeMayStillHoldWhatItHad(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	given := l.round(6, joined("me", l.says()), joined("other", l.says()))
	if len(given["me"]) != 3 || len(given["other"]) != 3 {
		t.Fatal(given)
	}
	before := given["me"]
	given = l.round(6, joined("me", l.says(before...)), joined("other", garbled))
	if !slices.Equal(given["me"], before) || !l.replans() {
		t.Fatalf("got %v", given)
	}
	given = l.round(6, joined("me", l.says(before...)), joined("other", garbled))
	if len(given["me"]) != 6 || l.replans() {
		t.Fatalf("got %v", given)
	}
	// As a static member it keeps what it has while its id changes.
	static := joined("static-1", l.says())
	static.InstanceID = kmsg.StringPtr("i")
	given = l.round(6, joined("me", l.says()), static)
	static = joined("static-2", garbled)
	static.InstanceID = kmsg.StringPtr("i")
	given = l.round(6, joined("me", l.says(given["me"]...)), static)
	if len(given["me"]) != 3 || !l.replans() {
		t.Fatalf("got %v", given)
	}
}

func TestAnotherLeaderMayHaveGivenSomethingToAnIsolatedMember(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	given := l.round(2, joined("me", l.says()), joined("bad", garbled))
	given = l.round(2, joined("me", l.says(given["me"]...)), joined("bad", garbled))
	if len(given["me"]) != 2 {
		t.Fatal(given)
	}
	l.balancer.JoinGroupMetadata([]string{"t"}, nil, l.generation)
	l.sync(nil) // as a follower
	l.replans()
	if given = l.round(2, joined("me", l.says()), joined("bad", garbled)); count(given) != 0 || !l.replans() {
		t.Errorf("got %v", given)
	}
}

func TestEagerMembersHoldNothingInARound(t *testing.T) {
	l := newLeader(t, HooksConfig{Protocols: []Protocol{{Assignor: assign.Range()}}})
	// A leader that has just joined does not know that the group was eager before.
	if given := l.round(4, joined("me", l.says()), joined("bad", garbled)); count(given) != 0 || !l.replans() {
		t.Errorf("in its first round %v", given)
	}
	for _, bad := range []string{"bad", "worse"} {
		if given := l.round(4, joined("me", l.says()), joined(bad, garbled)); len(given["me"]) != 4 || l.replans() {
			t.Errorf("with %s %v", bad, given)
		}
	}
}

func TestRoundsOfOddMembers(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	for range 2 { // all garbage, the leader's too
		if given := l.round(4, joined("me", garbled), joined("bad", nil)); count(given) != 0 || len(given) != 2 || l.replans() {
			t.Errorf("got %v", given)
		}
	}
	given := l.round(4, joined("me", l.says()), joined("me", l.says()), joined("", l.says()), joined("large", make([]byte, memberbytes.MaxSubscription+1)))
	if !reflect.DeepEqual(given, map[string][]int32{"me": {0, 1, 2, 3}, "large": nil}) {
		t.Errorf("got %v", given)
	}
	if got := l.of(EventIsolated); !errors.Is(got[len(got)-1].Err, memberbytes.ErrSubscriptionSize) {
		t.Errorf("got %v", got[len(got)-1].Err)
	}
	odd := encodeSubscription(l.balancer.protocol, []string{"", "t", "a b"}, []assign.TopicPartitions{{Topic: "t", Partitions: []int32{-1, 99, 0, 0}}, {Topic: "", Partitions: []int32{1}}}, 99, nil)
	given = l.round(4, joined("me", l.says(0, 1)), joined("odd", odd))
	if len(l.of(EventFallback)) > 0 || count(given) == 0 {
		t.Errorf("odd claims must not disturb the assignor: %v, %v", given, l.of(EventFallback))
	}
}

// Claims that cannot hold are normal after changes. Each is dropped on its own, and the
// members that made them are served.
func TestClaimsThatCannotHoldAreDroppedOneByOne(t *testing.T) {
	l := newLeader(t, HooksConfig{})
	l.generation = 7
	mine := []assign.TopicPartitions{{Topic: "t", Partitions: []int32{0, 1}}}
	yours := []assign.TopicPartitions{
		{Topic: "deleted", Partitions: []int32{0, 1}},
		{Topic: "t", Partitions: []int32{-1, 1, 2, 99}}, // 1 was given to me since
	}
	says := func(owned []assign.TopicPartitions, generation int32) []byte {
		return encodeSubscription(l.balancer.protocol, []string{"t"}, owned, generation, nil)
	}
	given := l.round(4, joined("me", says(mine, 7)), joined("you", says(yours, 6)))
	if want := map[string][]int32{"me": {0, 1}, "you": {2, 3}}; !reflect.DeepEqual(given, want) {
		t.Errorf("got %v, want %v", given, want)
	}
	// Two that claim the same in the same generation: one of them keeps it, and the
	// other loses only that.
	given = l.round(4, joined("me", says([]assign.TopicPartitions{{Topic: "t", Partitions: []int32{0, 1}}}, 8)), joined("you", says([]assign.TopicPartitions{{Topic: "t", Partitions: []int32{1, 2}}}, 8)))
	if want := map[string][]int32{"me": {0, 1}, "you": {2, 3}}; !reflect.DeepEqual(given, want) {
		t.Errorf("got %v, want %v", given, want)
	}
	if n := len(l.of(EventIsolated)) + len(l.of(EventFallback)); n > 0 || l.replans() {
		t.Errorf("such claims are no failure: %v", l.events)
	}
}
