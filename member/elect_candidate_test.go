package member

import "testing"

func TestWhatAVerdictAsksOfACandidate(t *testing.T) {
	of := func(id string, number int64) verdict { return verdict{Ballot: ballot{Number: number, Leader: id}} }
	yields := func(v verdict) verdict { v.Yields = true; return v }
	free := candidate{id: "me", wants: true}
	unwilling := candidate{id: "me"}
	holds := candidate{id: "me", wants: true, last: of("me", 5).Ballot, begun: 5, holds: true}
	ended := candidate{id: "me", wants: true, last: of("me", 5).Ballot, begun: 5}
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
		"its term is another's":                  {holds, of("you", 6), end, true},
		"its term is nobody's":                   {holds, of("", 5), end, true},
		"it is given another term at once":       {holds, of("me", 6), end, true},
		"the term that it ended is not resumed":  {ended, of("me", 5), rejoin, false},
		"nor an older one":                       {ended, of("me", 4), rejoin, false},
		"a later one is begun":                   {ended, of("me", 6), begin, true},
	} {
		t.Run(name, func(t *testing.T) {
			me := c.before
			last := c.v.Ballot
			if c.step == end || c.v.Number < c.before.begun {
				last = c.before.last
			}
			if got := me.adopt(c.v); got != c.step || me.holds != c.holds || me.last != last {
				t.Errorf("got step %d, holds %t, last %+v; want step %d, holds %t", got, me.holds, me.last, c.step, c.holds)
			}
			if c.step == end && (!me.released(5) || me.adopt(c.v) == begin) {
				t.Error("what ended is not told, or began")
			}
		})
	}
}

func TestOnlyTheTermThatIsHeldIsReleased(t *testing.T) {
	me := candidate{id: "me", wants: true}
	me.adopt(verdict{Ballot: ballot{Number: 5, Leader: "me"}})
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

// While Lead has not returned the group hears that the term is held, also where this
// member cannot read what it was told.
func TestATermIsHeldUntilItsWorkReturned(t *testing.T) {
	me := candidate{id: "me", wants: true}
	me.adopt(verdict{Ballot: ballot{Number: 5, Leader: "me"}})
	me.ran = 5
	if got := me.unheard(); got != end || !me.candidacy().Holds {
		t.Errorf("step %d, and it tells %+v", got, me.candidacy())
	}
	before := me.last
	if !me.released(5) || me.unheard() != stay || me.last != before || me.candidacy().Idle {
		t.Errorf("it tells %+v", me.candidacy())
	}
}

// A term that was over before it began, while it waited for TakeoverDelay, tells nothing
// about the one before it.
func TestATermThatDidNotBeginIsToldSo(t *testing.T) {
	for _, clean := range []bool{false, true} {
		me := candidate{id: "me", wants: true}
		me.adopt(verdict{Ballot: ballot{Number: 5, Leader: "me", Clean: clean}})
		me.released(5)
		if !me.candidacy().Idle {
			t.Errorf("it tells %+v", me.candidacy())
		}
		v := elect([]voter{{"me", me.candidacy()}, willing("you", 1, me.last)}, ruleTime)
		if v.Leader != "you" || v.Clean != clean {
			t.Errorf("after a term that did not begin, clean %t, the verdict is %+v", clean, v)
		}
	}
	me := candidate{id: "me"} // and does not want to lead
	if me.adopt(verdict{Ballot: ballot{Number: 5, Leader: "me"}}) != rejoin || !me.candidacy().Idle {
		t.Errorf("it tells %+v", me.candidacy())
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
	if v.Ballot != made {
		t.Errorf("the verdict is %+v", v)
	}
	me.holds = true
	if got := me.candidacy().Last; got != me.last {
		t.Errorf("a leader tells of its own term, not of %+v", got)
	}
}

// Where clocks differ a ballot that nobody heard of may have a higher number than the
// term that is on. Whom it names does not begin while the other's work runs.
func TestAForgottenBallotDoesNotOverlapTheTermThatIsOn(t *testing.T) {
	forgotten := ballot{Number: 7, Leader: "x"}
	leads := candidate{id: "y", wants: true, last: ballot{Number: 6, Leader: "y"}, begun: 6, ran: 6, holds: true}
	named := candidate{id: "x", wants: true, last: leads.last}
	back := candidate{id: "a", wants: true, made: forgotten, last: ballot{Number: 5, Leader: "y"}}
	round := func() verdict {
		return elect([]voter{{"a", back.candidacy()}, {"x", named.candidacy()}, {"y", leads.candidacy()}}, ruleTime)
	}
	v := round()
	if got := named.adopt(v); got != rejoin {
		t.Errorf("whom the forgotten ballot names takes step %d by %+v", got, v)
	}
	back.adopt(v)
	if got := leads.adopt(v); got != end || !leads.holds {
		t.Errorf("who leads takes step %d", got)
	}
	for range 4 { // its work has not returned
		v = round()
		if back.adopt(v) == begin || named.adopt(v) == begin || leads.adopt(v) == begin || !leads.holds {
			t.Fatalf("a term begins by %+v", v)
		}
	}
	leads.released(6)
	for range 3 {
		if v = round(); back.adopt(v) == begin || named.adopt(v) == begin || leads.adopt(v) == begin {
			break
		}
	}
	if v.Number <= 7 {
		t.Errorf("then the verdict is %+v", v)
	}
}
