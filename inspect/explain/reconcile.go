package explain

import (
	"fmt"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// heartbeatOfBroker is how long a KIP-848 member may take to hear what it is to do: the
// broker's default for group.consumer.heartbeat.interval.ms.
const heartbeatOfBroker = 5 * time.Second

// heldUp is a time in which a KIP-848 member stayed behind its group.
type heldUp struct {
	since, last time.Time
	epoch       int32
	member      watch.Member // at the first look
	// told is when it was seen to have been told to give something up, zero if it was
	// not, and what that is.
	told time.Time
	what []string
}

// tooLong is how long the others were seen to wait for it, 0 if no longer than they may.
func (u heldUp) tooLong(limits Limits) time.Duration {
	if !u.told.IsZero() {
		if lasted := u.last.Sub(u.told); lasted >= limits.Slow {
			return lasted
		}
		return 0
	}
	if lasted := u.last.Sub(u.since); lasted >= limits.Slow+heartbeatOfBroker {
		return lasted
	}
	return 0
}

// heldUps finds the members of a KIP-848 group that stay behind its epoch. A member gets
// there by a heartbeat, and only when it has given up what it is to have no more.
// Partitions that it was told to give up and has not yet are in no description, so that
// they are those that it had and has no more while it stays behind
// (org.apache.kafka.coordinator.group.modern.consumer.CurrentAssignmentBuilder).
func (h *history) heldUps() []*heldUp {
	var all []*heldUp
	open := map[string]*heldUp{}
	had := map[string][]watch.TopicPartitions{} // at the look before
	for _, o := range h.looks {
		if o.Look.Type != "consumer" || o.Look.Generation == nil {
			clear(open)
			clear(had)
			continue
		}
		for _, m := range o.Look.Members {
			before := had[m.ID]
			had[m.ID] = m.Owned
			if m.Epoch == nil || *m.Epoch >= *o.Look.Generation {
				delete(open, m.ID)
				continue
			}
			u := open[m.ID]
			if u == nil || u.epoch != *m.Epoch {
				u = &heldUp{since: o.At, epoch: *m.Epoch, member: m}
				open[m.ID] = u
				all = append(all, u)
			}
			u.last = o.At
			if u.told.IsZero() {
				if u.what = without(before, m.Owned); len(u.what) > 0 {
					u.told = o.At
				}
			}
		}
	}
	return all
}

// without names the partitions that are in one list and not in another.
func without(list, others []watch.TopicPartitions) []string {
	taken := map[partition]bool{}
	for _, t := range others {
		for _, p := range t.Partitions {
			taken[partition{t.Topic, p}] = true
		}
	}
	var rest []string
	for _, t := range list {
		for _, p := range t.Partitions {
			if !taken[partition{t.Topic, p}] {
				rest = append(rest, fmt.Sprintf("%s-%d", t.Topic, p))
			}
		}
	}
	return rest
}

// slowReconciliation: in a KIP-848 group, a member does not give up what others wait for.
func (h *history) slowReconciliation(departures []*departure) []*finding {
	v := find(SlowToRejoin, Likely, doGiveUpSooner)
	who := map[string]watch.MemberRef{}
	var longest time.Duration
	waits := 0
	prolonged := map[*round]bool{}
	for _, u := range h.heldUps() {
		lasted := u.tooLong(h.limits)
		if lasted == 0 {
			continue
		}
		who[u.member.ID] = u.member.MemberRef
		longest = max(longest, lasted)
		waits++
		for _, r := range h.rounds {
			if !r.at.Before(u.since.Add(-2*time.Second)) && !r.at.After(u.last) {
				prolonged[r] = true
			}
		}
		if u.told.IsZero() {
			v.quote(u.since, SourcePoll, fmt.Sprintf("%s stayed at epoch %d for at least %s, behind its group", named(u.member.MemberRef), u.epoch, roughly(lasted)))
			continue
		}
		v.Sure = Certain
		v.quote(u.told, SourcePoll, fmt.Sprintf("%s was told to give up %s, and had not after %s", named(u.member.MemberRef), few(u.what, ", "), roughly(lasted)))
	}
	if len(who) == 0 {
		return nil
	}
	// One that is removed at its rebalance timeout went for this.
	h.alsoDropped(departures, who, v)
	v.Members, v.Prolongs = sortedRefs(who), len(prolonged)
	v.Says = fmt.Sprintf("The group waited up to %s for %s to give up partitions, %s.", roughly(longest), calledAll(v.Members), times(waits))
	return []*finding{v}
}

// calledAll names KIP-848 members, whose IDs are UUIDs, by their clients too.
func calledAll(members []watch.MemberRef) string {
	if len(members) == 1 && members[0].Instance == nil {
		return fmt.Sprintf("%s (%s)", named(members[0]), calledWho(members[0]))
	}
	return namedAll(members)
}
