package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect/watch"
)

// pods are members of one deployment, each of a host and a client's name of its own, from
// one number to before another; restarted ones have another ID.
func pods(from, to int, life int) []watch.Member {
	var all []watch.Member
	for i := from; i < to; i++ {
		m := member(fmt.Sprintf("pod%02d-%d", i, life), int32(i))
		m.Host = fmt.Sprintf("/10.0.1.%d", i)
		all = append(all, m)
	}
	return all
}

// shared are members that have one client ID and one host, as behind a NAT.
func shared(ids ...int) []watch.Member {
	var all []watch.Member
	for _, id := range ids {
		all = append(all, member(fmt.Sprintf("app-%d", id), int32(id)))
	}
	return all
}

func subscribed(m watch.Member, topics ...string) watch.Member {
	m.Topics = topics
	return m
}

func with(assignor string, o Observation) Observation {
	o.Record.Protocol = &assignor
	return o
}

type historyCase struct {
	name  string
	seen  []Observation
	cause Cause
	sure  Sureness
	says  string
	do    string
	// never are causes that would accuse somebody who did nothing.
	never []Cause
}

func historyCases() []historyCase {
	a, b, c := member("a-1", 0, 1), member("b-1", 2, 3), member("c-1", 4, 5)
	join := func(lists ...[]Observation) []Observation { return slices.Concat(lists...) }

	var rolling, oneByOne []Observation
	rolling = append(rolling, logged(0, 1, pods(0, 30, 1)...))
	for i := range 30 {
		// Each pod is stopped, and the next is up 4 s later.
		when := 10 + float64(i)*20
		rolling = append(rolling,
			logged(when, int32(2+2*i), append(pods(0, i, 2), pods(i+1, 30, 1)...)...),
			logged(when+4, int32(3+2*i), append(pods(0, i+1, 2), pods(i+1, 30, 1)...)...))
	}
	// The same of a Deployment: pods get new names, and surge.
	oneByOne = append(oneByOne, logged(0, 1, pods(0, 10, 1)...))
	for i := range 10 {
		when := 10 + float64(i)*20
		oneByOne = append(oneByOne,
			logged(when, int32(2+2*i), append(pods(i, 10, 1), pods(100, 101+i, 1)...)...),
			logged(when+4, int32(3+2*i), append(pods(i+1, 10, 1), pods(100, 101+i, 1)...)...))
	}
	var flapping []Observation
	for i := range 12 {
		// An autoscaler adds two pods of new names, and takes them away again.
		n := 3
		if i%2 == 1 {
			n = 5
		}
		members := pods(0, 3, 1)
		if n == 5 {
			members = append(members, pods(10+2*i, 12+2*i, 1)...)
		}
		flapping = append(flapping, logged(float64(i)*90, int32(i+1), members...))
	}
	var crashing []Observation
	for i := range 10 {
		crashing = append(crashing, logged(float64(i)*30, int32(2*i+1), a, b), logged(float64(i)*30+5, int32(2*i+2), a, b, member(fmt.Sprintf("x-%d", i))))
	}
	var topicsEachMinute []Observation
	named := []string{"orders"}
	for i := range 6 {
		topicsEachMinute = append(topicsEachMinute, logged(float64(i)*60, int32(i+1), subscribed(a, slices.Clone(named)...), subscribed(b, slices.Clone(named)...)))
		named = append(named, fmt.Sprintf("orders-%d", i))
	}
	var twoApps []Observation
	first, second := subscribed(member("billing-1", 0), "orders"), subscribed(member("mailer-1"), "mails")
	for i := range 4 {
		twoApps = append(twoApps, logged(float64(i)*100, int32(2*i+1), first), logged(float64(i)*100+40, int32(2*i+2), first, subscribed(member(fmt.Sprintf("mailer-%d", i)), "mails")))
	}
	twoApps = append(twoApps, logged(450, 9, first, second))
	epochs := []Observation{}
	for i := range 8 {
		epochs = append(epochs, modern(float64(i)*8, "Reconciling", int32(10+i), atEpoch(a, 9, 0, 1, 2, 3), atEpoch(b, int32(10+i))))
	}
	var preparing []Observation
	preparing = append(preparing, polled(0, "Stable", a, b, c))
	for s := 1.0; s <= 181; s += 2 {
		preparing = append(preparing, polled(s, "PreparingRebalance", a, b, c))
	}
	const day = 24 * 60 * 60
	b2, b3, c2 := member("b-2", 2, 3), member("b-3", 2, 3), member("c-2", 4, 5)
	var elected [][]Observation
	for _, seen := range [][]Observation{
		{logged(0, 1, a, b, c), logged(10, 2, a, c), logged(20, 3, a, b2, c), logged(30, 4, a, b2), logged(40, 5, a, b2, c2)},
		crashing,
		{logged(0, 1, a, b), logged(10, 2, a), logged(20, 3, a, b2)},
	} {
		var candidates []Observation
		for _, o := range seen {
			record := *o.Record
			o.Record = &record
			candidates = append(candidates, with(electionProtocol+"-v1", o))
		}
		elected = append(elected, candidates)
	}
	idle := func(seconds float64, partition int32, offset int64) Observation {
		return Observation{At: at(seconds), Source: SourceLog, Commit: &Commit{"orders", partition, offset}}
	}
	d := member("d-1", 2, 3)
	var stopped, inherited []Observation
	for s := 1.0; s <= 39; s += 2 {
		stopped = append(stopped, idle(s, 2, int64(10*s)), idle(s, 3, int64(10*s)))
	}
	for s := 31.0; s <= 45; s += 2 {
		inherited = append(inherited, idle(s-16, 2, 100), idle(s-16, 3, 100), idle(s, 2, int64(10*s)), idle(s, 3, int64(10*s)))
	}
	var oneShot []Observation
	for i := range 3 {
		oneShot = append(oneShot, logged(float64(i)*600, int32(2*i+1), member(fmt.Sprintf("console-consumer-%d", i), 0)), logged(float64(i)*600+20, int32(2*i+2)))
	}

	return []historyCase{
		{"30 pods of a StatefulSet are restarted one by one", rolling, RollingRestart, Likely, "30 members were replaced one after the other", "group.instance.id", []Cause{LeavesRepeatedly, SessionExpired}},
		{"10 pods of a Deployment are replaced by pods of other names", oneByOne, RollingRestart, Possible, "20 rebalances", "group.instance.id", []Cause{LeavesRepeatedly, SessionExpired}},
		{"an autoscaler flaps", flapping, Fine, Possible, "11 times", "autoscaler", []Cause{LeavesRepeatedly, SessionExpired, RollingRestart}},
		{
			"a member stops for its garbage collection", join([]Observation{logged(0, 1, a, b, c), logged(70, 2, a, c), logged(80, 3, a, c, member("b-2", 2, 3))},
				commits(1, 58, 1, 2, 3), commits(70.5, 75, 1, 2, 3), commits(1, 69, 1, 0, 1, 4, 5)),
			SessionExpired, Likely, "heard nothing of the client \"b\"", "session.timeout.ms", []Cause{LeavesRepeatedly},
		},
		{
			"the leader dies in the middle of a round", join([]Observation{
				logged(0, 1, a, b, c), polled(1, "Stable", a, b, c), polled(60, "Stable", a, b, c),
				polled(60.5, "PreparingRebalance", a, b, c), polled(61, "CompletingRebalance", a, b, c), polled(70.5, "CompletingRebalance", a, b, c),
				polled(71, "PreparingRebalance", b, c), polled(71.5, "Stable", b, c), logged(71.4, 3, b, c),
			}, commits(1, 60, 0.5, 0, 1, 2, 3, 4, 5)),
			SessionExpired, Likely, `the client "a"`, "session.timeout.ms", []Cause{UnreadableMetadata, SlowPlan},
		},
		{
			"static members are away for longer than their sessions", []Observation{
				logged(0, 1, static(a), static(b), static(c)), logged(50, 2, static(a), static(c)), logged(90, 3, static(a), static(c), static(member("b-2", 2, 3))),
			}, SessionExpired, Likely, `"inst-b"`, "session.timeout.ms", []Cause{RollingRestart},
		},
		{
			"the coordinator moved to another broker", []Observation{
				logged(0, 7, a, b, c), polled(100, "Stable", a, b, c), polled(140, "Stable", a, b, c),
			}, Fine, Certain, "did not rebalance", "Nothing", nil,
		},
		{"a topic comes every minute that matches a pattern", topicsEachMinute, SubscriptionChanged, Certain, "changed what they subscribe to", "pattern", nil},
		{
			"cooperative members rebalance twice for each that joins", []Observation{
				with("cooperative-sticky", logged(0, 1, a)), with("cooperative-sticky", logged(100, 2, a, b)), with("cooperative-sticky", logged(101, 3, a, b)),
				with("cooperative-sticky", logged(200, 4, a, b, c)), with("cooperative-sticky", logged(201, 5, a, b, c)),
			}, Fine, Likely, "4 times: 2 members joined; 2 rebalances followed from another", "Nothing", nil,
		},
		{"a KIP-848 member never acknowledges, and others come", epochs, SlowToRejoin, Likely, `"a-1"`, "max.poll.interval.ms", []Cause{Fine}},
		{"a client crash-loops under new IDs", crashing, LeavesRepeatedly, Likely, `The client "x" at 10.0.0.1 goes and comes back, every 30s`, "crash loop", nil},
		{"two applications share a group, and one of them restarts", twoApps, LeavesRepeatedly, Likely, `"mailer"`, "crash loop", nil},
		{
			"one version of an application offers other assignors", []Observation{
				logged(0, 1, a, b), with("roundrobin", logged(60, 2, a, b, c)), logged(120, 3, a, b), with("roundrobin", logged(180, 4, a, b, member("c-2"))),
			}, ProtocolMismatch, Likely, "changed its assignor 3 times", "partition.assignment.strategy", nil,
		},
		{"an empty group that a console consumer used", append(oneShot, polled(1300, "Empty")), LeavesRepeatedly, Possible, `The client "console" at 10.0.0.1 is alone in the group`, "console consumer", []Cause{RollingRestart, SessionExpired}},
		{"rebalanced once, an hour ago", []Observation{logged(0, 1, a, b), logged(60, 2, a, b, c), polled(3660, "Stable", a, b, c), polled(3665, "Stable", a, b, c)}, Fine, Likely, "rebalanced once", "Nothing", nil},
		{"waits for its members for three minutes, and does so yet", preparing, SlowToRejoin, Possible, "up to 3m", "max.poll.interval.ms", nil},
		{
			"a member crash-loops and a topic grows", append(slices.Clone(crashing),
				Observation{At: at(1), Source: SourcePoll, Topic: &TopicSize{"orders", 4}}, Observation{At: at(400), Source: SourcePoll, Topic: &TopicSize{"orders", 8}},
				logged(410, 40, a, b)),
			LeavesRepeatedly, Likely, `The client "x"`, "crash loop", nil,
		},
		{"members behind one address are scaled down", []Observation{logged(0, 1, shared(1, 2, 3, 4)...), logged(50, 2, shared(1, 2, 3)...), logged(60, 3, shared(1, 2)...)}, Fine, Likely, "2 members went, the last of them as the record ends", "Nothing", []Cause{LeavesRepeatedly}},
		{
			"two members restart, days apart", []Observation{logged(0, 1, a, b, c), logged(10, 2, a, c), logged(40, 3, a, b2, c), logged(3*day, 4, a, b2), logged(3*day+30, 5, a, b2, c2)},
			Fine, Possible, "2 members went and were back", "restarted on purpose", []Cause{RollingRestart},
		},
		{
			"one member restarts twice", []Observation{logged(0, 1, a, b, c), logged(10, 2, a, c), logged(40, 3, a, b2, c), logged(200, 4, a, c), logged(230, 5, a, b3, c)},
			Fine, Possible, "2 members went and were back", "restarted on purpose", []Cause{RollingRestart},
		},
		{
			"two are restarted, twice, days apart", []Observation{
				logged(0, 1, a, b, c), logged(10, 2, a, c), logged(20, 3, a, b2, c), logged(30, 4, a, b2), logged(40, 5, a, b2, c2),
				logged(3*day, 6, a, c2), logged(3*day+10, 7, a, b3, c2), logged(3*day+20, 8, a, b3), logged(3*day+30, 9, a, b3, member("c-3", 4, 5)),
			}, RollingRestart, Likely, "Members were replaced one after the other, twice, up to 2 of them within 20s,", "group.instance.id", nil,
		},
		{
			"two are killed and started anew, days apart", []Observation{
				logged(0, 1, ofKIP848(a), ofKIP848(b)), logged(10, 2, ofKIP848(a), ofKIP848(b), ofKIP848(member("a-2"))), logged(55, 3, ofKIP848(b), ofKIP848(member("a-2"))),
				logged(3*day, 4, ofKIP848(b), ofKIP848(member("a-2")), ofKIP848(b2)), logged(3*day+45, 5, ofKIP848(member("a-2")), ofKIP848(b2)),
			}, SessionExpired, Likely, "heard nothing", "consumer.session.timeout.ms", []Cause{RollingRestart},
		},
		{
			"static members leave, and are back", []Observation{
				logged(0, 1, a, static(b), static(c)), said(9.5, Said{Member: "b-1", Kind: "left"}), logged(10, 2, a, static(c)), logged(40, 3, a, static(b2), static(c)),
				said(99.5, Said{Member: "c-1", Kind: "left"}), logged(100, 4, a, static(b2)), logged(130, 5, a, static(b2), static(c2)),
			}, Fine, Likely, "2 members went and were back", "without leaving", []Cause{RollingRestart},
		},
		{"candidates are restarted one after the other", elected[0], RollingRestart, Likely, "2 members were replaced one after the other, within 20s, each time with rebalances: a rolling restart.", "Restart the leader last", nil},
		{"a candidate crash-loops", elected[1], LeavesRepeatedly, Likely, `The client "x"`, "while it leads", nil},
		{"a candidate restarts", elected[2], Fine, Possible, "was back 10s later", "restarted on purpose. If", nil},
		{
			"an eager group joins again soon after one has joined", []Observation{logged(0, 1, a, b), logged(10, 2, a, b, c), logged(22, 3, a, b, c)},
			Unexplained, Possible, "1 of 2 rebalances", "events", nil,
		},
		{
			"one that is idle commits again for a rebalance, and leaves later", join([]Observation{logged(0, 1, a, b), logged(41.1, 2, a, b, member("d-1")), logged(60.5, 3, a, d)},
				commits(1, 60, 1, 0, 1), stopped, []Observation{idle(41, 2, 390), idle(41, 3, 390)}),
			Fine, Likely, "1 member went", "Nothing", []Cause{SessionExpired},
		},
		{
			"one commits twice what it had, for a rebalance that takes a while, and leaves later", join([]Observation{logged(0, 1, a, b), logged(44, 2, a, b, member("d-1")), logged(64, 3, a, d)},
				commits(1, 63, 1, 0, 1), stopped, []Observation{idle(41, 2, 390), idle(41, 3, 390), idle(44.2, 2, 390)}),
			Fine, Likely, "1 member went", "Nothing", []Cause{SessionExpired},
		},
		{
			"each partition is committed once where nothing had come", join([]Observation{logged(0, 1, a, b), logged(70, 2, a)},
				commits(1, 69, 1, 0, 1), stopped, []Observation{idle(45, 2, 390), idle(45, 3, 390)}),
			Fine, Likely, "1 member went", "Nothing", []Cause{SessionExpired},
		},
		{
			"one that is idle leaves, and who had its partitions before committed also where nothing came", join([]Observation{
				logged(0, 1, a, member("c-1", 2, 3), member("d-1")), logged(30, 2, a, b, member("d-1")), logged(75, 3, a, d),
			}, commits(1, 74, 1, 0, 1), inherited),
			Fine, Likely, "2 members", "Nothing", []Cause{SessionExpired},
		},
		{"a network split takes half of the members, who return", join([]Observation{
			logged(0, 1, a, b, c), logged(70, 2, a), logged(80, 3, a, member("b-2", 2, 3), member("c-2", 4, 5)),
		}, commits(1, 58, 1, 2, 3, 4, 5), commits(70.5, 75, 1, 2, 3, 4, 5), commits(1, 69, 1, 0, 1)), SessionExpired, Likely, `"b-1" and "c-1"`, "session.timeout.ms", nil},
		{"the same joins again and again for a reason that nobody tells", []Observation{logged(0, 1, a, b), logged(60, 2, a, b), logged(120, 3, a, b), logged(180, 4, a, b)}, Unexplained, Possible, "3 of 3 rebalances", "events", nil},
	}
}

