package explain

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// round is a rebalance that completed.
type round struct {
	at     time.Time
	source Source
	// before and after are the group around it. before has no members for the first
	// generation of a group.
	before, after watch.Group
	// beforeAt is when the generation before was written, zero if not known.
	beforeAt     time.Time
	joined, left []watch.Member
	// waited is how long the coordinator was seen preparing, waiting for members, from
	// polls; and planned how long for the leader's plan.
	waited, planned time.Duration
	waitedSince     time.Time
	waitSource      Source
	// expectedInVain: the wait went on for long after the last of those that joined, by what
	// members said, so it ended without somebody.
	expectedInVain bool
	// told is why it happened, as its leader knows.
	told []SaidCause
	// failed: the leader's plan failed before.
	failed bool
	// allJoined is when all had joined, by what members said, zero if they did not.
	allJoined time.Time
	unseen    int
	// partly: who was there is known only of those who tell, of whom none came or went.
	partly bool
	// restarted is a static member that took its place again right before, nil if none did.
	restarted *watch.Member
	// by accounts for it, nil if nothing does; follows: it was given to the one before.
	by      *finding
	follows bool
}

// history is what was observed, in order.
type history struct {
	group   string
	limits  Limits
	all     []Observation
	rounds  []*round
	looks   []Observation // with Look
	waits   []wait
	commits map[partition][]Observation
	said    []Observation
	saidBy  map[string][]Observation // the same, by member
	// hosting is when members said that the broker assigns partitions, or that it does not.
	hosting   map[string][]Observation
	plannings []planning // that took long
	sizes     map[string][]Observation
	timeouts  map[string]timeouts // by member
	founders  map[who][]time.Time // when each was among the first members of a group that was deleted before
	ordinary  *finding            // has the rounds with which nothing is wrong
	isLogged  bool                // records of generations
	isTold    bool                // what members said of generations
}

type partition struct {
	topic     string
	partition int32
}

// timeouts are what a member asked for, as the log tells.
type timeouts struct{ session, rebalance time.Duration }

func newHistory(group string, observations []Observation, limits Limits) *history {
	h := &history{
		group: group, ordinary: find(Fine, Certain, doNothing), limits: limits.withDefaults(),
		commits: map[partition][]Observation{}, sizes: map[string][]Observation{}, timeouts: map[string]timeouts{}, saidBy: map[string][]Observation{}, hosting: map[string][]Observation{},
		founders: map[who][]time.Time{},
	}
	h.all = slices.Clone(observations)
	slices.SortStableFunc(h.all, func(a, b Observation) int { return a.At.Compare(b.At) })
	// The log has the times of commits, polls the times at which they were seen.
	logged := slices.ContainsFunc(h.all, func(o Observation) bool { return o.Commit != nil && o.Source == SourceLog })
	for _, o := range h.all {
		switch {
		case o.Look != nil:
			h.looks = append(h.looks, o)
		case o.Commit != nil && (o.Source == SourceLog || !logged):
			key := partition{o.Commit.Topic, o.Commit.Partition}
			h.commits[key] = append(h.commits[key], o)
		case o.Topic != nil:
			h.sizes[o.Topic.Topic] = append(h.sizes[o.Topic.Topic], o)
		case o.Said != nil:
			h.said = append(h.said, o)
			if s := o.Said; s.Member != "" {
				h.saidBy[s.Member] = append(h.saidBy[s.Member], o)
				if s.Kind == "leaderless" || s.Kind == "led" {
					h.hosting[s.Member] = append(h.hosting[s.Member], o)
				}
				if s.RebalanceTimeout > 0 {
					h.timeouts[s.Member] = timeouts{s.SessionTimeout.Duration(), s.RebalanceTimeout.Duration()}
				}
			}
		case o.Record != nil:
			h.isLogged = true
			for _, m := range o.Record.Members {
				h.timeouts[m.ID] = timeouts{m.SessionTimeout.Duration(), m.RebalanceTimeout.Duration()}
			}
		}
	}
	h.plannings = h.slowPlannings()
	h.findWaits()
	told := h.toldRounds()
	if h.isLogged {
		h.roundsFromLog()
	} else {
		h.roundsFromLooks()
		var from, to time.Time
		if n := len(h.looks); n > 0 {
			from, to = h.looks[0].At, h.looks[n-1].At
		}
		h.roundsFromSaid(told, from, to)
		h.roundsFromEpochs(from, to)
	}
	h.takeWhatWasSaid(told)
	h.isTold = h.isTold || len(told) > 0
	for _, r := range h.rounds {
		r.joined, r.left = compare(r.before, r.after)
	}
	return h
}

// roundsFromLog pairs records of generations that follow each other.
func (h *history) roundsFromLog() {
	var last *watch.Group
	var lastAt time.Time
	var back restart
	for _, o := range h.all {
		if o.Record == nil {
			continue
		}
		record := o.Record
		if record.Tombstone {
			last = nil
			continue
		}
		now := groupOf(h.group, record)
		switch {
		case last == nil:
			for _, m := range now.Members {
				h.founders[whoIs(m.MemberRef)] = append(h.founders[whoIs(m.MemberRef)], o.At)
			}
		case len(now.Members) == 0:
			now.Type = last.Type // which an empty one does not tell
		case len(last.Members) == 0:
			last.Type = now.Type
		}
		before, beforeAt := last, lastAt
		last, lastAt = &now, o.At
		if before == nil || *before.Generation == record.Generation && sameMembers(*before, now) {
			continue
		}
		if *before.Generation == record.Generation && replacedInPlace(*before, now) {
			back.note(o.At, *before, now)
			continue
		}
		r := &round{at: o.At, source: SourceLog, before: *before, after: now, beforeAt: beforeAt, restarted: back.before(o.At)}
		r.unseen = int(max(0, record.Generation-*before.Generation-1))
		r.planned = h.plannedBy(record, *before, now)
		h.rounds = append(h.rounds, r)
	}
	// Polls tell how long the group waited before a record.
	for _, w := range h.waits {
		for _, r := range h.rounds {
			if !r.at.Before(w.from) && (r.waitedSince.IsZero() && r.at.Sub(w.to) < 2*time.Second) {
				r.waited, r.waitedSince, r.waitSource = w.preparing(), w.from, SourcePoll
				break
			}
		}
	}
}

