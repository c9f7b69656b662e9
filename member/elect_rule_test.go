package member

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/groupkit/groupkit/internal/memberbytes"
)

var ruleTime = time.UnixMilli(1_000_000)

// A voter in a few words: what it wants, and which ballot it has seen.
func willing(id string, priority int32, last ballot) voter {
	return voter{id, candidacy{Candidate: true, TakesOver: true, Priority: priority, Last: last}}
}

func holding(v voter) voter   { v.Holds = true; return v }
func unwilling(v voter) voter { v.Candidate = false; return v }
func patient(v voter) voter   { v.TakesOver = false; return v }

func TestWhoIsElected(t *testing.T) {
	now := ruleTime.UnixMilli()
	none := ballot{}
	of := func(id string) ballot { return ballot{Number: 7, Leader: id} }
	for name, c := range map[string]struct {
		members []voter
		want    ballot
		yields  bool
	}{
		"nobody there":                               {nil, none, false},
		"the only one":                               {[]voter{willing("a", 0, none)}, ballot{Number: now, Leader: "a"}, false},
		"nobody wants to":                            {[]voter{unwilling(willing("a", 0, none))}, none, false},
		"the highest priority":                       {[]voter{willing("a", 1, none), willing("b", 3, none), willing("c", 2, none)}, ballot{Number: now, Leader: "b"}, false},
		"below 0":                                    {[]voter{willing("a", -5, none), willing("b", -4, none)}, ballot{Number: now, Leader: "b"}, false},
		"equal ones: the lowest id":                  {[]voter{willing("c", 0, none), willing("b", 0, none)}, ballot{Number: now, Leader: "b"}, false},
		"equal ones: not the one before":             {[]voter{willing("a", 0, of("a")), willing("c", 0, none), willing("b", 0, none)}, ballot{Number: now, Leader: "b", Clean: true}, false},
		"the one before, for want of others":         {[]voter{willing("a", 1, of("a")), willing("b", 0, none)}, ballot{Number: now, Leader: "a", Clean: true}, false},
		"who holds stays":                            {[]voter{willing("a", 0, of("b")), holding(willing("b", 0, of("b")))}, of("b"), false},
		"a new one changes nothing":                  {[]voter{willing("a", 0, none), holding(willing("b", 0, of("b")))}, of("b"), false},
		"a higher one takes over, in two steps":      {[]voter{willing("a", 1, none), holding(willing("b", 0, of("b")))}, of("b"), true},
		"the second step":                            {[]voter{willing("a", 1, of("b")), willing("b", 0, of("b"))}, ballot{Number: now, Leader: "a", Clean: true}, false},
		"a patient one waits":                        {[]voter{patient(willing("a", 1, none)), holding(willing("b", 0, of("b")))}, of("b"), false},
		"an observer takes nothing over":             {[]voter{unwilling(willing("a", 1, none)), holding(willing("b", 0, of("b")))}, of("b"), false},
		"who resigns is asked to end":                {[]voter{willing("a", 0, of("b")), holding(unwilling(willing("b", 0, of("b"))))}, of("b"), true},
		"who has resigned is not elected":            {[]voter{willing("a", 0, of("b")), unwilling(willing("b", 9, of("b")))}, ballot{Number: now, Leader: "a", Clean: true}, false},
		"who is gone is succeeded":                   {[]voter{willing("a", 0, of("b"))}, ballot{Number: now, Leader: "a"}, false},
		"who did not hear stays":                     {[]voter{willing("a", 0, of("b")), willing("b", 0, none)}, of("b"), false},
		"who did not hear and does not want":         {[]voter{willing("a", 0, of("b")), unwilling(willing("b", 0, none))}, of("b"), true},
		"an older term that is over says nothing":    {[]voter{willing("a", 0, of("b")), willing("b", 0, ballot{Number: 6, Leader: "b"})}, of("b"), false},
		"nobody took it":                             {[]voter{unwilling(willing("b", 0, of("b")))}, ballot{Number: 7, Clean: true}, false},
		"nobody took it, somebody does":              {[]voter{willing("a", 0, ballot{Number: 7, Clean: true})}, ballot{Number: now, Leader: "a", Clean: true}, false},
		"numbers are higher than all, clocks or not": {[]voter{willing("a", 0, ballot{Number: now + 50, Leader: "x"})}, ballot{Number: now + 51, Leader: "a"}, false},
		"who lies about numbers is not believed":     {[]voter{willing("a", 0, of("b")), holding(willing("b", 0, of("b"))), unwilling(willing("h", 0, ballot{Number: 1 << 62, Leader: "h"}))}, of("b"), false},
		"two may have it, one by what is old":        {[]voter{holding(willing("a", 0, ballot{Number: 6, Leader: "a"})), willing("b", 0, none), willing("c", 0, of("b"))}, of("b"), true},
		"who holds stays, whatever others have seen": {[]voter{unwilling(willing("h", 0, ballot{Number: 99, Leader: "h"})), holding(willing("b", 0, of("b")))}, of("b"), false},
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				rand.Shuffle(len(c.members), func(i, j int) { c.members[i], c.members[j] = c.members[j], c.members[i] })
				got := elect(c.members, ruleTime)
				if got.Ballot != c.want || got.Yields != c.yields {
					t.Errorf("got %+v, want %+v, yields %t", got, c.want, c.yields)
				}
			}
		})
	}
}

