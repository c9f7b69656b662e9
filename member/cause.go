package member

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/assign"
)

// A CauseKind is one kind of reason for a round.
type CauseKind string

// The kinds of causes. All but the first, CauseForced and CauseUnknown are told by
// comparing the round with the last one whose plan this leader saw adopted.
const (
	// CauseFirst: this leader has made no plan before, and cannot tell.
	CauseFirst CauseKind = "first"
	// CauseJoined: Member is new in the group.
	CauseJoined CauseKind = "joined"
	// CauseLeft: Member left, or was removed.
	CauseLeft CauseKind = "left"
	// CauseRestarted: Member came back, with the id told, as the static member or
	// by the label of Hold that it was before.
	CauseRestarted CauseKind = "restarted"
	// CauseSubscription: Member subscribes to other topics.
	CauseSubscription CauseKind = "subscription"
	// CauseTraits: Member tells another capacity, other ceilings (MaxPartitions,
	// MaxWeight), other labels or another rack, or drains or does not any more.
	CauseTraits CauseKind = "traits"
	// CauseTopic: Topic was created or deleted, or has another number of partitions.
	CauseTopic CauseKind = "topic"
	// CauseRevoked: members gave up what the plan before has for others, and it can
	// be given out.
	CauseRevoked CauseKind = "revoked"
	// CauseForced: this member brought the round about; Detail tells why.
	CauseForced CauseKind = "forced"
	// CauseUnknown: none of the above.
	CauseUnknown CauseKind = "unknown"
)

