package member_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// lockedBuffer is written by whichever goroutine logs.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// What OnEvent is told is in the log: one record an event, with the group, the member,
// the generation, the change of state and its cause, and warnings where something failed.
func TestEventsAreLogged(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	var log lockedBuffer
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		cfg.OnFailure = nil // which stops the member
		cfg.Attempts = 1
	}, member.Each(func(context.Context, *kgo.Record) error { return errors.New("no such order") }))
	if err := r.wait(t); err == nil {
		t.Fatal("Run goes on")
	}
	shut(t, r.Member)
	log.mu.Lock()
	defer log.mu.Unlock()
	type record struct {
		Msg, Level, Group, Member, From, State, Err, Assigned string
		Generation                                            int32
	}
	logged := map[string][]record{}
	for decoder := json.NewDecoder(&log.Buffer); decoder.More(); {
		var one record
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		logged[one.Msg] = append(logged[one.Msg], one)
	}
	for _, e := range r.copied() {
		of := logged["group member "+string(e.Kind)]
		if len(of) == 0 {
			t.Errorf("%s is not in the log", e.Kind)
			continue
		}
		one := of[0]
		logged["group member "+string(e.Kind)] = of[1:]
		if one.Group != "g" || one.Member != e.Member || one.Generation != e.Generation {
			t.Errorf("%+v of %+v", one, e)
		}
		if e.From != e.State && (one.From != string(e.From) || one.State != string(e.State)) {
			t.Errorf("%+v of %+v", one, e)
		}
		if (e.Err != nil) != (one.Err != "") {
			t.Errorf("%+v of %+v", one, e)
		}
		if of := e.Kind == member.EventAssigned || e.Kind == member.EventRevoked; of && one.Assigned != "t[0]" || !of && one.Assigned != "" {
			t.Errorf("%+v of %+v", one, e)
		}
		if want := map[bool]string{true: "WARN", false: "INFO"}[e.Kind == member.EventHandlerFailed]; one.Level != want {
			t.Errorf("%s is logged at %s, want %s", e.Kind, one.Level, want)
		}
	}
}

// So is what an election tells, with what `groupctl group explain --events` takes from it:
// whose it is, and with what timeouts the process joins.
func TestEventsOfElectionsAreLogged(t *testing.T) {
	cluster := fakeCluster(t, 1)
	var log lockedBuffer
	c := stand(t, cluster, member.ElectionConfig{
		Client:           []kgo.Opt{kgo.ClientID("me")},
		SessionTimeout:   30 * time.Second,
		RebalanceTimeout: 50 * time.Second,
		Logger:           slog.New(slog.NewJSONHandler(&log, nil)),
	})
	eventually(t, "it leads", c.Leading)
	c.close(t)
	log.mu.Lock()
	defer log.mu.Unlock()
	told := c.copied()
	for decoder := json.NewDecoder(&log.Buffer); decoder.More(); told = told[1:] {
		var one struct {
			Msg, Group, Member, ClientID         string
			SessionTimeoutMs, RebalanceTimeoutMs int64
		}
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		if len(told) == 0 {
			t.Fatalf("%+v is of no event", one)
		}
		e := told[0]
		if one.Msg != "election "+string(e.Kind) || one.Group != "e" || one.Member != e.Member || one.ClientID != "me" {
			t.Errorf("%+v of %+v", one, e)
		}
		if joins := e.Kind == member.EventJoining; joins && (one.SessionTimeoutMs != 30_000 || one.RebalanceTimeoutMs != 50_000) {
			t.Errorf("%+v of %+v", one, e)
		}
	}
	if len(told) > 0 {
		t.Errorf("%d events are not in the log, the first: %+v", len(told), told[0])
	}
}

func panicInTheHandler(*kgo.Record) error { panic("no such order") }
func panicInBackoff(int) time.Duration    { panic("no pause") }

// A panic that was caught is in the log with where it came from.
func TestPanicsAreLoggedWithTheirStacks(t *testing.T) {
	cluster := fakeCluster(t, 1)
	produce(t, cluster, 1, 1)
	var log lockedBuffer
	r := startRun(t, cluster, func(cfg *member.Config) {
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		cfg.Attempts, cfg.Backoff = 2, panicInBackoff
		cfg.OnFailure = func(context.Context, member.Failure) member.Decision { return member.StopPartition }
	}, member.Each(func(_ context.Context, record *kgo.Record) error { return panicInTheHandler(record) }))
	r.await(t, member.EventPartitionStopped)
	shut(t, r.Member)
	log.mu.Lock()
	defer log.mu.Unlock()
	stacks := map[string]string{}
	for decoder := json.NewDecoder(&log.Buffer); decoder.More(); {
		var one struct{ Msg, Err, Stack string }
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		stacks[one.Msg] = one.Stack
		if panicked := strings.Contains(one.Err, "panicked"); panicked != (one.Stack != "") {
			t.Errorf("the log has: %+v", one)
		}
	}
	for message, in := range map[string]string{
		"group member handler-failed":    "panicInTheHandler",
		"group member partition-stopped": "panicInTheHandler",
		"the pause is the default's":     "panicInBackoff",
	} {
		if !strings.Contains(stacks[message], in) {
			t.Errorf("%q is logged with the stack %q, want %s in it", message, stacks[message], in)
		}
	}
}

func TestAssignedPartitionsAreLoggedInRuns(t *testing.T) {
	odd := func(n int) (numbers []int32) {
		for i := range n {
			numbers = append(numbers, int32(2*i+1))
		}
		return numbers
	}
	long := member.AssignedInWords([]assign.TopicPartitions{{Topic: "a", Partitions: odd(60)}, {Topic: "b", Partitions: odd(60)}, {Topic: "c", Partitions: odd(7)}})
	if want := " and 27 more"; !strings.HasSuffix(long, ",79]"+want) || strings.Count(long, ",") != 98 {
		t.Errorf("got %s", long)
	}
	for want, assigned := range map[string][]assign.TopicPartitions{
		"none":                 {},
		"t[0]":                 {{Topic: "t", Partitions: []int32{0}}},
		"a[0-2,4,6-7] b[1000]": {{Topic: "a", Partitions: []int32{0, 1, 2, 4, 6, 7}}, {Topic: "b", Partitions: []int32{1000}}},
	} {
		if got := member.AssignedInWords(assigned); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