func TestTheVerdictTellsTheLeadersPayload(t *testing.T) {
	a, b := willing("a", 1, ballot{}), willing("b", 2, ballot{})
	a.Payload, b.Payload = []byte("at a"), []byte("at b")
	if v := elect([]voter{a, b}, ruleTime); v.Leader != "b" || string(v.Payload) != "at b" || v.Priority != 2 {
		t.Errorf("got %+v", v)
	}
	a.Last, b.Last, b.Holds, b.Payload = ballot{Number: 5, Leader: "b"}, ballot{Number: 5, Leader: "b"}, true, []byte("moved")
	if v := elect([]voter{a, b}, ruleTime); string(v.Payload) != "moved" {
		t.Errorf("got %+v", v)
	}
}

// model is a group as the coordinator keeps it, with all that may happen to it: messages
// that are late, lost or sent twice, members that vanish, hang or change their mind.
// Time is the number of what happened so far.
type model struct {
	rng       *rand.Rand
	now       int
	processes []*modelProcess
	next      int  // for ids
	round     int  // the generation
	skewed    bool // clocks differ
	last      verdict
	terms     map[int64]string
	led       int
}

type modelProcess struct {
	candidate
	joined   bool
	synced   int       // the round whose verdict it has taken
	ghost    candidacy // a JoinGroup that the network may send again
	hasGhost bool
	work     int64 // the term whose Lead is running, 0 for none
	stopping bool  // its context has ended
}

func (m *model) chance(n int) bool { return m.rng.IntN(n) == 0 }

// balance is one round: everybody joins, or what is left of an earlier JoinGroup does.
// That must not happen to the only member that has heard of the last term, which is
// where this protocol ends; but then a heartbeat tells it, see Election.heartbeat.
func (m *model) balance() {
	m.round++
	var voters []voter
	var readers []*modelProcess // those that get an answer
	known := func(but *modelProcess) bool {
		return slices.ContainsFunc(readers, func(p *modelProcess) bool { return p.candidacy().Last.Number >= but.last.Number })
	}
	for _, i := range m.rng.Perm(len(m.processes)) {
		p := m.processes[i]
		if !p.joined {
			continue
		}
		told := p.candidacy()
		if p.hasGhost && m.chance(3) && known(p) {
			told = p.ghost
			p.synced = m.round
		} else {
			p.synced = m.round - 1
			readers = append(readers, p)
		}
		p.ghost, p.hasGhost = p.candidacy(), true
		voters = append(voters, voter{p.id, told})
	}
	if len(readers) > 0 {
		at := m.now
		if m.skewed {
			at = m.rng.IntN(1000)
		}
		m.last = elect(voters, ruleTime.Add(time.Duration(at)*time.Millisecond))
		readers[m.rng.IntN(len(readers))].made = m.last.Ballot // the leader of the group
	}
}

func (m *model) sync(t *testing.T, p *modelProcess) {
	if !p.joined || p.synced == m.round || m.round == 0 {
		return
	}
	p.synced = m.round
	v, err := memberbytes.ParseVerdict(m.last.Encode())
	if err != nil || !reflect.DeepEqual(v, m.last) {
		t.Fatalf("got %+v, %v of %+v", v, err, m.last)
	}
	switch p.adopt(v) {
	case begin:
		if p.work == 0 { // else it begins when that has returned, which the model leaves out
			p.work, p.stopping, p.ran = v.Number, false, v.Number
		}
		if other, twice := m.terms[v.Number]; twice && other != p.id && !m.skewed {
			t.Fatalf("term %d is %s's and %s's", v.Number, other, p.id)
		}
		m.terms[v.Number] = p.id
		m.led++
	case end:
		if !m.skewed {
			t.Fatalf("%s was asked to end term %d that it holds, by %+v", p.id, p.work, v)
		}
		p.stopping = true
	case yield:
		p.stopping = true
	}
}

