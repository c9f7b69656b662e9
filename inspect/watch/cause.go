package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// evidence is what was seen, a sentence each.
type evidence []string

func (e *evidence) note(format string, args ...any) { *e = append(*e, fmt.Sprintf(format, args...)) }

// election is one partition before and after an election, and which brokers were
// live then.
type election struct {
	before, after Partition
	wereLive      []int32
	areLive       []int32
	unseen        int32
	gap           time.Duration // between the looks
	// lost is who led last, where the partition has been without a leader since although
	// replicas could lead; nil if that is not so.
	lost *lostLeader
}

// lostLeader led a partition in an epoch.
type lostLeader struct {
	node  int32
	epoch *int32
}

// longestGap is how far apart two looks may lie for what was not seen between them to
// be ruled out: that a broker went and came back.
const longestGap = 5 * time.Second

// cause follows the rules by which the controller elects
// (PartitionChangeBuilder.electLeader): it keeps a leader that is live and in sync,
// unless a preferred election is held or the replicas are moved.
func (e election) cause() (Cause, []string) {
	before, after := e.before, e.after
	var seen evidence
	if e.unseen > 0 {
		seen.note("the epoch went from %d to %d: %s", *before.LeaderEpoch, *after.LeaderEpoch, passed(e.unseen))
	}
	moved := !slices.Equal(before.Replicas, after.Replicas)
	if moved {
		seen.note("the replicas were %s and are %s", list(before.Replicas), list(after.Replicas))
	}

	if before.Leader == nil {
		return e.fromNone(&seen)
	}
	from := *before.Leader
	live, inSync := slices.Contains(e.areLive, from), slices.Contains(after.ISR, from)
	switch {
	case moved && !slices.Contains(after.Replicas, from):
		seen.note("broker %d is not a replica any more", from)
		return CauseReassignment, seen
	case equal(before.Leader, after.Leader):
		if moved {
			return CauseReassignment, seen
		}
		seen.note("broker %d leads as before, after an election", from)
		if left := without(before.ISR, after.ISR); len(left) > 0 {
			seen.note("brokers %s left the ISR", list(left))
		}
		return CauseUnknown, seen
	case !live:
		seen.note("broker %d is not among the live brokers %s", from, list(e.areLive))
	case slices.Contains(after.Offline, from):
		seen.note("broker %d is live, and its replica is offline, as when its disk fails", from)
	case !inSync:
		seen.note("broker %d is among the live brokers and left the ISR with the election, as when it shuts down or was fenced for a moment", from)
	default:
		return e.fromLive(moved, &seen)
	}
	if after.Leader == nil {
		if able := e.able(); len(able) > 0 {
			seen.note("brokers %s are live and in sync, and none of them is elected yet", list(able))
		} else {
			seen.note("no replica in sync could take over")
		}
		return CauseBrokerGone, seen
	}
	return e.mayBeUnclean(CauseBrokerGone, &seen)
}

// able are the replicas that are live and in sync. A partition without a leader that has
// some is about to get one: a broker with ZooKeeper tells of none from when the leader is
// gone until another is elected.
func (e election) able() []int32 {
	return slices.DeleteFunc(slices.Clone(e.after.ISR), func(node int32) bool {
		return !slices.Contains(e.areLive, node) || slices.Contains(e.after.Offline, node)
	})
}

// fromLive is an election away from a leader that is live and in sync.
func (e election) fromLive(moved bool, seen *evidence) (Cause, []string) {
	before, after := e.before, e.after
	seen.note("broker %d is live and in sync", *before.Leader)
	if e.gap > longestGap {
		seen.note("nothing was seen for %v, in which it may have gone and come back", e.gap.Round(time.Second))
		return CauseUnknown, *seen
	}
	if after.Leader != nil && len(after.Replicas) > 0 && *after.Leader == after.Replicas[0] && e.unseen == 0 && !moved {
		seen.note("broker %d is the first replica", *after.Leader)
		return CausePreferred, *seen
	}
	return CauseUnknown, *seen
}

// fromNone is an election of a partition that had no leader.
func (e election) fromNone(seen *evidence) (Cause, []string) {
	before, after := e.before, e.after
	if after.Leader == nil {
		seen.note("it had no leader before, and has none after")
		if e.lost != nil && slices.Contains(before.ISR, e.lost.node) && !slices.Contains(after.ISR, e.lost.node) {
			seen.note("broker %d, which led last, left the ISR", e.lost.node)
			return CauseBrokerGone, *seen
		}
		return CauseUnknown, *seen
	}
	to := *after.Leader
	wasLive := slices.Contains(e.wereLive, to)
	switch {
	case slices.Contains(before.ISR, to):
		seen.note("broker %d was in the ISR %s", to, list(before.ISR))
	case slices.Contains(before.ELR, to):
		seen.note("broker %d may lead although it was not in sync: it was in the ELR %s", to, list(before.ELR))
	case len(before.ISR)+len(before.ELR) == 0 && before.ELR != nil && len(before.LastKnownELR) == 1 && before.LastKnownELR[0] == to:
		seen.note("no replica was in the ISR or the ELR, and broker %d is the last leader known", to)
	default:
		return e.mayBeUnclean(CauseUnknown, seen)
	}
	if wasLive && e.lost != nil && e.lost.node != to && !slices.Contains(e.areLive, e.lost.node) {
		seen.note("broker %d, which led last%s, is not among the live brokers %s", e.lost.node, inEpoch(e.lost.epoch), list(e.areLive))
		return CauseBrokerGone, *seen
	}
	if wasLive {
		seen.note("broker %d was among the live brokers before", to)
		return CauseUnknown, *seen
	}
	seen.note("broker %d was not among the live brokers before, and is", to)
	return CauseBrokerBack, *seen
}

// mayBeUnclean tells an unclean election from a clean one. The new leader alone is
// in sync after either, where nobody else was.
func (e election) mayBeUnclean(otherwise Cause, seen *evidence) (Cause, []string) {
	before, after := e.before, e.after
	to := *after.Leader
	switch {
	case slices.Contains(before.ISR, to), slices.Contains(before.ELR, to):
		return otherwise, *seen
	case !slices.Equal(after.ISR, []int32{to}):
		seen.note("broker %d was not in the ISR %s when that was last seen, and has joined it since", to, list(before.ISR))
		return otherwise, *seen
	case before.ELR == nil:
		seen.note("broker %d was not in the ISR %s when that was last seen: the election was unclean, unless it was in the ELR, which is not known", to, list(before.ISR))
		return CauseUnknown, *seen
	}
	seen.note("broker %d was neither in the ISR %s nor in the ELR %s, and is alone in sync: records may be lost", to, list(before.ISR), list(before.ELR))
	return CauseUnclean, *seen
}

func inEpoch(epoch *int32) string {
	if epoch == nil {
		return ""
	}
	return fmt.Sprintf(", in epoch %d", *epoch)
}

func passed(unseen int32) string {
	if unseen == 1 {
		return "one election between was not seen"
	}
	return fmt.Sprintf("%d elections between were not seen", unseen)
}

func list(nodes []int32) string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		texts[i] = strconv.Itoa(int(n))
	}
	return "[" + strings.Join(texts, ",") + "]"
}
