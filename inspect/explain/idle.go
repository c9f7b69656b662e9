package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// caughtUpWithin is how soon after a rebalance who has a partition from then on has
// committed what had waited in it: Java's client commits every five seconds.
const caughtUpWithin = 15 * time.Second

// whyNotIdle says why a member that committed nothing for some time up to a round, since
// its last commit, had something to commit, empty if it may have had nothing: it used to
// commit where nothing had come, or so much had waited in its partitions afterwards as came
// in that time. Commits of who had the partitions before do not count.
func (h *history) whyNotIdle(m watch.Member, r *round, last time.Time, silent time.Duration) string {
	most := 0 // that a partition was committed where nothing had come
	since := h.assignedSince(m, r)
	var waited, expected float64
	for _, topic := range m.Assigned {
		for _, p := range topic.Partitions {
			was, before, after, repeated := -1, 0, 0, 0
			all := h.commits[partition{topic.Topic, p}]
			for i := firstFrom(all, since.Add(1)); i < len(all) && all[i].At.Before(r.at); i++ {
				if was < 0 {
					was = i
				} else if all[i].Commit.Offset == all[i-1].Commit.Offset && !h.isForRound(all[i].At) {
					repeated++
				}
				before = i
			}
			most = max(most, repeated)
			if was < 0 {
				continue
			}
			for i := before + 1; i < len(all) && all[i].At.Sub(r.at) <= caughtUpWithin; i++ {
				after = i
			}
			took := all[before].At.Sub(all[was].At).Seconds()
			if after == 0 || took < 1 {
				continue
			}
			rate := float64(all[before].Commit.Offset-all[was].Commit.Offset) / took
			waited += float64(all[after].Commit.Offset - all[before].Commit.Offset)
			// Had nothing come until the round, there would be what came since.
			expected += rate * (all[after].At.Sub(last) - silent/2).Seconds()
		}
	}
	switch {
	case most >= 2:
		return "it used to commit also where nothing had come"
	case expected > 0 && waited >= expected:
		return fmt.Sprintf("%d offsets of its partitions were committed right after", int64(waited))
	}
	return ""
}

// assignedSince is since when a member has what it had before a round, at most so far back
// as commits are looked at.
func (h *history) assignedSince(m watch.Member, r *round) time.Time {
	since := r.at.Add(-commitsWithin)
	for _, earlier := range h.rounds {
		if earlier == r {
			break
		}
		if !earlier.at.After(since) {
			continue
		}
		if _, had := byID(earlier.after)[m.ID]; had && !sameAssignment(earlier, m) {
			since = earlier.at
		}
	}
	return since
}

// isForRound says whether a commit may be one for a rebalance, right before a member joins
// for it: clients commit then what they have committed before, too.
func (h *history) isForRound(at time.Time) bool {
	i, _ := slices.BinarySearchFunc(h.rounds, at.Add(-time.Second), func(r *round, at time.Time) int { return r.at.Compare(at) })
	if i == len(h.rounds) {
		return false
	}
	r := h.rounds[i] // the first that it may be for
	return !at.Before(r.waitedOr(r.at).Add(-h.limits.Slow))
}

// distinct counts times that are not together.
func distinct(times []time.Time) int {
	n := 0
	for i, at := range times {
		if i == 0 || at.Sub(times[i-1]) > 50*time.Millisecond {
			n++
		}
	}
	return n
}
