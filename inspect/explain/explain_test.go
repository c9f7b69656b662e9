package explain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

// member has a client's name before the dash, and so many partitions of "orders".
func member(id string, partitions ...int32) watch.Member {
	client, _, _ := strings.Cut(id, "-")
	m := watch.Member{
		MemberRef: watch.MemberRef{ID: id, ClientID: client, Host: "/10.0.0.1"}, Topics: []string{"orders"},
		Assigned:       []watch.TopicPartitions{},
		SessionTimeout: watch.Millis(10 * time.Second), RebalanceTimeout: watch.Millis(time.Minute),
	}
	if len(partitions) > 0 {
		m.Assigned = []watch.TopicPartitions{{Topic: "orders", Partitions: partitions}}
	}
	return m
}

func static(m watch.Member) watch.Member {
	instance := "inst-" + m.ClientID
	m.Instance = &instance
	return m
}

func logged(seconds float64, generation int32, members ...watch.Member) Observation {
	assignor := "range"
	record := &watch.GroupRecord{Group: "g", Written: at(seconds), Generation: generation, Protocol: &assignor, Members: members}
	if len(members) > 0 {
		record.Leader = &members[0].ID
	}
	return Observation{At: at(seconds), Source: SourceLog, Record: record}
}

func polled(seconds float64, state string, members ...watch.Member) Observation {
	return Observation{At: at(seconds), Source: SourcePoll, Look: &watch.Group{Group: "g", Type: "classic", State: state, Members: members}}
}

// commits are those of one partition, from one time to another.
func commits(from, to, every float64, partitions ...int32) []Observation {
	var all []Observation
	for s := from; s <= to; s += every {
		for _, p := range partitions {
			all = append(all, Observation{At: at(s), Source: SourceLog, Commit: &Commit{"orders", p, int64(s * 10)}})
		}
	}
	return all
}

// hurried has members with a rebalance timeout little longer than their session.
func hurried(o Observation) Observation {
	for i := range o.Look.Members {
		o.Look.Members[i].RebalanceTimeout = watch.Millis(12 * time.Second)
	}
	return o
}

func said(seconds float64, s Said) Observation {
	return Observation{At: at(seconds), Source: SourceMember, Said: &s}
}

func causesOf(d Diagnosis) []Cause {
	all := []Cause{}
	for _, v := range d.Verdicts {
		all = append(all, v.Cause)
	}
	return all
}

type verdictCase struct {
	name   string
	seen   []Observation
	causes []Cause
	sure   Sureness
	says   string
	quotes string
}

