package member

// candidate is what one process knows and wants in an election, without I/O and clock.
// What it says in the next round follows from it alone.
type candidate struct {
	id       string // the member id, "" before the coordinator gave one
	wants    bool
	priority int32
	takes    bool
	payload  []byte

	last  ballot // the newest that was seen
	made  ballot // the newest that this process made as leader of the group
	begun int64  // the newest term that this process began or turned down
	ran   int64  // the newest term whose work began
	holds bool   // the term last.Number is this process's, and may be on
}

// candidacy returns what to tell in JoinGroup.
func (c *candidate) candidacy() candidacy {
	last := c.last
	if !c.holds && c.made.Number > last.Number {
		// Whether others got it is not known: its answer was lost, or it never was
		// sent. Whom it named then has heard of it or is named again.
		last = c.made
	}
	return candidacy{
		Candidate: c.wants, Priority: c.priority, TakesOver: c.takes, Payload: c.payload,
		Last: last, Holds: c.holds, Idle: last.Leader != "" && last.Leader == c.id && last.Number != c.ran,
	}
}

// A step is what a verdict asks of a candidate.
type step int

const (
	stay   step = iota // nothing: go on as before
	begin              // a term of this member begins; the candidate holds it from here on
	end                // its term ends, for it was given away; the rest is as with yield
	yield              // its term ends: once it has, released is called and the group told
	rejoin             // the group has to be told, in another round, that the term is over
)

// adopt takes a verdict and returns what follows.
func (c *candidate) adopt(v verdict) step {
	mine := v.Leader != "" && v.Leader == c.id
	if c.holds && !(mine && v.Number == c.last.Number) {
		// The term was given away, or another of its own is given to this member.
		// Until its work has returned it goes on to tell that it holds what it did.
		if mine {
			c.begun = max(c.begun, v.Number)
		}
		return end
	}
	c.last = v.Ballot
	switch {
	case c.holds && (v.Yields || !c.wants):
		return yield
	case c.holds:
		return stay
	case !mine:
		return stay
	case v.Yields || !c.wants || v.Number <= c.begun:
		if v.Number < c.begun {
			// Clocks differ. Told of its newest term the group gives a later one.
			c.last = ballot{Number: c.begun, Leader: c.id}
		}
		c.begun = max(c.begun, v.Number)
		return rejoin
	}
	c.begun, c.holds = v.Number, true
	return begin
}

// unheard: a round ended, and what this member got cannot be read. Who leads is not known
// then; what was seen before it goes on to tell.
func (c *candidate) unheard() step {
	if c.holds {
		return end
	}
	return stay
}

// released: the term of the given number is over, and its work has returned. It tells
// whether the group has to hear of it.
func (c *candidate) released(number int64) bool {
	if !c.holds || c.last.Number != number {
		return false
	}
	c.holds = false
	return true
}
