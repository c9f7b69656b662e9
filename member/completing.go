package member

import (
	"slices"

	"github.com/groupkit/groupkit/assign"
)

// completes tells whether r only has to give out what the round before withheld: the
// same members ask for the same topics, none of them owns what the plan has for
// another and that one has not, and topics have the partitions that they had. Then the
// plan stands, and so do the weights that it was made for; where replicas are does not
// count. To make it again would be to ask the user's code twice about one change,
// and whatever it decides otherwise the second time would move partitions again.
func (r *round) completes(before *round) bool {
	var topics sameTopics
	asksTheSame := func(a, b assign.Member) bool { return topics.equal(a.Topics, b.Topics) && asksTheSame(&a, &b) }
	if before == nil || r.anew || before.forThisRound || len(before.sent.Withheld) == 0 || before.protocol.name() != r.protocol.name() ||
		!slices.EqualFunc(before.isolated, r.isolated, func(a, b isolated) bool { return a.id == b.id }) ||
		!slices.EqualFunc(before.group.Members, r.group.Members, asksTheSame) ||
		!slices.EqualFunc(before.group.Topics, r.group.Topics, func(a, b assign.Topic) bool {
			return a.Name == b.Name && a.Partitions == b.Partitions
		}) {
		return false
	}
	given := before.sent.Assignment
	if !slices.ContainsFunc(r.group.Members, func(m assign.Member) bool {
		return !identical(m.Owned, given[m.ID]) && !within(inOrder(m.Owned), inOrder(given[m.ID]))
	}) {
		return true // without a look at which claims hold
	}
	for id, owned := range r.group.Ownership() {
		if !within(owned, inOrder(given[id])) {
			return false // somebody kept, or got hold of, what was not given
		}
	}
	return true
}

// within tells whether all that is owned was given. Both are in order.
func within(owned, given []assign.TopicPartitions) bool {
	for _, tp := range owned {
		for len(given) > 0 && given[0].Topic < tp.Topic {
			given = given[1:]
		}
		if len(given) == 0 || given[0].Topic != tp.Topic {
			return false
		}
		rest := given[0].Partitions
		for _, p := range tp.Partitions {
			at, found := slices.BinarySearch(rest, p)
			if !found {
				return false
			}
			rest = rest[at+1:]
		}
	}
	return true
}

// inOrder returns the list in the order of assign.Assignment, in which all of package
// assign and most others are.
func inOrder(list []assign.TopicPartitions) []assign.TopicPartitions {
	for i := range list {
		if i > 0 && list[i-1].Topic >= list[i].Topic || !slices.IsSorted(list[i].Partitions) {
			one := assign.Assignment{"": list}.Clone()
			one.Sort()
			return one[""]
		}
	}
	return list
}

// asksTheSame tells whether a member tells the same of itself in two rounds, but for
// its topics and what it owns.
func asksTheSame(a, b *assign.Member) bool {
	return a.ID == b.ID && a.Instance == b.Instance && sameTraits(a, b)
}