func verdictCases() []verdictCase {
	a, b, c := member("a-1", 0, 1), member("b-1", 2, 3), member("c-1", 4, 5)
	unreadable := member("x-1")
	unreadable.Topics, unreadable.Unreadable = nil, "its subscription does not decode"
	other := a
	other.Topics = []string{"orders", "payments"}
	yes, no := true, false
	classic, modern := member("k-1"), member("m-1")
	classic.Classic, modern.Classic = &yes, &no
	mixed := polled(9, "Stable", classic, modern)
	mixed.Look.Type = "consumer"
	slowPlan := logged(20, 2, a, b, c)
	slowPlan.Record.Entered = at(14)

	return []verdictCase{
		{"nothing", nil, []Cause{Unexplained}, Possible, "Nothing was seen", ""},
		{"quiet and busy", slices.Concat([]Observation{logged(0, 1, a, b, c), polled(9, "Stable", a, b, c)}, commits(0, 60, 1, 0, 1, 2, 3, 4, 5)), []Cause{Fine}, Certain, "did not rebalance", "366 commits"},
		{"scaled", []Observation{logged(0, 1, a), logged(10, 2, a, b), logged(20, 3, b, c), logged(30, 4, a, c)}, []Cause{Fine}, Possible, "rebalanced 3 times: 2 members joined; 1 member went and was back 10s later; 1 member went as the record ends.", `"a-1" was back 10s later`},
		{"scaled down, and the record goes on", []Observation{logged(0, 1, a, b, c), logged(10, 2, a, b), logged(20, 3, a), polled(65, "Stable", a)}, []Cause{Fine}, Likely, "2 members went and are not back when the record ends, 45s after the last of them.", `"c-1" went; it is not back when the record ends, 55s later`},
		{"scaled down long ago", []Observation{logged(0, 1, a, b), polled(9, "Stable", a, b), polled(9.8, "Stable", a, b), logged(10, 2, a), polled(1000, "Stable", a)}, []Cause{Fine}, Certain, "not back when the record ends, 16m30s later", ""},
		{"gone, and back after the log of the group had ended", []Observation{logged(0, 1, a, b), logged(10, 2, a), {At: at(20), Source: SourceLog, Record: &watch.GroupRecord{Tombstone: true}}, logged(40, 1, a, member("b-2"))}, []Cause{Fine}, Possible, "was back 30s later", ""},
		{"no members", []Observation{polled(0, "Empty"), polled(9, "Empty")}, []Cause{Empty}, Certain, "no members", ""},
		{"no group", []Observation{{At: at(0), Source: SourcePoll, Absent: true}}, []Cause{Empty}, Certain, "does not exist", ""},
		{
			"one leaves every 45 s", []Observation{
				logged(0, 1, a, b), logged(10, 2, a, b, member("x-1")), logged(45, 3, a, b), logged(50, 4, a, b, member("x-2")),
				logged(90, 5, a, b), logged(95, 6, a, b, member("x-3")), logged(135, 7, a, b),
				said(44.5, Said{Member: "x-1", Kind: "left"}),
			}, []Cause{LeavesRepeatedly}, Certain, `The client "x" at 10.0.0.1 leaves the group and comes back, every 45s, 3 times.`, "35s after it joined",
		},
		{
			"one of many that share a name", []Observation{
				logged(0, 1, member("n-1"), member("n-2"), member("n-3")), logged(10, 2, member("n-1"), member("n-2"), member("n-4")),
				logged(20, 3, member("n-1"), member("n-2"), member("n-5")), logged(30, 4, member("n-1"), member("n-2"), member("n-6")),
			}, []Cause{LeavesRepeatedly}, Likely, "goes and comes back", "",
		},
		{
			"a restart of all that share a name", []Observation{
				logged(0, 1, member("n-1"), member("n-2"), member("n-3")), logged(10, 2, member("n-2"), member("n-3")), logged(12, 3, member("n-2"), member("n-3"), member("n-4")),
				logged(20, 4, member("n-3"), member("n-4")), logged(22, 5, member("n-3"), member("n-4"), member("n-5")),
				logged(30, 6, member("n-4"), member("n-5")), logged(32, 7, member("n-4"), member("n-5"), member("n-6")),
			}, []Cause{RollingRestart}, Likely, "3 members were replaced one after the other, within 20s", "a dynamic member",
		},
		{
			"killed and replaced, one after the other", []Observation{
				logged(0, 1, a, b, c), logged(10, 2, a, b, c, member("a-2")), logged(20, 3, b, c, member("a-2")),
				logged(30, 4, b, c, member("a-2"), member("b-2")), logged(40, 5, c, member("a-2"), member("b-2")),
			}, []Cause{RollingRestart}, Likely, "2 members", "its successor had joined before",
		},
		{
			"silent for the session", slices.Concat(
				[]Observation{logged(0, 1, a, b), logged(40, 2, a)}, commits(1, 39, 1, 0, 1), commits(1, 28, 1, 2, 3), commits(40.5, 43, 1, 2, 3),
			), []Cause{SessionExpired}, Likely, `the client "b"`, "committed every 1s, and nothing in the last 11s before it went, though 290 offsets of its partitions were committed right after; its session timeout is 10s",
		},
		{
			"nothing to commit, and left", slices.Concat(
				[]Observation{logged(0, 1, a, b), logged(40, 2, a)}, commits(1, 39, 1, 0, 1), commits(1, 28, 1, 2, 3), []Observation{{At: at(41), Source: SourceLog, Commit: &Commit{"orders", 2, 285}}},
			), []Cause{Fine}, Likely, "1 member went", "",
		},
		{
			"one batch of many partitions, and left", slices.Concat(
				[]Observation{logged(0, 1, a, member("b-1", 2, 3, 4, 5, 6, 7)), logged(40, 2, a)}, commits(1, 39, 1, 0, 1), commits(5, 5, 1, 2, 3, 4, 5, 6, 7),
			), []Cause{Fine}, Likely, "1 member went", "",
		},
		{
			"commits also where nothing comes, and silent", slices.Concat(
				[]Observation{logged(0, 1, a, b), logged(40, 2, a)}, commits(1, 39, 1, 0, 1), commits(1, 25, 1, 2, 3), []Observation{
					{At: at(26), Source: SourceLog, Commit: &Commit{"orders", 2, 250}}, {At: at(27), Source: SourceLog, Commit: &Commit{"orders", 2, 250}}, {At: at(28), Source: SourceLog, Commit: &Commit{"orders", 2, 250}},
				},
			), []Cause{SessionExpired}, Likely, `the client "b"`, "though it used to commit also where nothing had come",
		},
		{
			"left while it worked", slices.Concat(
				[]Observation{logged(0, 1, a, b), logged(40, 2, a)}, commits(1, 39, 1, 0, 1), commits(1, 39, 1, 2, 3),
			), []Cause{Fine}, Likely, "went as the record ends", "the record ends there",
		},
		{"a static member away", []Observation{logged(0, 1, static(a), static(b)), logged(20, 2, static(a)), logged(30, 3, static(a), static(member("b-2")))}, []Cause{SessionExpired}, Likely, `"inst-b"`, "does not leave when it stops"},
		{"a static member replaced in its place", []Observation{logged(0, 1, static(a), static(b)), logged(20, 1, static(a), static(member("b-2", 2, 3))), polled(25, "Stable", static(a), static(member("b-2", 2, 3)))}, []Cause{Fine}, Certain, "", ""},
		{"said that its session ended", []Observation{logged(0, 1, a, b), logged(20, 2, a), said(21, Said{Member: "b-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"})}, []Cause{SessionExpired}, Certain, `"b"`, "said that it lost its place"},
		{
			"frozen, and out by its own words", []Observation{
				polled(0, "Stable", a, b), polled(1, "PreparingRebalance", a, b, member("d-1")), polled(11, "PreparingRebalance", a, b, member("d-1")),
				polled(11.5, "CompletingRebalance", a, member("d-1")), polled(12, "Stable", a, member("d-1", 2)),
				said(13, Said{Member: "b-1", Kind: "fenced", Error: "did not acknowledge in time"}), said(13.2, Said{Member: "b-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}),
			}, []Cause{SessionExpired}, Certain, `the client "b"`, "did not acknowledge in time",
		},
		{
			"frozen, and hardly any time to rejoin", []Observation{
				hurried(polled(0, "Stable", a, b)), hurried(polled(1, "PreparingRebalance", a, b, member("d-1"))), hurried(polled(11, "PreparingRebalance", a, b, member("d-1"))),
				hurried(polled(11.5, "CompletingRebalance", a, member("d-1"))), hurried(polled(12, "Stable", a, member("d-1", 2))),
				said(13, Said{Member: "b-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}),
			}, []Cause{SessionExpired}, Certain, `the client "b"`, "UNKNOWN_MEMBER_ID",
		},
		{
			"quiet, and one says that it was out", []Observation{
				polled(0, "Stable", a, b), polled(9, "Stable", a, b), said(4, Said{Member: "z-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}),
			}, []Cause{Fine}, Possible, "were out of it", "UNKNOWN_MEMBER_ID",
		},
		{
			"waited for, and dropped", []Observation{
				polled(0, "Stable", a, b), polled(1, "PreparingRebalance", a, b, member("d-1")), polled(60.5, "PreparingRebalance", a, b, member("d-1")),
				polled(61.5, "CompletingRebalance", a, member("d-1")), polled(62, "Stable", a, member("d-1", 2)),
			}, []Cause{SlowToRejoin}, Certain, `for "b-1" to join again`, "the members' rebalance timeout is 1m",
		},
		{
			"waited for, and who is said", []Observation{
				polled(0, "Stable", a, b), polled(1, "PreparingRebalance", a, b, c), polled(7, "PreparingRebalance", a, b, c), polled(9, "Stable", a, b, c),
				said(1.5, Said{Member: "a-1", Kind: "joining"}), said(8, Said{Member: "b-1", Kind: "joining"}),
			}, []Cause{SlowToRejoin}, Certain, `for "b-1" to join again`, "was the last to",
		},
		{
			"waited for, from the log of an eager group", slices.Concat(
				[]Observation{logged(0, 1, a, b), logged(30, 2, a, b, c)}, commits(1, 20, 0.5, 0, 1), commits(1, 29, 0.5, 2, 3), commits(30.5, 33, 0.5, 0, 1),
			), []Cause{SlowToRejoin}, Likely, `for "b-1"`, "went on committing for 9s",
		},
		{"a slow plan", []Observation{logged(0, 1, a, b), slowPlan}, []Cause{SlowPlan}, Certain, "up to 6s to plan", `the plan of "a-1" came`},
		{"a slow plan that had begun before the first look", []Observation{polled(0, "CompletingRebalance", a, b), polled(6, "CompletingRebalance", a, b), polled(6.5, "Stable", a, b)}, []Cause{SlowPlan}, Likely, "up to 6s to plan", "waits for its leader's plan"},
		{"a quick rebalance that had begun before the first look", []Observation{polled(0, "CompletingRebalance", a, b), polled(1, "Stable", a, b)}, []Cause{Fine}, Certain, "was rebalancing when it was seen first", ""},
		{"another subscription", []Observation{logged(0, 1, a, b), logged(9, 2, other, b)}, []Cause{SubscriptionChanged}, Certain, `"a-1" changed what it subscribes to`, "subscribed to orders, payments, and before to orders"},
		{"more partitions", []Observation{logged(0, 1, member("a-1", 0, 1), member("b-1", 2, 3)), logged(9, 2, member("a-1", 0, 1, 4), member("b-1", 2, 3, 5))}, []Cause{PartitionsChanged}, Likely, "another number of partitions", "6 partitions of orders are assigned, and 4 before"},
		{"metadata that does not decode", []Observation{polled(0, "Stable", a, unreadable)}, []Cause{UnreadableMetadata}, Certain, `"x-1" says`, "does not decode"},
		{"metadata that did not decode, of one that is gone", []Observation{logged(0, 1, a), logged(10, 2, a, unreadable), logged(70, 3, a), polled(3000, "Stable", a)}, []Cause{Fine, UnreadableMetadata}, Likely, "Nothing else is wrong", ""},
		{"metadata that did not decode, and the topics changed since", []Observation{logged(0, 1, a), logged(10, 2, a, unreadable), logged(70, 3, a), logged(80, 4, other)}, []Cause{SubscriptionChanged, UnreadableMetadata}, Certain, "changed what it subscribes to", ""},
		{
			"a plan that fails", []Observation{
				polled(0, "Stable", a, b), polled(1, "CompletingRebalance", a, b, c), polled(3, "CompletingRebalance", a, b, c), polled(4, "PreparingRebalance", a, b, c),
				polled(5, "CompletingRebalance", a, b, c), polled(9, "CompletingRebalance", a, b, c), polled(10, "PreparingRebalance", a, b, c),
				polled(11, "CompletingRebalance", a, b, c), polled(19, "CompletingRebalance", a, b, c), polled(20, "PreparingRebalance", a, b, c),
			}, []Cause{UnreadableMetadata}, Likely, `since "c-1" joined`, "back to PreparingRebalance 3 times",
		},
		{
			"waits for its members since before the first look", []Observation{
				polled(0, "PreparingRebalance", a, b), polled(3, "PreparingRebalance", a, b, member("x-1")), polled(6, "PreparingRebalance", a, b),
				polled(8, "PreparingRebalance", a, b, member("x-2")), polled(11, "PreparingRebalance", a, b), polled(13, "PreparingRebalance", a, b, member("x-3")),
			}, []Cause{SlowToRejoin}, Possible, "which one was not seen", "for at least 13s",
		},
		{
			"a generation between two looks ends a wait", []Observation{
				logged(0, 1, a, b), polled(1, "PreparingRebalance", a, b), polled(14, "PreparingRebalance", a, b),
				logged(8, 2, a, b), logged(14.1, 3, a, b), polled(14.5, "Stable", a, b),
			}, []Cause{SlowToRejoin, Unexplained}, Possible, "up to 7s for a member to join again, twice", "before generation 3 the group waited for its members for at least 5.6s",
		},
		{
			"what was not looked at after a generation is no wait", []Observation{
				with("cooperative-sticky", logged(0, 1, a, b)), polled(1, "PreparingRebalance", a, b), polled(2, "PreparingRebalance", a, b),
				with("cooperative-sticky", logged(2.1, 2, a, b)), polled(30, "PreparingRebalance", a, b, c), polled(31, "PreparingRebalance", a, b, c),
				with("cooperative-sticky", logged(31.1, 3, a, b, c)), polled(31.5, "Stable", a, b, c),
			}, []Cause{Fine}, Certain, "rebalanced twice: 1 member joined; 1 rebalance followed from another", "",
		},
		{"not stable, and no more is seen", []Observation{polled(0, "CompletingRebalance", a), polled(9, "PreparingRebalance", a, b)}, []Cause{Unexplained}, Possible, "not been stable for at least 9s", ""},
		{"refused", []Observation{polled(0, "Stable", a), said(3, Said{ClientID: "new", Kind: "lost", Error: "INCONSISTENT_GROUP_PROTOCOL: no"})}, []Cause{ProtocolMismatch}, Certain, `"new"`, "was refused"},
		{"between types", []Observation{mixed}, []Cause{BetweenTypes}, Certain, `"k-1" still speaks the classic protocol`, "1 of 2 members"},
		{"the same again, for no reason seen", []Observation{logged(0, 1, a, b), logged(60, 2, a, b), logged(120, 3, a, b)}, []Cause{Unexplained}, Possible, "2 of 2 rebalances", "the same members joined again"},
		{
			"one leaves again and again, and a subscription changed", []Observation{
				logged(0, 1, a, b), logged(10, 2, a, b, member("x-1")), logged(20, 3, a, b), logged(30, 4, a, b, member("x-2")), logged(40, 5, a, b),
				logged(60, 6, other, b),
			}, []Cause{SubscriptionChanged, LeavesRepeatedly}, Certain, "", "",
		},
	}
}

func TestVerdicts(t *testing.T) {
	for _, test := range verdictCases() {
		t.Run(test.name, func(t *testing.T) {
			d := Diagnose("g", test.seen, Limits{})
			told := fmt.Sprintf("%+v", d.Verdicts)
			if !slices.Equal(causesOf(d), test.causes) {
				t.Fatalf("%v, want %v: %s", causesOf(d), test.causes, told)
			}
			v := d.Verdicts[0]
			if v.Sure != test.sure || !strings.Contains(v.Says, test.says) || !strings.Contains(fmt.Sprint(v.Evidence), test.quotes) {
				t.Errorf("want %s, %q and %q: %s", test.sure, test.says, test.quotes, told)
			}
			shuffled := slices.Clone(test.seen)
			slices.Reverse(shuffled)
			if again := Diagnose("g", shuffled, Limits{}); fmt.Sprintf("%+v", again.Verdicts) != told {
				t.Errorf("in another order: %+v, and before %s", again.Verdicts, told)
			}
		})
	}
}

// TestWhateverIsSeenIsJudged feeds observations at random: every rebalance is accounted
// for once at most, and each verdict says what to do.
func TestWhateverIsSeenIsJudged(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 3))
		pick := func() []watch.Member {
			var members []watch.Member
			for id := range random.IntN(5) {
				m := member(fmt.Sprintf("%c-%d", 'a'+random.IntN(3), id+random.IntN(3)), int32(random.IntN(4)))
				switch random.IntN(8) {
				case 0:
					m = static(m)
				case 1:
					m.Unreadable, m.Topics = "no", nil
				case 2:
					m.Assigned = nil
				case 3:
					classic := random.IntN(2) == 0
					m.Classic = &classic
				}
				if !slices.ContainsFunc(members, func(o watch.Member) bool { return o.ID == m.ID }) {
					members = append(members, m)
				}
			}
			return members
		}
		var seen []Observation
		for range random.IntN(60) {
			when := random.Float64() * 100
			switch random.IntN(7) {
			case 6:
				s := Said{Member: fmt.Sprintf("a-%d", random.IntN(4)), ClientID: "a", Kind: []string{"syncing", "assigned", "closed", "lost"}[random.IntN(4)], Generation: int32(random.IntN(9))}
				s.State = []string{"", "leaderless"}[random.IntN(2)]
				seen = append(seen, said(when, s))
			case 0:
				seen = append(seen, logged(when, int32(random.IntN(30)), pick()...))
			case 1, 2:
				o := polled(when, []string{"Stable", "Empty", "PreparingRebalance", "CompletingRebalance"}[random.IntN(4)], pick()...)
				o.Look.Type = []string{"classic", "consumer"}[random.IntN(2)]
				seen = append(seen, o)
			case 3:
				seen = append(seen, commits(when, when+random.Float64()*20, 0.5, int32(random.IntN(4)))...)
			case 4:
				seen = append(seen, said(when, Said{Member: fmt.Sprintf("a-%d", random.IntN(4)), Kind: []string{"joining", "left", "lost", "isolated"}[random.IntN(4)], Error: "UNKNOWN_MEMBER_ID"}))
			case 5:
				seen = append(seen, Observation{At: at(when), Source: SourcePoll, Topic: &TopicSize{"orders", random.IntN(4)}})
			}
		}
		d := Diagnose("g", seen, Limits{})
		if len(d.Verdicts) == 0 {
			t.Fatalf("seed %d: no verdict", seed)
		}
		accounted := 0
		for _, a := range d.Accounts {
			accounted += a.Rebalances
			if a.Rebalances == 0 || len(a.At) != min(a.Rebalances, mostTimes) || a.Verdict == nil && a.Cause != Fine {
				t.Errorf("seed %d: %+v", seed, a)
			}
			if a.Verdict == nil {
				continue
			}
			if v := d.Verdicts[*a.Verdict]; v.Explains != a.Rebalances || v.Cause != a.Cause && v.Cause != Empty {
				t.Errorf("seed %d: %+v, and the verdict %+v", seed, a, v)
			}
		}
		if accounted != d.Rebalances {
			t.Errorf("seed %d: %d of %d rebalances are accounted for: %+v", seed, accounted, d.Rebalances, d.Accounts)
		}
		for i, v := range d.Verdicts {
			if v.Says == "" || v.Do == "" || v.Sure == "" || v.Explains < 0 || len(v.Evidence) > mostEvidence {
				t.Errorf("seed %d: %+v", seed, v)
			}
			if i > 0 && v.Sure.rank() < d.Verdicts[i-1].Sure.rank() {
				t.Errorf("seed %d: a surer verdict comes later: %v", seed, causesOf(d))
			}
		}
	}
}
