package member

import "github.com/groupkit/groupkit/internal/memberbytes"

// What the members of an election send each other is in package memberbytes, for others
// read it too; here are its words as this package has them.
type (
	ballot    = memberbytes.Ballot
	candidacy = memberbytes.Candidacy
	verdict   = memberbytes.Verdict
)