// A Cause is one reason for a round. A round may have several.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Member string    `json:"member,omitempty"`
	Topic  string    `json:"topic,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// String returns the cause in a few words.
func (c Cause) String() string {
	s := string(c.Kind)
	if subject := cmp.Or(c.Member, c.Topic); subject != "" {
		s += " " + subject
	}
	if c.Detail != "" {
		s += ": " + c.Detail
	}
	return s
}

// maxCausesInWords bounds what events and logs tell of a round's causes.
const maxCausesInWords = 8

func causesInWords(causes []Cause) string {
	var words []string
	for i, c := range causes {
		if i == maxCausesInWords {
			words = append(words, fmt.Sprintf("and %d more", len(causes)-i))
			break
		}
		words = append(words, c.String())
	}
	return strings.Join(words, "; ")
}

// findCauses returns why r happened, given the last adopted round, nil if there is none.
func (r *round) findCauses(before *round) []Cause {
	var causes []Cause
	for _, reason := range r.forced {
		causes = append(causes, Cause{Kind: CauseForced, Detail: reason})
	}
	if before == nil {
		return append(causes, Cause{Kind: CauseFirst})
	}
	causes = append(causes, r.memberCauses(before)...)
	causes = append(causes, topicCauses(before.group.Topics, r.group.Topics)...)
	if len(causes) == 0 {
		kind := CauseUnknown
		if len(before.sent.Withheld) > 0 {
			kind = CauseRevoked
		}
		causes = append(causes, Cause{Kind: kind})
	}
	return causes
}

func (r *round) memberCauses(before *round) (causes []Cause) {
	hold := r.hooks.cfg.Hold
	was := make(map[string]*assign.Member, len(before.group.Members))
	for i := range before.group.Members {
		m := &before.group.Members[i]
		if !before.isHeld(m.ID) {
			was[hold.identity(m)] = m
		}
	}
	var topics sameTopics
	unreadable := make(map[string]bool)
	for _, m := range before.isolated {
		unreadable[m.id] = true
	}
	for i := range r.group.Members {
		m := &r.group.Members[i]
		if r.isHeld(m.ID) {
			continue
		}
		identity := hold.identity(m)
		old, known := was[identity]
		delete(was, identity)
		switch {
		case !known && before.wasHeld(identity):
			causes = append(causes, Cause{Kind: CauseRestarted, Member: m.ID})
		case !known && !unreadable[m.ID]:
			causes = append(causes, Cause{Kind: CauseJoined, Member: m.ID})
		case !known:
		case old.ID != m.ID:
			causes = append(causes, Cause{Kind: CauseRestarted, Member: m.ID, Detail: "before as " + old.ID})
		}
		if !known {
			continue
		}
		if !topics.equal(old.Topics, m.Topics) {
			causes = append(causes, Cause{Kind: CauseSubscription, Member: m.ID})
		}
		if !sameTraits(old, m) {
			causes = append(causes, Cause{Kind: CauseTraits, Member: m.ID, Detail: traitsInWords(old, m)})
		}
	}
	for _, m := range r.isolated {
		if old, known := was["member "+m.id]; known {
			delete(was, "member "+old.ID)
		} else if !unreadable[m.id] {
			causes = append(causes, Cause{Kind: CauseJoined, Member: m.id, Detail: "cannot be read"})
		}
		delete(unreadable, m.id)
	}
	for _, id := range slices.Sorted(maps.Keys(unreadable)) {
		if !slices.ContainsFunc(r.group.Members, func(m assign.Member) bool { return m.ID == id }) {
			causes = append(causes, Cause{Kind: CauseLeft, Member: id})
		}
	}
	for _, identity := range slices.Sorted(maps.Keys(was)) {
		causes = append(causes, Cause{Kind: CauseLeft, Member: was[identity].ID})
	}
	return causes
}

// sameTopics compares lists of topics. Members that subscribe to the same most often share
// one list, and then the answer is that of the time before.
type sameTopics struct {
	a, b []string
	same bool
}

func (s *sameTopics) equal(a, b []string) bool {
	if !identical(a, s.a) || !identical(b, s.b) {
		s.a, s.b, s.same = a, b, slices.Equal(a, b)
	}
	return s.same
}

// sameList is slices.Equal, which most often sees one list twice.
func sameList[E comparable](a, b []E) bool { return identical(a, b) || slices.Equal(a, b) }

// identical tells whether both are one list in memory.
func identical[T any](a, b []T) bool {
	return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0]
}

func sameTraits(a, b *assign.Member) bool {
	return a.Capacity == b.Capacity && a.MaxPartitions == b.MaxPartitions && a.MaxWeight == b.MaxWeight &&
		a.Draining == b.Draining && a.Rack == b.Rack && maps.Equal(a.Labels, b.Labels)
}

func traitsInWords(old, m *assign.Member) string {
	switch {
	case m.Draining && !old.Draining:
		return "drains"
	case !m.Draining && old.Draining:
		return "does not drain any more"
	case old.Capacity != m.Capacity:
		return fmt.Sprintf("capacity %v instead of %v", m.EffectiveCapacity(), old.EffectiveCapacity())
	case old.MaxPartitions != m.MaxPartitions:
		return "ceiling of partitions " + inPlaceOf(m.MaxPartitions, old.MaxPartitions)
	case old.MaxWeight != m.MaxWeight:
		return "ceiling of weight " + inPlaceOf(m.MaxWeight, old.MaxWeight)
	case old.Rack != m.Rack:
		return fmt.Sprintf("rack %q instead of %q", m.Rack, old.Rack)
	}
	return "labels"
}

// inPlaceOf tells of two ceilings, of which 0 is none.
func inPlaceOf[T int32 | float64](is, was T) string {
	word := func(ceiling T) string {
		if ceiling == 0 {
			return "none"
		}
		return fmt.Sprint(ceiling)
	}
	return word(is) + " instead of " + word(was)
}

// topicCauses compares topics, both sorted by name.
func topicCauses(before, topics []assign.Topic) (causes []Cause) {
	was := make(map[string]int32, len(before))
	for _, t := range before {
		was[t.Name] = t.Partitions
	}
	for _, t := range topics {
		// A topic that is subscribed to only now tells nothing by itself.
		if old, known := was[t.Name]; known && old != t.Partitions {
			causes = append(causes, Cause{Kind: CauseTopic, Topic: t.Name, Detail: fmt.Sprintf("%d partitions instead of %d", t.Partitions, old)})
		}
	}
	return causes
}
