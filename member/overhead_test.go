package member

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/assign"
)

// A largeRound is what the coordinator tells the leader of 1,000 members with 100,000
// partitions in 100 topics.
type largeRound struct {
	protocol Protocol
	names    []string
	counts   map[string]int32
	members  []kmsg.JoinGroupResponseMember
}

func newLargeRound(protocol Protocol) *largeRound {
	l := &largeRound{protocol: protocol, counts: make(map[string]int32)}
	for t := range 100 {
		l.names = append(l.names, fmt.Sprintf("topic-%03d", t))
		l.counts[l.names[t]] = 1000
	}
	return l
}

// with returns the same with members that own what owned gives to them.
func (l *largeRound) with(members []string, owned assign.Assignment) *largeRound {
	with := *l
	with.members = nil
	for _, id := range members {
		with.members = append(with.members, *joined(id, encodeSubscription(l.protocol, l.names, owned[id], 1, nil)))
	}
	return &with
}

// spread gives all partitions to the members in turn.
func (l *largeRound) spread(members []string) assign.Assignment {
	plan, n := assign.Plan{}, 0
	for _, topic := range l.names {
		for p := range l.counts[topic] {
			plan.Give(members[n%len(members)], topic, p)
			n++
		}
	}
	plan.Assignment.Sort()
	return plan.Assignment
}

// play is what kgo does with a balancer between JoinGroup and SyncGroup.
func (l *largeRound) play(b testing.TB, bal kgo.GroupBalancer) kgo.GroupMemberBalancer {
	r, _, err := bal.MemberBalancer(l.members)
	if err != nil {
		b.Fatal(err)
	}
	r.(kgo.GroupMemberBalancerInfo).SetBalanceInfo(kgo.BalanceInfo{Group: "g", Generation: 2, LeaderID: l.members[0].MemberID})
	into, err := r.(kgo.GroupMemberBalancerOrError).BalanceOrError(l.counts)
	if err != nil || len(into.IntoSyncAssignment()) != len(l.members) {
		b.Fatal(err)
	}
	return r
}

// BenchmarkAdapter plays what the leader of 1,000 members does with 100,000 partitions
// between JoinGroup and SyncGroup, from the members' bytes to the bytes of their
// assignments, in three rounds: a settled group; a tenth of the members has just joined;
// and the round after that one, in which what moves is given out, without the assignor.
//
// Beside the whole it tells the parts: reading and writing the bytes, which any balancer
// has to, by the adapter's code; the assignor, by a call of its Assign; each by itself and
// in the same turns; and the rest, which is the adapter's own. Last kgo's own balancer with
// the same members. "listened" is with OnEvent, for which the plan is measured and copied.
//
// It prints the tables of docs/leader-hook.md.
func BenchmarkAdapter(b *testing.B) {
	fastest, medians := "", ""
	for _, assignor := range []assign.Assignor{assign.CooperativeSticky(), assign.Balanced{}} {
		for _, kind := range []string{"settled", "joined", "completing"} {
			for _, listened := range []bool{false, true} {
				var rows [2]string
				b.Run(fmt.Sprintf("%s/%s/listened=%v", assignor.Name(), kind, listened), func(b *testing.B) {
					rows = benchmarkAdapter(b, assignor, kind, listened)
				})
				fastest, medians = fastest+rows[0], medians+rows[1]
			}
		}
	}
	const head = "| round | assignor | listened | whole | bytes | assignor's | adapter's own | share | kgo |\n|---|---|---|---|---|---|---|---|---|\n"
	fmt.Fprintf(os.Stderr, "\nFastest rounds:\n\n%s%s\nMedians:\n\n%s%s\n", head, fastest, head, medians)
}

// leads has the member of bal lead what comes before a round of the kind, and returns it.
func leads(b *testing.B, bal *balancer, kind string) (now *largeRound) {
	play := func(l *largeRound) *round { return l.play(b, bal).(*round) }
	var all, old []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf("member-%04d", i))
		if i%10 > 0 {
			old = append(old, all[i])
		}
	}
	empty := newLargeRound(bal.protocol)
	before, now := empty.with(all, empty.spread(all)), empty.with(all, empty.spread(all))
	if kind != "settled" {
		before, now = empty.with(old, empty.spread(old)), empty.with(all, empty.spread(old))
	}
	bal.hooks.adopted = play(before)
	if kind == "completing" {
		bal.hooks.adopted = play(now)
		if len(bal.hooks.adopted.sent.Withheld) == 0 {
			b.Fatal("nothing moves")
		}
		now = empty.with(all, bal.hooks.adopted.sent.Assignment)
	}
	return now
}

func benchmarkAdapter(b *testing.B, assignor assign.Assignor, kind string, listened bool) (rows [2]string) {
	protocol := Protocol{Assignor: assignor}
	cfg := HooksConfig{Protocols: []Protocol{protocol}}
	if listened {
		cfg.OnEvent = func(e Event) {
			if e.Kind == EventFallback {
				b.Error(e.Err)
			}
		}
	}
	hooks, err := NewHooks(cfg)
	if err != nil {
		b.Fatal(err)
	}
	bal := &balancer{hooks: hooks, protocol: protocol, first: true}
	play := func(l *largeRound) *round { return l.play(b, bal).(*round) }

	now := leads(b, bal, kind)
	before := hooks.adopted

	var parts struct{ whole, wire, assignor, kgo []float64 }
	milliseconds := func(of func()) float64 {
		began := time.Now()
		of()
		return time.Since(began).Seconds() * 1000
	}
	b.ReportAllocs()
	for b.Loop() {
		var r *round
		whole := milliseconds(func() { r = play(now) })
		// A round that completes a plan has that very plan.
		planned := reflect.ValueOf(r.target.Assignment).Pointer() != reflect.ValueOf(before.target.Assignment).Pointer()
		if planned == (kind == "completing") || len(r.sent.Withheld) > 0 != (kind == "joined") {
			b.Fatalf("%d partitions are withheld; the assignor was called: %v", len(r.sent.Withheld), planned)
		}
		b.StopTimer()
		wire := milliseconds(func() {
			reader := newSubscriptionReader(before)
			for i := range now.members {
				if _, err := reader.member(protocol, &now.members[i]); err != nil {
					b.Fatal(err)
				}
			}
			encodeAssignment(r.sent.Assignment.Members(), r.sent.Assignment, nil)
		})
		spent := 0.0
		if planned {
			spent = milliseconds(func() {
				if _, err := assignor.Assign(r.group); err != nil {
					b.Fatal(err)
				}
			})
		}
		parts.whole, parts.wire, parts.assignor = append(parts.whole, whole), append(parts.wire, wire), append(parts.assignor, spent)
		parts.kgo = append(parts.kgo, milliseconds(func() { now.play(b, kgo.CooperativeStickyBalancer()) }))
		b.StartTimer()
	}
	// What the fastest round took other programs disturb least; the median has the
	// collection of garbage in it, too.
	for i, of := range []func([]float64) float64{slices.Min[[]float64], func(values []float64) float64 {
		return slices.Sorted(slices.Values(values))[len(values)/2]
	}} {
		whole, wire, spent := of(parts.whole), of(parts.wire), of(parts.assignor)
		own := whole - wire - spent
		rows[i] = fmt.Sprintf("| %s | %s | %v | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.0f %% | %.1f ms |\n",
			kind, assignor.Name(), listened, whole, wire, spent, own, 100*own/whole, of(parts.kgo))
	}
	return rows
}
