package member

import (
	"maps"
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
	if before == nil || r.anew || before.forThisRound || len(before.sent.Withheld) == 0 || before.protocol.name() != r.protocol.name() ||
		!slices.EqualFunc(before.isolated, r.isolated, func(a, b isolated) bool { return a.id == b.id }) ||
		!slices.EqualFunc(before.group.Members, r.group.Members, asksTheSame) ||
		!slices.EqualFunc(before.group.Topics, r.group.Topics, func(a, b assign.Topic) bool {
			return a.Name == b.Name && a.Partitions == b.Partitions
		}) {
		return false
	}
	sent := before.sent.Assignment.Owners()
	for topic, owners := range r.group.Ownership().Owners() {
		for p, owner := range owners {
			if sent[topic][p] != owner {
				return false // somebody kept, or got hold of, what was not given
			}
		}
	}
	return true
}

// asksTheSame tells whether a member tells the same of itself in two rounds, but for
// what it owns.
func asksTheSame(a, b assign.Member) bool {
	return a.ID == b.ID && a.Instance == b.Instance && a.Rack == b.Rack &&
		slices.Equal(a.Topics, b.Topics) &&
		a.Capacity == b.Capacity && a.MaxPartitions == b.MaxPartitions && a.MaxWeight == b.MaxWeight && a.Draining == b.Draining && maps.Equal(a.Labels, b.Labels)
}
