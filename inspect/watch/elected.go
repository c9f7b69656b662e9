package watch

import "bytes"

// Elected is whom an election of package member (member.Elect) elected, as its members
// were told when the last round of their group completed. That is another thing than the
// leader of the group, in the sense of Kafka's protocol, who only counts the votes there.
type Elected struct {
	// Member is the ID of the member that leads the election, nil if nobody does.
	Member *string `json:"member"`
	// Ballot numbers its term, or the last one if nobody leads: it rises from term to term
	// and is what the fence of the term holds. Mostly it is the time of the vote, in
	// milliseconds. 0 before the first term.
	Ballot int64 `json:"ballot"`
	// HandsOver is whether the member was asked to end its term: it resigned, or another
	// of higher priority takes over. It leads until it has said that it did.
	HandsOver bool `json:"handsOver"`
	// Priority and Payload are what the member says of itself, 1 KiB at most; nil if
	// nothing. PayloadText is the payload where that is text, nil where it is not UTF-8.
	Priority    int32   `json:"priority"`
	Payload     []byte  `json:"payload"`
	PayloadText *string `json:"payloadText"`
}

// sameElected says whether nothing changed between two verdicts, as far as both are known.
func sameElected(a, b *Elected) bool {
	return a == nil || b == nil || a.Ballot == b.Ballot && equal(a.Member, b.Member) && a.HandsOver == b.HandsOver &&
		a.Priority == b.Priority && bytes.Equal(a.Payload, b.Payload)
}
