package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestAGroupChangesItsProtocolByRollingRestart takes a group from an eager protocol to a
// cooperative one and back, each member restarted once to offer both and once to offer
// the new one alone, while records are written and handled. The names are of our own, also
// where one of the members is Java's.
func TestAGroupChangesItsProtocolByRollingRestart(t *testing.T) {
	eager := member.Protocol{Assignor: assign.Range(), Name: "ranged", Eager: true} // which heeds no owner
	cooperative := member.Protocol{Assignor: assign.Balanced{}, Name: "balanced"}
	for name, path := range map[string][2]member.Protocol{
		"eager to cooperative": {eager, cooperative},
		"cooperative to eager": {cooperative, eager},
	} {
		for _, withJava := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/with Java %v", name, withJava), func(t *testing.T) {
				t.Parallel()
				changesProtocol(t, path[0], path[1], withJava)
			})
		}
	}
}

func changesProtocol(t *testing.T, old, next member.Protocol, withJava bool) {
	const size, partitions = 3, 6
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	admin := kadm.NewClient(newClient(t, c))
	b := newBook()
	b.first = func(ctx context.Context, _ *kgo.Record) error { // most often records are under way
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	var ours []*runner
	var peers []*javaConsumer
	// A seat is a member that is restarted again and again.
	type seat struct {
		stop  func()
		owned func() int
	}
	start := func(java bool, offered ...member.Protocol) seat {
		if java {
			var names []string
			for _, p := range offered {
				names = append(names, p.Name)
			}
			j := startJava(t, c, group, topic, names...).(*javaConsumer)
			peers = append(peers, j)
			return seat{j.stop, func() int { return len(j.has()) }}
		}
		r := startRunner(t, c, group, topic, b, func(cfg *member.Config) {
			cfg.Protocols = offered
			cfg.Client = append(cfg.Client, patient) // whoever is put out handles records twice
		})
		ours = append(ours, r)
		return seat{func() { r.close(t) }, func() int { return r.Health().Owned }}
	}
	isJava := func(i int) bool { return withJava && i == size-1 }
	seats := make([]seat, size)
	even := func(seats []seat) {
		t.Helper()
		eventually(t, "all members have as many partitions", func() (bool, string) {
			var owned []int
			for _, s := range seats {
				owned = append(owned, s.owned())
			}
			return !slices.ContainsFunc(owned, func(n int) bool { return n != partitions/len(seats) }), fmt.Sprint(owned)
		})
	}
	for i := range seats {
		seats[i] = start(isJava(i), old)
	}
	even(seats)
	if got := protocolOf(t, admin, group); got != old.Name {
		t.Fatalf("the group begins with %q", got)
	}
	written := startPacedWriter(t, c, topic, 10*time.Millisecond)
	for _, offered := range [][]member.Protocol{{next, old}, {next}} {
		for i := range seats {
			seats[i].stop()
			even(slices.Concat(seats[:i], seats[i+1:])) // so that partitions move when it is back
			seats[i] = start(isJava(i), offered...)
			even(seats)
		}
		if got := protocolOf(t, admin, group); got != next.Name {
			t.Errorf("once all offer %q the group goes by %q", next.Name, got)
		}
	}
	records := written()
	handled := func() map[string]int {
		b.mu.Lock()
		defer b.mu.Unlock()
		all := maps.Clone(b.handled)
		for _, j := range peers {
			for value, n := range j.values() {
				all[value] += n
			}
		}
		return all
	}
	eventually(t, fmt.Sprintf("all %d records are handled", records), func() (bool, string) {
		n := len(handled())
		return n == records, fmt.Sprint(n)
	})
	for _, s := range seats {
		s.stop()
	}
	twice := 0
	for _, n := range handled() {
		if n > 1 {
			twice++
		}
	}
	var all []tenure
	for _, r := range ours {
		all = append(all, r.tenures()...)
	}
	for _, j := range peers {
		all = append(all, j.tenures()...)
	}
	noTwoOwners(t, all)
	if !withJava && twice > 0 {
		t.Errorf("%d records were handled twice", twice)
	}
	t.Logf("%d records, %d of them handled twice; partitions changed hands %d times", records, twice, len(all))
}

// TestAGroupWithOtherClientsChangesItsProtocolByRollingRestart does the same where a
// member is of another client: from range to cooperative-sticky and back, led by us and
// by it. librdkafka refuses to offer both, and is restarted once for each change.
func TestAGroupWithOtherClientsChangesItsProtocolByRollingRestart(t *testing.T) {
	const partitions, records = 6, 60
	type step struct {
		offers []string
		want   string
	}
	for _, client := range []struct {
		name  string
		start starts
		steps []step
	}{
		{"java", startJava, []step{{[]string{"cooperative-sticky", "range"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
		{"sarama", startSarama, []step{{[]string{"cooperative-sticky", "range"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
		{"librdkafka", startKcat, []step{{[]string{"cooperative-sticky"}, "cooperative-sticky"}, {[]string{"range"}, "range"}}},
	} {
		for _, weLead := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/led by us first %v", client.name, weLead), func(t *testing.T) {
				t.Parallel()
				c := cluster.Shared(t)
				topic, group := newTopic(t, c, partitions), unique(t, "group")
				admin := kadm.NewClient(newClient(t, c))
				ours := func() *hooked {
					return startHooked(t, c, group, []string{topic}, named("cooperative-sticky", "range"), patient)
				}
				var us *hooked
				var other peer
				if weLead {
					us = ours()
					us.leads(t)
					other = client.start(t, c, group, topic, "range")
				} else {
					other = client.start(t, c, group, topic, "range")
					evenly(t, topic, partitions, nil, other)
					us = ours()
				}
				evenly(t, topic, partitions, []*hooked{us}, other)
				if got := protocolOf(t, admin, group); got != "range" || us.hooks.Leading() != weLead {
					t.Errorf("the group begins with %q, leading %v", got, us.hooks.Leading())
				}
				others, produced := []peer{other}, records
				handledOnce(t, c, topic, 0, records, []*hooked{us}, others...)
				for _, step := range client.steps {
					other.stop()
					other = client.start(t, c, group, topic, step.offers...)
					others = append(others, other)
					evenly(t, topic, partitions, []*hooked{us}, other)
					if got := protocolOf(t, admin, group); got != step.want || !us.hooks.Leading() {
						t.Errorf("with %v it goes by %q, leading %v", step.offers, got, us.hooks.Leading())
					}
					handledOnce(t, c, topic, produced, records, []*hooked{us}, others...)
					produced += records
				}
				unharmed(t, us)
			})
		}
	}
}

// TestAStaticLeaderThatComesBackWithOtherTopicsLeadsForThem: the coordinator hands a
// static leader that comes back the plan that there was (KIP-814), whatever it
// subscribes to by now.
func TestAStaticLeaderThatComesBackWithOtherTopicsLeadsForThem(t *testing.T) {
	for _, protocol := range []member.Protocol{{Assignor: assign.Balanced{}}, {Assignor: assign.Balanced{}, Name: "cooperative-sticky"}} {
		t.Run(protocol.Name, func(t *testing.T) {
			c := cluster.Shared(t)
			one, two, group := newTopic(t, c, 4), newTopic(t, c, 4), unique(t, "group")
			cfg, ch := leadingTerms(member.HooksConfig{Protocols: []member.Protocol{protocol}})
			start := func(instance string, topics ...string) *hooked {
				return startHooked(t, c, group, topics, cfg, kgo.InstanceID(instance))
			}
			leader := start("a", one)
			before := (<-ch).Fence()
			follower := start("b", one)
			share(t, one, 4, leader, follower)
			leader.close()
			leader = start("a", one, two)
			share(t, one, 4, leader, follower)
			share(t, two, 4, leader)
			if after := (<-ch).Fence(); after.Compare(before) <= 0 {
				t.Errorf("%s came after %s", after, before)
			}
			leader.leads(t)
			follower.close()
			leader.close()
		})
	}
}

// leadingTerms returns hooks that hand out each term that begins.
func leadingTerms(cfg member.HooksConfig) (member.HooksConfig, <-chan member.Term) {
	ch := make(chan member.Term, 100)
	cfg.Lead = waitingLead(ch)
	return cfg, ch
}
