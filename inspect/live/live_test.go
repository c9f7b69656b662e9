package live

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// newCluster is a fake cluster with a classic group of one member, "workers", on the two
// partitions of "orders", and a client of it.
func newCluster(t *testing.T) (context.Context, *kgo.Client) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "orders"), kfake.SeedTopics(50, "__consumer_offsets"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	polling, stop := context.WithCancel(ctx)
	member, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"), kgo.InstanceID("one"))
	if err != nil {
		t.Fatal(err)
	}
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			member.PollFetches(polling)
		}
	}()
	t.Cleanup(func() { stop(); <-polled; member.Close() })
	if _, err := fake.WaitGroupStable(ctx, "workers", 1); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return ctx, client
}

func TestALiveGroupIsAProblemThatAnAssignorSolves(t *testing.T) {
	ctx, client := newCluster(t)
	for range 3 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing is committed, so what there is to consume is all that there is.
	answer, err := Read(ctx, inspect.New(client, inspect.SkipMinISR()), "workers", Options{WeighLag: true})
	if err != nil || answer.Data == nil {
		t.Fatalf("%v %+v", err, answer)
	}
	problem := answer.Data.Problem
	if answer.Data.Seen.Group != "workers" || len(problem.Members) != 1 || problem.Members[0].Instance != "one" || !slices.Equal(problem.Members[0].Topics, []string{"orders"}) ||
		len(problem.Topics) != 1 || problem.Topics[0].Name != "orders" || problem.Topics[0].Partitions != 2 {
		t.Fatalf("%+v", answer.Data)
	}
	if w := problem.Topics[0].Weights; len(w) != 2 {
		t.Errorf("weights %v", w)
	}
	plan, err := assign.Balanced{}.Assign(problem)
	if err != nil || len(assign.Diff(problem.Ownership(), plan.Assignment)) > 0 {
		t.Errorf("%v: %+v, and owned is %+v", err, plan, problem.Ownership())
	}
}

func TestWithoutAProblemThereIsAnErrorThatSaysWhy(t *testing.T) {
	ctx, client := newCluster(t)
	admin := kadm.NewClient(client)
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, 0, -1)
	if _, err := admin.CommitOffsets(ctx, "idle", offsets); err != nil {
		t.Fatal(err)
	}
	in := inspect.New(client, inspect.SkipMinISR())
	for group, want := range map[string]inspect.Code{"nobody": inspect.CodeGroupNotFound, "idle": CodeNoMembers} {
		answer, err := Read(ctx, in, group, Options{})
		if err == nil || answer.Data != nil || len(answer.Errors) != 1 || answer.Errors[0].Code != want {
			t.Errorf("%s: %v %+v", group, err, answer)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if answer, err := Read(ended, in, "workers", Options{WeighLag: true}); err == nil || answer.Data != nil {
		t.Errorf("%v %+v", err, answer)
	}
}

func TestOnlyWhatIsKnownToBeUncommittedWeighsTheWholeLog(t *testing.T) {
	row := inspect.PartitionLag{Topic: "orders", Start: new(int64(10)), End: new(int64(50))}
	if weight, known := toConsume(&row); known {
		t.Errorf("what was committed is not known, and it weighs %v", weight)
	}
	row.Uncommitted = true
	if weight, known := toConsume(&row); !known || weight != 40 {
		t.Errorf("%v, %v", weight, known)
	}
}