func (m *model) step(t *testing.T) {
	p := m.processes[m.rng.IntN(len(m.processes))]
	switch m.rng.IntN(12) {
	case 0, 1, 2:
		m.balance()
	case 3, 4, 5, 6:
		m.sync(t, p)
	case 7: // Lead returns
		if p.work != 0 && (p.stopping || m.chance(20)) {
			p.released(p.work)
			p.work, p.stopping = 0, false
		}
	case 8: // another mind
		p.wants, p.takes, p.priority = !m.chance(3), !m.chance(3), m.rng.Int32N(3)
		if !p.wants && p.holds {
			p.stopping = true
		}
	case 9: // it joins
		if !p.joined {
			m.next++
			p.id, p.holds, p.joined, p.synced, p.hasGhost = fmt.Sprintf("%03d", m.rng.IntN(1000)+1000*m.next), false, true, m.round, false
		}
	case 10: // it is put out, or it leaves, or dies: its lease has ended before
		if p.joined && m.chance(3) {
			p.joined, p.hasGhost, p.work, p.stopping = false, false, 0, false
			if m.chance(2) { // a new process, which remembers nothing
				p.candidate = candidate{wants: true, takes: true}
			}
		}
	case 11: // its lease ends, but it is not put out
		if p.work != 0 && m.chance(3) {
			p.stopping = true
		}
	}
	m.now++
}

// leading lists the processes whose Lead runs.
func (m *model) leading() (ids []string) {
	for _, p := range m.processes {
		if p.work != 0 {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func TestTermsNeverOverlapWhateverHappensToMessages(t *testing.T) {
	led := 0
	for seed := range uint64(2000) {
		// Where clocks differ a number may come twice, once all who knew it are gone.
		m := &model{rng: rand.New(rand.NewPCG(seed, 5)), terms: make(map[int64]string), skewed: seed%2 == 1}
		for range 2 + m.rng.IntN(4) {
			m.processes = append(m.processes, &modelProcess{candidate: candidate{wants: true, takes: true}})
		}
		var highest int64
		for range 500 {
			m.step(t)
			if ids := m.leading(); len(ids) > 1 {
				t.Fatalf("seed %d, step %d: %v lead at the same time, by %+v", seed, m.now, ids, m.last)
			}
			for _, p := range m.processes {
				if p.work > 0 && p.work < highest && !m.skewed {
					t.Fatalf("seed %d, step %d: term %d comes after term %d", seed, m.now, p.work, highest)
				}
				highest = max(highest, p.work)
			}
		}
		// When all is quiet, and somebody wants to, somebody leads.
		for range 5 {
			m.balance()
			for _, p := range m.processes {
				p.hasGhost = false
				m.sync(t, p)
				if p.stopping {
					p.released(p.work)
					p.work, p.stopping = 0, false
				}
			}
			m.balance()
			for _, p := range m.processes {
				p.synced = m.round - 1
				m.sync(t, p)
			}
		}
		wanted := slices.ContainsFunc(m.processes, func(p *modelProcess) bool { return p.joined && p.wants })
		if n := len(m.leading()); wanted && n != 1 {
			t.Fatalf("seed %d: in the end %d lead, though somebody wants to: %+v", seed, n, m.last)
		}
		led += m.led
	}
	if led < 5000 {
		t.Errorf("the walks saw %d terms, too few to tell anything", led)
	}
	t.Logf("%d terms", led)
}

func FuzzWhatOthersSend(f *testing.F) {
	f.Add(willing("a", 3, ballot{Number: 5, Leader: "a", Clean: true}).Encode(), true)
	f.Add(verdict{Ballot: ballot{Number: 5, Leader: "b"}, Yields: true, Payload: []byte("x")}.Encode(), false)
	f.Add([]byte{1, 2, 3}, true)
	f.Add([]byte(`{"last":{"number":-1}}`), true)
	f.Add([]byte(`{"last":{"number":9223372036854775807,"leader":"a"},"holds":true,"candidate":true}`), true)
	f.Fuzz(func(t *testing.T, data []byte, candidacy bool) {
		if !candidacy {
			if v, err := memberbytes.ParseVerdict(data); err == nil {
				(&candidate{id: v.Leader, wants: true}).adopt(v)
			}
			return
		}
		c, err := memberbytes.ParseCandidacy(data)
		if err != nil {
			return
		}
		// Whatever a member sends, somebody is named, and the others can read it.
		honest := willing("a", 0, ballot{})
		v := elect([]voter{{"h", c}, honest}, ruleTime)
		back, err := memberbytes.ParseVerdict(v.Encode())
		if err != nil || !reflect.DeepEqual(back.Ballot, v.Ballot) {
			t.Errorf("%+v reads as %+v, %v", v, back, err)
		}
		if v.Leader != "a" && v.Leader != "h" {
			t.Errorf("nobody is named: %+v", v)
		}
		if len(v.Payload) > memberbytes.MaxElectionPayload || v.Number < 0 {
			t.Errorf("out of bounds: %+v", v)
		}
	})
}
