package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// running is a member of KIP-848 that Run has handle records, and that logs what happens to
// it.
type running struct {
	end    func() // stops it as one should
	frozen chan struct{}
	path   string // of its log
}

// startRunning starts one, and waits until the coordinator has taken it in.
func (g *trouble) startRunning(name string) *running {
	g.t.Helper()
	w := g.tryRunning(name)
	awaitLine(g.t, w.path, "group member assigned")
	return w
}

// tryRunning starts one.
func (g *trouble) tryRunning(name string) *running {
	g.t.Helper()
	w := &running{frozen: make(chan struct{})}
	file, err := os.CreateTemp(g.logs, name+"-*.jsonl")
	if err != nil {
		g.t.Fatal(err)
	}
	w.path = file.Name()
	file.Close()
	cfg := member.Config{Group: g.group, Topics: []string{g.topic}, GroupProtocol: member.ConsumerProtocol}
	cfg.Logger = g.logTo(w.path)
	cfg.Client = []kgo.Opt{
		kgo.SeedBrokers(g.c.Seeds()...), kgo.ClientID(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &freezing{conn, w.frozen}, nil
		}),
	}
	m, err := member.New(cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx, func(context.Context, []*kgo.Record) error { return nil }); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, member.ErrClosed) {
			g.t.Errorf("%s: %v", name, err)
		}
	}()
	var once sync.Once
	w.end = func() {
		once.Do(func() {
			closing, stop := context.WithTimeout(context.Background(), patience)
			defer stop()
			select {
			case <-w.frozen:
			default:
				_ = m.Close(closing)
			}
			cancel()
			<-done
		})
	}
	g.t.Cleanup(w.end)
	return w
}

// awaitLine waits until a log has a line with some words.
func awaitLine(t *testing.T, path, words string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s says %q", path, words), func() (bool, string) {
		raw, err := os.ReadFile(path)
		return err == nil && bytes.Contains(raw, []byte(words)), string(raw)
	})
}

// TestWhatMembersOfKIP848SayExplainsTheirGroup has members of KIP-848 go and come, and be
// cut off, and the group explained from their logs alone, and together with
// __consumer_offsets.
func TestWhatMembersOfKIP848SayExplainsTheirGroup(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	for _, test := range []struct {
		name  string
		bring func(g *trouble, b *running)
		cause explain.Cause
		says  string
	}{
		{"one leaves again and again", func(g *trouble, _ *running) {
			for range 3 {
				g.startRunning("flapper").end()
			}
		}, explain.LeavesRepeatedly, `The client "flapper"`},
		{"one is cut off", func(g *trouble, b *running) {
			close(b.frozen)
			awaitLine(g.t, b.path, "group member lost")
			g.awaitMembers(1)
		}, explain.SessionExpired, `the client "b"`},
		{"it is scaled", func(g *trouble, b *running) {
			g.startRunning("c")
			b.end()
		}, explain.Fine, "joined"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newTrouble(t, c)
			groupConfig(t, c, g.group, "consumer.heartbeat.interval.ms", "500")
			if test.cause == explain.SessionExpired {
				groupConfig(t, c, g.group, "consumer.session.timeout.ms", "10000")
			}
			g.startRunning("a")
			b := g.startRunning("b")
			g.awaitMembers(2)
			test.bring(g, b)
			in := inspect.New(newClient(t, c))
			for _, how := range []inspect.Explaining{
				{For: time.Millisecond, NoLog: true, Said: g.heard},
				{For: time.Millisecond, Said: g.heard},
			} {
				answer, err := in.Explain(t.Context(), g.group, how)
				told, _ := json.MarshalIndent(answer.Data, "", " ")
				if err != nil || len(answer.Errors) > 0 || len(answer.Data.Verdicts) == 0 {
					t.Fatalf("%v, %v: %s", err, answer.Errors, told)
				}
				if v := answer.Data.Verdicts[0]; v.Cause != test.cause || !strings.Contains(v.Says, test.says) || len(v.Evidence) == 0 {
					t.Errorf("without the log: %v, want %s with %q: %s", how.NoLog, test.cause, test.says, told)
				}
				for _, v := range answer.Data.Verdicts[1:] {
					if v.Sure != explain.Possible {
						t.Errorf("without the log: %v, a verdict too many: %s: %s", how.NoLog, v.Cause, told)
					}
				}
			}
		})
	}
}

// TestWhoIsRefusedByAGroupOfAnotherKindIsToldWhy has a group be an election, and a member
// of KIP-848 refused by it, and another be one of consumers, and a candidate refused.
func TestWhoIsRefusedByAGroupOfAnotherKindIsToldWhy(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	elect := func(g *trouble) (path string) {
		file, err := os.CreateTemp(g.logs, "candidate-*.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		election, err := member.Elect(g.group, member.ElectionConfig{
			Client: []kgo.Opt{kgo.SeedBrokers(c.Seeds()...), kgo.ClientID("candidate")}, Logger: g.logTo(file.Name()),
			Lead: func(ctx context.Context, _ member.Term) error { <-ctx.Done(); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = election.Close(context.Background()) })
		return file.Name()
	}
	for _, test := range []struct {
		name  string
		bring func(*trouble)
		cause explain.Cause
		do    string
	}{
		{"an election, and a member of KIP-848", func(g *trouble) {
			awaitLine(t, elect(g), "election leading")
			awaitLine(t, g.tryRunning("consumer").path, "GROUP_ID_NOT_FOUND")
		}, explain.BetweenTypes, "such as elections"},
		{"consumers, and a candidate", func(g *trouble) {
			g.startRunning("consumer")
			awaitLine(t, elect(g), "election lost")
		}, explain.ProtocolMismatch, "member.Elect"},
	} {
		g := newTrouble(t, c)
		test.bring(g)
		answer, err := inspect.New(newClient(t, c)).Explain(t.Context(), g.group, inspect.Explaining{For: time.Millisecond, Said: g.heard})
		told, _ := json.MarshalIndent(answer.Data, "", " ")
		if err != nil || len(answer.Data.Verdicts) == 0 {
			t.Fatalf("%s: %v, %v: %s", test.name, err, answer.Errors, told)
		}
		if v := answer.Data.Verdicts[0]; v.Cause != test.cause || !strings.Contains(v.Do, test.do) {
			t.Errorf("%s: want %s, and %q to do: %s", test.name, test.cause, test.do, told)
		}
	}
}