// TestHistoriesOfRealGroups judges what whoever is on call meets: the first verdict, how
// sure it is, what it says and does, and what it must not say of anybody.
func TestHistoriesOfRealGroups(t *testing.T) {
	for _, test := range historyCases() {
		t.Run(test.name, func(t *testing.T) {
			d := Diagnose("g", test.seen, Limits{})
			v := d.Verdicts[0]
			if v.Cause != test.cause || v.Sure != test.sure || !strings.Contains(v.Says, test.says) || !strings.Contains(v.Do, test.do) {
				t.Errorf("want %s, %s, %q and %q: %+v", test.cause, test.sure, test.says, test.do, d.Verdicts)
			}
			for _, v := range d.Verdicts {
				if isElection(lastRecorded(test.seen)) && strings.Contains(strings.ToLower(v.Do), "instance") {
					t.Errorf("candidates have no instance ids: %q", v.Do)
				}
				if slices.Contains(test.never, v.Cause) && v.Sure != Possible {
					t.Errorf("accuses somebody: %+v", v)
				}
				if strings.Contains(v.Says+v.Do, "%!") || !strings.HasSuffix(v.Says, ".") || !strings.HasSuffix(v.Do, ".") {
					t.Errorf("%q %q", v.Says, v.Do)
				}
			}
		})
	}
}

// lastRecorded is the group as the log has it last, without anything where it has none.
func lastRecorded(seen []Observation) watch.Group {
	for _, o := range slices.Backward(seen) {
		if o.Record != nil {
			return groupOf("g", o.Record)
		}
	}
	return watch.Group{}
}