// groupOf is the group as a record has it.
func groupOf(name string, record *watch.GroupRecord) watch.Group {
	g := watch.Group{
		Group: name, Type: "classic", State: "Stable", Assignor: record.Protocol,
		Generation: &record.Generation, Leader: record.Leader, Members: record.Members,
	}
	if len(record.Members) == 0 {
		g.State = "Empty"
	}
	if slices.ContainsFunc(record.Members, func(m watch.Member) bool { return m.Classic != nil }) {
		g.Type = "consumer"
	}
	return g
}

// plannedBy is how long the leader took to plan, as a record tells it: from when all had
// joined until it was written. One that is written when a static member was replaced
// says when the group became stable instead, which may be long ago. The record of the
// generation itself may be compacted away, so what is longer than the coordinator
// waits for a plan counts for such a one too.
func (h *history) plannedBy(record *watch.GroupRecord, before, after watch.Group) time.Duration {
	if record.Entered.IsZero() || len(replaced(before, after)) > 0 {
		return 0
	}
	planned := max(0, record.Written.Sub(record.Entered))
	if longest := h.longestRebalance(after); longest > 0 && planned > longest+2*time.Second {
		return 0
	}
	return planned
}

// replaced are the instances of static members that are back under another ID, by the
// ID that they had.
func replaced(before, after watch.Group) map[string]watch.Member {
	joined, left := compare(before, after)
	back := map[string]watch.Member{}
	for _, was := range left {
		for _, is := range joined {
			if was.Instance != nil && is.Instance != nil && *was.Instance == *is.Instance {
				back[was.ID] = is
			}
		}
	}
	return back
}

// replacedInPlace says whether all that differs is that static members are back under
// other IDs, with what they had: the coordinator gives them their places, and does not
// rebalance.
func replacedInPlace(before, after watch.Group) bool {
	joined, left := compare(before, after)
	back := replaced(before, after)
	if len(back) == 0 || len(back) != len(left) || len(back) != len(joined) {
		return false
	}
	return !slices.ContainsFunc(left, func(was watch.Member) bool { return !reflect.DeepEqual(was.Assigned, back[was.ID].Assigned) })
}

func sameMembers(a, b watch.Group) bool {
	joined, left := compare(a, b)
	return len(joined)+len(left) == 0
}

// roundsFromLooks has a differ find rebalances in looks.
func (h *history) roundsFromLooks() {
	differ := watch.NewDiffer(watch.Config{})
	var settled *watch.Group
	var back restart
	for i := range h.looks {
		o := h.looks[i]
		events := differ.Groups(watch.GroupsLook{At: o.At, Groups: []watch.Group{*o.Look}})
		for _, e := range events {
			if e.Kind != watch.KindGeneration || settled == nil {
				continue
			}
			if !h.waitedFor(o.Look) && replacedInPlace(*settled, *o.Look) {
				back.note(o.At, *settled, *o.Look)
				continue
			}
			r := &round{at: o.At, source: SourcePoll, before: *settled, after: *o.Look, restarted: back.before(o.At)}
			if e.Generation.Unseen != nil {
				r.unseen = int(*e.Generation.Unseen)
			}
			for _, w := range h.waits {
				if w.over && w.after == o.Look {
					r.waited, r.waitedSince, r.planned, r.failed = w.preparing(), w.from, w.completing(), w.turns() > 0 || w.planFails()
					r.waitSource = SourcePoll
				}
			}
			h.rounds = append(h.rounds, r)
		}
		if o.Look.Settled() {
			settled = o.Look
		}
	}
}

// waitedFor says whether the group was seen not to be settled right before a look.
func (h *history) waitedFor(look *watch.Group) bool {
	return slices.ContainsFunc(h.waits, func(w wait) bool { return w.over && w.after == look })
}

func compare(before, after watch.Group) (joined, left []watch.Member) {
	were, are := byID(before), byID(after)
	for _, id := range slices.Sorted(maps.Keys(are)) {
		if _, ok := were[id]; !ok {
			joined = append(joined, are[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(were)) {
		if _, ok := are[id]; !ok {
			left = append(left, were[id])
		}
	}
	return joined, left
}

func byID(g watch.Group) map[string]watch.Member {
	members := make(map[string]watch.Member, len(g.Members))
	for _, m := range g.Members {
		members[m.ID] = m
	}
	return members
}

// who is what a member is known by over its lives: its instance, or client and host.
type who struct{ instance, client, host string }

func whoIs(m watch.MemberRef) who {
	if m.Instance != nil {
		return who{instance: *m.Instance}
	}
	if m.ClientID == "" && m.Host == "" {
		return who{client: m.ID} // nothing else is known of it
	}
	return who{client: m.ClientID, host: m.Host}
}

func sortedRefs(refs map[string]watch.MemberRef) []watch.MemberRef {
	return slices.SortedFunc(maps.Values(refs), func(a, b watch.MemberRef) int { return cmp.Compare(a.ID, b.ID) })
}
