package member

import (
	"cmp"
	"slices"
	"time"
)

// voter is a member of a round, as the leader of the group sees it.
type voter struct {
	id string
	candidacy
}

// maxAhead is how far the number of a term, which is a time in milliseconds, may be
// ahead of this member's clock to be believed: no honest member is further ahead, and
// one that is must not use up the numbers for all.
const maxAhead = 10 * 365 * 24 * time.Hour

// elect decides a round: who leads from now on, given what the members told, of whom
// each is in the list once. It is a function of its arguments alone.
//
// A term is given to somebody else only when the member that has it is out of the group,
// or has said that just this term is over. A member that the coordinator has put out
// ended its term before, for its lease is shorter. So terms do not overlap, and what is
// late, lost or sent twice can only make a term last longer:
//
//   - a candidacy from before the term began, sent again by the network, does not know
//     the term, and so cannot say that it is over;
//   - a member that was named and did not hear of it is named again;
//   - where two members may have a term, one of them by what is old, both are asked to
//     end it.
//
// Where the term is free it goes to the candidate with the highest priority; of equal
// ones not to the one whose term has just ended, which may have had its reasons, and
// else to the lowest id.
func elect(members []voter, now time.Time) verdict {
	members = slices.SortedFunc(slices.Values(members), func(a, b voter) int { return cmp.Compare(a.id, b.id) })
	var last ballot
	for i := range members {
		m := &members[i]
		if m.Last.Number > now.Add(maxAhead).UnixMilli() {
			m.Last, m.Holds = ballot{}, false
		}
		if m.Last.Number > last.Number {
			last = m.Last
		}
	}

	held, clean := ballot{}, last.Leader == "" && last.Clean
	var holder *voter
	claims := 0
	for i := range members {
		m := &members[i]
		term := last
		switch {
		case m.Holds && m.Last.Leader == m.id:
			term = m.Last // whatever others have seen since
		case m.id != last.Leader:
			continue
		case m.Last.Number == last.Number:
			// It has said that just this term is over. What was before it nobody
			// has waited for, if it was over before it began.
			clean = !m.Idle || m.Last.Clean
			continue
		}
		claims++
		if term.Number > held.Number {
			held, holder = term, m
		}
	}
	if holder != nil {
		v := verdict{Ballot: held, Priority: holder.Priority, Payload: holder.Payload, Yields: !holder.Candidate || claims > 1}
		for _, other := range members {
			v.Yields = v.Yields || other.Candidate && other.TakesOver && other.Priority > holder.Priority
		}
		return v
	}

	var best *voter
	for i := range members {
		m := &members[i]
		if m.Candidate && (best == nil || m.Priority > best.Priority || m.Priority == best.Priority && best.id == last.Leader) {
			best = m
		}
	}
	if best == nil {
		return verdict{Ballot: ballot{Number: last.Number, Clean: clean}}
	}
	return verdict{
		Ballot: ballot{
			// A time, for memory ends with the last member: then the next
			// number is still higher.
			Number: max(last.Number+1, now.UnixMilli()),
			Leader: best.id, Clean: clean,
		},
		Priority: best.Priority, Payload: best.Payload,
	}
}
