package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// elector is a candidate in this process, and what it saw.
type elector struct {
	*member.Election
	name string

	mu     sync.Mutex
	events []member.Event
}

// elect starts a candidate whose payload is its name.
func elect(t *testing.T, c *cluster.Cluster, election, name string, configure func(*member.ElectionConfig)) *elector {
	t.Helper()
	e := &elector{name: name}
	cfg := member.ElectionConfig{
		Client:         []kgo.Opt{kgo.SeedBrokers(c.Seeds()...)},
		Payload:        []byte(name),
		SessionTimeout: 6 * time.Second,
		OnEvent: func(event member.Event) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.events = append(e.events, event)
		},
	}
	if configure != nil {
		configure(&cfg)
	}
	var err error
	if e.Election, err = member.Elect(election, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.leave(t)
		if t.Failed() {
			for _, event := range e.events {
				t.Logf("%s %s generation %d %s (%s) subject %s %v", name, event.Time.Format("05.000"), event.Generation, event.Kind, event.State, event.LeaderID, event.Err)
			}
		}
	})
	return e
}

func (e *elector) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

// told returns when the candidate was last told of an event of the kind.
func (e *elector) told(kind member.EventKind) (at time.Time, found member.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.events {
		if event.Kind == kind {
			at, found = event.Time, event
		}
	}
	return at, found
}

// agreed waits until all candidates name the same leader, and returns it.
func agreed(t *testing.T, candidates ...*elector) (leader *elector) {
	t.Helper()
	eventually(t, "all candidates name the same leader", func() (bool, string) {
		leader = nil
		seen := ""
		for _, e := range candidates {
			l, ok := e.Leader()
			seen += fmt.Sprintf("%s says %q; ", e.name, l.Payload)
			if !ok {
				return false, seen
			}
			for _, other := range candidates {
				if other.name == string(l.Payload) {
					if leader != nil && leader != other {
						return false, seen
					}
					leader = other
				}
			}
		}
		if leader == nil {
			return false, seen
		}
		began, _ := leader.told(member.EventLeading)
		return leader.Leading() && !began.IsZero(), seen
	})
	return leader
}

func without(candidates []*elector, e *elector) (rest []*elector) {
	for _, c := range candidates {
		if c != e {
			rest = append(rest, c)
		}
	}
	return rest
}

func TestAnElectionNeedsNoTopicAndHandsOverWhenItsLeaderGoes(t *testing.T) {
	c := cluster.Shared(t)
	election := unique(t, "election")
	var candidates []*elector
	for i := range 4 {
		candidates = append(candidates, elect(t, c, election, fmt.Sprintf("candidate-%d", i), nil))
	}
	var before member.Fence
	for len(candidates) > 1 {
		leader := agreed(t, candidates...)
		l, _ := leader.Leader()
		if l.Fence.Compare(before) <= 0 {
			t.Errorf("the fence %s does not come after %s", l.Fence, before)
		}
		before = l.Fence
		at := time.Now()
		if len(candidates) == 4 {
			if err := leader.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			if agreed(t, candidates...) == leader {
				t.Error("who resigned leads")
			}
		}
		if len(candidates) < 4 {
			leader.leave(t)
		}
		rest := without(candidates, leader)
		next := agreed(t, rest...)
		began, _ := next.told(member.EventLeading)
		ended, resigned := leader.told(member.EventResigned)
		if !ended.Before(began) {
			t.Errorf("a term ended %s after the next one began", ended.Sub(began))
		}
		t.Logf("handed over in %s (%v)", began.Sub(at).Round(time.Millisecond), resigned.Err)
		candidates = rest
	}
}

