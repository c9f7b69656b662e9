package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/kafkatest"
)

// asked is one function, the requests that it sends, and what came of it.
type asked struct {
	name string
	// any are requests that any broker answers, so that others make up for one that does
	// not; each is what one broker alone knows.
	any, each []kmsg.Key
	ask       func(context.Context, *inspect.Inspector) (problems []inspect.Problem, whole bool, err error)
}

func outcome[T any](a inspect.Answer[T], err error, whole bool) ([]inspect.Problem, bool, error) {
	return append(slices.Clone(a.Errors), a.Warnings...), whole && len(a.Errors) == 0, err
}

// TestBrokersThatMisbehave has one broker, and all, misbehave at each request that each
// function sends, and in each way. What is missing is told, in bounded time; what any
// broker can tell is whole where one misbehaves; and answers that are late are whole.
func TestBrokersThatMisbehave(t *testing.T) {
	t.Parallel()
	byTurns(t)
	const allowed = 3 * time.Second
	fake := newFake(t, kfake.SeedTopics(6, "orders"), kfake.SeedTopics(50, offsetsTopic), kfake.SeedTopics(4, "__transaction_state"), kfake.SeedTopics(4, "__share_group_state"))
	kafkatest.ServeQuorum(t, fake, quorumAnswer(nil))
	const bad = 1
	classic, modern, empty := nameAt(fake, "classic", bad), nameAt(fake, "modern", bad), nameAt(fake, "empty", bad)
	joinGroup(t, fake, classic, 1)
	joinGroup(t, fake, modern, 1, kgo.ServerSideBalancer())
	commit(t, fake, empty, "orders", 0, 0, 0, 0, 0, 0)
	for p := range int32(6) {
		fake.MoveTopicPartition("orders", p, p%3)
	}
	for _, name := range []string{classic, modern, empty} {
		fake.MoveTopicPartition(offsetsTopic, inspect.OffsetsPartition(name, 50), bad)
	}
	writeLog(t, fake, classic, kafkatest.GroupRecord(classic, "a", 1), commitRecord(classic, 1))

	describe := func(name string) func(context.Context, *inspect.Inspector) ([]inspect.Problem, bool, error) {
		return func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Lag: true}, name)
			return outcome(a, err, len(a.Data) == 1 && a.Data[0].Lag != nil && len(a.Data[0].Lag.Partitions) == 6 && a.Data[0].Lag.Unknown == 0)
		}
	}
	functions := []asked{
		{"Explain", []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator}, []kmsg.Key{kmsg.DescribeGroups, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.Fetch}, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.Explain(ctx, classic, inspect.Explaining{For: 700 * time.Millisecond})
			return outcome(a, err, a.Data.Members != nil && len(a.Data.Verdicts) > 0)
		}},
		{"ElectionState", []kmsg.Key{kmsg.Metadata, kmsg.DescribeTopicPartitions, kmsg.DescribeConfigs, kmsg.DescribeCluster, kmsg.DescribeQuorum, kmsg.ListPartitionReassignments}, []kmsg.Key{kmsg.ListGroups, kmsg.ApiVersions}, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.ElectionState(ctx)
			return outcome(a, err, len(a.Data.Brokers) >= 3 && len(a.Data.Partitions) == 64 && len(a.Data.Voters) > 0 && len(a.Data.Groups) == 3)
		}},
		{"TransactionCoordinators", []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator}, nil, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.TransactionCoordinators(ctx, "payments")
			return outcome(a, err, len(a.Data) == 1 && a.Data[0].Leader != nil && a.Data[0].Coordinator != nil)
		}},
		{"ShareCoordinators", []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator}, nil, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.ShareCoordinators(ctx, "group:orders:1")
			return outcome(a, err, len(a.Data) == 1 && a.Data[0].Leader != nil)
		}},
		{"OffsetsLog", []kmsg.Key{kmsg.Metadata}, []kmsg.Key{kmsg.ListOffsets, kmsg.Fetch}, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.OffsetsLog(ctx, classic, inspect.LogRange{})
			return outcome(a, err, a.Data != nil && a.Data.Complete && len(a.Data.Entries) == 2)
		}},
		{"DescribeGroups of a classic one", []kmsg.Key{kmsg.Metadata}, []kmsg.Key{kmsg.ListGroups, kmsg.DescribeGroups, kmsg.OffsetFetch, kmsg.ListOffsets}, describe(empty)},
		{"DescribeGroups of a consumer one", []kmsg.Key{kmsg.Metadata}, []kmsg.Key{kmsg.ConsumerGroupDescribe, kmsg.OffsetFetch}, func(ctx context.Context, in *inspect.Inspector) ([]inspect.Problem, bool, error) {
			a, err := in.DescribeGroups(ctx, inspect.GroupDetails{Lag: true}, modern)
			// The fake does not know topics by the IDs that it gives.
			a.Errors = slices.DeleteFunc(a.Errors, func(p inspect.Problem) bool { return p.Code == inspect.CodeTopicNotFound })
			return outcome(a, err, len(a.Data) == 1 && len(a.Data[0].Members) == 1)
		}},
	}
	type one struct {
		of    asked
		key   kmsg.Key
		how   kafkatest.Fault
		all   bool
		spare bool // others make up for it
	}
	var cases []one
	for _, f := range functions {
		for _, how := range kafkatest.Faults() {
			for _, key := range f.any {
				cases = append(cases, one{f, key, how, true, false}, one{f, key, how, false, true})
			}
			for _, key := range f.each {
				cases = append(cases, one{f, key, how, false, false})
			}
		}
	}
	try := func(c one) error {
		m := &kafkatest.Misbehaving{Key: c.key, Fault: c.how}
		if !c.all {
			m.Addresses = fake.ListenAddrs()[bad : bad+1]
		}
		m.Begin()
		client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(m.Dial))
		if err != nil {
			return err
		}
		defer client.Close()
		allowed, options := allowed, []inspect.Option(nil)
		if c.how == kafkatest.AnswersLate || c.spare && c.how != kafkatest.NeverAnswers {
			allowed = time.Minute // whole it is with time enough, on a machine that is busy
			options = append(options, inspect.LogBudget(0, 0, allowed))
		}
		ctx, cancel := context.WithTimeout(t.Context(), allowed)
		defer cancel()
		began := time.Now()
		problems, whole, err := c.of.ask(ctx, inspect.New(client, options...))
		if took := time.Since(began); took > allowed+20*time.Second {
			return fmt.Errorf("it took %v of %v", took, allowed)
		}
		if _, ok := errors.AsType[inspect.Problem](err); err != nil && !ok {
			return fmt.Errorf("the error is no Problem: %w", err)
		}
		for _, p := range problems {
			if strings.TrimSpace(p.Message) == "" || strings.Contains(p.Message, "%!") || p.Target == "" || p.Code == "" {
				return fmt.Errorf("a problem that says nothing: %+v", p)
			}
		}
		switch {
		case m.Hits() == 0, c.how == kafkatest.NeverAnswers && c.spare:
			return nil // it depends on who is asked next
		case c.how == kafkatest.AnswersLate, c.spare:
			if !whole || err != nil {
				return fmt.Errorf("it is not whole: %v, %+v", err, problems)
			}
		case len(problems) == 0 && !whole:
			return errors.New("nothing is said to be missing")
		case len(problems) == 0 && c.key != kmsg.ApiVersions && c.key != kmsg.ListGroups:
			return errors.New("nothing is said")
		}
		for _, p := range problems {
			t.Logf("%s, %s at %s: %s %s", c.of.name, c.how, c.key.Name(), p.Code, p.Message)
		}
		return nil
	}
	const mostAgain = 20
	var trying sync.WaitGroup
	slots := make(chan struct{}, 24)
	var mu sync.Mutex
	var again []one // by themselves, for what all take together may be more than a busy machine has
	for _, c := range cases {
		slots <- struct{}{}
		trying.Go(func() {
			defer func() { <-slots }()
			if err := try(c); err != nil {
				mu.Lock()
				defer mu.Unlock()
				again = append(again, c)
				t.Logf("at first, %s, %s at %s: %v", c.of.name, c.how, c.key.Name(), err)
			}
		})
	}
	trying.Wait()
	if len(again) > mostAgain {
		t.Fatalf("%d of %d failed", len(again), len(cases))
	}
	for _, c := range again {
		if err := try(c); err != nil {
			who := "broker 1"
			if c.all {
				who = "each broker"
			}
			t.Errorf("%s, %s %s at %s: %v", c.of.name, who, c.how, c.key.Name(), err)
		}
	}
}
