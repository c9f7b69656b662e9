package examples

import (
	"strings"
	"testing"
)

func TestSingletonReportsInOneMemberAtATime(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 0)
	one, other := which(t, "^reporting", start(t, cluster, "singleton"), start(t, cluster, "singleton"))
	if _, both := other.says("^reporting"); both {
		t.Error("both report")
	}
	one.stop()
	if _, ok := one.says("^not reporting any more: the member was closed"); !ok {
		t.Error("the one that was stopped did not stop reporting first")
	}
	eventually(t, "the other reports", func() bool { _, ok := other.says("^reporting"); return ok })
	eventually(t, "it handles records", func() bool {
		produce(t, cluster, 6)
		_, ok := other.says("^handled")
		return ok
	})
}

func TestElectTellsAllWhereTheLeaderIs(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 0)
	a, b := start(t, cluster, "elect", "-address", "a:1"), start(t, cluster, "elect", "-address", "b:1")
	leader, follower := which(t, "^leading", a, b)
	at := map[*program]string{a: "a:1", b: "b:1"}
	eventually(t, "the follower knows where the leader is", func() bool { _, ok := follower.says("^the leader is at " + at[leader]); return ok })
	high := start(t, cluster, "elect", "-address", "high:1", "-priority", "5")
	eventually(t, "the higher one leads", func() bool { _, ok := high.says("^leading"); return ok })
	if _, ok := leader.says("^not leading any more: .*a candidate of higher priority takes over"); !ok {
		t.Error("the leader was not told why")
	}
	eventually(t, "all know", func() bool {
		_, knowsA := a.says("^the leader is at high:1")
		_, knowsB := b.says("^the leader is at high:1")
		return knowsA && knowsB
	})
	high.stop()
	eventually(t, "one of the others leads again", func() bool {
		for _, p := range []*program{a, b} {
			if !strings.HasSuffix(p.last("^the leader is at"), "high:1") {
				return true
			}
		}
		return false
	})
}

func TestCanaryGetsOnePartition(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 0)
	stable := start(t, cluster, "canary")
	eventually(t, "the stable version has all", func() bool { return stable.last("^stable has") == "stable has [{orders [0 1 2 3 4 5]}]" })
	canary := start(t, cluster, "canary", "-canary")
	eventually(t, "the canary has one", func() bool {
		return strings.Count(canary.last("^canary has"), " ") == 3 && strings.Count(stable.last("^stable has"), " ") == 7
	})
	canary.stop()
	eventually(t, "the stable version has all again", func() bool { return stable.last("^stable has") == "stable has [{orders [0 1 2 3 4 5]}]" })
}

func TestLagIsWhatThePlanGoesBy(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 3000)
	p := start(t, cluster, "lag")
	eventually(t, "a plan with the lag", func() bool {
		_, ok := p.says(`^planned: the most loaded member has 3006 records to catch up on, the least 3006`)
		return ok
	})
}

func TestDrainLeavesWithNothing(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 0)
	a, b := start(t, cluster, "drain"), start(t, cluster, "drain", "-limit", "1s")
	eventually(t, "both have half", func() bool {
		return strings.Count(a.last("^has"), " ") == 4 && strings.Count(b.last("^has"), " ") == 4
	})
	a.stop()
	if _, ok := a.says("^drained"); !ok || a.last("^has") != "has []" {
		t.Error("it did not leave with nothing")
	}
	eventually(t, "the other has all", func() bool { return b.last("^has") == "has [{orders [0 1 2 3 4 5]}]" })
}

func TestTransactionsCommitUnderALeader(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, 50)
	p := start(t, cluster, "transactions")
	for _, pattern := range []string{"^leading transactions", "^records: .* committed: true"} {
		eventually(t, pattern, func() bool { _, ok := p.says(pattern); return ok })
	}
}