// TestACandidateOfHigherPriorityTakesOver looks at it from outside too: groupctl shows who
// is elected, and not who leads the group, who counts the votes all the while.
func TestACandidateOfHigherPriorityTakesOver(t *testing.T) {
	c := cluster.Shared(t)
	// Nothing has to expire, and a session that did would take a ballot more.
	ofPriority := func(priority int32) func(*member.ElectionConfig) {
		return func(cfg *member.ElectionConfig) { cfg.SessionTimeout, cfg.Priority = 30*time.Second, priority }
	}
	election := unique(t, "election")
	ctl := buildGroupctl(t, c)
	watched := ctl.watch(t, "-o", "jsonl", "watch", "groups", election)
	low := elect(t, c, election, "low", ofPriority(0))
	if agreed(t, low) != low {
		t.Fatal("the only candidate does not lead")
	}
	counts, _ := low.Leader()
	isShown(t, ctl, election, low, counts.Member)
	eventually(t, "the watch tells of the first leader", func() (bool, string) {
		return strings.Contains(watched.text(), `"payloadText":"low"`), watched.text()
	})
	high := elect(t, c, election, "high", ofPriority(1))
	eventually(t, "the candidate of higher priority leads", func() (bool, string) {
		return agreed(t, low, high) == high, ""
	})
	ended, resigned := low.told(member.EventResigned)
	began, _ := high.told(member.EventLeading)
	if !ended.Before(began) || !errors.Is(resigned.Err, member.ErrSucceeded) {
		t.Errorf("the term ended %s after the next began, because of %v", ended.Sub(began), resigned.Err)
	}

	isShown(t, ctl, election, high, counts.Member)
	var history inspect.OffsetsHistory
	eventually(t, "the log shows the handover", func() (bool, string) {
		if _, err := ctl.ask(t, 0, &history, "offsets", "dump", election, "--kind", "generation"); err != nil {
			return false, err.Error()
		}
		told := verdictsIn(history)
		return slices.Equal(told, []string{"low", "low, hands over", "high"}), fmt.Sprint(told)
	})
	eventually(t, "the watch tells of the handover", func() (bool, string) {
		return strings.Contains(watched.text(), `"payloadText":"high"`), watched.text()
	})
	leader, _ := high.Leader()
	handovers := 0
	for _, event := range events(t, watched.interrupt(t)) {
		g := event.Generation
		if g == nil || g.FromElected == nil || g.ToElected == nil || g.FromElected.Ballot == g.ToElected.Ballot {
			continue
		}
		handovers++
		if *g.FromElected.PayloadText != "low" || *g.ToElected.Member != leader.Member || g.ToElected.Ballot != leader.Fence.Number || g.Source == watch.SourceLog && *g.ToLeader != counts.Member {
			t.Errorf("%+v: from %+v to %+v", g, g.FromElected, g.ToElected)
		}
	}
	if handovers != 1 {
		t.Errorf("the watch tells of %d handovers", handovers)
	}
}

// isShown waits until groupctl shows a candidate as elected, with what all members were
// told of it, and the member that counts the votes as the leader of the group.
func isShown(t *testing.T, ctl groupctl, election string, elected *elector, counts string) {
	t.Helper()
	leader, _ := elected.Leader()
	eventually(t, "groupctl shows who is elected", func() (bool, string) {
		var rows []inspect.Group
		a, err := ctl.ask(t, 0, &rows, "group", "describe", election)
		if err != nil {
			return false, err.Error()
		}
		if len(rows) != 1 || len(a.Warnings) > 0 || rows[0].Elected == nil || rows[0].Elected.HandsOver {
			return false, fmt.Sprintf("%+v: %+v", a.Warnings, rows)
		}
		g, e := rows[0], rows[0].Elected
		if *e.Member != leader.Member || e.Ballot != leader.Fence.Number || string(e.Payload) != elected.name || *e.PayloadText != elected.name || *g.Leader != counts {
			return false, fmt.Sprintf("%+v of %+v, want %+v, counted by %s", e, g, leader, counts)
		}
		for _, m := range g.Members {
			if m.Candidacy == nil || !m.Candidacy.Candidate || m.ID == leader.Member && *m.Candidacy.PayloadText != elected.name {
				return false, fmt.Sprintf("%+v says %+v", m, m.Candidacy)
			}
		}
		return true, ""
	})
}

