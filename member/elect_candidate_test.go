package member

import "testing"

func TestWhatAVerdictAsksOfACandidate(t *testing.T) {
	of := func(id string, number int64) verdict { return verdict{ballot: ballot{Number: number, Leader: id}} }
	yields := func(v verdict) verdict { v.Yields = true; return v }
	free := candidate{id: "me", wants: true}
	unwilling := candidate{id: "me"}
	holds := candidate{id: "me", wants: true, last: of("me", 5).ballot, begun: 5, holds: true}
	ended := candidate{id: "me", wants: true, last: of("me", 5).ballot, begun: 5}
	resigning := holds
	resigning.wants = false
	for name, c := range map[string]struct {
		before candidate
		v      verdict
		step   step
		holds  bool // afterwards
	}{
		"named":                                  {free, of("me", 5), begin, true},
		"another is named":                       {free, of("you", 5), stay, false},
		"nobody is named":                        {free, of("", 5), stay, false},
		"nobody is named, before there is an id": {candidate{wants: true}, of("", 0), stay, false},
		"named, and does not want to":            {unwilling, of("me", 5), rejoin, false},
		"named, and asked to end at once":        {free, yields(of("me", 5)), rejoin, false},
		"it goes on":                             {holds, of("me", 5), stay, true},
		"it is asked to yield":                   {holds, yields(of("me", 5)), yield, true},
		"it wants to resign":                     {resigning, of("me", 5), yield, true},
		"its term is another's":                  {holds, of("you", 6), end, false},
		"its term is nobody's":                   {holds, of("", 5), end, false},
		"it is given another term at once":       {holds, of("me", 6), end, false},
		"the term that it ended is not resumed":  {ended, of("me", 5), rejoin, false},
		"nor an older one":                       {ended, of("me", 4), rejoin, false},
		"a later one is begun":                   {ended, of("me", 6), begin, true},
	} {
		t.Run(name, func(t *testing.T) {
			me := c.before
			if got := me.adopt(c.v); got != c.step || me.holds != c.holds || me.last != c.v.ballot {
				t.Errorf("got step %d, holds %t, last %+v; want step %d, holds %t", got, me.holds, me.last, c.step, c.holds)
			}
			if c.step == end && me.adopt(c.v) == begin {
				t.Error("what ended began")
			}
		})
	}
}

func TestOnlyTheTermThatIsHeldIsReleased(t *testing.T) {
	me := candidate{id: "me", wants: true}
	me.adopt(verdict{ballot: ballot{Number: 5, Leader: "me"}})
	if me.released(4) || !me.candidacy().Holds {
		t.Error("an older term is nothing to tell")
	}
	if !me.released(5) || me.candidacy().Holds || me.candidacy().Last.Number != 5 {
		t.Errorf("the group has to hear that the term is over: %+v", me.candidacy())
	}
	if me.released(5) {
		t.Error("once")
	}
}

// A leader of the group whose SyncGroup is not answered does not know whether others
// got its verdict. It goes on to tell of it, so that whoever was named is asked.
func TestAVerdictThatMayHaveGoneOutIsRemembered(t *testing.T) {
	made := ballot{Number: 9, Leader: "you"}
	me := candidate{id: "me", wants: true, last: ballot{Number: 5, Leader: "me"}, begun: 5, made: made}
	if got := me.candidacy().Last; got != made {
		t.Errorf("it tells of %+v", got)
	}
	// "you" began, and an old JoinGroup speaks for it.
	v := elect([]voter{{"me", me.candidacy()}, willing("you", 0, ballot{})}, ruleTime)
	if v.ballot != made {
		t.Errorf("the verdict is %+v", v)
	}
	me.holds = true
	if got := me.candidacy().Last; got != me.last {
		t.Errorf("a leader tells of its own term, not of %+v", got)
	}
}