// verdictsIn are what the rounds of an election told, each once.
func verdictsIn(history inspect.OffsetsHistory) []string {
	var told []string
	for _, entry := range history.Entries {
		if entry.Generation == nil || entry.Generation.Elected == nil {
			continue
		}
		text := *entry.Generation.Elected.PayloadText
		if entry.Generation.Elected.HandsOver {
			text += ", hands over"
		}
		told = append(told, text)
	}
	return slices.Compact(told)
}

// What an administrator removes comes back, and learns that its term is over.
func TestALeaderThatIsRemovedFromTheElectionStops(t *testing.T) {
	c := cluster.Shared(t)
	election := unique(t, "election")
	e := elect(t, c, election, "candidate", nil)
	agreed(t, e)
	l, _ := e.Leader()
	admin := kadm.NewClient(newClient(t, c))
	groups, err := admin.DescribeGroups(t.Context(), election)
	if err != nil || groups[election].ProtocolType != "groupkit-election" {
		t.Errorf("the brokers report protocol type %q, %v", groups[election].ProtocolType, err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = election
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: l.Member}}
	if _, err := leave.RequestWith(t.Context(), newClient(t, c)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it leads again", func() (bool, string) {
		again, ok := e.Leader()
		return ok && again.Member != l.Member && e.Leading(), again.Member
	})
	if _, resigned := e.told(member.EventResigned); !errors.Is(resigned.Err, member.ErrLost) {
		t.Errorf("it resigned because of %v", resigned.Err)
	}
}

func TestAnElectionWorksBesideConsumersOfEitherProtocolAndKeepsThemOut(t *testing.T) {
	c := cluster.Shared(t)
	topic, group, election := newTopic(t, c, 4), unique(t, "group"), unique(t, "election")
	for name, opts := range map[string][]kgo.Opt{
		"classic": {kgo.ConsumerGroup(group + "-classic"), kgo.ConsumeTopics(topic)},
		"KIP-848": {kgo.ConsumerGroup(group + "-848"), kgo.ConsumeTopics(topic), kgo.ServerSideBalancer()},
		"share":   {kgo.ShareGroup(group + "-share"), kgo.ConsumeTopics(topic)},
	} {
		t.Run(name, func(t *testing.T) {
			consumer := newClient(t, c, append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
			e := elect(t, c, election+"-"+name, name, nil)
			agreed(t, e)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			seen := 0
			for seen == 0 && ctx.Err() == nil {
				produce(t, c, topic, 20) // a share group begins at the end
				short, cancel := context.WithTimeout(ctx, time.Second)
				seen = consumer.PollFetches(short).NumRecords()
				cancel()
			}
			if seen == 0 || !e.Leading() {
				t.Errorf("%d records, leading %t", seen, e.Leading())
			}
		})
	}

	// A consumer cannot join an election, nor an election a consumer group.
	e := elect(t, c, election, "candidate", nil)
	agreed(t, e)
	intruder := newClient(t, c)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = election, "consumer", 6000, 6000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	resp, err := join.RequestWith(t.Context(), intruder)
	if err != nil || !errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.InconsistentGroupProtocol) {
		t.Errorf("a consumer's JoinGroup was answered %v, %v", kerr.ErrorForCode(resp.ErrorCode), err)
	}
	startConsumer(t, c, group, topic, nil)
	settled(t, c, group, topic, 1, 4)
	lost := elect(t, c, group, "lost", nil)
	eventually(t, "the election tells why it cannot be joined", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := lost.WaitLeader(ctx)
		return errors.Is(err, kerr.InconsistentGroupProtocol), fmt.Sprint(err)
	})
	if !e.Leading() {
		t.Error("the leader did not stay")
	}
}
